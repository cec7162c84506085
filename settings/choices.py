"""What a setting may be, where it is one of a few words."""

from enum import Enum


class SttProvider(Enum):
    """Who turns speech into text."""

    AUTO = "auto"
    LOCAL = "local"
    DEEPGRAM = "deepgram"


class LlmProvider(Enum):
    """Who thinks."""

    AUTO = "auto"
    LOCAL = "local"
    SCRIPTED = "scripted"
    OLLAMA = "ollama"
    GROQ = "groq"


class OtherVoices(Enum):
    """What becomes of voices far below the caller's."""

    HEARD = "heard"
    NO_CONSENT = "no_consent"
    IGNORED = "ignored"


class EarlyStt(Enum):
    """Whether the local recogniser listens beside a vendor's."""

    AUTO = "auto"
    ON = "on"
    OFF = "off"


class LlmFallback(Enum):
    """What answers when no vendor's language model can."""

    AUTO = "auto"
    LOCAL = "local"
    NONE = "none"


class TtsProvider(Enum):
    """Who turns text into speech."""

    AUTO = "auto"
    LOCAL = "local"
    GTTS = "gtts"
    ELEVENLABS = "elevenlabs"
    AZURE = "azure"


class SmtpSecurity(Enum):
    """How mail to the server is protected."""

    NONE = "none"
    STARTTLS = "starttls"
    TLS = "tls"


class CallTokensMode(Enum):
    """Whether callers need a token."""

    AUTO = "auto"
    OFF = "off"
    REQUIRED = "required"


class NewMicrophone(Enum):
    """What the page does with a new system microphone."""

    TAKE = "take"
    OFFER = "offer"


class LogLevel(Enum):
    """How much is logged."""

    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"
