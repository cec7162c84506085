"""What time it is for a caller: their zone, and what the language model is told of it."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any, Final
from zoneinfo import ZoneInfo

import phonenumbers
from phonenumbers.timezone import time_zones_for_number

TIME_ZONE: Final = "time_zone"
"""Where in an offer's ``requestData`` a client names its zone, as IANA does ("Europe/Paris")."""

PHONE_NUMBER: Final = "phone_number"
"""Where it names the number that the caller called from, as E.164 has it ("+33612345678")."""

MAX_NAME_CHARS: Final = 64

Clock = Callable[[tzinfo | None], datetime]
"""Gives the time now in a zone; None: the machine's own."""


def zone_named(name: object) -> ZoneInfo | None:
    """The zone of a name; None if there is none of that name."""
    if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME_CHARS:
        return None
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown; no name at all; a folder's name
        return None


def zone_of_number(number: object) -> ZoneInfo | None:
    """The zone that a telephone number belongs to; None if it may belong to several, or to none."""
    if not isinstance(number, str) or not number.startswith("+") or len(number) > MAX_NAME_CHARS:
        return None
    try:
        zones = time_zones_for_number(phonenumbers.parse(number))
    except phonenumbers.NumberParseException:
        return None
    return zone_named(zones[0]) if len(zones) == 1 else None


def zone_of_caller(request_data: Mapping[str, Any], setting: str) -> tzinfo | None:
    """The caller's zone: what their client says, else their number's, else the setting's; None: the machine's own.

    Args:
        request_data: What the client sent beside its offer.
        setting: The setting ``TIME_ZONE``: a name, or empty.
    """
    told = zone_named(request_data.get(TIME_ZONE)) or zone_of_number(request_data.get(PHONE_NUMBER))
    return told or zone_named(setting)


def now_in(zone: tzinfo | None) -> datetime:
    """The time now in a zone, with its offset; None: the machine's own."""
    return datetime.now(zone) if zone is not None else datetime.now().astimezone()


def exists(moment: datetime) -> bool:
    """Whether a moment's wall clock ever shows it: where clocks go forward, an hour is missing."""
    return moment.astimezone(UTC).astimezone(moment.tzinfo).replace(tzinfo=None) == moment.replace(tzinfo=None)


def offset_of(moment: datetime) -> str:
    """The offset of a moment: "UTC+02:00"."""
    return str(timezone(moment.utcoffset() or timedelta()))


class CallerClock:
    """One caller's time.

    Args:
        zone: Their zone; None: the machine's own.
        now: The clock.
    """

    def __init__(self, zone: tzinfo | None, now: Clock = now_in) -> None:
        self._zone = zone
        self._now = now

    def now(self) -> datetime:
        """The time now, in the caller's zone."""
        return self._now(self._zone)

    def told(self) -> str:
        """What the language model is told, anew for each prompt: no more than changes once a day, and at its end."""
        now = self.now()
        where = getattr(self._zone, "key", "")
        zone = f"the caller's time zone is {where} ({offset_of(now)})" if where else f"times are in {offset_of(now)}"
        return f"Today is {now:%A}, {now.day} {now:%B %Y}; {zone}."
