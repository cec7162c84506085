"""Choices that a setting names and several layers obey."""

from enum import Enum


class InterruptionMode(Enum):
    """What the first moment of a sound over the bot's voice does."""

    DUCK = "duck"
    PAUSE = "pause"
    CANCEL = "cancel"
    OFF = "off"


class Transcripts(Enum):
    """What is kept of what is said, in the log, the record, traces and the dashboard."""

    OFF = "off"
    REDACTED = "redacted"
    FULL = "full"


class Record(Enum):
    """What is recorded of calls, so that they can be replayed."""

    OFF = "off"
    EVENTS = "events"
    AUDIO = "audio"
