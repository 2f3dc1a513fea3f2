import pytest

from craftlog.gateway.auth import DEFAULT_PROJECT, Keys


class TestKeys:
    def test_refuse_an_empty_token_at_the_start(self):
        with pytest.raises(ValueError, match="must not be empty"):
            Keys({"": DEFAULT_PROJECT})

    def test_refuse_a_project_that_is_none_at_the_start_and_do_not_name_its_token(self):
        with pytest.raises(ValueError, match="'mine' is not a canonical") as refused:
            Keys({"sk-ac-secret": "mine"})
        assert "secret" not in str(refused.value)
