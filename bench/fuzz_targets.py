"""Every parser of what comes from outside, and what to feed it with; for ``tests/test_fuzz.py`` and ``bench.fuzz``.

A target's ``feed`` takes one input and returns; whatever it raises is a fault of the parser. Errors that a parser is
documented to raise are taken by ``feed``.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import aclosing, suppress
from dataclasses import dataclass
from ipaddress import ip_interface
from typing import Any, Final

import aioice
import websockets.exceptions
from aiohttp import web
from aioice import stun
from deepgram.listen.v1.socket_client import AsyncV1SocketClient
from deepgram.listen.v2.socket_client import AsyncV2SocketClient
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from pydantic import SecretStr

from audio.pcm import AudioFormatError, decode_mp3
from audio.rtp import parse_rtp
from contracts.llm import LanguageModelError
from contracts.tts import VoiceError
from processors import compat
from processors.llm.chat_completions import retry_after_secs
from processors.llm.groq import GroqModel, allowances
from processors.llm.openai_compatible import OpenAICompatibleModel
from processors.stt.deepgram import DeepgramError, DeepgramParams, DeepgramRecogniser
from processors.tts.elevenlabs import ElevenLabsVoice
from processors.tts.elevenlabs_socket import ContextSocket
from transports.candidates import CandidatePolicy, without_refused
from transports.client_messages import ClientMessages
from transports.receive import AudioReceiver
from transports.sdp import OfferError, check_offer, parse_candidate

LOCAL_PASSWORD: Final = "a" * 22
SENTENCE: Final = "Your card is on its way."


@dataclass(frozen=True)
class Target:
    """One parser.

    Attributes:
        name: For people.
        inputs: What is thrown at it.
        feed: Takes one input.
    """

    name: str
    inputs: SearchStrategy[Any]
    feed: Callable[[Any], Coroutine[Any, Any, None]]


# --- inputs

json_values: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)


def objects(**fields: SearchStrategy[Any]) -> SearchStrategy[Any]:
    """Objects with some of these fields, right or wrong, or anything else."""
    return (
        st.fixed_dictionaries({}, optional={name: right | json_values for name, right in fields.items()}) | json_values
    )


def as_text(values: SearchStrategy[Any]) -> SearchStrategy[str | bytes]:
    """JSON, sometimes cut or with a byte changed, and what is none."""
    whole = values.map(lambda value: json.dumps(value, ensure_ascii=False))
    cut = st.tuples(whole, st.integers(0, 200)).map(lambda pair: pair[0][: pair[1]])
    return whole | cut | st.text(max_size=40) | st.binary(max_size=40)


def damaged(original: bytes) -> SearchStrategy[bytes]:
    """The original with pieces replaced, left out or doubled."""

    def apply(edits: list[tuple[int, int, bytes]]) -> bytes:
        data = bytearray(original)
        for at, length, piece in edits:
            at %= len(data) + 1
            data[at : at + length] = piece
        return bytes(data)

    edit = st.tuples(st.integers(0, 10_000), st.integers(0, 60), st.binary(max_size=20))
    return st.lists(edit, max_size=6).map(apply)


rtvi_messages: Final = objects(
    label=st.just("rtvi-ai"),
    type=st.sampled_from(["client-ready", "send-text", "dtmf", "client-message"]),
    id=st.text(max_size=5),
    data=objects(
        content=st.text(),
        buttons=st.lists(st.sampled_from("0123456789*#x")),
        t=st.sampled_from(["dtmf", "hold"]),
        d=objects(key=st.sampled_from("12#"), on=st.booleans()),
    ),
)

chunks: Final = objects(
    id=st.text(max_size=3),
    choices=st.lists(
        objects(
            index=st.integers(0, 3),
            delta=objects(
                content=st.text(max_size=20),
                tool_calls=st.lists(
                    objects(
                        index=st.integers(0, 3),
                        id=st.text(max_size=4),
                        function=objects(name=st.text(max_size=8), arguments=st.text(max_size=12)),
                    ),
                    max_size=2,
                ),
            ),
            finish_reason=st.sampled_from(["stop", "length", "tool_calls"]),
        ),
        max_size=2,
    ),
    usage=objects(prompt_tokens=st.integers(0, 99), completion_tokens=st.integers(0, 99)),
    error=objects(message=st.text(max_size=9)),
)

words: Final = st.lists(
    objects(word=st.text(max_size=6), confidence=st.floats(0, 1), start=st.floats(0, 9), end=st.floats(0, 9)),
    max_size=3,
)
nova_messages: Final = objects(
    type=st.sampled_from(["Results", "Metadata", "UtteranceEnd", "SpeechStarted", "Error"]),
    channel=objects(alternatives=st.lists(objects(transcript=st.text(max_size=9), words=words), max_size=2)),
    start=st.floats(0, 9),
    duration=st.floats(0, 9),
    is_final=st.booleans(),
    from_finalize=st.booleans(),
)
flux_messages: Final = objects(
    type=st.sampled_from(["TurnInfo", "Connected", "Error"]),
    event=st.sampled_from(["Update", "StartOfTurn", "EagerEndOfTurn", "TurnResumed", "EndOfTurn"]),
    words=words,
    audio_window_end=st.floats(0, 9),
)
elevenlabs_messages: Final = objects(
    audio=st.sampled_from(["", "AAAA", "AAAAAAAA", "?", "AAA"]),
    isFinal=st.booleans(),
    contextId=st.just("u1"),
    error=st.sampled_from(["", "quota_exceeded", "other"]),
    alignment=objects(
        chars=st.lists(st.sampled_from([*SENTENCE, ""]), max_size=30),
        charStartTimesMs=st.lists(st.integers(-5, 9000), max_size=30),
        charDurationsMs=st.lists(st.integers(-5, 900), max_size=30),
    ),
)

OFFER: Final = (
    "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n"
    "m=audio 9 UDP/TLS/RTP/SAVPF 111 0\r\nc=IN IP4 0.0.0.0\r\na=sendrecv\r\na=mid:0\r\na=rtcp-mux\r\n"
    "a=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10;useinbandfec=1\r\na=rtcp-fb:111 nack\r\n"
    "a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid\r\na=ssrc:1 cname:x\r\n"
    "a=candidate:1 1 udp 2122260223 192.0.2.7 40000 typ host generation 0\r\na=end-of-candidates\r\n"
    "a=ice-ufrag:abcd\r\na=ice-pwd:aaaaaaaaaaaaaaaaaaaaaa\r\n"
    f"a=fingerprint:sha-256 {':'.join(['AB'] * 32)}\r\na=setup:actpass\r\n"
    "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\na=sctp-port:5000\r\n"
    "a=ice-ufrag:abcd\r\na=ice-pwd:aaaaaaaaaaaaaaaaaaaaaa\r\n"
    f"a=fingerprint:sha-256 {':'.join(['AB'] * 32)}\r\na=setup:actpass\r\n"
).encode()


def _check(username: str, integrity: bool) -> bytes:
    message = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
    message.attributes["USERNAME"] = username
    message.attributes["PRIORITY"] = 1
    if integrity:
        message.add_message_integrity(LOCAL_PASSWORD.encode())
    return bytes(message)


datagrams: Final = st.one_of(
    st.binary(max_size=200),
    damaged(_check("local:peer", integrity=True)),
    damaged(_check("local:peer", integrity=False)),
    damaged(bytes.fromhex("16fefd0000000000000000002001000014") + bytes(20)),
    damaged(bytes([0x80, 111]) + bytes(80)),
    damaged(bytes([0x80, 200, 0, 6]) + bytes(60)),
)


def _event(text: str | bytes) -> bytes:
    return b"data: " + (text if isinstance(text, bytes) else text.encode("utf-8", "replace")) + b"\n\n"


events: Final = st.lists(
    st.one_of(
        chunks.map(
            lambda value: b"data: " + json.dumps(value, ensure_ascii=False).encode("utf-8", "replace") + b"\n\n"
        ),
        as_text(chunks).map(
            lambda t: b"data: " + (t if isinstance(t, bytes) else t.encode("utf-8", "replace")) + b"\n\n"
        ),
        st.binary(max_size=30),
        st.sampled_from([b"\n", b"event: error\n", b": ping\n\n", b"data: [DONE]\n\n"]),
    ),
    max_size=5,
).map(b"".join)


# --- what takes them


async def read_rtvi(raws: list[str | bytes]) -> None:
    """All messages of one call."""
    reader = ClientMessages()
    for number, raw in enumerate(raws):
        reader.read(raw, number / 10)


async def read_offer(data: bytes) -> None:
    """An offer up to the peer connection."""
    sdp = data.decode("utf-8", "replace")
    policy = CandidatePolicy([ip_interface("192.0.2.1/24")])
    with suppress(OfferError):
        check_offer(sdp)
        without_refused(sdp, policy)
    for line in sdp.splitlines():
        with suppress(OfferError):
            candidate = parse_candidate(line.removeprefix("a="), "0", 0)
            if candidate is not None:
                policy.allows(candidate.ip, candidate.port)


class _NoTransport:
    def sendto(self, data: bytes, addr: tuple[str, int]) -> None:
        """Nothing is sent."""


async def read_datagrams(packets: list[bytes]) -> None:
    """Datagrams at a call's socket, from an address that nobody knows, and from a peer that has the password."""
    compat.install()
    connection = aioice.Connection(ice_controlling=False, local_username="local", local_password=LOCAL_PASSWORD)
    protocol: Any = aioice.ice.StunProtocol(connection)
    protocol.transport = _NoTransport()
    protocol.local_candidate = aioice.Candidate("1", 1, "udp", 1, "192.0.2.1", 4000, "host")
    protocol.datagram_received(_check("local:peer", integrity=True), ("192.0.2.9", 5000))
    for packet in packets:
        protocol.datagram_received(packet, ("198.51.100.9", 5000))
        protocol.datagram_received(packet, ("192.0.2.9", 5000))


async def read_rtp(packets: list[bytes]) -> None:
    """Decrypted RTP, and Opus in it."""
    receiver = AudioReceiver()
    for packet in packets:
        parsed = parse_rtp(packet)
        if parsed is not None:
            receiver.push(parsed[1].ssrc, parsed[1].sequence_number, parsed[1].payload)
    receiver.flush()


class _Wire:
    """A WebSocket that brings these messages, and then ends."""

    def __init__(self, messages: list[str | bytes]) -> None:
        self._messages = list(messages)

    async def recv(self) -> str | bytes:
        if self._messages:
            return self._messages.pop(0)
        raise websockets.exceptions.ConnectionClosedError(None, None)

    async def send(self, message: str) -> None:
        """Nobody reads it."""

    async def close(self) -> None:
        """It is closed."""


async def read_deepgram(model: str, raws: list[str | bytes]) -> None:
    """What comes over a socket to Deepgram, through its SDK."""
    recogniser = DeepgramRecogniser(DeepgramParams(api_key=SecretStr("k"), model=model))
    recogniser.speech_started()
    recogniser.feed(bytes(1024), 1.0)
    kind = AsyncV2SocketClient if model.startswith("flux") else AsyncV1SocketClient
    wire: Any = _Wire(raws)
    try:
        await recogniser._receive(kind(websocket=wire))  # noqa: SLF001 - behind the network
    except (DeepgramError, websockets.exceptions.ConnectionClosed):
        pass
    finally:
        await recogniser.close()


async def read_elevenlabs(raws: list[str | bytes]) -> None:
    """What comes over a socket to ElevenLabs, up to the voice."""
    wire: Any = _Wire(raws)
    voice = ElevenLabsVoice(SecretStr("k"), "v", first_audio_secs=0.05)
    voice._sockets = [ContextSocket(wire, SecretStr("k"), lambda: None)]  # noqa: SLF001 - behind the network
    deadline = asyncio.get_running_loop().time() + 1.0
    with suppress(VoiceError):
        async with aclosing(voice._said(voice._sockets[0], SENTENCE, deadline)) as spoken:  # noqa: SLF001 - the same
            async for _ in spoken:
                pass
    await voice.close()


class SseServer:
    """Streams what it is told to whoever asks for an answer, and keeps the vendors' clients that do."""

    def __init__(self) -> None:
        self.body = b""
        self.url = ""
        self._models: dict[Callable[[str], Any], Any] = {}
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listen, once."""
        if self._runner is not None:
            return
        app = web.Application()
        app.router.add_post("/{path:.*}", self._answer)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    def model(self, make: Callable[[str], Any]) -> Any:
        """The one model of a kind: making its client takes far longer than an answer."""
        if make not in self._models:
            self._models[make] = make(self.url)
        return self._models[make]

    async def close(self) -> None:
        """Listen no more."""
        for model in self._models.values():
            await model.close()
        self._models.clear()
        if self._runner is not None:
            await self._runner.cleanup()
        self._runner = None

    async def _answer(self, request: web.Request) -> web.Response:
        return web.Response(body=self.body, content_type="text/event-stream")


async def read_stream(server: SseServer, make: Callable[[str], Any], body: bytes) -> None:
    """A streamed answer, through the vendor's SDK."""
    await server.start()
    server.body = body
    stream: AsyncIterator[Any] = server.model(make).stream([{"role": "user", "content": "Hello"}])
    with suppress(LanguageModelError):
        async for _ in stream:
            pass


async def read_mp3(data: bytes) -> None:
    """What gTTS sends as audio."""
    with suppress(AudioFormatError):
        decode_mp3(data, 24_000)


async def read_headers(values: list[str]) -> None:
    """Headers of a vendor's answer."""
    for value in values:
        retry_after_secs(value, 0.0)
        allowances({"x-ratelimit-limit-tokens": value, "x-ratelimit-remaining-tokens": value}, value)


def openai_model(url: str) -> OpenAICompatibleModel:
    """A model behind OpenAI's SDK."""
    return OpenAICompatibleModel(url, "m", SecretStr("k"))


def groq_model(url: str) -> GroqModel:
    """A model behind Groq's SDK."""
    return GroqModel(SecretStr("k"), "m", base_url=url)


def _some(inputs: SearchStrategy[Any]) -> SearchStrategy[list[Any]]:
    return st.lists(inputs, min_size=1, max_size=4)


def targets(server: SseServer) -> list[Target]:
    """All of them.

    Args:
        server: Streams answers for the vendors' SDKs; closed by who made it.
    """

    return [
        Target("RTVI messages", _some(as_text(rtvi_messages)), read_rtvi),
        Target("SDP and candidates", damaged(OFFER), read_offer),
        Target("UDP datagrams", _some(datagrams), read_datagrams),
        Target("RTP and Opus", _some(damaged(bytes([0x80, 111, 0, 1]) + bytes(40))), read_rtp),
        Target("Deepgram nova", _some(as_text(nova_messages)), lambda raws: read_deepgram("nova-3", raws)),
        Target("Deepgram flux", _some(as_text(flux_messages)), lambda raws: read_deepgram("flux-e", raws)),
        Target("ElevenLabs", _some(as_text(elevenlabs_messages)), read_elevenlabs),
        Target("SSE, OpenAI", events, lambda body: read_stream(server, openai_model, body)),
        Target("SSE, Groq", events, lambda body: read_stream(server, groq_model, body)),
        Target("MP3", damaged(b"\xff\xfb\x90\x64" + bytes(413)) | st.binary(max_size=100), read_mp3),
        Target("vendors' headers", st.lists(st.text(max_size=30), max_size=5), read_headers),
    ]
