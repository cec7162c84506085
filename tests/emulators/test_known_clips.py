"""A recogniser that knows the clips: right for what they know, through Opus, cuts and gain; silent for all else."""

import numpy as np
import pytest

from audio.opus import OpusDecoder, OpusEncoder
from contracts.frames import INPUT_SAMPLE_RATE_HZ
from emulators.known_clips import ClipMatcher, KnownClip, Library, write_library
from loadtest.audio import SAMPLE_RATE_HZ, clip_from_samples, resampled
from loadtest.material import OWN_CLIPS
from loadtest.scenario import load_scenario
from loadtest.whole_calls import Material


@pytest.fixture(scope="module")
def clips():
    from loadtest.material import gather

    return gather(load_scenario("seed").ask, OWN_CLIPS).known_clips()


@pytest.fixture(scope="module")
def library(clips):
    return Library(clips)


async def heard(library, samples, *, rate=INPUT_SAMPLE_RATE_HZ, chunk=640):
    """Finals and the longest partial result of what is heard in samples, with a second of room around them."""
    import asyncio

    results = []
    recogniser = ClipMatcher(library, rate, results.append, lambda _: None)
    room = np.random.default_rng(1).normal(0, 12, rate).astype(np.int16)
    pcm = np.concatenate([room, samples, room]).tobytes()
    for at in range(0, len(pcm), chunk):
        recogniser.feed(pcm[at : at + chunk])
    await asyncio.sleep(0)
    finals = " ".join(each.text for each in results if each.final and each.text)
    return finals, [each.text for each in results if not each.final]


def through_opus(samples):
    """A second generation of the codec, at the browser's rate."""
    encoder, decoder = OpusEncoder(sample_rate_hz=SAMPLE_RATE_HZ), OpusDecoder(sample_rate_hz=INPUT_SAMPLE_RATE_HZ)
    up = resampled(samples, INPUT_SAMPLE_RATE_HZ, SAMPLE_RATE_HZ)
    up = np.pad(up, (0, -len(up) % 960))
    packets = [encoder.encode(up[at : at + 960].tobytes()) for at in range(0, len(up), 960)]
    return np.frombuffer(b"".join(map(decoder.decode, packets)), np.int16)


async def test_each_clip_is_told_as_it_is(clips, library):
    for clip in clips:
        for offset in (0, 77, 161):
            said, _ = await heard(library, np.pad(clip.samples, (offset, 0)))
            assert said == clip.text


async def test_gain_and_another_generation_of_the_codec_change_no_word(clips, library):
    for clip in clips:
        said, _ = await heard(library, (through_opus(clip.samples) * 0.7).astype(np.int16))
        assert said == clip.text


async def test_half_a_clip_has_half_its_words(clips, library):
    clip = max(clips, key=lambda each: len(each.text.split()))
    said, partial = await heard(library, clip.samples[: len(clip.samples) // 2])
    words = clip.text.split()
    assert said.split() == words[: len(said.split())]
    assert 0 < len(said.split()) < len(words)
    assert all(clip.text.startswith(text) for text in partial)


async def test_what_is_not_known_has_no_words(clips, library):
    chance = np.random.default_rng(2)
    hum = (3000 * np.sin(2 * np.pi * 220 * np.arange(32_000) / 16_000)).astype(np.int16)
    for sound in (hum, chance.normal(0, 2000, 32_000).astype(np.int16), clips[0].samples[::-1]):
        assert (await heard(library, sound))[0] == ""
    for left_out in range(len(clips)):
        others = Library([clip for number, clip in enumerate(clips) if number != left_out])
        said, _ = await heard(others, clips[left_out].samples)
        assert len(said.split()) <= 1, f"of {clips[left_out].text!r}"


async def test_a_wrong_rate_is_not_understood(clips, library):
    said = [(await heard(library, clip.samples, rate=24_000))[0] for clip in clips if len(clip.text.split()) > 2]
    assert said == [""] * len(said)


def test_a_library_is_kept_in_a_file(clips, tmp_path):
    write_library(clips, tmp_path / "clips.npz")
    kept = Library.read(tmp_path / "clips.npz")
    assert len(kept._stretches) == len(Library(clips)._stretches)


def test_the_material_of_a_load_test_knows_its_words():
    clip = clip_from_samples("hum", np.full(SAMPLE_RATE_HZ, 3000, np.int16), "words")
    found = Material("", (clip,), (), (), (), ()).known_clips()
    assert [each.text for each in found] == ["words"]
    assert isinstance(found[0], KnownClip)
