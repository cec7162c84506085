"""The other side of SIP dialogs, from the wire: raw messages out, parsed answers in."""

import ipaddress
import itertools

from aiosipua import SipMessage, SipResponse

from transports.sip.agent import SipAgent
from transports.sip.media import Codec

US, PBX = ("192.0.2.10", 5060), ("192.0.2.1", 5080)

OFFER = (
    "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
    "m=audio 4000 RTP/AVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\n"
)
OTHER = OFFER.replace("4000", "4002")
HOLD = OFFER + "a=sendonly\r\n"


class Exchange:
    """An agent, and a peer that keeps what it is sent."""

    def __init__(self, peers=("192.0.2.0/24",)):
        self.sent, self.events = [], []
        tokens = (f"{number:016x}" for number in itertools.count(0xA1B2C3D400000001))
        self.now = 100.0
        self.agent = SipAgent(
            local=US,
            peers=[ipaddress.ip_network(peer) for peer in peers],
            codecs=[Codec.PCMU, Codec.PCMA],
            token=lambda: next(tokens),
            send=lambda data, to: self.sent.append((data, to)),
            on_event=self.events.append,
        )
        self._branches = itertools.count(1)
        self.to_tag = ""

    def message(
        self, method, *, cseq=1, body="", branch=None, call_id="call-1", tag="them", to_tag=None, headers=(), via=""
    ):
        branch = branch or f"z9hG4bKb{next(self._branches)}"
        to_tag = self.to_tag if to_tag is None else to_tag
        lines = [
            f"{method} sip:bot@192.0.2.10 SIP/2.0",
            via or f"Via: SIP/2.0/UDP 192.0.2.1:5080;rport;branch={branch}",
            f'From: "Ann" <sip:+33612345678@pbx.example>;tag={tag}',
            "To: <sip:100@bot.example>" + (f";tag={to_tag}" if to_tag else ""),
            f"Call-ID: {call_id}",
            f"CSeq: {cseq} {method}",
            "Contact: <sip:ann@192.0.2.1:5080>",
            "Max-Forwards: 70",
            *headers,
        ]
        if body:
            lines.append("Content-Type: application/sdp")
        lines += [f"Content-Length: {len(body)}", "", body]
        return "\r\n".join(lines).encode()

    def say(self, method, source=PBX, **options):
        """Send a message; returns what the agent sent then."""
        return self.raw(self.message(method, **options), source)

    def raw(self, data, source=PBX):
        count = len(self.sent)
        self.agent.received(data, source, self.now)
        return self.got(count)

    def got(self, since):
        return [SipMessage.parse(data) for data, _ in self.sent[since:]]

    def wait(self, secs):
        """Let time pass; returns what the agent sent then."""
        count, until = len(self.sent), self.now + secs
        while (at := self.agent.timers.next_at()) is not None and at <= until:
            self.now = max(self.now, at)
            self.agent.timers.run(self.now)
        self.now = until
        return self.got(count)

    def do(self, order):
        """Give the only dialog an order; returns what the agent sent then."""
        return self.do_with(self.dialog, order)

    def do_with(self, dialog, order):
        count = len(self.sent)
        self.answer = order(dialog, self.now)
        return self.got(count)

    @property
    def dialog(self):
        (dialog,) = self.agent._dialogs.values()
        return dialog

    def call(self, body=OFFER, **options):
        """Call, be taken, acknowledge; returns the 200."""
        self.say("INVITE", body=body, to_tag="", **options)
        (ok,) = self.do(lambda dialog, now: dialog.accept(20_000, now))
        assert ok.status_code == 200
        self.to_tag = ok.to_addr.tag
        self.say("ACK", call_id=options.get("call_id", "call-1"))
        return ok

    def told(self, kind):
        return [event for event in self.events if isinstance(event, kind)]


def statuses(messages):
    return [message.status_code if isinstance(message, SipResponse) else message.method for message in messages]
