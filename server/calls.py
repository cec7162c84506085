"""The calls of one process: who is let in, who goes on with a call, and how calls end."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Hashable, Mapping, Set
from typing import Any, Final, Protocol, TypeVar

from aiohttp import web
from loguru import logger

from admission.caller_queue import AddressLimit, CallerQueue, Headroom, Wait
from admission.loop_lag import LoopLag
from admission.shared_places import OwnPlaces, Places
from cluster.node import ClusterNode, TakenUp
from contracts.caller_identity import CallerIdentity
from server.call_tokens import FIELD as TOKEN_FIELD
from server.call_tokens import TokenError
from server.errors import (
    BUSY_ADDRESS_RETRY_SECS,
    NO_STANDING_CALL,
    ApiError,
    at_capacity,
    later,
    stopping,
    token_refused,
    too_many_calls,
    too_many_offers,
    unknown_call,
)
from server.ice_servers import IceServers
from transports.call import Call
from transports.client_messages import MessageLimits
from transports.sdp import OfferError
from transports.takeover import FIELD as CALLER_FIELD
from transports.takeover import HEARD, CallerId, call_of, places_of_others
from transports.webrtc import SERVER_STOPS, Answer, WebRTCCall

LAG_SECS: Final = 5.0
"""The lag that counts is that of so long."""

PARTING_SECS: Final = 10.0
"""So long before a stop ends what is left of the calls, the callers are told."""

HANG_UP_SECS: Final = 5.0
"""How long a call's pipeline may go on after the call has closed, before it is cancelled."""


class ServerSettings(Protocol):
    """What the server needs to know."""

    @property
    def max_calls(self) -> int:
        """Calls that the process takes at once."""
        ...

    @property
    def ice_servers(self) -> IceServers:
        """STUN and TURN servers, for us and for clients."""
        ...

    @property
    def connect_timeout_secs(self) -> float:
        """How long a peer may take to connect after its offer."""
        ...

    @property
    def hold_secs(self) -> float:
        """How long a lost call waits for its caller."""
        ...

    @property
    def max_loop_lag_ms(self) -> float:
        """How late the event loop may be for another call; 0: any lag."""
        ...

    @property
    def offers_per_minute(self) -> int:
        """Offers that one address may make, for a new call or an old one; 0: any number."""
        ...

    @property
    def calls_per_caller(self) -> int:
        """Calls at once of one caller whom tokens name; 0: any number."""
        ...

    @property
    def calls_per_address(self) -> int:
        """Calls at once of one address; 0: any number."""
        ...

    @property
    def message_limits(self) -> MessageLimits:
        """What one call's client may send over the data channel."""
        ...


class OpenCall(Call, Protocol):
    """A call that was let in, whatever carries it."""

    @property
    def caller(self) -> CallerId | None:
        """Whose it is; None: nobody can take it over."""
        ...

    @property
    def over(self) -> bool:
        """Whether it has ended, though it may hold something still."""
        ...

    @property
    def peer_names(self) -> Set[str]:
        """Names of the peer connections that the page which has the call has had."""
        ...

    def part(self) -> None:
        """End the call politely."""
        ...

    async def close(self, reason: str = "closed") -> None:
        """End the call; returns when all that it held is freed."""
        ...


CallT = TypeVar("CallT", bound=OpenCall)


class Calls:
    """The calls of this process.

    Parameters:
        settings: Limits and timeouts.
        start_call: Runs a call's pipeline from its first offer to its end.
        lag: How late the event loop is.
        places: What is shared with other processes.
        node: This process among several that go on with each other's calls; None: it is alone.
    """

    def __init__(
        self,
        settings: ServerSettings,
        start_call: Callable[[Any], Awaitable[None]],
        lag: LoopLag,
        places: Places | None = None,
        node: ClusterNode | None = None,
    ) -> None:
        self.node = node
        self._settings = settings
        self._start_call = start_call
        self._calls: dict[OpenCall, asyncio.Task[None] | None] = {}
        self._places_of: dict[OpenCall, str] = {}
        self._address_of: dict[OpenCall, str | None] = {}
        self._queue = CallerQueue()
        self._room = Headroom(settings.max_loop_lag_ms)
        self._asked = AddressLimit(settings.offers_per_minute)
        self._lag = lag
        self._stops = False
        self._refused = 0
        self._entering = 0
        self._places = places or OwnPlaces()

    def __len__(self) -> int:
        """Calls that take up a place, from their offer until all that they held is freed."""
        return len(self._calls)

    async def open(
        self,
        sdp: str,
        caller: CallerId | None = None,
        address: str | None = None,
        place: str | None = None,
        *,
        who: CallerIdentity | TokenError | None = None,
        request_data: Any = None,
        taken: TakenUp | None = None,
    ) -> dict[str, str]:
        """Answer a first offer and start its call; or, if the caller has one, let it go on here.

        Parameters:
            sdp: The offer.
            caller: Whose it is.
            address: Where it comes from, as limits count it; None: no limit holds it up.
            place: See :data:`PLACE`.
            who: Who it is by a signed token, or why that is not known; None: nobody asks for tokens.
            request_data: What the client sent beside the offer.
            taken: A call that another node has left: it goes on here, whatever the limits say.

        Raises:
            ApiError: The process is at capacity, or stops; this address asks too often or has too many calls; or the
                token is not taken.
            OfferError: The offer cannot be answered.
        """
        self._count(address)
        if (standing := call_of(self._web_calls(), caller)) is not None:
            # The call outlives its token; but nobody takes over another one's.
            if isinstance(who, CallerIdentity) and _differ(standing.identity, who):
                raise ApiError(403, "other_caller", "the call belongs to another caller")
            try:
                return _answered(await standing.answer(sdp, restart_pc=True, moves=True))
            except OfferError as error:
                if error.code != "call_over":
                    raise
        if taken is not None:
            return await self._go_on(sdp, caller, address, taken, who)
        if place == "":
            raise ApiError(409, NO_STANDING_CALL, "this caller has no call here")
        if isinstance(who, TokenError):
            raise token_refused(who)
        # Behind a proxy the queue is the proxy's: a name that this one kept would keep a place that nobody asks for.
        waiter = caller if place is None else None
        self._admit(caller, address, waiter, identity=who)
        name = place or secrets.token_hex(8)
        await self._take_place(name, waiter)
        call = self._make_call(caller, who, _for_tools(request_data), resumes=False)
        return await self._begin(call, sdp, name, address, None)

    async def _go_on(
        self,
        sdp: str,
        caller: CallerId | None,
        address: str | None,
        taken: TakenUp,
        who: CallerIdentity | TokenError | None,
    ) -> dict[str, str]:
        """Go on with a call that another node has left. The call outlives its token, as one here does."""
        if isinstance(who, CallerIdentity) and _differ(taken.identity, who):
            raise ApiError(403, "other_caller", "the call belongs to another caller")
        name = taken.state.place or secrets.token_hex(8)
        await self._places.take(name)  # it has one, even if its node did not live to hold it
        call = self._make_call(caller, taken.identity, taken.state.request_data, resumes=True)
        return await self._begin(call, sdp, name, address, taken)

    def _make_call(
        self,
        caller: CallerId | None,
        identity: CallerIdentity | None,
        request_data: Mapping[str, Any],
        *,
        resumes: bool,
    ) -> WebRTCCall:
        return WebRTCCall(
            ice_servers=self._settings.ice_servers,
            connect_timeout_secs=self._settings.connect_timeout_secs,
            caller=caller,
            hold_secs=self._settings.hold_secs,
            message_limits=self._settings.message_limits,
            identity=identity,
            request_data=request_data,
            node=self.node.name if self.node is not None else "",
            resumes=resumes,
        )

    async def _begin(
        self, call: WebRTCCall, sdp: str, name: str, address: str | None, taken: TakenUp | None
    ) -> dict[str, str]:
        self._calls[call] = None
        self._places_of[call], self._address_of[call] = name, address
        try:
            answer = await call.answer(sdp)
        except BaseException:
            del self._calls[call], self._places_of[call], self._address_of[call]
            await self._places.give_back(name)
            raise
        if self.node is not None:
            self.node.begun(call, name, taken)
        self._calls[call] = asyncio.create_task(self._run(call, name))
        return _answered(answer)

    async def enter(
        self,
        make_call: Callable[[], CallT],
        *,
        waiter: Hashable,
        address: str | None = None,
        identity: CallerIdentity | None = None,
    ) -> CallT:
        """Let in a call that is carried by something else than WebRTC, and start it.

        Parameters:
            make_call: Makes it.
            waiter: By which name it waits in the queue.
            address: Where it comes from, as limits count it; None: no limit holds it up.
            identity: Who calls; None: nobody vouches for that.

        Raises:
            ApiError: The process is at capacity, or stops; this address asks too often or has too many calls.
        """
        self._count(address)
        self._admit(None, address, waiter, identity=identity)
        name = secrets.token_hex(8)
        await self._take_place(name, waiter)
        call = make_call()
        self._places_of[call], self._address_of[call] = name, address
        self._calls[call] = asyncio.create_task(self._run(call, name))
        return call

    async def _take_place(self, name: str, waiter: Hashable | None) -> None:
        """Take a place under a name.

        Raises:
            ApiError: Other processes have taken what is left.
        """
        self._entering += 1  # before anything is awaited, so that the count holds
        try:
            if not await self._places.take(name):
                raise self._full(waiter)
        finally:
            self._entering -= 1

    def _web_calls(self) -> list[WebRTCCall]:
        return [call for call in self._calls if isinstance(call, WebRTCCall)]

    async def renegotiate(
        self,
        pc_id: str,
        sdp: str,
        *,
        restart_pc: bool,
        caller: CallerId | None = None,
        address: str | None = None,
        says_ready: bool = False,
    ) -> dict[str, str]:
        """Answer a later offer of a call; for the parameters see :meth:`~transports.webrtc.WebRTCCall.answer`.

        Raises:
            ApiError: There is no such call, or this address asks too often.
            OfferError: The offer cannot be answered.
        """
        self._count(address)
        call = self.find_own(pc_id, caller)
        return _answered(await call.answer(sdp, restart_pc=restart_pc, says_ready=says_ready))

    def find_own(self, pc_id: str, caller: CallerId | None) -> WebRTCCall:
        """The call with this peer connection, if it is this caller's.

        Raises:
            ApiError: There is none, or it is somebody else's, or another page of theirs has it.
        """
        calls = self._web_calls()
        call = next((call for call in calls if call.has_peer(pc_id)), None)
        if call is None and call_of(calls, caller) is not None:
            raise ApiError(409, "call_moved", "the call goes on in another page")
        if call is None or (call.caller is not None and call.caller != caller):
            raise unknown_call()
        return call

    def has(self, pc_id: str | None, caller: CallerId | None) -> bool:
        """Whether the call that somebody speaks of is here."""
        calls = self._web_calls()
        if pc_id and any(call.has_peer(pc_id) for call in calls):
            return True
        return call_of(calls, caller) is not None

    def find(self, pc_id: str) -> WebRTCCall:
        """The call with this peer connection.

        Raises:
            ApiError: There is none.
        """
        for call in self._web_calls():
            if call.has_peer(pc_id):
                return call
        raise unknown_call()

    async def close(self) -> None:
        """End all calls; returns when they are gone."""
        tasks = [task for task in self._calls.values() if task is not None]
        await asyncio.gather(*(call.close(SERVER_STOPS) for call in list(self._calls)))
        if tasks:
            await asyncio.wait(tasks, timeout=2 * HANG_UP_SECS)

    async def drain(self, secs: float) -> None:
        """Take no more calls, and let those that run come to their own end; returns when they are gone, or in so long.

        Those that are left shortly before the end are told that the line closes (:data:`PARTING_SECS`).
        """
        self._stops = True
        if self.node is not None and await self.node.has_others():
            await asyncio.gather(*map(self.node.leave_to_others, self._web_calls()))
        until = asyncio.get_running_loop().time() + secs
        await self._gone_by(until - PARTING_SECS)
        for call in list(self._calls):
            call.part()
        await self._gone_by(until)

    @property
    def draining(self) -> bool:
        """Whether no further call is taken, since the process stops."""
        return self._stops

    async def _gone_by(self, until: float) -> None:
        """Wait until there are no calls, but not longer than the loop's time says."""
        while (left := until - asyncio.get_running_loop().time()) > 0 and self._calls:
            tasks = [task for task in self._calls.values() if task is not None]
            # One that is being answered has no task yet.
            await asyncio.wait(tasks, timeout=left) if tasks else await asyncio.sleep(min(left, 0.05))

    def held(self) -> dict[str, Any]:
        """Names of the places that calls take up, and of their peer connections; and how many calls there may be."""
        peers = [name for call in self._calls for name in call.peer_names]
        return {"places": list(self._places_of.values()), "peers": peers, "max_calls": self._settings.max_calls}

    @property
    def max_calls(self) -> int:
        """Calls that there may be at once."""
        return self._settings.max_calls

    def snapshot(self) -> dict[str, int]:
        """Plain values for the dashboard."""
        return {"waiting": len(self._queue), "refused": self._refused}

    def _count(self, address: str | None) -> None:
        """Count an offer of whatever kind.

        Raises:
            ApiError: It is one too many.
        """
        now = asyncio.get_running_loop().time()
        if address is not None and (wait_secs := self._asked.wait_secs(address, now)) > 0:
            raise too_many_offers(wait_secs)

    def _admit(
        self,
        caller: CallerId | None,
        address: str | None,
        waiter: Hashable | None,
        identity: CallerIdentity | None = None,
    ) -> None:
        """Let the caller in.

        Parameters:
            caller: Who asks.
            address: From where.
            waiter: By which name the caller waits in this server's own queue; None: not at all.
            identity: Who it is by a signed token.

        Raises:
            ApiError: Not now.
        """
        now = asyncio.get_running_loop().time()
        if self._stops:
            raise stopping()
        most = self._settings.calls_per_address
        if address is not None and most and self._calls_from(address, caller) >= most:
            raise too_many_calls()
        mine = self._settings.calls_per_caller
        if identity is not None and mine and self._calls_by(identity, caller) >= mine:
            raise later(429, "too_many_calls", "this caller has too many calls at once", BUSY_ADDRESS_RETRY_SECS)
        others = places_of_others(self._calls, caller) + self._entering
        free = self._settings.max_calls - others
        if (
            free > 0
            and len(self._calls) == others
            and not self._room.allows(others, self._lag.percentiles(LAG_SECS)["lag_p95_ms"])
        ):
            free = 0
        wait = self._queue.admit(waiter, free, now)
        if wait is not None:
            raise self._at_capacity(wait)

    def _calls_from(self, address: str, caller: CallerId | None) -> int:
        """Calls of others at an address; one of the caller's own that is closing makes room."""
        own = {call for call in self._calls if caller is not None and call.caller == caller}
        return sum(1 for call, known in self._address_of.items() if known == address and call not in own)

    def _calls_by(self, identity: CallerIdentity, caller: CallerId | None) -> int:
        """Calls of somebody whom tokens name, beside one that is closing on this very page."""
        return sum(
            1
            for call in self._calls
            if not _differ(call.identity, identity) and (caller is None or call.caller != caller)
        )

    def _full(self, waiter: Hashable | None) -> ApiError:
        """Other processes have taken what is left."""
        return self._at_capacity(self._queue.put_back(waiter, asyncio.get_running_loop().time()))

    def _at_capacity(self, wait: Wait) -> ApiError:
        self._refused += 1
        return at_capacity(wait)

    async def _run(self, call: OpenCall, name: str) -> None:
        pipeline = asyncio.ensure_future(self._start_call(call))
        closed = asyncio.create_task(call.closed.wait())
        try:
            await asyncio.wait({pipeline, closed}, return_when=asyncio.FIRST_COMPLETED)
            await call.close("the pipeline ended")
            await asyncio.wait({pipeline}, timeout=HANG_UP_SECS)
            if not pipeline.done():
                logger.warning(f"the pipeline of call {call.pc_id} went on after its end and is cancelled")
                pipeline.cancel()
                await asyncio.wait({pipeline}, timeout=HANG_UP_SECS)
            if pipeline.done() and not pipeline.cancelled() and (error := pipeline.exception()) is not None:
                logger.opt(exception=error).error(f"the pipeline of call {call.pc_id} failed")
        finally:
            closed.cancel()
            del self._calls[call], self._places_of[call], self._address_of[call]
            await self._places.give_back(name)


CALLS: Final = web.AppKey("calls", Calls)
"""Where the application keeps its calls."""


def _differ(one: CallerIdentity | None, other: CallerIdentity | None) -> bool:
    return (one.subject if one is not None else None) != (other.subject if other is not None else None)


def _for_tools(request_data: Any) -> dict[str, Any]:
    """What a client sent beside its offer, without the tokens in it."""
    if not isinstance(request_data, Mapping):
        return {}
    return {str(key): value for key, value in request_data.items() if key not in (TOKEN_FIELD, CALLER_FIELD, HEARD)}


def _answered(answer: Answer) -> dict[str, str]:
    return {"sdp": answer.sdp, "type": answer.type, "pc_id": answer.pc_id}
