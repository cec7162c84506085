"""Telnyx: TeXML and media streaming.

https://developers.telnyx.com/docs/voice/programmable-voice/media-streaming,
https://developers.telnyx.com/docs/voice/programmable-voice/texml-verbs/stream,
https://developers.telnyx.com/development/api-fundamentals/webhooks/receiving-webhooks
"""

import base64
import binascii
from typing import Final
from xml.sax.saxutils import quoteattr

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from transports.phone.carrier import (
    Event,
    Heard,
    IncomingCall,
    MalformedError,
    Reply,
    SignatureError,
    Started,
    Webhook,
    Wire,
    base64_text,
    decoded,
    name_of,
    part,
    sound,
    text,
)
from transports.phone.sound import Encoding
from transports.phone.twilio import BUSY, HEADER, form_call, plain_event, waiting

_ENCODINGS: Final = {"PCMU": Encoding.MULAW, "PCMA": Encoding.ALAW}


class Telnyx:
    """Calls that come from a TeXML application of Telnyx's.

    Args:
        public_key: The account's, in base64, whose private one signs requests.

    Raises:
        ValueError: It is no key.
    """

    name = "telnyx"

    def __init__(self, public_key: str) -> None:
        try:
            self._key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public_key, validate=True))
        except (binascii.Error, ValueError) as error:
            raise ValueError("no Ed25519 key in base64") from error

    def verify(self, request: Webhook) -> None:
        """See that Telnyx signed the time and the body (Ed25519)."""
        at = request.headers.get("Telnyx-Timestamp", "")
        told = request.headers.get("Telnyx-Signature-Ed25519", "")
        try:
            self._key.verify(base64.b64decode(told, validate=True), f"{at}|".encode() + request.body)
        except (InvalidSignature, binascii.Error, ValueError) as error:
            raise SignatureError("the signature is wrong") from error
        request.require_fresh(at)

    def incoming(self, request: Webhook) -> IncomingCall:
        """The form of TeXML is Twilio's."""
        return form_call(request)

    def connect(self, stream_url: str) -> Reply:
        """Sound both ways as RTP payloads of G.711."""
        stream = (
            f'<Stream url={quoteattr(stream_url)} track="inbound_track" codec="PCMU" bidirectionalMode="rtp" '
            'bidirectionalCodec="PCMU"/>'
        )
        return Reply(f"{HEADER}<Response><Connect>{stream}</Connect></Response>")

    def wait(self, secs: int, url: str) -> Reply | None:
        """Ask again."""
        return Reply(waiting(secs, url))

    def refuse(self) -> Reply:
        """The caller hears the busy tone."""
        return Reply(BUSY)

    def read(self, message: Wire) -> Event | None:
        """What a message says. Sound may come out of order."""
        said = decoded(message)
        match said.get("event"):
            case "media":
                media = part(said, "media")
                if media.get("track", "inbound") != "inbound":
                    return None
                number = text(media, "chunk", 12) if "chunk" in media else ""
                return Heard(sound(media), int(number) if number.isascii() and number.isdigit() else None)
            case "start":
                start = part(said, "start")
                told = part(start, "media_format").get("encoding")
                encoding = _ENCODINGS.get(told) if isinstance(told, str) else None
                if encoding is None:
                    raise MalformedError("no encoding that is known")
                return Started(encoding, name_of(said, "stream_id"))
            case _:
                return plain_event(said)

    def audio(self, started: Started, payload: bytes) -> Wire:
        """Play this."""
        return f'{{"event":"media","media":{{"payload":"{base64_text(payload)}"}}}}'

    def mark(self, started: Started, name: str) -> Wire:
        """Tell when all before this has been played."""
        return f'{{"event":"mark","mark":{{"name":"{name}"}}}}'

    def clear(self, started: Started) -> Wire:
        """Drop what has not been played."""
        return '{"event":"clear"}'
