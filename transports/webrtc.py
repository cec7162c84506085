"""One call over WebRTC: the caller's audio and messages into the pipeline, the bot's voice and messages out.

The pipeline sees one input and one output for as long as the call lasts; the peer connection behind them may be
replaced. While the old one works, it is used until the new one is ready, so that nobody hears the change. When it is
lost, the call is put on hold, and goes on where it was as soon as another one is ready; see
``transports/connection_state.py`` for how long that is waited for.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping, Set
from dataclasses import dataclass
from typing import Any, Final

from aiortc import RTCIceCandidate, RTCIceServer
from loguru import logger
from pipecat.frames.frames import Frame

from audio.opus import OpusEncoder
from contracts.caller_identity import CallerIdentity
from contracts.frames import CallEndsSoonFrame, CallerHangsUpFrame, CallHoldFrame, ClientReadyFrame
from transports import rtvi
from transports.call_input import CallInput
from transports.client_messages import ClientMessages, MessageLimits
from transports.connection_state import Connection, ConnectionParams, ConnectionState
from transports.output import PlayoutOutput
from transports.peer import CLOSE_TIMEOUT_SECS, LATE_READY_SECS, RESTART_READY_SECS, Peer
from transports.sdp import OfferError, accept_red, ask_for_fec, check_offer, red_types
from transports.takeover import CallerId
from transports.tap import CallTap

ANSWER_TIMEOUT_SECS: Final = 8.0
"""How long an answer may take; gathering candidates from a dead STUN server takes 5 s."""


GOES_ON_ELSEWHERE: Final = "the call goes on in another process"
SERVER_STOPS: Final = "the server stops"


@dataclass(frozen=True)
class Answer:
    """What a peer gets for its offer.

    Parameters:
        sdp: The session description.
        pc_id: The name by which the peer speaks of this connection from now on.
        type: Always ``"answer"``.
    """

    sdp: str
    pc_id: str
    type: str = "answer"


class WebRTCCall:
    """A call from its first offer to its end. Use ``input()`` and ``output()`` as the ends of a pipeline.

    The call closes itself when no peer connects in time, or when its peer has closed, failed or sent nothing for a
    while and does not come back.

    Parameters:
        ice_servers: STUN and TURN servers for our candidates, as URLs where they need no credentials; each peer
            connection asks anew.
        connect_timeout_secs: How long a peer may take to connect.
        silent_timeout_secs: A connected peer that sends no datagram for so long is gone. A page sends 50 audio packets
            a second and a ping each second, so 3 s leave room for a hiccup of the network.
        caller: Whose call it is; None: nobody can come back to it.
        hold_secs: How long it waits for its caller to come back.
        identity: Who the caller is by a signed token; None: nobody vouches for them.
        request_data: What the client sent beside its offer; nobody vouches for it.
        encoder: What encodes the bot's voice for the first peer: 24 kHz mono.
        message_limits: What its client may send over the data channel.
        node: The process among several; see :class:`~transports.peer.Peer`.
        resumes: Whether the call began in another process, which is gone.
    """

    def __init__(
        self,
        *,
        ice_servers: Iterable[str | RTCIceServer] = (),
        connect_timeout_secs: float = 15.0,
        silent_timeout_secs: float = 3.0,
        caller: CallerId | None = None,
        hold_secs: float = 30.0,
        encoder: OpusEncoder | None = None,
        message_limits: MessageLimits | None = None,
        identity: CallerIdentity | None = None,
        request_data: Mapping[str, Any] | None = None,
        node: str = "",
        resumes: bool = False,
    ) -> None:
        self.connected = asyncio.Event()
        self.closed = asyncio.Event()
        self.close_reason = ""
        self.caller = caller
        self.identity = identity
        self.request_data: Mapping[str, Any] = request_data or {}

        self._ice_servers = ice_servers
        self._connect_timeout_secs = connect_timeout_secs
        self._silent_timeout_secs = silent_timeout_secs
        self._encoder = encoder
        self._messages = ClientMessages(message_limits or MessageLimits())
        self._input = CallInput()
        self._output = PlayoutOutput(self.send_message)
        params = ConnectionParams(connect_timeout_secs, hold_secs if caller is not None else 0.0)
        self._connection = Connection(params, self._now())
        self._peer: Peer | None = None
        self._coming: Peer | None = None
        self._last_pc_id = ""
        self._names: set[str] = set()
        self._node = node
        self._peers_used = 1 if resumes else 0
        self.may_speak: Callable[[], bool] = lambda: True
        """Whether this process may be heard in the call; another one may have taken it up."""
        self._peers_made = 0
        self._peer_was_ready = False
        self._says_goodbye = True
        self._negotiating = asyncio.Lock()
        self._closing: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._arm_timer()

    @property
    def pc_id(self) -> str:
        """Name of the newest peer connection. Empty before the first answer."""
        return self._last_pc_id

    @property
    def over(self) -> bool:
        """Whether the call has ended; it may still hold something until :attr:`closed`."""
        return self._closing is not None

    @property
    def quality(self) -> dict[str, float]:
        """How good the connection is: see :func:`transports.peer.connection_quality`."""
        return self._peer.quality if self._peer is not None else {}

    @property
    def tap(self) -> CallTap | None:
        """Who listens in on the call; None: nobody."""
        return self._input.tap

    def input(self) -> CallInput:
        """The processor that pushes the peer's audio (16 kHz mono, 20 ms) and the frames its messages stand for."""
        return self._input

    def output(self) -> PlayoutOutput:
        """The processor whose audio the peer hears."""
        return self._output

    def send_message(self, message: dict[str, Any]) -> None:
        """Send a message over the data channel; kept until that opens, dropped if it does not or the call is over."""
        if self.tap is not None:
            self.tap.sent(message)
        peer = self._peer or self._coming
        if peer is not None and self._closing is None:
            peer.send_app_message(message)

    @property
    def peer_names(self) -> Set[str]:
        """Names of the peer connections that the page which has the call has had."""
        return self._names

    def has_peer(self, pc_id: str) -> bool:
        """Whether the page that has the call, or is about to, has had a peer connection of this name."""
        return pc_id in self._names

    # --- offers ------------------------------------------------------------------------------

    async def answer(
        self, sdp: str, *, restart_pc: bool = False, moves: bool = False, says_ready: bool = False
    ) -> Answer:
        """Answer the peer's first offer, or a later one.

        Parameters:
            sdp: The offer.
            restart_pc: The peer has made a new connection: it takes the place of ours once it is ready.
            moves: It belongs to another page of the caller's; the one that has the call now is told.
            says_ready: It says "client-ready" on every connection, not only on a call's first.

        Returns:
            The answer, with our candidates.

        Raises:
            OfferError: The offer cannot be answered. A first offer closes the call, a later one leaves it as it was.
        """
        async with self._negotiating:
            try:
                check_offer(sdp)
                async with asyncio.timeout(ANSWER_TIMEOUT_SECS):
                    return await self._answer(sdp, restart_pc, moves, says_ready)
            except TimeoutError:
                raise await self._refused(OfferError("too_slow", "the answer took too long")) from None
            except OfferError as error:
                raise await self._refused(error) from None
            except Exception as error:  # a boundary: aiortc meets hostile text with whatever it raises
                logger.debug(f"offer refused: {error!r}")
                raise await self._refused(OfferError("bad_sdp", "the offer cannot be answered")) from error

    async def _answer(self, sdp: str, restart_pc: bool, moves: bool, says_ready: bool) -> Answer:
        if self._closing is not None or not self._connection.offered(self._now()):
            raise OfferError("call_over", "the call is over")
        self._arm_timer()
        peer = self._coming or self._peer
        if peer is None or restart_pc:
            peer = await self._expect_peer(moves, says_ready)
        await peer.initialize(sdp, "offer")
        answer = peer.get_answer()
        if answer is None:
            raise OfferError("bad_sdp", "the offer cannot be answered")
        self._last_pc_id = peer.pc_id
        self._names.add(peer.pc_id)
        answered = ask_for_fec(answer["sdp"])
        if (types := red_types(sdp)) is not None:
            answered = accept_red(answered, *types)
            peer.may_repeat(*types)
        return Answer(sdp=answered, pc_id=peer.pc_id)

    async def _expect_peer(self, moves: bool, says_ready: bool) -> Peer:
        if self._coming is not None:
            self._drop(self._coming, goodbye=False)
        self._messages.new_client()
        # The page that has the call had been heard by the bot, and hears it again as soon as it is connected.
        restarts = self._peer_was_ready and not moves and not says_ready
        encoder, self._encoder = self._encoder, None
        self._peers_made += 1
        peer = self._coming = Peer(
            [RTCIceServer(urls=s) if isinstance(s, str) else s for s in self._ice_servers],
            self._pull,
            encoder,
            self._messages,
            self,
            connect_secs=self._connect_timeout_secs,
            silent_secs=self._silent_timeout_secs,
            moves=moves,
            ready_secs=RESTART_READY_SECS if restarts else LATE_READY_SECS,
            node=self._node,
            number=self._peers_made,
        )
        await peer.start()
        return peer

    async def _refused(self, error: OfferError) -> OfferError:
        if self._coming is not None and self._coming.get_answer() is None:
            self.peer_gone(self._coming, error.reason)
        if not self._last_pc_id:
            await self.close(error.reason)
        return error

    async def add_candidate(self, pc_id: str, candidate: RTCIceCandidate | None) -> None:
        """Take a trickled candidate of a peer; None says that no more are coming.

        Raises:
            OfferError: The peer has had too many.
        """
        for peer in self._peers():
            if peer.pc_id == pc_id and self._closing is None:
                await peer.add_ice_candidate(candidate)

    # --- what becomes of a peer ----------------------------------------------------------------

    async def peer_connected(self, peer: Peer) -> None:
        """Use it at once, unless another one still works."""
        if peer is self._coming and self._peer is None:
            self._use(peer)

    async def peer_sent(self, peer: Peer, frame: Frame) -> None:
        """Use a peer that is ready; pass on what the one in use says."""
        ready = isinstance(frame, ClientReadyFrame)
        if ready and peer is self._coming:
            self._use(peer)
        if peer is not self._peer:
            return
        if isinstance(frame, CallerHangsUpFrame):
            self._end("the caller hung up")
            return
        if ready:
            self._peer_was_ready = True
            await self._input.take(CallHoldFrame(False))
            frame = ClientReadyFrame(message_id=frame.message_id, returns=self._peers_used > 1)
        await self._input.take(frame)
        self._connection.put_on_hold(self._input.on_hold, self._now())
        self._arm_timer()

    def peer_heard(self, peer: Peer, pcm: bytes) -> None:
        """Listen to the one in use."""
        if peer is self._peer and not self._input.hear_directly(pcm):
            self._spawn(self._input.hear(pcm))

    def peer_unreachable(self, peer: Peer, unheard_secs: float) -> None:
        """Keep back what would not be heard."""
        if peer is self._peer:
            self._output.connection_lost(unheard_secs)

    def peer_reachable(self, peer: Peer) -> None:
        """Go on with what was not heard."""
        if peer is self._peer:
            self._output.connection_back()

    def peer_gone(self, peer: Peer, reason: str) -> None:
        """Hold the call, or end it; a peer that was to come leaves a call that stands as it is."""
        in_use = peer is self._peer
        if self._closing is not None or not (in_use or peer is self._coming):
            return
        if in_use:
            self._peer = None
        else:
            self._coming = None
        if self._peer is None:
            self._connection.lost(reason, self._now(), another_comes=self._coming is not None)
            self._follow_connection()
        self._drop(peer, goodbye=self._closing is not None)
        if not in_use or self._closing is not None:
            return
        self._spawn(self._input.take(CallHoldFrame(True, peer.unheard_secs)))
        if self._coming is not None and self._coming.has_connected:
            self._use(self._coming)

    def _use(self, peer: Peer) -> None:
        old, self._peer, self._coming = self._peer, peer, None
        self._peers_used += 1
        self._output.connection_back()
        self._connection.connected(self._now())
        self._arm_timer()
        self.connected.set()
        if peer.moves:
            self._names = {peer.pc_id}
        if old is not None:
            if peer.moves:
                old.send_app_message(rtvi.call_moved())
            self._drop(old, goodbye=peer.moves)

    def _pull(self, peer: Peer, samples: int) -> bytes:
        heard = peer is self._peer and self.may_speak()
        return self._output.pull(samples) if heard else bytes(2 * samples)

    def _peers(self) -> list[Peer]:
        return [peer for peer in (self._peer, self._coming) if peer is not None]

    def _drop(self, peer: Peer, *, goodbye: bool) -> None:
        """Let a peer go; see :meth:`~transports.peer.Peer.close`."""
        self._spawn(peer.close(goodbye=goodbye))

    # --- the connection, and the end -------------------------------------------------------------------

    def _follow_connection(self) -> None:
        if self._connection.state is ConnectionState.OVER:
            self._end(self._connection.reason)
        elif self._connection.state is ConnectionState.HELD:
            logger.info(f"call {self.pc_id} is held for its caller")
        self._arm_timer()

    def _arm_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        deadline = self._connection.deadline
        self._timer = None if deadline is None else asyncio.get_running_loop().call_at(deadline, self._tick)

    def _tick(self) -> None:
        self._connection.tick(self._now())
        self._follow_connection()

    def part(self) -> None:
        """End the call politely: the bot says that the connection closes, and hangs up; at once if nobody listens."""
        if self._peer is None:
            self._end(SERVER_STOPS)
        else:
            self._spawn(self._input.take(CallEndsSoonFrame()))

    def lose(self) -> None:
        """The call goes on in another process: end this side of it, without a goodbye."""
        self._says_goodbye = False
        self._end(GOES_ON_ELSEWHERE)

    def hang_up(self) -> None:
        """End the call from our side; does not wait for it."""
        self._end("the bot hung up")

    async def close(self, reason: str = "closed") -> None:
        """End the call and free all that it holds; returns when that is done. May be called from anywhere, at any time.

        Parameters:
            reason: Why, for the log; the first one counts.
        """
        await asyncio.shield(self._end(reason))

    def _end(self, reason: str) -> asyncio.Task[None]:
        if self._closing is None:
            self.close_reason = reason
            self._connection.end(reason)
            # A task of its own: the caller may be one of the tasks that closing cancels.
            self._closing = asyncio.create_task(self._close())
        return self._closing

    async def _close(self) -> None:
        logger.info(f"call {self.pc_id or '(unanswered)'} closes: {self.close_reason}")
        self._arm_timer()
        for peer in self._peers():
            self._drop(peer, goodbye=self._says_goodbye)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=2 * CLOSE_TIMEOUT_SECS)
        self.closed.set()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
