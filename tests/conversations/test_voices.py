"""Whole calls whose voice is a vendor's, asked by its own package over loopback."""

import contextlib

import pytest

from contracts.tts import VoiceError
from emulators import elevenlabs, gtts
from emulators.faults import Vendor
from tests.conversations.conftest import Calling, clip
from tests.conversations.test_turns import LONG, Model
from tests.emulators.serving import serving

APPS = {"elevenlabs": elevenlabs.make_app, "gtts": gtts.make_app}


@contextlib.asynccontextmanager
async def talking(call, model, vendor, *faults, **profile):
    async with serving(APPS[vendor], *faults, **profile) as (world, where):
        values = {"tts": vendor, f"{vendor}_url": f"http://{where}", "elevenlabs_api_key": "k"}
        async with call(model, **values) as c:
            yield world, c


@pytest.mark.parametrize("vendor", list(APPS))
async def test_a_stop_cuts_the_voice_and_history_holds_what_was_heard(virtual, call: Calling, vendor):
    model = Model(LONG, "All right.")
    async with talking(call, model, vendor) as (world, c):
        await c.type("When?")
        await c.until_state("speaking")
        await c.listen(2.5)
        c.say(clip("stop"))
        await c.until_state("user_speaking")
        await c.until_state("speaking")
        await c.until_state("listening")
        cut, answer = c.told("reply-played")
    assert cut["cut"]
    assert LONG.startswith(cut["heard"].strip())
    assert 4 <= len(cut["heard"].split()) <= 16
    assert (cut["heard"] + cut["unheard"]).strip() == LONG
    assert (answer["heard"], answer["error"]) == ("All right.", None)
    assert model.prompts[1][1] == ("assistant", cut["heard"].strip() + " …[interrupted]")
    said = [str(entry.detail.get("text", "")).strip() for entry in world.log.entries()]
    assert "All right." in said


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "drop", "after_chunks": 3},
        {"kind": "stall", "stall_ms": 60_000, "after_chunks": 3},
        {"kind": "silent"},
        {"kind": "no_audio"},
        {"kind": "error_event", "after_chunks": 1},
    ],
    ids=lambda fault: fault["kind"],
)
async def test_a_reply_is_heard_whole_although_the_vendor_fails(virtual, call: Calling, fault):
    rule = {"vendor": Vendor.ELEVENLABS, "requests": (3, 4), **fault}
    async with talking(call, Model(LONG), "elevenlabs", rule) as (world, c):
        await c.type("When?")
        await c.until_state("speaking")
        await c.until_state("listening", timeout_secs=60)
        (played,) = c.told("reply-played")
        words = "".join(data["text"] for data in c.told("word-heard"))
    assert fault["kind"] in [entry.fault for entry in world.log.entries()]
    assert (played["heard"], played["cut"], played["error"]) == (LONG, False, None)
    assert words.split() == LONG.split()


class Voiceless:
    """A voice that completes without a sound."""

    name = "voiceless"

    async def load(self):
        pass

    async def warm_up(self, texts):
        pass

    async def speak(self, text):
        raise VoiceError("the text came back without audio")
        yield

    async def close(self):
        pass


async def test_what_no_voice_has_spoken_is_not_in_the_history(virtual, call: Calling):
    model = Model("It is on the table.", "What?")
    async with call(model, Voiceless()) as c:
        await c.type("Where is it?")
        await c.listen(3.0)
        await c.type("And now?")
        await c.listen(3.0)
    assert not [text for role, text in model.prompts[1] if role == "assistant" and "table" in text]
