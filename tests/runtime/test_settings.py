import pytest

from craftlog.runtime.settings import Settings


def test_an_empty_variable_is_one_that_is_not_set(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CRAFTLOG_OTLP_ENDPOINT", "")
    monkeypatch.setenv("CRAFTLOG_S3_SECRET_KEY", "")
    settings = Settings()
    assert settings.otlp_endpoint is None
    assert settings.s3_secret_key.get_secret_value()
