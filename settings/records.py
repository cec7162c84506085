"""Settings of what is shown and kept of calls: dashboard, traces, transcripts, logs."""

from pydantic import Field, SecretStr, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings

from contracts.modes import Transcripts
from settings.choices import LogLevel


class RecordSettings(BaseSettings):
    """What is told of calls, and to whom."""

    # dashboard, metrics, traces
    dashboard_token: SecretStr = Field(
        SecretStr(""),
        description="Opens /dashboard and /metrics to other machines; 16 characters or more. Empty: only this machine.",
    )
    otel_exporter_otlp_endpoint: str = Field(
        "", description="OpenTelemetry collector that traces go to, such as http://127.0.0.1:4318; empty: none."
    )

    # what is kept of what people say
    transcripts: Transcripts = Field(
        Transcripts.REDACTED,
        description="What log and dashboard keep of what is said: off, redacted (without numbers of cards, PINs and "
        "the like; in the log at DEBUG only), full (also the messages of exceptions).",
    )
    retention_minutes: float = Field(
        1440.0, ge=0, le=525_600, description="How long calls that have ended can still be looked at; 0: not at all."
    )

    # logs
    log_level: LogLevel = Field(LogLevel.INFO, description="DEBUG, INFO, WARNING or ERROR.")
    log_json: bool = Field(False, description="One JSON object per log line, for machines.")

    @field_validator("dashboard_token")
    @classmethod
    def _is_long_enough(cls, value: SecretStr) -> SecretStr:
        if 0 < len(value.get_secret_value()) < 16:
            raise PydanticCustomError("weak_token", "too short to keep anybody out")
        return value
