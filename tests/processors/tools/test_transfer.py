"""Putting a caller through to a person: what they are told, and when the bot comes back."""

import asyncio

import pytest

from contracts.transfer import TransferOutcome
from processors.tools.base import Session, Shared, ToolContext
from processors.tools.catalogue import offered
from processors.tools.transfer_to_person import LINES, LONGEST_SECS, OUTCOMES, transfer_to_person
from settings import load

SETTINGS = {"transfer_to": "+33100000000", "llm": "scripted"}


class Line:
    """A line on which a transfer takes a while."""

    def __init__(self, outcome, secs=0.0, heard=True):
        self.said, self.asked = [], []
        self._outcome, self._secs, self._heard = outcome, secs, heard

    async def say(self, text):
        self.said.append(text)
        await asyncio.sleep(2.0)
        return self._heard

    def hang_up(self):
        raise AssertionError("nobody asked for that")

    async def transfer(self, target, within_secs):
        self.asked.append((target, within_secs))
        await asyncio.sleep(self._secs)
        return self._outcome


async def put_through(line, language="en", **data):
    session = Session("call-1", Shared(load(**SETTINGS)), language, request_data={"carrier": "sip", **data})
    return await transfer_to_person.run({}, ToolContext(session, call=line))


@pytest.mark.parametrize("outcome", list(TransferOutcome))
async def test_the_caller_is_told_first_and_what_became_of_it(virtual, outcome):
    line = Line(outcome)
    assert await put_through(line) == OUTCOMES[outcome]
    assert (line.said, line.asked) == ([LINES["en"][0]], [("+33100000000", 25.0)])


async def test_who_waits_hears_that_it_is_still_tried(virtual):
    line = Line(TransferOutcome.NO_ANSWER, secs=25)
    await put_through(line)
    assert line.said == [LINES["en"][0], LINES["en"][1], LINES["en"][1]]
    await asyncio.sleep(60)
    assert len(line.said) == 3  # nothing is said any more once it is over


async def test_a_carrier_lets_the_caller_hear_it_ring_itself(virtual):
    line = Line(TransferOutcome.NO_ANSWER, secs=25)
    await put_through(line, carrier="twilio")
    assert line.said == [LINES["en"][0]]


async def test_a_caller_who_speaks_before_is_not_put_through(virtual):
    line = Line(TransferOutcome.DONE, heard=False)
    assert "not put through" in await put_through(line)
    assert line.asked == []


async def test_a_caller_is_told_in_their_language(virtual):
    line = Line(TransferOutcome.DONE)
    await put_through(line, "de")
    assert line.said == [LINES["de"][0]]


def test_it_is_offered_where_it_is_said_to_whom(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "transfer_to_person" in [tool.name for tool in offered(load(**SETTINGS))]
    assert "transfer_to_person" not in [tool.name for tool in offered(load(llm="scripted"))]
    assert load(**SETTINGS, transfer_secs="60").transfer_secs < LONGEST_SECS
