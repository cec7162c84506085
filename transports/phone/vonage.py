"""Vonage's Voice API: NCCO and WebSockets.

https://developer.vonage.com/en/voice/voice-api/concepts/websockets,
https://developer.vonage.com/en/getting-started/concepts/webhooks#validating-signed-webhooks
"""

import hashlib
import hmac
import json
from typing import Any, Final

import jwt

from transports.phone.carrier import (
    FRESH_SECS,
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
    Webhook,
    Wire,
    decoded,
    part,
    text,
)
from transports.phone.sound import Encoding

_JSON: Final = "application/json"
_ENCODINGS: Final = {"audio/l16;rate=16000": Encoding.L16_16, "audio/l16;rate=8000": Encoding.L16_8}


class Vonage:
    """Calls that come from a Vonage application whose answer URL is asked with POST.

    Args:
        signature_secret: The account's, which signs requests.
    """

    name = "vonage"

    def __init__(self, signature_secret: str) -> None:
        self._secret = signature_secret

    def verify(self, request: Webhook) -> None:
        """See that Vonage signed the time and the body's digest (a JWT of HS256)."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        options: Any = {"verify_iat": False, "verify_exp": False, "verify_nbf": False, "verify_aud": False}
        try:
            claims = jwt.decode(token.strip(), self._secret, algorithms=["HS256"], options=options)
        except jwt.InvalidTokenError as error:
            raise SignatureError("the signature is wrong") from error
        at = claims.get("iat")
        if scheme.lower() != "bearer" or isinstance(at, bool) or not isinstance(at, int | float):
            raise SignatureError("it tells no time")
        if abs(request.now - at) > FRESH_SECS:
            raise SignatureError("it is old")
        digest = hashlib.sha256(request.body).hexdigest()
        if not hmac.compare_digest(digest.encode(), str(claims.get("payload_hash", "")).lower().encode()):
            raise SignatureError("it belongs to another body")

    def incoming(self, request: Webhook) -> IncomingCall:
        """The body's ``uuid``, ``from`` and ``to``."""
        said = decoded(request.body)
        caller, called = (said.get(name) for name in ("from", "to"))
        return IncomingCall(
            text(said, "uuid"),
            caller[:64] if isinstance(caller, str) else "",
            called[:64] if isinstance(called, str) else "",
        )

    def connect(self, stream_url: str) -> Reply:
        """Linear PCM at 16 kHz: wideband, where the caller's phone has it."""
        endpoint = {"type": "websocket", "uri": stream_url, "content-type": "audio/l16;rate=16000"}
        return Reply(json.dumps([{"action": "connect", "endpoint": [endpoint]}]), _JSON)

    def wait(self, secs: int, url: str) -> Reply | None:
        """An NCCO cannot wait in silence and ask again."""
        return None

    def refuse(self) -> Reply:
        """A call without anything to do ends."""
        return Reply("[]", _JSON)

    def read(self, message: Wire) -> Event | None:
        """What a message says: sound is binary, all else is text."""
        if isinstance(message, bytes):
            return Heard(message)
        said = decoded(message)
        match said.get("event"):
            case "websocket:connected":
                told = said.get("content-type")
                encoding = _ENCODINGS.get(told.replace(" ", "").lower()) if isinstance(told, str) else None
                if encoding is None:
                    raise MalformedError("no encoding that is known")
                return Started(encoding)
            case "websocket:notify":
                return Played(text(part(said, "payload"), "mark", MAX_MARK_CHARS))
            case "websocket:dtmf":
                return Key(text(said, "digit", 1))
            case _:
                return None

    def audio(self, started: Started, payload: bytes) -> Wire:
        """Play this."""
        return payload

    def mark(self, started: Started, name: str) -> Wire:
        """Tell when all before this has been played."""
        return f'{{"action":"notify","payload":{{"mark":"{name}"}}}}'

    def clear(self, started: Started) -> Wire:
        """Drop what has not been played."""
        return '{"action":"clear"}'
