"""ElevenLabs' streaming voices, with the times of their characters. https://elevenlabs.io/docs."""

import asyncio
import base64
import binascii
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import aclosing
from typing import Final
from urllib.parse import quote, urlencode

from elevenlabs import AudioOutputMulti, FinalOutputMulti
from loguru import logger
from pydantic import SecretStr

from contracts.frames import Word
from contracts.tts import VoiceChunk, VoiceError
from processors.tts.alignment import CharacterFollower
from processors.tts.elevenlabs_socket import ContextSocket, connect

URL: Final = "wss://api.elevenlabs.io"
SAMPLE_RATE_HZ: Final = 24_000
CONNECT_SECS: Final = 2.0
LOAD_SECS: Final = 2.0
"""An empty text's end is waited for so long; nothing is wrong if it does not come, for nothing says that it must."""

NEXT_AUDIO_SECS: Final = 1.2
"""Less than whoever listens will wait: a socket that is silent must not be used again."""

LOST_END_SECS: Final = 0.5
"""With the audio of all words there, the end is waited for so long, and may be lost."""

RECONNECT_SECS: Final = (0.2, 1.0, 5.0, 30.0)
IDLE_TIMEOUT_SECS: Final = 180
"""What is agreed with the vendor, the longest that it grants."""

TAKES_LANGUAGE: Final = ("eleven_flash_v2_5", "eleven_turbo_v2_5")


class ElevenLabsVoice:
    """A :class:`~contracts.tts.Voice` at ElevenLabs.

    One socket is kept open, so that no sentence waits for a handshake; when all its contexts are taken another one is
    opened beside it.

    Args:
        api_key: The key.
        voice_id: The voice.
        model: Model id; those of the "v3" family are not served on this socket.
        language: Language code.
        first_audio_secs: Longest wait for a sentence's first audio.
        base_url: Another host that speaks the same protocol.
    """

    name = "elevenlabs"

    def __init__(
        self,
        api_key: SecretStr,
        voice_id: str,
        model: str = "eleven_flash_v2_5",
        *,
        language: str = "en",
        first_audio_secs: float = 1.5,
        base_url: str | None = None,
    ) -> None:
        query = {
            "model_id": model,
            "output_format": f"pcm_{SAMPLE_RATE_HZ}",
            "auto_mode": "true",
            "sync_alignment": "true",
            "inactivity_timeout": str(IDLE_TIMEOUT_SECS),
        }
        if model in TAKES_LANGUAGE:
            query["language_code"] = language
        host = (base_url or URL).rstrip("/").replace("http", "ws", 1)
        self._url = f"{host}/v1/text-to-speech/{quote(voice_id, safe='')}/multi-stream-input?{urlencode(query)}"
        self._key = api_key
        self._first_audio_secs = first_audio_secs
        self._sockets: list[ContextSocket] = []
        self._changed = asyncio.Event()
        self._room = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None

    async def load(self) -> None:
        """Open a socket, and see that key and voice are taken.

        Raises:
            VoiceError: They are not, in the vendor's own words.
        """
        if self._keeper is None:
            self._keeper = asyncio.create_task(self._keep_one(), name="elevenlabs")
        try:
            socket = await self._usable_socket(asyncio.get_running_loop().time() + self._first_audio_secs)
        except VoiceError:
            self._changed.set()
            raise
        context_id = socket.reserve()
        try:
            await socket.say(context_id, "")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOAD_SECS):
                    await socket.next(context_id)
        finally:
            socket.leave(context_id)

    async def warm_up(self, texts: Iterable[str]) -> None:
        """Nothing: every text costs."""

    async def speak(self, text: str) -> AsyncIterator[VoiceChunk]:
        """Speak; chunks as they come, words with the vendor's times."""
        deadline = asyncio.get_running_loop().time() + self._first_audio_secs
        while True:
            kept = any(socket.usable for socket in self._sockets)
            socket = await self._usable_socket(deadline)
            begun = False
            try:
                async with aclosing(self._said(socket, text, deadline)) as chunks:
                    async for chunk in chunks:
                        begun = True
                        yield chunk
                return
            except VoiceError as error:
                # A socket that was kept may have died unnoticed; a new one tells what is wrong.
                if begun or not kept or not socket.gone or not error.retryable or self._late(deadline):
                    raise

    async def close(self) -> None:
        """Close the sockets."""
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.cancel()
            await asyncio.wait([keeper], timeout=1.0)
        sockets, self._sockets = self._sockets, []
        await asyncio.gather(*(socket.close() for socket in sockets))

    # --- one sentence ----------------------------------------------------------------------

    async def _said(self, socket: ContextSocket, text: str, deadline: float) -> AsyncGenerator[VoiceChunk]:
        follower = CharacterFollower(text)
        context_id = socket.reserve()
        sent_secs = 0.0
        try:
            await socket.say(context_id, text)
            while True:
                try:
                    async with asyncio.timeout_at(deadline):
                        message = await socket.next(context_id)
                except TimeoutError:
                    # Whatever became of it: nothing good comes of this socket any more.
                    socket.retire()
                    if sent_secs and follower.over(sent_secs):
                        break
                    raise VoiceError(f"ElevenLabs: no {'more ' if sent_secs else ''}audio") from None
                except VoiceError:
                    if sent_secs and follower.over(sent_secs):
                        break
                    raise
                if isinstance(message, FinalOutputMulti):
                    break
                pcm = _decoded(message.audio)
                words = _words(follower, message, sent_secs)
                sent_secs += len(pcm) / 2 / SAMPLE_RATE_HZ
                if pcm or words:
                    yield VoiceChunk(pcm, SAMPLE_RATE_HZ, words)
                if sent_secs:
                    wait_secs = LOST_END_SECS if follower.over(sent_secs) else NEXT_AUDIO_SECS
                    deadline = asyncio.get_running_loop().time() + wait_secs
            if not sent_secs:
                raise VoiceError("ElevenLabs: the text came back without audio")
            if left := follower.finish(sent_secs):
                yield VoiceChunk(b"", SAMPLE_RATE_HZ, left)
        finally:
            socket.leave(context_id)
            self._give_up_spare(socket)

    def _late(self, deadline: float) -> bool:
        return asyncio.get_running_loop().time() >= deadline

    # --- sockets ---------------------------------------------------------------------------

    async def _usable_socket(self, deadline: float) -> ContextSocket:
        """A socket with room for a context: one that is open, a new one, or, if that is refused, the first with room.

        Raises:
            VoiceError: There is none by the deadline.
        """
        if (socket := self._with_room()) is not None:
            return socket
        try:
            return await self._open()
        except VoiceError as refused:
            # An account may have no more than a few sockets at once.
            while any(not socket.gone for socket in self._sockets):
                self._room.clear()
                try:
                    async with asyncio.timeout_at(deadline):
                        await self._room.wait()
                except TimeoutError:
                    break
                if (socket := self._with_room()) is not None:
                    return socket
            raise refused from None

    def _with_room(self) -> ContextSocket | None:
        return next((socket for socket in self._sockets if socket.usable), None)

    def _on_change(self) -> None:
        self._room.set()
        self._changed.set()

    async def _open(self) -> ContextSocket:
        timeout_secs = min(CONNECT_SECS, self._first_audio_secs)
        socket = await connect(self._url, self._key, timeout_secs=timeout_secs, on_change=self._on_change)
        self._sockets = [*(other for other in self._sockets if not other.closed), socket]
        return socket

    def _give_up_spare(self, socket: ContextSocket) -> None:
        """Of several sockets that nothing runs on, one is enough."""
        others = (other for other in self._sockets if other is not socket)
        if socket.gone or (socket.idle and any(other.usable and other.idle for other in others)):
            socket.retire()

    async def _keep_one(self) -> None:
        """Open a new socket when the last one ended, so that the next sentence need not."""
        failures = 0
        while True:
            await self._changed.wait()
            self._changed.clear()
            if any(not socket.gone for socket in self._sockets):
                continue
            await asyncio.sleep(RECONNECT_SECS[min(failures, len(RECONNECT_SECS) - 1)])
            if any(not socket.gone for socket in self._sockets):
                continue
            try:
                await self._open()
                failures = 0
            except VoiceError as error:
                if not failures:
                    logger.warning("{}", error)
                failures += 1
                if not error.retryable:
                    return
                self._changed.set()


def _words(follower: CharacterFollower, message: AudioOutputMulti, offset_secs: float) -> list[Word]:
    alignment = message.alignment
    if alignment is None:
        return []
    starts_ms, durations_ms = alignment.char_start_times_ms or (), alignment.char_durations_ms or ()
    return follower.push(alignment.chars or (), starts_ms, durations_ms, offset_secs)


def _decoded(audio: str | None) -> bytes:
    try:
        return base64.b64decode(audio or "", validate=True)
    except binascii.Error:
        raise VoiceError("ElevenLabs: damaged audio") from None
