"""The settings that every service shares, read from the environment with the prefix CRAFTLOG_."""

from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Where the parts are and how to log. A service adds its own fields in a subclass in its ``app.py``."""

    # An empty variable is one that is not set: docker-compose.yml passes on what nobody has given a value.
    model_config = SettingsConfigDict(env_prefix="CRAFTLOG_", env_ignore_empty=True, frozen=True, extra="ignore")

    nats_url: str = "nats://127.0.0.1:4222"
    mongo_url: str = "mongodb://127.0.0.1:27017/?directConnection=true&retryWrites=false&w=1&journal=true"
    mongo_database: str = "craftlog"
    s3_endpoint: str = "127.0.0.1:8333"
    s3_public_url: str | None = None
    s3_access_key: str = "craftlog"
    s3_secret_key: SecretStr = SecretStr("craftlog-secret")
    s3_bucket: str = "craftlog"
    s3_region: str = "us-east-1"
    s3_secure: bool = False
    qdrant_url: str = "http://127.0.0.1:6333"
    otlp_endpoint: str | None = None
    log_level: str = "INFO"
