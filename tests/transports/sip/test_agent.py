"""The SIP user agent without a network and without a clock."""

import pytest
from aiosipua import SipMessage

from tests.transports.sip.peer import HOLD, OFFER, OTHER, PBX, US, Exchange, statuses
from transports.sip.dialog import CallChanges, CallComes, CallConfirmed, CallOver, KeyPressed, State, TransferTells
from transports.sip.media import Codec
from transports.sip.transactions import GIVE_UP


def test_a_call_is_told_taken_and_ended():
    peer = Exchange()
    assert statuses(peer.say("INVITE", body=OFFER)) == [100]
    (comes,) = peer.told(CallComes)
    assert (comes.caller, comes.called) == ("+33612345678", "100")
    assert statuses(peer.do(lambda dialog, now: dialog.ring(now))) == [180]
    (ok,) = peer.do(lambda dialog, now: dialog.accept(20_000, now))
    assert "m=audio 20000 RTP/AVP 0 101" in ok.text
    assert ok.get_header("Contact") == "<sip:192.0.2.10:5060>"
    assert not peer.told(CallConfirmed)
    peer.to_tag = ok.to_addr.tag
    assert not peer.say("ACK")
    (confirmed,) = peer.told(CallConfirmed)
    assert confirmed.media.address == ("192.0.2.1", 4000)
    assert (confirmed.media.codec, confirmed.media.key_type, confirmed.media.on_hold) == (Codec.PCMU, 101, False)
    assert statuses(peer.say("BYE", cseq=2)) == [200]
    assert peer.told(CallOver)[-1].reason == "the caller hung up"
    assert len(peer.agent) == 0


def test_answers_go_to_the_machine_that_asked_and_say_where_they_saw_it():
    peer = Exchange()
    behind_a_router = ("192.0.2.77", 31_000)
    (ok,) = peer.say("OPTIONS", source=behind_a_router)
    assert peer.sent[-1][1] == behind_a_router
    assert "received=192.0.2.77" in ok.get_header("Via")
    assert "rport=31000" in ok.get_header("Via")
    peer.say("OPTIONS", via="Via: SIP/2.0/UDP 203.0.113.9:7000;branch=z9hG4bKx")
    assert peer.sent[-1][1] == ("192.0.2.1", 7000)  # not where it claims to be


def test_strangers_get_nothing_and_are_counted():
    peer = Exchange()
    for number in range(1000):
        assert not peer.say("INVITE", body=OFFER, source=("203.0.113.5", 5060), call_id=f"scan-{number}")
    assert peer.agent.counts == {"stranger": 1000}
    assert (len(peer.agent), peer.agent.remembered, peer.events, peer.sent) == (0, 0, [], [])


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[: len(data) // 2],
        lambda data: data.replace(b"z9hG4bK", b"1"),
        lambda data: data.replace(b";tag=them", b""),
        lambda data: data.replace(b"Call-ID: call-1\r\n", b""),
        lambda data: data.replace(b"CSeq: 1 INVITE", b"CSeq: 1 BYE"),
        lambda data: data.replace(b"CSeq: 1 INVITE", b"CSeq: 99999999999 INVITE"),
        lambda data: data.replace(b"Content-Length: ", b"Content-Length: 9"),
        lambda data: data.replace(b"Content-Length: ", b"Content-Length: -"),
        lambda data: data.replace(b"Max-Forwards: 70", b"From: <sip:x@y>;tag=z"),
        lambda data: data.replace(b"SIP/2.0/UDP", b"SIP/2.0/TCP"),
        lambda data: data.replace(b"call-1", b"call\x001"),
        lambda data: data + b"x" * 9000,
        lambda data: b"\xff\xfe" + data,
    ],
)
def test_what_is_malformed_is_dropped_and_counted(damage):
    peer = Exchange()
    assert not peer.raw(damage(peer.message("INVITE", body=OFFER)))
    assert peer.agent.counts == {"malformed": 1}
    assert not peer.events


def test_empty_datagrams_keep_a_router_open_and_say_nothing():
    peer = Exchange()
    assert not peer.raw(b"\r\n\r\n")
    assert not peer.raw(b"")
    assert not peer.agent.counts


def test_a_lost_answer_is_sent_again_until_the_ack():
    peer = Exchange()
    peer.say("INVITE", body=OFFER)
    (ok,) = peer.do(lambda dialog, now: dialog.accept(20_000, now))
    assert statuses(peer.wait(3.6)) == [200, 200, 200]  # after 0.5, 1.5 and 3.5 s
    peer.to_tag = ok.to_addr.tag
    peer.say("ACK")
    assert not peer.wait(10)
    assert peer.dialog.state is State.CONFIRMED


def test_a_call_whose_ack_never_comes_ends_with_a_bye():
    peer = Exchange()
    peer.say("INVITE", body=OFFER)
    peer.do(lambda dialog, now: dialog.accept(20_000, now))
    sent = statuses(peer.wait(GIVE_UP + 0.1))
    assert sent[-1] == "BYE"
    assert sent[:-1] == [200] * len(sent[:-1])
    assert len(sent) <= 12
    assert peer.told(CallOver)
    peer.wait(200)
    assert peer.agent.remembered == 0


def test_who_hangs_up_before_the_ack_waits_for_it():
    peer = Exchange()
    peer.say("INVITE", body=OFFER)
    (ok,) = peer.do(lambda dialog, now: dialog.accept(20_000, now))
    assert not peer.do(lambda dialog, now: dialog.hang_up(now))
    peer.to_tag = ok.to_addr.tag
    assert statuses(peer.say("ACK")) == ["BYE"]
    assert not peer.told(CallConfirmed)


def test_copies_of_a_request_get_the_same_answer_and_do_nothing():
    peer = Exchange()
    data = peer.message("INVITE", body=OFFER)
    assert statuses(peer.raw(data)) == [100]
    assert statuses(peer.raw(data)) == [100]
    (ok,) = peer.do(lambda dialog, now: dialog.accept(20_000, now))
    assert bytes(peer.raw(data)[0]) == bytes(ok)
    assert len(peer.told(CallComes)) == 1
    peer.to_tag = ok.to_addr.tag
    peer.say("ACK")
    bye = peer.message("BYE", cseq=2)
    assert statuses(peer.raw(bye) + peer.raw(bye)) == [200, 200]
    assert len(peer.told(CallOver)) == 1


def test_a_call_that_came_by_two_ways_is_taken_once():
    peer = Exchange()
    peer.say("INVITE", body=OFFER)
    assert statuses(peer.say("INVITE", body=OFFER, branch="z9hG4bKother")) == [482]
    assert len(peer.told(CallComes)) == 1


def test_a_caller_who_does_not_wait():
    peer = Exchange()
    peer.say("INVITE", body=OFFER, branch="z9hG4bKone")
    assert statuses(peer.say("CANCEL", branch="z9hG4bKone")) == [200, 487]
    assert peer.told(CallOver)
    assert statuses(peer.wait(1)) == [487]
    peer.say("ACK", branch="z9hG4bKone", to_tag="a1b2c3d400000001")
    assert not peer.wait(5)
    assert statuses(peer.say("CANCEL", branch="z9hG4bKnever")) == [481]


def test_a_cancel_that_is_too_late_changes_nothing():
    peer = Exchange()
    peer.say("INVITE", body=OFFER, branch="z9hG4bKone")
    peer.do(lambda dialog, now: dialog.accept(20_000, now))
    assert statuses(peer.say("CANCEL", branch="z9hG4bKone")) == [200]
    assert peer.dialog.state is State.ACCEPTED


def test_a_call_that_is_refused_says_when_to_come_again():
    peer = Exchange()
    peer.say("INVITE", body=OFFER, branch="z9hG4bKone")
    (busy,) = peer.do(lambda dialog, now: dialog.refuse(503, now, 7))
    assert (busy.status_code, busy.get_header("Retry-After")) == (503, "7")
    assert len(peer.agent) == 0
    peer.say("ACK", branch="z9hG4bKone", to_tag=busy.to_addr.tag)
    assert not peer.wait(10)
    peer.wait(100)
    assert peer.agent.remembered == 0


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"headers": ["Require: 100rel, timer"]}, 420),
        ({"body": OFFER, "to_tag": "unknown"}, 481),
    ],
)
def test_what_cannot_be_done_is_said_so(options, status):
    peer = Exchange()
    assert statuses(peer.say("INVITE", **options)) == [status]
    assert not peer.told(CallComes)


@pytest.mark.parametrize(
    "body",
    [
        OFFER.replace("0 8 101", "18").replace("RTP/AVP 0", "RTP/AVP 18"),
        OFFER.replace("RTP/AVP", "RTP/SAVP"),
        OFFER.replace("4000", "0"),
        OFFER.replace("4000", "70000"),
        OFFER.replace("4000", "x"),
        OFFER.replace("192.0.2.1", "239.1.1.1"),
        OFFER.replace("192.0.2.1", "pbx.example"),
        OFFER.replace("m=audio", "m=video"),
        "v=0\r\n",
    ],
)
def test_an_offer_of_nothing_that_is_spoken(body):
    peer = Exchange()
    peer.say("INVITE", body=body)
    assert statuses(peer.do(lambda dialog, now: dialog.accept(20_000, now))) == [488]
    assert peer.answer is False
    assert len(peer.agent) == 0


def test_other_methods():
    peer = Exchange()
    (options,) = peer.say("OPTIONS")
    assert options.status_code == 200
    assert "INVITE" in options.get_header("Allow")
    assert statuses(peer.say("SUBSCRIBE")) == [405]
    assert statuses(peer.say("BYE", to_tag="unknown")) == [481]
    peer.call()
    assert statuses(peer.say("OPTIONS", cseq=2)) == [200]
    assert statuses(peer.say("REFER", cseq=3)) == [603]
    assert statuses(peer.say("MESSAGE", cseq=4)) == [405]
    assert statuses(peer.say("BYE", cseq=1)) == [500]  # an old one
    assert statuses(peer.say("BYE", cseq=9, tag="somebody")) == [481]
    assert peer.dialog.state is State.CONFIRMED


def test_hold_and_back():
    peer = Exchange()
    peer.call()
    (ok,) = peer.say("INVITE", body=HOLD, cseq=2)
    assert "a=recvonly" in ok.text
    assert not peer.told(CallChanges)
    peer.say("ACK", cseq=2)
    assert peer.told(CallChanges)[-1].media.on_hold
    (ok,) = peer.say("INVITE", body=OTHER, cseq=3)
    assert "a=sendrecv" in ok.text
    peer.say("ACK", cseq=3)
    back = peer.told(CallChanges)[-1].media
    assert (back.on_hold, back.address) == (False, ("192.0.2.1", 4002))
    (old,) = peer.say("INVITE", body=OFFER.replace("c=IN IP4 192.0.2.1", "c=IN IP4 0.0.0.0"), cseq=4)
    assert old.status_code == 200
    peer.say("ACK", cseq=4)
    assert peer.told(CallChanges)[-1].media.on_hold


def test_a_change_before_the_last_one_is_acknowledged_is_put_off():
    peer = Exchange()
    peer.call()
    peer.say("INVITE", body=HOLD, cseq=2)
    assert statuses(peer.say("INVITE", body=OTHER, cseq=3, branch="z9hG4bKthree")) == [491]
    peer.say("ACK", cseq=3, branch="z9hG4bKthree")
    assert not peer.told(CallChanges)
    peer.say("ACK", cseq=2)
    assert peer.told(CallChanges)[-1].media.on_hold


def test_a_change_to_what_is_not_spoken_leaves_the_call_as_it_was():
    peer = Exchange()
    peer.call()
    assert statuses(peer.say("INVITE", body=OFFER.replace("0 8 101", "18"), cseq=2)) == [488]
    assert peer.dialog.state is State.CONFIRMED
    assert statuses(peer.say("UPDATE", cseq=3)) == [200]  # is the call still there? (RFC 4028)
    assert statuses(peer.say("UPDATE", body=HOLD, cseq=4)) == [200]
    assert peer.told(CallChanges)[-1].media.on_hold


def test_an_invite_without_an_offer_is_answered_with_ours():
    peer = Exchange()
    peer.say("INVITE")
    (ok,) = peer.do(lambda dialog, now: dialog.accept(20_000, now))
    assert "m=audio 20000 RTP/AVP 0 8 101" in ok.text
    peer.to_tag = ok.to_addr.tag
    peer.say("ACK", body=OFFER.replace("0 8 101", "8 101"))
    assert peer.told(CallConfirmed)[0].media.codec is Codec.PCMA


def test_an_ack_that_agrees_to_nothing_ends_the_call():
    peer = Exchange()
    peer.say("INVITE")
    (ok,) = peer.do(lambda dialog, now: dialog.accept(20_000, now))
    peer.to_tag = ok.to_addr.tag
    assert statuses(peer.say("ACK")) == ["BYE"]
    assert peer.told(CallOver)


def test_requests_of_ours_go_the_way_that_the_call_came():
    peer = Exchange()
    peer.call(headers=["Record-Route: <sip:192.0.2.5;lr>, <sip:192.0.2.6:5070;lr>"])
    (bye,) = peer.do(lambda dialog, now: dialog.hang_up(now))
    assert peer.sent[-1][1] == ("192.0.2.5", 5060)
    assert bye.get_header_values("Route") == ["<sip:192.0.2.5;lr>", "<sip:192.0.2.6:5070;lr>"]
    assert bye.uri == "sip:ann@192.0.2.1:5080"
    assert (bye.from_addr.tag, bye.to_addr.tag, bye.call_id) == (peer.to_tag, "them", "call-1")


def test_requests_of_ours_never_go_to_strangers():
    peer = Exchange()
    peer.call(headers=["Record-Route: <sip:203.0.113.9;lr>"])
    peer.do(lambda dialog, now: dialog.hang_up(now))
    assert peer.sent[-1][1] == PBX


def test_a_bye_is_sent_again_and_given_up():
    peer = Exchange()
    peer.call()
    (bye,) = peer.do(lambda dialog, now: dialog.hang_up(now))
    assert peer.told(CallOver)[-1].reason == "the bot hung up"
    assert set(statuses(peer.wait(3))) == {"BYE"}
    answer = bytes(bye).decode().replace(f"BYE {bye.uri} SIP/2.0", "SIP/2.0 200 OK").encode()
    peer.raw(answer)
    assert not peer.wait(10)
    assert peer.agent.remembered <= 1
    peer.wait(60)
    assert peer.agent.remembered == 0
    assert not peer.raw(answer)
    assert peer.agent.counts == {"stray": 1}


def answered(message, status):
    """An answer to a request of ours."""
    text = bytes(message).decode()
    return f"SIP/2.0 {status} said\r\n".encode() + text.partition("\r\n")[2].encode()


def test_a_transfer_that_is_taken():
    peer = Exchange()
    peer.call()
    (refer,) = peer.do(lambda dialog, now: dialog.transfer("sip:agent@192.0.2.1", now))
    assert refer.get_header("Refer-To") == "<sip:agent@192.0.2.1>"
    assert refer.get_header("Referred-By") == "<sip:100@bot.example>"
    peer.raw(answered(refer, 202))
    assert [event.status for event in peer.told(TransferTells)] == [100]
    notify = {"headers": ["Event: refer", "Subscription-State: active;expires=60"]}
    assert statuses(peer.say("NOTIFY", cseq=2, body="SIP/2.0 180 Ringing\r\n", **notify)) == [200]
    assert statuses(peer.say("NOTIFY", cseq=3, body="SIP/2.0 200 OK\r\n", **notify)) == [200]
    assert [event.status for event in peer.told(TransferTells)] == [100, 180, 200]
    assert statuses(peer.say("NOTIFY", cseq=4, headers=["Event: presence"])) == [489]


@pytest.mark.parametrize("status", [403, 405, 603])
def test_a_transfer_that_is_refused(status):
    peer = Exchange()
    peer.call()
    (refer,) = peer.do(lambda dialog, now: dialog.transfer("sip:agent@192.0.2.1", now))
    peer.raw(answered(refer, status))
    assert [event.status for event in peer.told(TransferTells)] == [status]
    assert peer.dialog.state is State.CONFIRMED


def test_a_transfer_that_nobody_answers():
    peer = Exchange()
    peer.call()
    peer.do(lambda dialog, now: dialog.transfer("sip:agent@192.0.2.1", now))
    peer.wait(GIVE_UP + 1)
    assert [event.status for event in peer.told(TransferTells)] == [408]


@pytest.mark.parametrize("target", ["agent", "http://x", "sip:", "sip:a b@c", "sip:a>\r\nX: y", "sip:a@b\r\nX: y"])
def test_a_transfer_to_what_is_no_address_is_not_asked(target):
    peer = Exchange()
    peer.call()
    assert not peer.do(lambda dialog, now: dialog.transfer(target, now))
    assert peer.answer is False


def test_keys_in_messages():
    peer = Exchange()
    peer.call()
    relay = {"headers": ["X-Type: application/dtmf-relay"], "body": "Signal=5\r\nDuration=160\r\n"}
    assert statuses(peer.say("INFO", cseq=2, **relay)) == [200]
    assert statuses(peer.say("INFO", cseq=3, body="<media_control/>")) == [200]
    assert [event.key for event in peer.told(KeyPressed)] == ["5"]


def test_a_peer_that_is_gone_is_found_out():
    peer = Exchange()
    peer.call()
    (probe,) = peer.do(lambda dialog, now: dialog.probe(now))
    assert probe.method == "OPTIONS"
    peer.raw(answered(probe, 200))
    assert peer.dialog.state is State.CONFIRMED
    peer.do(lambda dialog, now: dialog.probe(now))
    sent = statuses(peer.wait(GIVE_UP + 0.1))
    assert set(sent[:-1]) == {"OPTIONS"}
    assert sent[-1] == "BYE"
    assert peer.told(CallOver)[-1].reason == "the other side is gone"


def test_a_flood_is_bounded(monkeypatch):
    monkeypatch.setattr("transports.sip.agent.MAX_TRANSACTIONS", 50)
    monkeypatch.setattr("transports.sip.agent.MAX_RINGING", 10)
    peer = Exchange()
    for number in range(100):
        peer.say("INVITE", body=OFFER, call_id=f"flood-{number}")
    assert peer.agent.remembered == 50
    assert len(peer.told(CallComes)) == 10
    assert peer.agent.counts["flood"] == 50
    refused = [SipMessage.parse(data) for data, _ in peer.sent]
    assert statuses(refused).count(503) == 40


def test_the_address_that_we_tell_is_the_one_that_peers_reach():
    peer = Exchange()
    ok = peer.call()
    assert f"c=IN IP4 {US[0]}" in ok.text
