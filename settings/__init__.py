"""Every setting of the bot: one typed tree, read from flags, environment and ``.env``, in this order.

Field names are the environment variables in lower case. Units are in the names or in the descriptions.
A wrong value stops the start with one line that names the variable and what it may be: :func:`load` raises
:class:`SettingsError` with that line.
"""

from settings.choices import (
    CallTokensMode,
    EarlyStt,
    LlmFallback,
    LlmProvider,
    LogLevel,
    NewMicrophone,
    OtherVoices,
    SmtpSecurity,
    SttProvider,
    TtsProvider,
)
from settings.errors import SettingsError
from settings.reading import FLAGS, env_example, help_text, load, metavar, outdated_names
from settings.root import ROOT
from settings.settings import Settings

__all__ = [
    "FLAGS",
    "ROOT",
    "CallTokensMode",
    "EarlyStt",
    "LlmFallback",
    "LlmProvider",
    "LogLevel",
    "NewMicrophone",
    "OtherVoices",
    "Settings",
    "SettingsError",
    "SmtpSecurity",
    "SttProvider",
    "TtsProvider",
    "env_example",
    "help_text",
    "load",
    "metavar",
    "outdated_names",
]
