"""One synthesizer of Azure's Speech SDK, its events brought from the SDK's threads to the event loop."""

import asyncio
import atexit
import contextlib
import importlib
import re
import weakref
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any, Final

from pydantic import SecretStr

from contracts.tts import VoiceError
from contracts.vendor_errors import key_refused, status_words

SAMPLE_RATE_HZ: Final = 24_000
TICKS_PER_SEC: Final = 10_000_000
STOP_SECS: Final = 3.0
"""Stopping takes some hundredths of a second; a native call that does not come back must not hold the bot."""

RECONNECT_SECS: Final = 0.5
QUOTA_REST_SECS: Final = 600.0
THROTTLED_REST_SECS: Final = 10.0

_STATUS: Final = re.compile(r"\b(\d{3,4})\b")
"""A status or close code within the SDK's words."""


@dataclass(frozen=True, slots=True)
class Audio:
    """A piece of audio."""

    pcm: bytes


@dataclass(frozen=True, slots=True)
class Boundary:
    """A word, where it stands in the text, and when it sounds."""

    word: str
    position: int
    start_secs: float
    duration_secs: float


@dataclass(frozen=True, slots=True)
class Ended:
    """The sentence is over; the error says why it was cut short, if it was."""

    error: VoiceError | None


@cache
def _sdk() -> Any:
    try:
        return importlib.import_module("azure.cognitiveservices.speech")
    except (ImportError, OSError):  # the package, or a library that it needs
        said = "the Azure Speech SDK is not installed; run: pip install azure-cognitiveservices-speech"
        raise VoiceError(said, retryable=False) from None


class SynthesizerMaker:
    """What all synthesizers of a voice have in common.

    Args:
        key: The speech resource's key.
        region: Its region; unused with ``base_url``.
        voice: Voice name.
        locale: BCP 47 tag of the language.
        base_url: Another host.
    """

    def __init__(self, key: SecretStr, region: str, voice: str, locale: str, base_url: str | None) -> None:
        self._key = key
        self._region = region
        self._voice = voice
        self._locale = locale
        self._base_url = base_url
        self._config: Any = None

    async def load(self) -> None:
        """Load the SDK, which takes a second the first time.

        Raises:
            VoiceError: It is not installed, or does not take the settings.
        """
        if self._config is None:
            sdk = await asyncio.to_thread(_sdk)
            where = {"endpoint": self._base_url} if self._base_url else {"region": self._region}
            try:
                config = sdk.SpeechConfig(subscription=self._key.get_secret_value(), **where)
            except (ValueError, RuntimeError):
                said = "Azure does not take these settings; set AZURE_SPEECH_KEY and AZURE_SPEECH_REGION"
                raise VoiceError(said, retryable=False) from None
            config.speech_synthesis_voice_name = self._voice
            config.speech_synthesis_language = self._locale
            config.set_speech_synthesis_output_format(sdk.SpeechSynthesisOutputFormat.Raw24Khz16BitMonoPcm)
            self._config = config

    def make(self) -> "Synthesizer":
        """A synthesizer, not connected; only after :meth:`load`."""
        return Synthesizer(_sdk(), self._config, self._key)


_alive: "weakref.WeakSet[Synthesizer]" = weakref.WeakSet()
_stopping = ThreadPoolExecutor(4, thread_name_prefix="azure-stop")


class Synthesizer:
    """Speaks one sentence at a time over a connection that it keeps.

    Attributes:
        connected: Set while the connection is open.
    """

    def __init__(self, sdk: Any, config: Any, key: SecretStr) -> None:
        self._sdk = sdk
        self._key = key
        self._loop = asyncio.get_running_loop()
        self._native = sdk.SpeechSynthesizer(config, audio_config=None)
        self._connection = sdk.Connection.from_speech_synthesizer(self._native)
        self._events: asyncio.Queue[Audio | Boundary | Ended] = asyncio.Queue()
        self._pending: Any = None
        self._ended: Ended | None = None
        self._over = False
        self.connected = asyncio.Event()
        self._connection.connected.connect(lambda _: self._call(self.connected.set))
        self._connection.disconnected.connect(lambda _: self._call(self._lost))
        self._native.synthesizing.connect(lambda event: self._put(Audio(bytes(event.result.audio_data))))
        self._native.synthesis_word_boundary.connect(lambda event: self._put(_boundary(event)))
        self._native.synthesis_completed.connect(lambda _: self._put(Ended(None)))
        self._native.synthesis_canceled.connect(lambda event: self._put(Ended(self._error(event.result))))
        _alive.add(self)

    @property
    def at_rest(self) -> bool:
        """Whether the last sentence came to its end, so that the next may begin."""
        return self._pending is None or self._ended == Ended(None)

    def connect(self) -> None:
        """Begin to open the connection; :attr:`connected` tells when it is."""
        self._connection.open(True)

    async def speak(self, text: str) -> AsyncIterator[Audio | Boundary | Ended]:
        """Speak; the last event is :class:`Ended`."""
        self._events = asyncio.Queue()
        self._ended = None
        # Kept until the end: its callbacks must find it.
        self._pending = self._native.speak_text_async(text)
        while True:
            yield await self._next()

    async def rest(self) -> None:
        """Wait for the end of a sentence that nobody listens to."""
        while self._pending is not None and self._ended is None:
            await self._next()

    async def end(self) -> None:
        """Stop, and let go of the native object when it is silent; off the loop, and not for long."""
        self._over = True
        _disconnect(self._native, self._connection)
        stopped = self._loop.run_in_executor(_stopping, _stop, self._native)
        await asyncio.wait([stopped], timeout=STOP_SECS)
        if stopped.done():
            _alive.discard(self)

    def stop_now(self) -> None:
        """Stop without a loop: the process ends."""
        _disconnect(self._native, self._connection)
        _stop(self._native)

    async def _next(self) -> Audio | Boundary | Ended:
        event = await self._events.get()
        if isinstance(event, Ended):
            self._ended = event
        return event

    def _lost(self) -> None:
        """The vendor closes connections that are long idle: the next sentence is not to wait for a new one."""
        self.connected.clear()
        self._loop.call_later(RECONNECT_SECS, self._reconnect)

    def _reconnect(self) -> None:
        if self.at_rest and not self._over and not self.connected.is_set():
            self.connect()

    # --- in the SDK's threads --------------------------------------------------------------

    def _put(self, event: Audio | Boundary | Ended) -> None:
        self._call(lambda: self._events.put_nowait(event))

    def _call(self, what: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(what)

    def _error(self, result: Any) -> VoiceError:
        """Why it was cut short, by the cause that the SDK names; its words are only read for the status in them."""
        details = result.cancellation_details
        codes = self._sdk.CancellationErrorCode
        said = str(details.error_details or "")
        number = _STATUS.search(said)
        status = int(number[1]) if number is not None else None
        match details.error_code:
            case codes.AuthenticationFailure if status == 403:
                # The quota is used up, or the resource is closed to this key.
                return VoiceError(
                    "Azure: the quota is used up, or the key may not do this (403)", retry_after_secs=QUOTA_REST_SECS
                )
            case codes.AuthenticationFailure:
                why = key_refused("Azure", "AZURE_SPEECH_KEY and AZURE_SPEECH_REGION", status)
                return VoiceError(why, retryable=False)
            case codes.TooManyRequests:
                return VoiceError(f"Azure: {status_words(429)}", retry_after_secs=THROTTLED_REST_SECS)
            case codes.BadRequest if "voice" in said.lower():
                return VoiceError("Azure does not take the voice; set AZURE_VOICE", retryable=False)
            case _:
                name = str(details.error_code).rpartition(".")[2]
                return VoiceError(f"Azure: {name}" + (f" ({status})" if status is not None else ""))


def _boundary(event: Any) -> Boundary:
    duration: timedelta = event.duration
    return Boundary(event.text, event.text_offset, event.audio_offset / TICKS_PER_SEC, duration.total_seconds())


def _disconnect(native: Any, connection: Any) -> None:
    for signal in (
        native.synthesizing,
        native.synthesis_word_boundary,
        native.synthesis_completed,
        native.synthesis_canceled,
        connection.connected,
        connection.disconnected,
    ):
        signal.disconnect_all()


def _stop(native: Any) -> None:
    native.stop_speaking_async().get()


@atexit.register
def _stop_all() -> None:
    """A native thread that calls into an interpreter that is gone ends the process with an abort."""
    for synthesizer in list(_alive):
        synthesizer.stop_now()
