"""Plivo: its XML and audio streaming.

https://www.plivo.com/docs/voice-agents/audio-streaming/concepts/audio-streaming-reference,
https://www.plivo.com/docs/voice/concepts/signature-validation
"""

import base64
import hashlib
import hmac
from typing import Final
from urllib.parse import parse_qsl, urlsplit
from xml.sax.saxutils import escape

from transports.phone.carrier import (
    MAX_MARK_CHARS,
    Event,
    Heard,
    IncomingCall,
    Key,
    MalformedError,
    Played,
    Reply,
    SignatureError,
    Started,
    Stopped,
    Webhook,
    Wire,
    base64_text,
    decoded,
    field_of,
    name_of,
    part,
    sound,
    text,
)
from transports.phone.sound import Encoding

_TYPE: Final = Encoding.MULAW.value


class Plivo:
    """Calls that come from Plivo.

    Args:
        auth_token: The account's, which signs requests.
    """

    name = "plivo"

    def __init__(self, auth_token: str) -> None:
        self._key = auth_token.encode()

    def verify(self, request: Webhook) -> None:
        """See that Plivo signed the address, the form and its nonce (V3: HMAC-SHA256 in base64)."""
        nonce = request.headers.get("X-Plivo-Signature-V3-Nonce", "")
        said = f"{signed_text(request)}.{nonce}".encode()
        told = request.headers.get("X-Plivo-Signature-V3", "").split(",")  # one for each token that is valid
        # Plivo's own package for Python encodes what is not ASCII twice, those for other languages once.
        for spelled in {said, said.decode("latin-1").encode()}:
            good = base64.b64encode(hmac.new(self._key, spelled, hashlib.sha256).digest())
            if nonce and any(hmac.compare_digest(good, each.strip().encode()) for each in told):
                return
        raise SignatureError("the signature is wrong")

    def incoming(self, request: Webhook) -> IncomingCall:
        """The form's ``CallUUID``, ``From`` and ``To``."""
        form = request.form()
        if not (call_id := field_of(form, "CallUUID")):
            raise MalformedError("no CallUUID")
        return IncomingCall(call_id, field_of(form, "From"), field_of(form, "To"))

    def connect(self, stream_url: str) -> Reply:
        """The call lives as long as its stream."""
        return Reply(
            f'<Response><Stream bidirectional="true" keepCallAlive="true" contentType="{_TYPE}">'
            f"{escape(stream_url)}</Stream></Response>"
        )

    def wait(self, secs: int, url: str) -> Reply | None:
        """Ask again."""
        return Reply(f'<Response><Wait length="{secs}"/><Redirect method="POST">{escape(url)}</Redirect></Response>')

    def refuse(self) -> Reply:
        """The caller hears the busy tone."""
        return Reply('<Response><Hangup reason="busy"/></Response>')

    def read(self, message: Wire) -> Event | None:
        """What a message says."""
        said = decoded(message)
        match said.get("event"):
            case "media":
                media = part(said, "media")
                return Heard(sound(media)) if media.get("track", "inbound") == "inbound" else None
            case "playedStream":
                return Played(text(said, "name", MAX_MARK_CHARS))
            case "dtmf":
                return Key(text(part(said, "dtmf"), "digit", 1))
            case "start":
                start = part(said, "start")
                told = part(start, "mediaFormat") if "mediaFormat" in start else {}
                if told.get("encoding", "audio/x-mulaw") != "audio/x-mulaw":
                    raise MalformedError("no encoding that is known")
                return Started(Encoding.MULAW, name_of(start, "streamId"), text(start, "callId"))
            case "stop":
                return Stopped()
            case _:
                return None

    def audio(self, started: Started, payload: bytes) -> Wire:
        """Play this."""
        return (
            '{"event":"playAudio","media":{"contentType":"audio/x-mulaw","sampleRate":8000,'
            f'"payload":"{base64_text(payload)}"}}}}'
        )

    def mark(self, started: Started, name: str) -> Wire:
        """Tell when all before this has been played."""
        return f'{{"event":"checkpoint","streamId":"{started.stream_id}","name":"{name}"}}'

    def clear(self, started: Started) -> Wire:
        """Drop what has not been played."""
        return f'{{"event":"clearAudio","streamId":"{started.stream_id}"}}'


def signed_text(request: Webhook) -> str:
    """What Plivo signs of a POST, but for the nonce: the address, its query sorted, and the form sorted."""
    parts = urlsplit(request.url)
    said = "".join(key + value for key, value in _sorted(request.form()))
    query = "&".join(f"{key}={value}" for key, value in _sorted(parse_qsl(parts.query, keep_blank_values=True)))
    base = parts._replace(query="", fragment="").geturl()
    if query or said:
        base += "?" + query
    if query and said:
        base += "."
    return base + said


def _sorted(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return sorted(pairs)
