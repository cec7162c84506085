"""A carrier calls somebody else for a caller, in virtual time: the stream goes, and comes back when nobody answers."""

import asyncio

import pytest

from contracts.frames import ClientReadyFrame, ReplyPlayedFrame
from contracts.transfer import TransferOutcome
from tests.processors.chain import running
from tests.transports.phone.fake_carrier import FakeTwilio
from tests.transports.phone.test_call import play, reply, until
from transports.phone.call import ASKS_SECS, PhoneCall
from transports.phone.twilio import Twilio


class Carrier:
    """Twilio, with its interface: told to call somebody, it closes the stream."""

    def __init__(self, takes=True):
        self.orders, self._takes = [], takes
        self.call = PhoneCall(Twilio("token"), name="phone-1", carrier_call_id="CA1")
        self.call.redirect = self.redirect
        self.streams, self._served = [], []

    async def redirect(self, call_id, target, secs):
        self.orders.append((call_id, target, secs))
        if self._takes:
            self.streams[-1].tell({"event": "stop", "streamSid": "MZ1"})
        await asyncio.sleep(0.1)
        return self._takes

    def stream(self):
        """Open a stream."""
        self.streams.append(FakeTwilio())
        self._served.append(asyncio.create_task(self.call.run(self.streams[-1])))
        self.streams[-1].start()
        return self.streams[-1]


async def test_nobody_answers_and_the_bot_goes_on_where_it_was(virtual):
    carrier = Carrier()
    call = carrier.call
    async with running(call.input(), call.output()) as chain:
        carrier.stream()
        await until(lambda: chain.down(ClientReadyFrame))
        asked = asyncio.create_task(call.transfer("+33100000000", 25.0))
        await until(lambda: carrier.streams[0].closed_at is not None)
        assert (carrier.orders, call.over) == ([("CA1", "+33100000000", 25.0)], False)
        await asyncio.sleep(25)
        assert call.is_away
        again = carrier.stream()
        assert await asked is TransferOutcome.NO_ANSWER
        await until(lambda: len(chain.down(ClientReadyFrame)) == 2)
        assert [frame.returns for frame in chain.down(ClientReadyFrame)] == [False, True]
        await play(chain, reply(3)[1])
        played = await chain.until(ReplyPlayedFrame, timeout_secs=30)
        assert len(played.heard.split()) == 3
        assert again.chunks
        await call.close("the test is over")


@pytest.mark.parametrize("told", [True, False])
async def test_somebody_answers_and_the_bot_has_left_the_call(virtual, told):
    carrier = Carrier()
    call = carrier.call
    async with running(call.input(), call.output()) as chain:
        carrier.stream()
        await until(lambda: chain.down(ClientReadyFrame))
        asked = asyncio.create_task(call.transfer("+33100000000", 25.0))
        await until(lambda: carrier.streams[0].closed_at is not None)
        if told:
            await asyncio.sleep(3)
            call.put_through()
        begin = virtual.time()
        assert await asked is TransferOutcome.DONE
        assert virtual.time() - begin <= 25 + ASKS_SECS + 0.2
        await until(call.closed.is_set)
        assert call.close_reason == "the caller was put through"


async def test_a_carrier_that_refuses_leaves_the_call_as_it_was(virtual):
    carrier = Carrier(takes=False)
    call = carrier.call
    async with running(call.input(), call.output()) as chain:
        stream = carrier.stream()
        await until(lambda: chain.down(ClientReadyFrame))
        assert await call.transfer("+33100000000", 25.0) is TransferOutcome.IMPOSSIBLE
        await play(chain, reply(3)[1])
        await chain.until(ReplyPlayedFrame, timeout_secs=30)
        assert stream.chunks
        await call.close("the test is over")


async def test_a_stream_that_closes_by_itself_ends_the_call_though_a_transfer_was_refused(virtual):
    carrier = Carrier(takes=False)
    call = carrier.call
    async with running(call.input(), call.output()) as chain:
        stream = carrier.stream()
        await until(lambda: chain.down(ClientReadyFrame))
        asked = asyncio.create_task(call.transfer("+33100000000", 25.0))
        await asyncio.sleep(0.01)
        stream.tell({"event": "stop", "streamSid": "MZ1"})
        assert await asked is TransferOutcome.IMPOSSIBLE
        await until(call.closed.is_set)


async def test_a_call_that_ends_while_it_is_away_waits_for_nobody(virtual):
    carrier = Carrier()
    call = carrier.call
    async with running(call.input(), call.output()) as chain:
        carrier.stream()
        await until(lambda: chain.down(ClientReadyFrame))
        asked = asyncio.create_task(call.transfer("+33100000000", 25.0))
        await until(lambda: carrier.streams[0].closed_at is not None)
        await call.close("the server stops")
        async with asyncio.timeout(1):
            await asked
