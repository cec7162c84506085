"""The caller's own time: which zone, which day, and what the model and the tools are told of it."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.caller_time import CallerClock, exists, offset_of, zone_of_caller
from contracts.llm import ToolCallDelta
from processors.context.aggregators import Conversation
from processors.tools.base import Session, ToolContext, ToolError
from processors.tools.book_appointment import check, resolve
from processors.tools.declare import tool
from processors.tools.runner import ToolRunner
from settings import Settings, SettingsError, load

UTC = UTC


class At:
    """A clock that stands where it is put."""

    def __init__(self, text):
        self.moment = datetime.fromisoformat(text)

    def __call__(self, zone):
        return self.moment.astimezone(zone or UTC)


def test_the_zone_is_the_browsers_else_the_numbers_else_the_settings():
    berlin, new_york, paris = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York"), "Europe/Paris"
    assert zone_of_caller({"time_zone": "Europe/Berlin", "phone_number": "+12125550123"}, paris) == berlin
    assert zone_of_caller({"phone_number": "+12125550123"}, paris) == new_york
    assert zone_of_caller({"phone_number": "+18005550199"}, paris) == ZoneInfo(paris), "it may be anywhere"
    assert zone_of_caller({"phone_number": "0800 nobody"}, "") is None
    assert zone_of_caller({}, "") is None


@given(st.one_of(st.text(max_size=80), st.none(), st.integers(), st.lists(st.text(), max_size=2)))
def test_whatever_a_client_sends_is_a_zone_or_none(value):
    zone = zone_of_caller({"time_zone": value, "phone_number": value}, "")
    assert zone is None or datetime.now(zone).utcoffset() is not None


def test_a_zone_that_there_is_not_stops_the_start(monkeypatch):
    monkeypatch.setenv("TIME_ZONE", "Mars/Olympus")
    with pytest.raises(SettingsError, match="TIME_ZONE.*Europe/Paris"):
        load()
    assert Settings(_env_file=None, time_zone="Europe/Paris").time_zone == "Europe/Paris"


def test_the_prompt_ends_with_the_callers_date_anew_each_turn_and_begins_always_alike():
    at = At("2026-03-10T06:30:00+00:00")
    clock = CallerClock(ZoneInfo("America/Los_Angeles"), at)
    conversation = Conversation("You are a bank.", told=clock.told)
    conversation.user_turn(1, "Hi")
    told = "Today is Monday, 9 March 2026; the caller's time zone is America/Los_Angeles (UTC-07:00)."
    assert conversation.messages()[0]["content"] == f"You are a bank.\n\n{told}"
    at.moment += timedelta(hours=1)  # midnight there
    assert "Today is Tuesday, 10 March 2026" in conversation.messages()[0]["content"]
    at.moment += timedelta(days=3)
    assert "Today is Friday, 13 March 2026" in conversation.messages_with(1, "Hi there")[0]["content"]


@pytest.mark.parametrize(
    ("now", "zone", "tomorrow"),
    [
        ("2026-05-27T00:30:00+00:00", "America/Los_Angeles", "2026-05-27"),
        ("2026-05-27T00:30:00+00:00", "UTC", "2026-05-28"),
        ("2026-05-27T23:30:00+00:00", "Asia/Tokyo", "2026-05-29"),
    ],
)
async def test_tomorrow_is_the_callers_with_its_offset(virtual, now, zone, tomorrow):
    seen = []

    @tool()
    async def look(context: ToolContext, day: str) -> str:
        """Tell the date."""
        seen.append(context.now().isoformat())
        return resolve(day, context.now().date()).isoformat()

    conversation = Conversation("Be brief.")
    conversation.user_turn(1, "tomorrow")
    clock = CallerClock(ZoneInfo(zone), At(now))
    runner = ToolRunner([look], conversation, Session(clock=clock))
    await runner.run(1, [ToolCallDelta("", "look", '{"day": "tomorrow"}')])
    assert conversation.messages()[-1]["content"] == tomorrow
    assert seen == [clock.now().isoformat()]
    assert seen[0][-6:] in ("-07:00", "+00:00", "+09:00")


@given(st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)), st.sampled_from(["Europe/Berlin", "America/New_York"]))
def test_every_moment_that_comes_from_a_clock_exists(moment, zone):
    assert exists(moment.replace(tzinfo=UTC).astimezone(ZoneInfo(zone)))


def test_an_hour_that_the_clocks_leave_out_is_asked_back():
    berlin = ZoneInfo("Europe/Berlin")
    gap = datetime(2026, 3, 29, 2, 30, tzinfo=berlin)
    assert not exists(gap)
    assert exists(datetime(2026, 3, 29, 3, 30, tzinfo=berlin))
    assert exists(datetime(2026, 10, 25, 2, 30, tzinfo=berlin)), "that one is there twice"
    with pytest.raises(ToolError, match="the clocks go forward, and 02:30 does not exist"):
        check(gap.date(), time(2, 30), datetime(2026, 3, 27, 12, tzinfo=berlin))
    assert offset_of(datetime(2026, 7, 1, tzinfo=berlin)) == "UTC+02:00"
