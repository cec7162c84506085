"""Settings of what is shown and kept of calls: dashboard, traces, transcripts, logs."""

import base64
from typing import Final

from pydantic import Field, SecretStr, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings

from contracts.modes import Record, Transcripts
from settings.choices import LogLevel

RECORD_KEY_BYTES: Final = 32


def read_key(text: str) -> bytes:
    """A key that is written in base64.

    Raises:
        ValueError: It is none, or of another length.
    """
    key = base64.b64decode(text, validate=True)
    if len(key) != RECORD_KEY_BYTES:
        raise ValueError(f"{len(key)} bytes")
    return key


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

    # records of calls, to be replayed
    record: Record = Field(
        Record.OFF,
        description="Records of calls: off; events (what happened, redacted, without audio); audio (all that a replay "
        "needs: the caller's voice and words as they are). See docs/replay.md.",
    )
    record_dir: str = Field("records", description="Folder of the records.")
    record_key: SecretStr = Field(
        SecretStr(""),
        description="Encrypts the records: 32 bytes in base64, as openssl rand -base64 32 makes them. Empty: they are "
        "not encrypted.",
    )
    record_days: float = Field(30.0, ge=0, le=3_650, description="Days after which records are deleted; 0: never.")
    record_max_mb: float = Field(256.0, gt=0, le=10_000, description="Longest record of one call, in megabytes.")

    # logs
    log_level: LogLevel = Field(LogLevel.INFO, description="DEBUG, INFO, WARNING or ERROR.")
    log_json: bool = Field(False, description="One JSON object per log line, for machines.")

    @field_validator("record_key")
    @classmethod
    def _is_a_record_key(cls, value: SecretStr) -> SecretStr:
        if value.get_secret_value():
            try:
                read_key(value.get_secret_value())
            except ValueError:
                raise PydanticCustomError("wrong_key", "32 bytes in base64 are needed") from None
        return value

    @property
    def record_key_bytes(self) -> bytes:
        """The key of the records; empty: there is none."""
        return read_key(self.record_key.get_secret_value()) if self.record_key.get_secret_value() else b""

    @field_validator("dashboard_token")
    @classmethod
    def _is_long_enough(cls, value: SecretStr) -> SecretStr:
        if 0 < len(value.get_secret_value()) < 16:
            raise PydanticCustomError("weak_token", "too short to keep anybody out")
        return value
