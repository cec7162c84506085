"""Reads the settings from flags, environment and ``.env``, and says in one line what is wrong with one."""

from enum import Enum
from typing import Any, Final, cast

from pydantic import SecretStr, ValidationError
from pydantic_settings import DotEnvSettingsSource, EnvSettingsSource

from settings.errors import SettingsError
from settings.renamed import RENAMED
from settings.settings import Settings

FLAGS: Final = (
    "stt",
    "llm",
    "tts",
    "host",
    "port",
    "workers",
    "max_calls",
    "history_turns",
    "interruption_mode",
    "log_level",
)
"""Settings that are also flags of ``serve``; every other one is set by environment or ``.env``."""


def _allowed(name: str) -> str:
    """What a setting may be, in words."""
    field = Settings.model_fields[name]
    annotation = field.annotation
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return "one of " + ", ".join(str(member.value) for member in annotation)
    return field.description or ""


def metavar(name: str) -> str:
    """What stands for a flag's value in ``--help``."""
    annotation = Settings.model_fields[name].annotation
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return "|".join(str(member.value) for member in annotation)
    return name.rsplit("_", 1)[-1].upper()


def help_text(name: str) -> str:
    """A flag's line in ``--help``: what it is, and the default."""
    field = Settings.model_fields[name]
    default = field.get_default()
    return f"{field.description} Default: {default.value if isinstance(default, Enum) else default}."


def load(**overrides: Any) -> Settings:
    """Read the settings; ``overrides`` (flags) win over the environment.

    Raises:
        SettingsError: One line: the variable, what was given, what it may be.
    """
    try:
        return Settings(**{name: value for name, value in overrides.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        if first["type"] in ("missing_key", "wrong_language"):
            raise SettingsError(first["msg"]) from None
        name = str(first["loc"][0])
        secret = any(word in name for word in ("key", "credential", "password", "redis_url")) or name.endswith(
            ("_token", "_secret")
        )
        given = "" if secret else f" (given: {str(first.get('input'))[:60]!r})"
        raise SettingsError(f"{name.upper()}: {first['msg'].lower()}{given}; it may be: {_allowed(name)}") from None


def outdated_names() -> list[str]:
    """One line for each old name that the environment or ``.env`` sets."""
    names = {*EnvSettingsSource(Settings).env_vars, *DotEnvSettingsSource(Settings).env_vars}
    return [
        f"{old.upper()} is now called {new.upper()}; the next version reads the new name only"
        for old, new in RENAMED.items()
        if old in names
    ]


def env_example() -> str:
    """The text of ``.env.example``: every field with its meaning and default."""
    lines = ["# Copy to .env and change what you need. Every line shows the default."]
    for name, field in Settings.model_fields.items():
        default = field.get_default(call_default_factory=True)
        if isinstance(default, Enum):
            default = default.value
        elif isinstance(default, SecretStr):
            default = default.get_secret_value()
        elif isinstance(default, list):
            default = ",".join(cast("list[str]", default))
        elif isinstance(default, dict):
            default = ",".join(f"{key}={value:g}" for key, value in cast("dict[str, float]", default).items())
        elif isinstance(default, bool):
            default = str(default).lower()
        lines += ["", f"# {field.description}"]
        annotation = field.annotation
        if isinstance(annotation, type) and issubclass(annotation, Enum):
            lines.append("# " + _allowed(name).capitalize() + ".")
        lines.append(f"#{name.upper()}={'' if default is None else default}")
    return "\n".join(lines) + "\n"
