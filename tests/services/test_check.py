"""``bot.py check`` against vendors that refuse, and against nothing: the cause, and the exit code."""

import contextlib
import socket

import pytest

from emulators import deepgram, elevenlabs, groq
from services.check import check
from settings import Settings, SettingsError
from tests.emulators.serving import serving

KEY = "secret_0123456789abcdef"


async def checked(capsys, **values) -> tuple[int, str]:
    """The exit code, and what was printed."""
    chosen = {"stt": "local", "llm": "scripted", "tts": "local", "bank_file": ":memory:", **values}
    code = await check(Settings(**{"_env_file": None, **chosen}))
    printed = capsys.readouterr().out
    assert KEY not in printed
    return code, printed


def nowhere() -> str:
    """An address at which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{free.getsockname()[1]}"


@contextlib.asynccontextmanager
async def emulated(app, *faults, **profile):
    async with serving(app, *faults, **profile) as (_, where):
        yield where


@pytest.mark.parametrize(
    ("faults", "profile", "says"),
    [
        ([], {"keys": {"groq": "another"}}, "FAILED: Groq refuses the key (HTTP 401); set GROQ_API_KEY"),
        (
            [{"vendor": "groq", "kind": "status", "status": 429, "retry_after": "7"}],
            {},
            "FAILED: HTTP 429: too many requests",
        ),
        (
            [{"vendor": "groq", "kind": "quota_gone"}],
            {},
            "the day's quota is used up",
        ),
    ],
    ids=["401", "429", "quota"],
)
async def test_groq_refuses_and_the_cause_is_told(capsys, faults, profile, says):
    async with emulated(groq.make_app, *faults, **profile) as where:
        code, printed = await checked(capsys, llm="groq", groq_api_key=KEY, groq_url=f"http://{where}")
    assert code == 1
    assert says in printed.splitlines()[-1]
    assert ("a caller would wait for 7 s" in printed) == ("FAILED: HTTP 429" in says)
    assert "WARNING  The language model does not answer yet." in printed


async def test_groq_is_not_there(capsys):
    code, printed = await checked(capsys, llm="groq", groq_api_key=KEY, groq_url=f"http://{nowhere()}")
    assert code == 1
    assert printed.splitlines()[-1].startswith("FAILED: no connection to Groq")


async def test_groq_answers(capsys):
    async with emulated(groq.make_app) as where:
        code, printed = await checked(capsys, llm="groq", groq_api_key=KEY, groq_url=f"http://{where}")
    assert code == 0
    assert printed.splitlines()[-1] == "The loop works."
    assert "WARNING" not in printed


async def test_deepgram_refuses_and_the_local_ears_hear(capsys):
    async with emulated(deepgram.make_app, keys={"deepgram": "another"}) as where:
        code, printed = await checked(capsys, stt="deepgram", deepgram_api_key=KEY, deepgram_url=f"ws://{where}")
    assert "Deepgram refuses the key (HTTP 401); set DEEPGRAM_API_KEY" in printed
    assert (code, printed.splitlines()[-1]) == (0, "The loop works.")


async def test_deepgram_is_not_there_and_the_local_ears_hear(capsys):
    code, printed = await checked(capsys, stt="deepgram", deepgram_api_key=KEY, deepgram_url=f"ws://{nowhere()}")
    assert "WARNING  Speech recognition by Deepgram does not work: no connection" in printed
    assert code == 0


async def test_a_voice_that_refuses_its_key_is_a_wrong_setting(capsys):
    async with emulated(elevenlabs.make_app, keys={"elevenlabs": "another"}) as where:
        values = {"tts": "elevenlabs", "elevenlabs_api_key": KEY, "elevenlabs_url": f"ws://{where}"}
        with pytest.raises(SettingsError, match=r"^TTS: ElevenLabs refuses the key \(HTTP 401\); set ELEVENLABS"):
            await checked(capsys, **values)


async def test_a_voice_that_is_not_there_is_named_and_the_local_one_speaks(capsys):
    values = {"tts": "elevenlabs", "elevenlabs_api_key": KEY, "elevenlabs_url": f"ws://{nowhere()}"}
    code, printed = await checked(capsys, **values)
    assert "WARNING  Voice elevenlabs" in printed
    assert code == 0
