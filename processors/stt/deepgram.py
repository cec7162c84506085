"""Deepgram through its own SDK: nova by ``/v1/listen``, Flux by ``/v2/listen``.

https://developers.deepgram.com/docs/live-streaming-audio and .../docs/flux. The SDK connects and speaks the protocol;
what a call needs beyond that is here: audio waits while no connection stands and is sent again from the onset of speech
over a new one; a frozen peer is noticed by pings; in silence without audio the connection is kept alive; a refusal that
no retry can mend ends the tries.
"""

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final, Protocol

import websockets.exceptions
from deepgram import AsyncDeepgramClient
from deepgram.core.api_error import ApiError
from deepgram.environment import DeepgramClientEnvironment
from loguru import logger
from pydantic import SecretStr

from contracts.frames import INPUT_SAMPLE_RATE_HZ, WINDOW_SAMPLES
from contracts.stt import Emit, OnError, RecognisedWord, RecogniserError, Transcript
from contracts.vendor_errors import KEY_REFUSED, key_refused, kind, status_words
from processors.compat.deepgram import DeepgramSocket, deepgram_abort, deepgram_ping
from processors.stt.stream import Result, SpokenStream, StreamParams

CONNECT_SECS: Final = 3.0
PING_SECS: Final = 0.9
"""Between two pings, and until a pong is missed: a frozen peer is noticed within twice that."""

KEEP_ALIVE_SECS: Final = 3.0
"""Deepgram closes after 10 s without audio or a message, and asks for one every 3 to 5 s."""

SILENCE: Final = bytes(2 * WINDOW_SAMPLES)
DEAF_EXPIRIES: Final = 2
"""Speech in a row whose last words did not come: the connection stands, and nobody hears."""

BACKOFF_SECS: Final = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
"""Before each further try to connect; the last one repeats."""

TOO_MANY_SECS: Final = 5.0
"""Before the next try when the account's streams are all in use."""

CANNOT_HEAR: Final = "I can't hear you at the moment, because speech recognition does not answer. You can type."
NEVER_HEARS: Final = "I can't hear you, because speech recognition is not set up correctly. You can type."


class DeepgramError(Exception):
    """Deepgram refuses or is gone; the message tells the cause in our words.

    Args:
        message: Why.
        permanent: Whether trying again is useless.
        retry_after_secs: When to come back, where that is known.
    """

    def __init__(self, message: str, *, permanent: bool = False, retry_after_secs: float | None = None) -> None:
        super().__init__(message)
        self.permanent = permanent
        self.retry_after_secs = retry_after_secs


@dataclass(frozen=True)
class DeepgramParams:
    """How to reach Deepgram.

    Attributes:
        api_key: The key.
        model: ``nova-...`` or ``flux-...``.
        language: Language code, for nova; ``multi``: it tells the language of each word.
        url: Another host that speaks the protocol, ``ws://HOST:PORT``; empty: Deepgram.
        eager_threshold: Probability (0.3 to 0.9) from which Flux tells that the turn may be over
            (``EagerEndOfTurn``); 0: it does not.
    """

    api_key: SecretStr
    model: str = "nova-3"
    language: str = "en"
    url: str = ""
    eager_threshold: float = 0.0


class _Dialect(Protocol):
    """What differs between the two versions of the protocol."""

    def connect(self) -> Any: ...
    async def flush(self, socket: Any) -> None: ...
    async def keep_alive(self, socket: Any) -> bytes: ...
    def result(self, message: Any) -> Result | None: ...


class DeepgramRecogniser:
    """A :class:`~contracts.stt.Recogniser` at Deepgram.

    Args:
        params: How to reach it.
        stream_params: Limits of the bookkeeping.
    """

    name = "deepgram"

    def __init__(self, params: DeepgramParams, stream_params: StreamParams | None = None) -> None:
        client = make_client(params)
        self._dialect: _Dialect = _Flux(client, params) if params.model.startswith("flux") else _Nova(client, params)
        self._stream = SpokenStream(stream_params)
        self._outgoing: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._connected = False
        self._expiries = 0
        self._alarm: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._news: asyncio.Queue[Transcript] = asyncio.Queue()
        self._teller: asyncio.Task[None] | None = None
        self._deaf = asyncio.Event()

    @property
    def healthy(self) -> bool:
        """Whether a connection stands that answers."""
        return self._connected and not self._expiries

    @property
    def segment(self) -> int:
        """Number of the newest segment; 0 before the first."""
        return self._stream.segment

    # --- the face: called on the event loop, waits for nothing -----------------------------------

    async def start(self, emit: Emit, on_error: OnError) -> None:
        """Begin to connect, in the background."""
        self._teller = asyncio.create_task(self._tell_all(emit), name="deepgram words")
        self._task = asyncio.create_task(self._run(on_error), name="deepgram")

    def feed(self, pcm: bytes, speech_prob: float) -> None:
        """Take one window of audio."""
        self._stream.feed(pcm, speech_prob)
        if self._connected:
            self._outgoing.put_nowait(pcm)

    def speech_started(self) -> None:
        """A segment begins."""
        self._stream.speech_started()

    def speech_stopped(self) -> None:
        """Ask for the last words."""
        self._tell(self._stream.speech_stopped(self._now()))
        if self._connected and self._stream.wants_flush:
            self._outgoing.put_nowait(None)
        self._set_alarm()

    async def close(self) -> None:
        """Hang up."""
        if self._alarm is not None:
            self._alarm.cancel()
        tasks = [task for task in (self._task, self._teller) if task is not None]
        self._task = self._teller = None
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=0.5)

    # --- results ---------------------------------------------------------------------------------

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _tell(self, transcripts: list[Transcript]) -> None:
        for transcript in transcripts:
            self._news.put_nowait(transcript)

    async def _tell_all(self, emit: Emit) -> None:
        """One task tells, so that transcripts keep their order."""
        while True:
            await emit(await self._news.get())

    def _set_alarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        due = self._stream.due_at()
        if due is not None:
            self._alarm = asyncio.get_running_loop().call_at(due, self._expire)

    def _expire(self) -> None:
        self._tell(self._stream.expire(self._now()))
        self._expiries += 1
        if self._expiries >= DEAF_EXPIRIES:
            self._deaf.set()
        self._set_alarm()

    def _take(self, result: Result) -> None:
        self._expiries = 0
        self._tell(self._stream.heard(result, self._now()))
        self._set_alarm()

    # --- the connection --------------------------------------------------------------------------

    async def _run(self, on_error: OnError) -> None:
        """Connect again and again, until closed or refused for good."""
        failures = 0
        told = False
        while True:
            began = self._now()
            try:
                await self._one_connection()
                error = DeepgramError("the connection was closed")
            except DeepgramError as failure:
                error = failure
            finally:
                was_connected, self._connected = self._connected, False
            if error.permanent:
                logger.error("deepgram: {}", error)
                await on_error(_fault(NEVER_HEARS, error))
                return
            # A connection that has served for a while says that all is well again.
            failures = 0 if was_connected and self._now() - began > 5 else failures + 1
            logger.warning("deepgram: {}; connecting again", error)
            if was_connected:
                told = False
            if failures == 4 and not told:
                told = True
                await on_error(_fault(CANNOT_HEAR, error))
            pause = BACKOFF_SECS[min(failures, len(BACKOFF_SECS)) - 1] if failures else 0.0
            await asyncio.sleep(max(pause, error.retry_after_secs or 0.0))

    async def _one_connection(self) -> None:
        """Connect, send and hear until the connection ends.

        Raises:
            DeepgramError: How it ended, or that it could not be made.
        """
        try:
            async with self.open_socket() as socket:
                self._outgoing = asyncio.Queue()
                self._expiries = 0
                self._deaf.clear()
                for window in self._stream.rewind():
                    self._outgoing.put_nowait(window)
                if self._stream.wants_flush:
                    self._outgoing.put_nowait(None)
                self._connected = True
                await self._serve(socket)
        except ApiError as error:
            raise _refusal(error) from None
        except websockets.exceptions.ConnectionClosed as error:
            code = error.rcvd.code if error.rcvd is not None else None
            raise DeepgramError("the connection broke off" if code is None else f"closed with code {code}") from None
        except (OSError, websockets.exceptions.WebSocketException) as error:
            raise DeepgramError(f"no connection ({kind(error)})") from None

    @asynccontextmanager
    async def open_socket(self) -> AsyncIterator[DeepgramSocket]:
        """A connection that is dropped, not closed in good order, when it is left: nobody waits for a frozen peer."""
        opening = self._dialect.connect()
        try:
            async with asyncio.timeout(CONNECT_SECS):
                socket = await opening.__aenter__()
        except TimeoutError:
            raise DeepgramError(f"no answer within {CONNECT_SECS:g} s") from None
        try:
            yield socket
        finally:
            deepgram_abort(socket)
            with suppress(OSError, websockets.exceptions.WebSocketException):
                await opening.__aexit__(None, None, None)

    async def _serve(self, socket: DeepgramSocket) -> None:
        """Whatever of these ends first ends the connection."""
        tasks = [
            asyncio.create_task(self._send(socket)),
            asyncio.create_task(self._receive(socket)),
            asyncio.create_task(self._watch(socket)),
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _send(self, socket: DeepgramSocket) -> None:
        outgoing = self._outgoing
        while True:
            try:
                async with asyncio.timeout(KEEP_ALIVE_SECS):
                    item = await outgoing.get()
            except TimeoutError:
                silence = await self._dialect.keep_alive(socket)
                if silence:
                    self._stream.feed(silence, 0.0)
                continue
            audio = b""
            while item is not None:
                audio += item
                if outgoing.empty():
                    break
                item = outgoing.get_nowait()
            if audio:
                await socket.send_media(audio)
            if item is None:
                await self._dialect.flush(socket)

    async def _receive(self, socket: DeepgramSocket) -> None:
        while True:
            try:
                result = self._dialect.result(await socket.recv())
            except (ValueError, RecursionError, AttributeError, TypeError, LookupError):
                # No JSON, or another form than the SDK's types say: it does not check.
                logger.warning("deepgram: a message that cannot be read")
                continue
            if result is not None:
                self._take(result)

    async def _watch(self, socket: DeepgramSocket) -> None:
        """Raises when the peer does not answer: neither pings, nor to speech."""
        while True:
            try:
                async with asyncio.timeout(PING_SECS):
                    await deepgram_ping(socket)
            except TimeoutError:
                raise DeepgramError("the peer is frozen") from None
            try:
                async with asyncio.timeout(PING_SECS):
                    await self._deaf.wait()
            except TimeoutError:
                continue
            raise DeepgramError("speech is not answered")


class _Nova:
    """Version 1: ``Results``."""

    def __init__(self, client: AsyncDeepgramClient, params: DeepgramParams) -> None:
        self._client = client
        self._params = params

    def connect(self) -> Any:
        return self._client.listen.v1.connect(
            model=self._params.model,
            language=self._params.language,
            encoding="linear16",
            sample_rate=INPUT_SAMPLE_RATE_HZ,
            channels=1,
            interim_results="true",
            smart_format="true",
            endpointing=300,
        )

    async def flush(self, socket: Any) -> None:
        await socket.send_finalize()

    async def keep_alive(self, socket: Any) -> bytes:
        await socket.send_keep_alive()
        return b""

    def result(self, message: Any) -> Result | None:
        kind = getattr(message, "type", None)
        if kind == "Error":
            raise DeepgramError(f"error: {getattr(message, 'description', '')}"[:200])
        if kind != "Results" or not message.channel.alternatives:
            return None
        languages = getattr(message.channel.alternatives[0], "languages", None)
        words = tuple(
            RecognisedWord(
                _text(word.punctuated_word or word.word),
                _finite(word.confidence),
                _finite(word.start),
                _finite(word.end),
                _language(word, languages),
            )
            for word in message.channel.alternatives[0].words
        )
        end_secs = _finite(message.start + message.duration)
        return Result(words, end_secs, bool(message.is_final), bool(message.from_finalize))


class _Flux:
    """Version 2: ``TurnInfo``. A turn's words come whole in each message."""

    def __init__(self, client: AsyncDeepgramClient, params: DeepgramParams) -> None:
        self._client = client
        self._params = params

    def connect(self) -> Any:
        return self._client.listen.v2.connect(
            model=self._params.model,
            encoding="linear16",
            sample_rate=INPUT_SAMPLE_RATE_HZ,
            eager_eot_threshold=self._params.eager_threshold or None,
        )

    async def flush(self, socket: Any) -> None:
        await socket.send_force_end_turn()

    async def keep_alive(self, socket: Any) -> bytes:
        # There is no message for it: a little silence does.
        await socket.send_media(SILENCE)
        return SILENCE

    def result(self, message: Any) -> Result | None:
        kind = getattr(message, "type", None)
        if kind == "Error":
            raise DeepgramError(f"error: {getattr(message, 'description', '')}"[:200])
        if kind != "TurnInfo":
            return None
        final = message.event == "EndOfTurn"
        words = tuple(
            RecognisedWord(
                _text(word.word),
                _finite(word.confidence),
                _secs(word, "start"),
                _secs(word, "end"),
                _language(word, getattr(message, "languages", None)),
            )
            for word in message.words
        )
        # TurnResumed needs no mark: the words that follow are others, and so is what is prepared.
        eager = message.event == "EagerEndOfTurn"
        return Result(words, _finite(message.audio_window_end), final, flushed=final, eager=eager)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(type(value).__name__)
    return value


def _language(word: Any, languages: Any) -> str:
    """The code of a word's language, without its region; told by the models for several languages only.

    Either field may be missing: then the words are in the one language that all of them are said to be in.
    """
    value = getattr(word, "language", None)
    if value is None and isinstance(languages, list | tuple) and len(languages) == 1:
        value = languages[0]
    return value.lower().partition("-")[0] if isinstance(value, str) else ""


def _secs(word: Any, name: str) -> float | None:
    value = getattr(word, name, None)
    return None if value is None else _finite(value)


def _finite(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):  # JSON has none, but Python reads them
        raise ValueError("no number")
    return number


def make_client(params: DeepgramParams) -> AsyncDeepgramClient:
    """The SDK's client, at Deepgram or at another host."""
    key = params.api_key.get_secret_value()
    if not params.url:
        return AsyncDeepgramClient(api_key=key)
    rest = params.url.replace("ws", "http", 1)
    environment = DeepgramClientEnvironment(base=rest, production=params.url, agent=params.url, agent_rest=rest)
    return AsyncDeepgramClient(api_key=key, environment=environment)


async def probe(params: DeepgramParams) -> None:
    """See that key and model are taken: connect and leave.

    Raises:
        DeepgramError: They are not, in Deepgram's own words.
    """
    recogniser = DeepgramRecogniser(params)
    try:
        async with recogniser.open_socket():
            return
    except ApiError as error:
        raise _refusal(error) from None
    except (OSError, websockets.exceptions.WebSocketException) as error:
        raise DeepgramError(f"no connection ({kind(error)})") from None


def _refusal(error: ApiError) -> DeepgramError:
    """What a refused handshake says. The SDK keeps the *request's* headers; the answer's are on the error's context."""
    status = error.status_code or 0
    answered = getattr(error.__context__, "headers", None) or {}
    if status in KEY_REFUSED:
        return DeepgramError(key_refused("Deepgram", "DEEPGRAM_API_KEY", status), permanent=True)
    if status == 429:
        after = answered.get("retry-after", "")
        wait_secs = float(after) if after.isdigit() else TOO_MANY_SECS
        return DeepgramError(status_words(status), retry_after_secs=wait_secs)
    if 400 <= status < 500:
        return DeepgramError(f"Deepgram does not take the settings, {status_words(status)}", permanent=True)
    return DeepgramError(status_words(status))


def _fault(for_caller: str, cause: DeepgramError) -> RecogniserError:
    fault = RecogniserError(for_caller)
    fault.__cause__ = cause
    return fault
