"""What configs say to a service is checked by its path; whatever else they say is the client's own."""

from typing import Any

import pytest

from craftlog.contracts.configs import ProjectConfigs, SessionConfigs
from craftlog.gateway.configs import checked
from craftlog.gateway.errors import InvalidError

WRONG: list[tuple[dict[str, Any], str]] = [
    ({"observing": []}, "observing: must be an object"),
    ({"observing": {"messages": 0}}, "observing.messages: must be greater than or equal to 1"),
    ({"observing": {"messages": 1001}}, "observing.messages: must be less than or equal to 1000"),
    ({"observing": {"messages": 1.0}}, "observing.messages: must be a valid integer"),
    ({"observing": {"messages": True}}, "observing.messages: must be a valid integer"),
    ({"observing": {"idle": -0.1}}, "observing.idle: must be greater than or equal to 0"),
    ({"observing": {"idle": 3600.5}}, "observing.idle: must be less than or equal to 3600"),
    ({"observing": {"idle": "4"}}, "observing.idle: must be a valid number"),
    ({"observing": {"idle": False}}, "observing.idle: must be a valid number"),
    ({"observing": {"age": 86_401}}, "observing.age: must be less than or equal to 86400"),
    ({"observing": {"speed": 1}}, "observing.speed: is not known here"),
]
OF_PROJECTS: list[tuple[dict[str, Any], str]] = [
    ({"task_success_criteria": "x" * 2001}, "task_success_criteria: must have at most 2000 characters"),
    ({"task_failure_criteria": ["x"]}, "task_failure_criteria: must be a valid string"),
]


class TestChecked:
    @pytest.mark.parametrize(("configs", "said"), WRONG + OF_PROJECTS)
    def test_configs_of_a_project_are_refused_by_path(self, configs: dict[str, Any], said: str) -> None:
        with pytest.raises(InvalidError) as refusal:
            checked(ProjectConfigs, configs)
        assert str(refusal.value) == said

    @pytest.mark.parametrize(("configs", "said"), WRONG)
    def test_configs_of_a_session_are_refused_by_path(self, configs: dict[str, Any], said: str) -> None:
        with pytest.raises(InvalidError) as refusal:
            checked(SessionConfigs, configs, "configs")
        assert str(refusal.value) == f"configs.{said}"

    @pytest.mark.parametrize(
        "configs",
        [
            {},
            {"observing": None},
            {"observing": {}},
            {"observing": {"messages": 1, "idle": 0, "age": 86_400}},
            {"observing": {"idle": 0.5, "age": None}},
            {"task_success_criteria": "é" * 2000, "task_failure_criteria": None, "mine": {"observing": {"x": 1}}},
        ],
    )
    def test_all_others_stay_as_they_are(self, configs: dict[str, Any]) -> None:
        assert checked(ProjectConfigs, configs) is configs
        assert checked(SessionConfigs, configs, "configs") is configs
