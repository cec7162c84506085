"""One WebSocket to ElevenLabs that carries up to five texts ("contexts") beside each other.

https://elevenlabs.io/docs/api-reference/text-to-speech/v-1-text-to-speech-voice-id-multi-stream-input. The vendor's
SDK has the messages of this socket but no client for it: its one WebSocket method takes a single text, blocks, and
drops the character times.
"""

import asyncio
import contextlib
import json
import logging
from collections.abc import Callable
from typing import Any, Final

import websockets
from elevenlabs import AudioOutputMulti, CloseContext, FinalOutputMulti, SendTextMulti
from pydantic import SecretStr

from contracts.tts import VoiceError
from contracts.vendor_errors import KEY_REFUSED, key_refused, status_words

MAX_CONTEXTS: Final = 5
"""The vendor closes a socket on which a sixth is opened. One whose audio nobody wants any more counts until its end."""

KEEP_ALIVE_SECS: Final = 10.0
"""The vendor closes a socket on which nothing came for 20 s, or as long as was agreed."""

PING_SECS: Final = 5.0
"""A peer that is gone without a word is noticed within twice this time."""

UNWANTED_SECS: Final = 15.0
"""A context that nobody listens to ends within this time, or the socket is given up."""

CLOSE_SECS: Final = 1.0
MAX_MESSAGE_BYTES: Final = 16 * 2**20
QUOTA_REST_SECS: Final = 600.0

_quiet = logging.getLogger(f"{__name__}.wire")
_quiet.setLevel(logging.WARNING)  # the library would log the key among the headers

Message = AudioOutputMulti | FinalOutputMulti


async def connect(url: str, key: SecretStr, *, timeout_secs: float, on_change: Callable[[], None]) -> "ContextSocket":
    """Open a socket.

    Args:
        url: The whole address.
        key: The key.
        timeout_secs: Longest wait.
        on_change: Called when there may be room for a context, or none any more.

    Raises:
        VoiceError: Refused, in the vendor's own words; or nobody there.
    """
    try:
        socket = await websockets.connect(
            url,
            additional_headers={"xi-api-key": key.get_secret_value()},
            open_timeout=timeout_secs,
            close_timeout=CLOSE_SECS,
            ping_interval=PING_SECS,
            ping_timeout=PING_SECS,
            max_size=MAX_MESSAGE_BYTES,
            compression=None,
            logger=_quiet,
        )
    except websockets.InvalidStatus as refused:
        raise _refused(refused.response.status_code, refused.response.body, refused.response.headers) from None
    except TimeoutError:
        raise VoiceError(f"ElevenLabs: no connection within {timeout_secs:g} s") from None
    except (OSError, websockets.InvalidHandshake, EOFError) as error:
        raise VoiceError(f"ElevenLabs: no connection ({type(error).__name__})") from None
    return ContextSocket(socket, key, on_change)


class ContextSocket:
    """The socket; made by :func:`connect`.

    Args:
        socket: The connection.
        key: What must never be in a message.
        on_change: Called when there may be room for a context, or none any more.

    Attributes:
        closed: Whether nothing of it is left.
    """

    def __init__(self, socket: websockets.ClientConnection, key: SecretStr, on_change: Callable[[], None]) -> None:
        self._socket = socket
        self._key = key
        self._last_id = 0
        self._running: set[str] = set()
        self._heard: dict[str, asyncio.Queue[Message | VoiceError]] = {}
        self._retired = False
        self.closed = False
        self._on_change = on_change
        self._tasks = {
            asyncio.create_task(self._receive(), name="elevenlabs receive"),
            asyncio.create_task(self._keep_alive(), name="elevenlabs keep-alive"),
        }

    @property
    def usable(self) -> bool:
        """Whether it is open, and has room for a context."""
        return not self._retired and len(self._running) < MAX_CONTEXTS

    @property
    def idle(self) -> bool:
        """Whether no context runs on it."""
        return not self._running

    @property
    def gone(self) -> bool:
        """Whether no context can be begun on it, ever."""
        return self._retired

    def reserve(self) -> str:
        """Take one of its contexts; only while :attr:`usable`. Give it back with :meth:`leave`."""
        self._last_id += 1
        context_id = f"u{self._last_id}"
        self._running.add(context_id)
        self._heard[context_id] = asyncio.Queue()
        return context_id

    async def say(self, context_id: str, text: str) -> None:
        """Send a context's only text, and that this was all.

        Raises:
            VoiceError: The connection is gone.
        """
        whole = SendTextMulti(text=f"{text} ", context_id=context_id, flush=True)
        end = CloseContext(context_id=context_id, close_context=True)
        try:
            for message in (SendTextMulti(text=" ", context_id=context_id), whole, end):
                await self._socket.send(message.json(exclude_none=True))
        except websockets.ConnectionClosed as closed:
            self._take_no_more()
            raise self._ended(closed) from None

    async def next(self, context_id: str) -> Message:
        """A context's next message.

        Raises:
            VoiceError: The socket ended, or the vendor says what is wrong.
        """
        message = await self._heard[context_id].get()
        if isinstance(message, VoiceError):
            raise message
        return message

    def leave(self, context_id: str) -> None:
        """Nobody listens to this context any more; what still comes of it is dropped."""
        self._heard.pop(context_id, None)
        if context_id in self._running and not self._retired:
            asyncio.get_running_loop().call_later(UNWANTED_SECS, self._expect_end, context_id)

    def retire(self) -> None:
        """Begin nothing on it any more, and close it as soon as nobody listens."""
        self._take_no_more()
        if not self._heard:
            self._spawn(self.close())

    async def close(self) -> None:
        """Close it, within a second or so."""
        self._take_no_more()
        with contextlib.suppress(OSError):
            await self._socket.close()
        tasks = self._tasks - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.closed = True

    def _take_no_more(self) -> None:
        if not self._retired:
            self._retired = True
            self._on_change()

    # --- what the tasks do -----------------------------------------------------------------

    async def _receive(self) -> None:
        why = VoiceError("ElevenLabs: the socket has failed")
        try:
            while True:
                self._take(await self._socket.recv())
        except websockets.ConnectionClosed as closed:
            why = self._ended(closed)
        except (ValueError, RecursionError):
            why = VoiceError("ElevenLabs: a damaged message")
        except VoiceError as told:
            why = told
        finally:  # whatever it was: nobody may wait for a socket that nobody reads
            self._take_no_more()
            for queue in self._heard.values():
                queue.put_nowait(why)
            self._running.clear()
        await self.close()

    def _take(self, raw: str | bytes) -> None:
        """Hand a message to who waits for it; raises what ends the socket."""
        data: Any = json.loads(raw)
        if not isinstance(data, dict):
            raise ValueError("no object")
        if data.get("error"):
            raise _told(str(data["error"]))
        # The package's type for both at once would miss the end: its field has not the name that is on the wire.
        kind = FinalOutputMulti if data.get("isFinal") else AudioOutputMulti
        message = kind.model_validate({**data, "audio": data.get("audio") or ""})
        context_id = message.context_id or ""
        if isinstance(message, FinalOutputMulti):
            self._running.discard(context_id)
            self._on_change()
        if (queue := self._heard.get(context_id)) is not None:
            queue.put_nowait(message)

    async def _keep_alive(self) -> None:
        with contextlib.suppress(websockets.ConnectionClosed):
            while True:
                await asyncio.sleep(KEEP_ALIVE_SECS)
                await self._socket.send('{"text": ""}')

    def _expect_end(self, context_id: str) -> None:
        if context_id in self._running:
            self.retire()

    def _ended(self, closed: websockets.ConnectionClosed) -> VoiceError:
        if closed.rcvd is None:
            return VoiceError("ElevenLabs: the connection broke off")
        code, reason = closed.rcvd.code, closed.rcvd.reason
        for mark, name in (("api key", "invalid_api_key"), ("quota", "quota_exceeded")):
            if mark in reason.lower():
                return _told(name)
        return VoiceError(f"ElevenLabs: closed with code {code}")

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work, name="elevenlabs close")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _refused(status: int, body: bytes | bytearray | None, headers: Any) -> VoiceError:
    """A handshake's refusal: ``{"detail": {"status": ..., "message": ...}}``."""
    try:
        detail = json.loads(body or b"").get("detail")
    except (ValueError, AttributeError):
        detail = None
    name = str(detail.get("status") or "") if isinstance(detail, dict) else ""
    if not name and status in KEY_REFUSED:
        name = "invalid_api_key"
    after = str(headers.get("retry-after") or "")
    after_secs = float(after) if after.replace(".", "", 1).isdigit() else None
    return _told(name, status, after_secs)


def _told(name: str, status: int | None = None, after_secs: float | None = None) -> VoiceError:
    """What is wrong, by the vendor's name for it, with what to set where that helps.

    Args:
        name: The vendor's name for it.
        status: The HTTP status, if it was told by one.
        after_secs: When to come back, if the vendor says.
    """
    if "quota" in name:
        return VoiceError("ElevenLabs: the quota is used up", retry_after_secs=after_secs or QUOTA_REST_SECS)
    if "api_key" in name or "permission" in name:
        return VoiceError(key_refused("ElevenLabs", "ELEVENLABS_API_KEY", status), retryable=False)
    if "voice" in name:
        return VoiceError("ElevenLabs does not take the voice; set ELEVENLABS_VOICE", retryable=False)
    if "model" in name:
        return VoiceError("ElevenLabs does not take the model; set ELEVENLABS_MODEL", retryable=False)
    if "busy" in name or "concurrent" in name or "too_many" in name:
        return VoiceError("ElevenLabs: too many requests at once", retry_after_secs=after_secs)
    why = status_words(status) if status is not None else "the vendor has a fault"
    return VoiceError(f"ElevenLabs: {why}", retry_after_secs=after_secs)
