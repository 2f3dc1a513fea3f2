import pytest

from craftlog.gateway.editing import strategies
from craftlog.gateway.editing.strategies import MiddleOut, RemoveCallParams, RemoveToolResults, Spared, TokenLimit
from craftlog.gateway.errors import InvalidError


class TestStrategies:
    @pytest.mark.parametrize("text", [None, "", "null", "[]", " [ ] "])
    def test_nothing_wanted_is_no_strategy(self, text):
        assert strategies(text) == ()

    @pytest.mark.parametrize(
        ("text", "wanted"),
        [
            ('[{"type": "remove_tool_result"}]', RemoveToolResults()),
            ('[{"type": "remove_tool_result", "params": null}]', RemoveToolResults()),
            (
                '[{"type": "remove_tool_result", "params": {"keep_recent_n_tool_results": 2.9, "keep_tools": ["f"]}}]',
                RemoveToolResults(Spared(2, frozenset({"f"}))),
            ),
            (
                '[{"type": "remove_tool_result", "params": {"gt_token": 9, "tool_result_placeholder": " x ", "y": 1}}]',
                RemoveToolResults(Spared(up_to=9), "x"),
            ),
            (
                '[{"type": "remove_tool_result", "params": {"keep_recent_n_tool_results": null, "gt_token": null}}]',
                RemoveToolResults(Spared(3)),
            ),
            (
                '[{"type": "remove_tool_result", "params": {"tool_result_placeholder": "  ", "keep_tools": null}}]',
                RemoveToolResults(placeholder="Done"),
            ),
            (
                '[{"type": "remove_tool_call_params", "params": {"keep_recent_n_tool_calls": 0}}]',
                RemoveCallParams(Spared(0)),
            ),
            ('[{"type": "middle_out", "params": {"token_reduce_to": 5000}}]', MiddleOut(5000)),
            ('[{"type": "token_limit", "params": {"limit_tokens": 1}}]', TokenLimit(1)),
        ],
    )
    def test_reads_what_the_sdks_send(self, text, wanted):
        assert strategies(text) == (wanted,)

    def test_keeps_several_in_the_order_of_the_request(self):
        text = '[{"type": "token_limit", "params": {"limit_tokens": 7}}, {"type": "remove_tool_call_params"}]'
        assert strategies(text) == (TokenLimit(7), RemoveCallParams())

    @pytest.mark.parametrize(
        ("text", "field"),
        [
            ("{", "edit_strategies"),
            ("{}", "edit_strategies"),
            ('"token_limit"', "edit_strategies"),
            ("[NaN]", "edit_strategies[0]"),
            ("[" + ",".join(['{"type": "remove_tool_result"}'] * 33) + "]", "edit_strategies"),
            ("[1]", "edit_strategies[0]"),
            ("[{}]", "edit_strategies[0].type"),
            ('[{"type": "remove_tool_result"}, {"type": "summarise"}]', "edit_strategies[1].type"),
            ('[{"type": ["token_limit"]}]', "edit_strategies[0].type"),
            ('[{"type": "token_limit", "params": [1]}]', "edit_strategies[0].params"),
        ],
    )
    def test_names_what_it_does_not_understand(self, text, field):
        with pytest.raises(InvalidError) as refused:
            strategies(text)
        assert refused.value.field == field

    @pytest.mark.parametrize(
        ("kind", "name", "value"),
        [
            ("remove_tool_result", "keep_recent_n_tool_results", "-1"),
            ("remove_tool_result", "keep_recent_n_tool_results", '"3"'),
            ("remove_tool_result", "keep_recent_n_tool_results", "true"),
            ("remove_tool_result", "tool_result_placeholder", "1"),
            ("remove_tool_result", "keep_tools", '"find"'),
            ("remove_tool_result", "keep_tools", "[1]"),
            ("remove_tool_result", "gt_token", "0"),
            ("remove_tool_call_params", "keep_recent_n_tool_calls", "{}"),
            ("remove_tool_call_params", "gt_token", "-5"),
            ("token_limit", "limit_tokens", "null"),
            ("token_limit", "limit_tokens", "0.9"),
            ("middle_out", "token_reduce_to", "0"),
            ("middle_out", "token_reduce_to", '"all"'),
        ],
    )
    def test_names_the_parameter_that_is_wrong(self, kind, name, value):
        with pytest.raises(InvalidError) as refused:
            strategies(f'[{{"type": "{kind}", "params": {{"{name}": {value}}}}}]')
        assert refused.value.field == f"edit_strategies[0].params.{name}"

    @pytest.mark.parametrize(("kind", "name"), [("token_limit", "limit_tokens"), ("middle_out", "token_reduce_to")])
    def test_a_limit_has_to_be_given(self, kind, name):
        with pytest.raises(InvalidError, match=rf"params\.{name}: "):
            strategies(f'[{{"type": "{kind}"}}]')
