"""The emulated recogniser knows words from the audio alone: what holds none gives none."""

import asyncio

import aiohttp
import numpy as np
import pytest

from emulators.deepgram import make_app
from tests.emulators.serving import serving
from tests.processors.hearing import clip, silence

CHUNK_BYTES = 3200
PATHS = {"nova-3": "/v1/listen", "flux-general-en": "/v2/listen"}


async def words_in(model: str, pcm: np.ndarray, told_hz: int = 16_000) -> str:
    """All final words of a stream, in lower case, until three seconds after its end."""
    query = {"model": model, "encoding": "linear16", "sample_rate": str(told_hz)}
    texts: list[str] = []
    async with (
        serving(make_app) as (_, where),
        aiohttp.ClientSession(headers={"Authorization": "Token any"}) as session,
        session.ws_connect(f"http://{where}{PATHS[model]}", params=query) as socket,
    ):
        listening = asyncio.create_task(_listen(socket, texts))
        data = pcm.tobytes()
        for start in range(0, len(data), CHUNK_BYTES):
            await socket.send_bytes(data[start : start + CHUNK_BYTES])
            await asyncio.sleep(CHUNK_BYTES / 2 / told_hz)
        await asyncio.sleep(3.0)
        assert not listening.done()
        listening.cancel()
    return " ".join(text for text in texts if text).lower()


async def _listen(socket: aiohttp.ClientWebSocketResponse, texts: list[str]) -> None:
    while True:
        texts.append(_final_text(await socket.receive_json()))


def _final_text(message: dict) -> str:
    if message.get("type") == "Results" and message["is_final"]:
        return message["channel"]["alternatives"][0]["transcript"]
    if message.get("type") == "TurnInfo" and message["event"] == "EndOfTurn":
        return message["transcript"]
    return ""


@pytest.mark.parametrize("model", PATHS)
async def test_a_registered_sentence_is_heard(virtual, model):
    words = await words_in(model, np.concatenate([silence(0.5), clip("go_forward_ten_meters"), silence(1.5)]))
    assert "forward" in words


@pytest.mark.parametrize("model", PATHS)
@pytest.mark.parametrize("sound", ["silence", "typing", "sneeze", "music"])
async def test_what_holds_no_words_gives_none(virtual, model, sound):
    audio = silence(4.0) if sound == "silence" else np.concatenate([silence(0.5), clip(sound), silence(1.5)])
    assert await words_in(model, audio) == ""


@pytest.mark.parametrize("model", PATHS)
@pytest.mark.parametrize("told_hz", [8_000, 32_000, 48_000])
async def test_a_wrong_sample_rate_gives_no_word_of_the_sentence(virtual, model, told_hz):
    audio = np.concatenate([silence(0.5), clip("go_forward_ten_meters"), silence(1.5)])
    words = set(_plain(await words_in(model, audio, told_hz)))
    assert not words & {"go", "forward", "ten", "meters", "10"}


@pytest.mark.parametrize("model", PATHS)
async def test_speech_at_8_khz_that_is_called_16_khz_gives_no_word_of_the_sentence(virtual, model):
    at_8_khz = clip("go_forward_ten_meters").reshape(-1, 2).mean(axis=1).astype(np.int16)
    audio = np.concatenate([silence(0.5), at_8_khz, silence(1.5)])
    words = set(_plain(await words_in(model, audio)))
    assert not words & {"go", "forward", "ten", "meters", "10"}


def _plain(text: str) -> list[str]:
    return "".join(char if char.isalnum() else " " for char in text).split()
