"""Twilio: TwiML and Media Streams.

https://www.twilio.com/docs/voice/media-streams/websocket-messages,
https://www.twilio.com/docs/voice/twiml/stream, https://www.twilio.com/docs/usage/security#validating-requests
"""

import base64
import hashlib
import hmac
import re
from typing import Any, Final
from urllib.parse import urlsplit
from xml.sax.saxutils import quoteattr

from transports.phone.carrier import (
    MAX_MARK_CHARS,
    Event,
    Heard,
    IncomingCall,
    Key,
    MalformedError,
    Order,
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

HEADER: Final = '<?xml version="1.0" encoding="UTF-8"?>'
BUSY: Final = f'{HEADER}<Response><Reject reason="busy"/></Response>'
API_URL: Final = "https://api.twilio.com"
_ACCOUNT: Final = re.compile(r"[A-Za-z0-9]{2,64}")
_PORTS: Final = {"https": 443, "http": 80}


class Twilio:
    """Calls that come from Twilio.

    Args:
        auth_token: The account's, which signs requests.
        api_url: Where its interface is.
    """

    name = "twilio"

    def __init__(self, auth_token: str, api_url: str = API_URL) -> None:
        self._key = auth_token.encode()
        self._api_url = api_url

    def verify(self, request: Webhook) -> None:
        """See that Twilio signed the address and the form (HMAC-SHA1 in base64)."""
        told = request.headers.get("X-Twilio-Signature", "")
        form = sorted(set(request.form()))
        said = "".join(key + value for key, value in form)
        for url in _spellings(request.url):
            digest = hmac.new(self._key, (url + said).encode(), hashlib.sha1).digest()
            if hmac.compare_digest(base64.b64encode(digest), told.encode()):
                return
        raise SignatureError("the signature is wrong")

    def incoming(self, request: Webhook) -> IncomingCall:
        """The form's ``CallSid``, ``From`` and ``To``."""
        return form_call(request)

    def connect(self, stream_url: str) -> Reply:
        """Behind ``<Connect>`` stands nothing: the call ends with its stream."""
        return Reply(f"{HEADER}<Response><Connect><Stream url={quoteattr(stream_url)}/></Connect></Response>")

    def wait(self, secs: int, url: str) -> Reply | None:
        """A pause before all else is not answered yet: the caller hears it ring."""
        return Reply(waiting(secs, url))

    def refuse(self) -> Reply:
        """The caller hears the busy tone."""
        return Reply(BUSY)

    def redirect(self, call: IncomingCall, target: str, secs: int, url: str) -> Order:
        """New TwiML for a running call: https://www.twilio.com/docs/voice/api/call-resource#update-a-call-resource

        Raises:
            MalformedError: The call's own request did not tell a usable account.
        """
        if not _ACCOUNT.fullmatch(call.account) or not _ACCOUNT.fullmatch(call.call_id):
            raise MalformedError("no AccountSid")
        noun = "Sip" if target.startswith(("sip:", "sips:")) else "Number"
        dial = f'<Dial timeout="{secs}" action={quoteattr(url)}><{noun}>{_escaped(target)}</{noun}></Dial>'
        return Order(
            f"{self._api_url}/2010-04-01/Accounts/{call.account}/Calls/{call.call_id}.json",
            call.account,
            self._key.decode(),
            {"Twiml": f"<Response>{dial}</Response>"},
        )

    def hang_up(self) -> Reply:
        """The call is over."""
        return Reply(f"{HEADER}<Response><Hangup/></Response>")

    def was_answered(self, request: Webhook) -> bool:
        """https://www.twilio.com/docs/voice/twiml/dial#dialcallstatus"""
        return field_of(request.form(), "DialCallStatus") in ("completed", "answered")

    def read(self, message: Wire) -> Event | None:
        """What a message says."""
        said = decoded(message)
        match said.get("event"):
            case "media":
                media = part(said, "media")
                return Heard(sound(media)) if media.get("track", "inbound") == "inbound" else None
            case "start":
                start = part(said, "start")
                if part(start, "mediaFormat").get("encoding") != "audio/x-mulaw":
                    raise MalformedError("no encoding that is known")
                return Started(Encoding.MULAW, name_of(start, "streamSid"), text(start, "callSid"))
            case _:
                return plain_event(said)

    def audio(self, started: Started, payload: bytes) -> Wire:
        """Play this."""
        return f'{{"event":"media","streamSid":"{started.stream_id}","media":{{"payload":"{base64_text(payload)}"}}}}'

    def mark(self, started: Started, name: str) -> Wire:
        """Tell when all before this has been played."""
        return f'{{"event":"mark","streamSid":"{started.stream_id}","mark":{{"name":"{name}"}}}}'

    def clear(self, started: Started) -> Wire:
        """Drop what has not been played."""
        return f'{{"event":"clear","streamSid":"{started.stream_id}"}}'


def plain_event(said: dict[str, Any]) -> Event | None:
    """What messages say that have one form at Twilio and Telnyx: marks, keys, the end."""
    match said.get("event"):
        case "mark":
            return Played(text(part(said, "mark"), "name", MAX_MARK_CHARS))
        case "dtmf":
            return Key(text(part(said, "dtmf"), "digit", 1))
        case "stop":
            return Stopped()
        case _:
            return None


def form_call(request: Webhook) -> IncomingCall:
    """A call as Twilio's form tells it, and those that follow it do.

    Raises:
        MalformedError: It does not.
    """
    form = request.form()
    if not (call_id := field_of(form, "CallSid")):
        raise MalformedError("no CallSid")
    return IncomingCall(call_id, field_of(form, "From"), field_of(form, "To"), field_of(form, "AccountSid"))


def waiting(secs: int, url: str) -> str:
    """TwiML that asks again."""
    return f'{HEADER}<Response><Pause length="{secs}"/><Redirect method="POST">{_escaped(url)}</Redirect></Response>'


def _escaped(url: str) -> str:
    return quoteattr(url)[1:-1]


def _spellings(url: str) -> tuple[str, ...]:
    """An address as it stands, and with its port the other way: Twilio has signed both."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    default = _PORTS.get(parts.scheme, 443)
    netloc = host if parts.port is not None else f"{host}:{default}"
    return (url, parts._replace(netloc=netloc).geturl())
