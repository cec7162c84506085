"""What a SIP call carries: offer and answer (RFC 3264) in SDP (RFC 8866). Pure; the parser is aiosipua's."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from aiosipua.sdp import Codec as Offered
from aiosipua.sdp import MediaDescription, SdpMessage, parse_sdp

from transports.phone.sound import Encoding
from transports.sip.messages import Address

MAX_SDP_BYTES: Final = 4096
MAX_SECTIONS: Final = 8
MAX_FORMATS: Final = 64

_KEYS: Final = "0-15"
"""Keys of a telephone, in RFC 4733's numbers."""


class Codec(Enum):
    """How sound is carried: name in SDP, RTP clock in Hz, the payload type that we offer."""

    OPUS = ("opus", 48_000, 111)
    PCMU = ("PCMU", 8_000, 0)
    PCMA = ("PCMA", 8_000, 8)

    @property
    def clock_hz(self) -> int:
        """Ticks of RTP's clock in a second."""
        return self.value[1]

    @property
    def encoding(self) -> Encoding:
        """G.711's encoding.

        Raises:
            KeyError: It is Opus.
        """
        return {Codec.PCMU: Encoding.MULAW, Codec.PCMA: Encoding.ALAW}[self]

    @property
    def rtpmap(self) -> str:
        """As SDP names it."""
        name, clock_hz, _ = self.value
        return f"{name}/{clock_hz}/2" if self is Codec.OPUS else f"{name}/{clock_hz}"


class NoMediaError(ValueError):
    """An offer or an answer with nothing in it that we can speak (488)."""


@dataclass(frozen=True)
class Media:
    """What was agreed.

    Attributes:
        address: Where our packets go, and the only machine that theirs come from.
        codec: How they carry sound.
        payload_type: By which number.
        key_type: The payload type of keys; None: there are none.
        hears: Whether the other side plays what we send.
        speaks: Whether the other side sends anything.
        answer: Our answer's media lines, in the offer's order.
    """

    address: Address
    codec: Codec
    payload_type: int
    key_type: int | None
    hears: bool
    speaks: bool
    answer: tuple[str, ...] = ()

    @property
    def on_hold(self) -> bool:
        """Whether the other side has put us on hold: it does not listen."""
        return not self.hears


def read_media(body: bytes, codecs: Sequence[Codec], port: int = 0) -> Media:
    """What of an offer, or of the answer to ours, is to be used.

    Args:
        body: The SDP.
        codecs: What we speak, the best first.
        port: Where we take packets, for the answer.

    Raises:
        NoMediaError: Nothing; or it is malformed.
    """
    if len(body) > MAX_SDP_BYTES:
        raise NoMediaError("the SDP is too long")
    try:
        sdp = parse_sdp(body.decode())
        return _agreed(sdp, codecs, port)
    except NoMediaError:
        raise
    except (ValueError, IndexError, KeyError) as error:  # the parser's own
        raise NoMediaError("the SDP is malformed") from error


def _agreed(sdp: SdpMessage, codecs: Sequence[Codec], port: int) -> Media:
    if len(sdp.media) > MAX_SECTIONS:
        raise NoMediaError("too many media")
    index, section = _audio_of(sdp)
    codec, chosen = _chosen(section, codecs)
    # Keys with the clock of the codec, where they are offered so (RFC 4733 section 2.1 wants one clock in a stream).
    keys = [offered for offered in section.codecs if offered.encoding_name.lower() == "telephone-event"]
    keys.sort(key=lambda offered: offered.clock_rate != codec.clock_hz)
    key_type = keys[0].payload_type if keys else None
    address, unspecified = _address_of(sdp, section)
    direction = section.direction
    if not any(name in section.attributes for name in ("sendrecv", "sendonly", "recvonly", "inactive")):
        direction = next((d for d in ("sendonly", "recvonly", "inactive") if d in sdp.attributes), direction)
    hears = direction in ("sendrecv", "recvonly") and not unspecified
    speaks = direction in ("sendrecv", "sendonly")
    ours = {(True, True): "sendrecv", (True, False): "sendonly", (False, True): "recvonly"}
    lines: list[str] = []
    for number, each in enumerate(sdp.media):
        if number != index:
            lines.append(f"m={_word(each.media)} 0 {_word(each.proto)} {_word((each.formats or ['0'])[0])}")
            continue
        types = [str(chosen.payload_type), *([str(key_type)] if key_type is not None else [])]
        lines += [f"m=audio {port} RTP/AVP {' '.join(types)}", f"a=rtpmap:{chosen.payload_type} {codec.rtpmap}"]
        if key_type is not None:
            lines += [f"a=rtpmap:{key_type} telephone-event/{keys[0].clock_rate or 8000}"]
            lines += [f"a=fmtp:{key_type} {_KEYS}"]
        lines += ["a=ptime:20", f"a={ours.get((hears, speaks), 'inactive')}"]
    return Media(address, codec, chosen.payload_type, key_type, hears, speaks, tuple(lines))


def _audio_of(sdp: SdpMessage) -> tuple[int, MediaDescription]:
    for index, section in enumerate(sdp.media):
        if section.media == "audio" and section.proto in ("RTP/AVP", "RTP/AVPF") and section.port:
            if not 0 < section.port < 65_536 or len(section.formats) > MAX_FORMATS:
                raise NoMediaError("no port")
            return index, section
    raise NoMediaError("no audio without encryption")


def _chosen(section: MediaDescription, codecs: Sequence[Codec]) -> tuple[Codec, Offered]:
    for codec in codecs:
        name, clock_hz, _ = codec.value
        for offered in section.codecs:
            known = offered.encoding_name.lower() == name.lower() and offered.clock_rate == clock_hz
            if known and 0 <= offered.payload_type < 128:
                return codec, offered
    raise NoMediaError("no codec that is spoken here")


def _address_of(sdp: SdpMessage, section: MediaDescription) -> tuple[Address, bool]:
    """Where packets go, and whether that is nowhere: the old way to put a call on hold (RFC 2543)."""
    connection = section.connection or sdp.connection
    if connection is None:
        raise NoMediaError("no address")
    address = ipaddress.ip_address(connection.address)
    if address.is_multicast or str(address) == "255.255.255.255":
        raise NoMediaError("the address is nobody's")
    return (str(address), section.port), address.is_unspecified


def _word(text: str) -> str:
    if not text.isascii() or not text.replace("/", "").replace("-", "").isalnum():
        raise NoMediaError("a media line is malformed")
    return text


def session(host: str, number: int, version: int, lines: Sequence[str]) -> str:
    """An SDP of ours.

    Args:
        host: Our IP address, as others reach it.
        number: Names the session.
        version: Grows with each SDP of it.
        lines: The media lines.
    """
    kind = "IP6" if ":" in host else "IP4"
    top = ["v=0", f"o=- {number} {version} IN {kind} {host}", "s=-", f"c=IN {kind} {host}", "t=0 0"]
    return "\r\n".join([*top, *lines, ""])


def offer_lines(port: int, codecs: Sequence[Codec]) -> list[str]:
    """The media lines of an offer of ours."""
    types = " ".join(str(codec.value[2]) for codec in codecs)
    maps = [f"a=rtpmap:{codec.value[2]} {codec.rtpmap}" for codec in codecs]
    keys = ["a=rtpmap:101 telephone-event/8000", f"a=fmtp:101 {_KEYS}"]
    return [f"m=audio {port} RTP/AVP {types} 101", *maps, *keys, "a=ptime:20", "a=sendrecv"]
