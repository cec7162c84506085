"""What is accepted of a peer's session description, and what is added to ours.

aiortc parses SDP (RFC 8866) but trusts it: what it does not check fails later, in a task that nobody awaits. So an
offer is checked here before a peer connection is made for it.
"""

from typing import Final

from aiortc import RTCIceCandidate
from aiortc.sdp import MediaDescription, SessionDescription, candidate_from_sdp

MAX_MEDIA_SECTIONS: Final = 8
"""A browser's call has two or three; each costs us transports and sockets."""

MAX_LINES: Final = 1000
"""A browser's offer of audio and video has some three hundred; the parser's time grows with their square."""

MAX_CANDIDATES: Final = 100
"""ICE candidates of one peer connection: a browser with several networks and relays has some twenty."""

CANDIDATE: Final = "a=candidate:"

_OPUS: Final = "audio/opus"


class OfferError(ValueError):
    """The peer's description or candidate cannot be used.

    Parameters:
        code: A word for programs.
        reason: A sentence for people.
    """

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


def check_offer(sdp: str) -> None:
    """Check that an offer can be answered with Opus audio.

    Raises:
        OfferError: It is no SDP (``bad_sdp``), has no audio (``no_audio``), its audio is not Opus (``no_opus``), or it
            has too many candidates (``too_many_candidates``).
    """
    if count_candidates(sdp) > MAX_CANDIDATES:  # before they cost the time to parse them
        raise too_many_candidates()
    if len(sdp.splitlines()) > MAX_LINES:
        raise OfferError("bad_sdp", f"the offer has more than {MAX_LINES} lines")
    try:
        media = SessionDescription.parse(sdp).media
    except Exception as error:  # a boundary: the parser meets hostile text with whatever it raises
        raise OfferError("bad_sdp", "the offer is not a valid session description") from error
    if len(media) > MAX_MEDIA_SECTIONS:
        raise OfferError("bad_sdp", f"the offer has more than {MAX_MEDIA_SECTIONS} media sections")
    for section in media:
        _check_transport(section)
    audio = [section for section in media if section.kind == "audio" and section.port != 0]
    if not audio:
        raise OfferError("no_audio", "the offer has no audio")
    if not any(codec.mimeType.lower() == _OPUS for codec in audio[0].rtp.codecs):
        raise OfferError("no_opus", "the offer's audio is not Opus")


def count_candidates(sdp: str) -> int:
    """Candidates in a session description, whatever they are."""
    return sdp.count(CANDIDATE)


def too_many_candidates() -> OfferError:
    """A peer has more candidates than any network gives it."""
    return OfferError("too_many_candidates", f"a call has at most {MAX_CANDIDATES} ICE candidates")


def _check_transport(section: MediaDescription) -> None:
    if section.ice is None or not section.ice.usernameFragment or not section.ice.password:
        raise OfferError("bad_sdp", "the offer has no ICE credentials")
    if section.dtls is None or not section.dtls.fingerprints:
        raise OfferError("bad_sdp", "the offer has no DTLS fingerprint")


def parse_candidate(text: str, sdp_mid: str | None, sdp_mline_index: int | None) -> RTCIceCandidate | None:
    """Parse a trickled ICE candidate (RFC 8840 §4.2).

    Parameters:
        text: ``candidate:...`` as a browser gives it.
        sdp_mid: The media section it is for.
        sdp_mline_index: The same as an index.

    Returns:
        The candidate, or None if ``text`` is empty: no more candidates are coming.

    Raises:
        OfferError: ``text`` is no candidate (``bad_candidate``).
    """
    if not text:
        return None
    try:
        candidate = candidate_from_sdp(text.removeprefix("candidate:"))
    except (AssertionError, ValueError, IndexError) as error:
        raise OfferError("bad_candidate", "an ICE candidate is malformed") from error
    candidate.sdpMid = sdp_mid
    candidate.sdpMLineIndex = sdp_mline_index
    if sdp_mid is None and sdp_mline_index is None:
        raise OfferError("bad_candidate", "an ICE candidate names no media section")
    return candidate


def red_types(offer: str) -> tuple[int, int] | None:
    """The payload types of RED (RFC 2198) and of the Opus in it, if the offer's audio has that.

    Parameters:
        offer: One that :func:`check_offer` has passed.
    """
    audio = next(section for section in SessionDescription.parse(offer).media if section.kind == "audio")
    opus = {codec.payloadType for codec in audio.rtp.codecs if codec.mimeType.lower() == _OPUS}
    for codec in audio.rtp.codecs:
        if codec.mimeType.lower() == "audio/red" and codec.clockRate == 48_000 and codec.payloadType is not None:
            # "a=fmtp:63 111/111" is no list of names and values: the parser keeps it as a name.
            blocks = {part for name in codec.parameters for part in name.split("/")}
            if len(blocks) == 1 and (inside := next(iter(blocks))).isdigit() and int(inside) in opus:
                return codec.payloadType, int(inside)
    return None


def accept_red(answer: str, red_type: int, opus_type: int) -> str:
    """Say in an answer that we send RED as well. It stands behind Opus, which the client keeps sending therefore."""
    lines = []
    for line in answer.splitlines():
        audio = line.startswith("m=audio ") and str(opus_type) in line.split()[3:]
        lines.append(f"{line} {red_type}" if audio else line)
        if line.startswith(f"a=rtpmap:{opus_type} opus/48000"):
            lines += [f"a=rtpmap:{red_type} red/48000/2", f"a=fmtp:{red_type} {opus_type}/{opus_type}"]
    return "\r\n".join(lines) + "\r\n"


def ask_for_fec(sdp: str) -> str:
    """Add to an answer what we want to receive: mono Opus that carries each packet once more (RFC 7587 §6.1).

    A browser repeats a packet's speech in the next one only if asked, and only while its packets get lost.
    """
    lines = []
    for line in sdp.splitlines():
        lines.append(line)
        name, _, payload_type = line.partition(" opus/48000")[0].partition(":")
        if name == "a=rtpmap" and " opus/48000" in line:
            lines.append(f"a=fmtp:{payload_type} minptime=10;useinbandfec=1;stereo=0")
    return "\r\n".join(lines) + "\r\n"
