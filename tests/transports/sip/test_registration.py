"""Registration at a registrar, without a network and without a clock."""

import re

from aiosipua import SipMessage

from tests.transports.sip.peer import PBX, US, Exchange
from transports.sip.registration import EXPIRES_SECS, RETRY_SECS, Account, Registration
from transports.sip.transactions import GIVE_UP

CHALLENGE = 'WWW-Authenticate: Digest realm="pbx", nonce="abc", algorithm=MD5, qop="auth"\r\n'


class Registrar(Exchange):
    def __init__(self, **answers):
        super().__init__()
        self.outcomes = []
        account = Account("bot", "secret", "pbx.example")
        self.registration = Registration(self.agent, account, PBX, self.outcomes.append)
        self.registration.begin(self.now)

    @property
    def asked(self):
        return SipMessage.parse(self.sent[-1][0])

    def answer(self, status, extra=""):
        """Answer what was asked last; returns how much was sent then."""
        count = len(self.sent)
        head, _, rest = bytes(self.asked).decode().partition("\r\n")
        assert head.startswith("REGISTER")
        rest = re.sub(r"Authorization:.*\r\n|Contact:.*\r\n", "", rest)
        self.raw(f"SIP/2.0 {status} said\r\n{extra}{rest}".encode())
        return len(self.sent) - count


def test_it_proves_who_it_is_and_renews_in_time():
    registrar = Registrar()
    first = registrar.asked
    assert (first.method, first.uri, registrar.sent[-1][1]) == ("REGISTER", "sip:pbx.example", PBX)
    assert first.get_header("Contact") == f"<sip:bot@{US[0]}:{US[1]}>"
    assert first.get_header("Authorization") is None
    assert registrar.answer(401, CHALLENGE) == 1
    second = registrar.asked
    assert 'username="bot"' in second.get_header("Authorization")
    assert "secret" not in bytes(second).decode()
    assert second.cseq.seq == first.cseq.seq + 1
    registrar.answer(200, f"Contact: <sip:bot@{US[0]}:{US[1]}>;expires=120\r\n")
    assert registrar.registration.registered
    assert registrar.outcomes == [""]
    assert not registrar.wait(79)
    assert [message.method for message in registrar.wait(2)][:1] == ["REGISTER"]


def test_a_wrong_password_is_told_and_tried_again_ever_more_slowly():
    registrar = Registrar()
    registrar.answer(401, CHALLENGE)
    assert registrar.answer(401, CHALLENGE) == 0  # not for ever
    assert registrar.outcomes == ["status 401"]
    assert not registrar.wait(RETRY_SECS - 1)
    assert registrar.wait(1.1)
    registrar.answer(403)
    assert not registrar.wait(2 * RETRY_SECS - 1)
    assert registrar.wait(1.1)
    assert not registrar.registration.registered


def test_a_registrar_that_does_not_answer_is_asked_again():
    registrar = Registrar()
    sent = registrar.wait(GIVE_UP + RETRY_SECS + 1)
    assert registrar.outcomes == ["no answer"]
    assert len({message.cseq.seq for message in [*sent, registrar.asked]}) == 2


def test_a_registration_that_is_too_short_for_the_registrar():
    registrar = Registrar()
    registrar.answer(423, "Min-Expires: 600\r\n")
    assert registrar.asked.get_header("Expires") == "600"
    registrar.answer(423, "Min-Expires: 600\r\n")
    assert registrar.outcomes == ["status 423"]


def test_it_is_taken_back_at_the_end():
    registrar = Registrar()
    registrar.answer(200)
    assert registrar.asked.get_header("Expires") == str(EXPIRES_SECS)
    registrar.registration.end(registrar.now)
    assert registrar.asked.get_header("Expires") == "0"
    registrar.answer(200)
    assert not registrar.wait(1_000)
