"""A recorded call, replayed: it is the same to the sample, it says where it is not, and it is somebody's no more."""

import asyncio
import importlib.util
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from contracts.frames import UserTextFrame
from contracts.stt import Transcript
from contracts.tts import VoiceChunk
from loadtest import virtual_time
from loadtest.in_process import InProcessCall, calling
from processors.tools.proof import ASK
from recording.container import RecordError, unpack
from recording.entries import Kind
from recording.writer import records_in
from replay import command
from replay.compare import difference
from replay.figures import figures
from replay.play import play
from replay.record import Heard, Record, When, load, trace_of
from services.services import Services
from settings import LlmProvider, Settings
from tests.conversations.conftest import clip
from tests.conversations.test_reported_faults import ToneVoice
from tests.conversations.test_spoken import TokenModel
from tests.conversations.test_tools import ToolModel

pytestmark = pytest.mark.slow

CARD = "4929 1425 1234 5679"
STORY = "One is the first of them. Two is the second of them. Three is the third of them. Four is the last of all."


class LateRecogniser:
    """Says a word for each second sound that it is fed, a while after it; so no two things come at one instant."""

    LATE_SECS = 0.3173

    def __init__(self):
        self.sounds = 0

    async def start(self, emit, on_error):
        self.emit = emit

    def feed(self, pcm, speech_prob):
        pass

    def speech_started(self):
        pass

    def speech_stopped(self):
        self.sounds += 1
        text = "Stop." if self.sounds % 2 == 0 else ""
        words = Transcript(text, self.sounds, True)
        asyncio.get_running_loop().call_later(self.LATE_SECS, lambda: asyncio.ensure_future(self.emit(words)))

    async def close(self):
        pass


def parts_of(services: Services, model=None) -> Services:
    """The services with parts that answer in fixed times."""
    services.voice = ToneVoice()
    services.recogniser = lambda code="": LateRecogniser()  # pyright: ignore
    if model is not None:
        services.language_model = model
    return services


def recorded(folder: Path, model, act: Callable[[InProcessCall], Awaitable[None]], **values: object) -> Path:
    """Record a call in virtual time; the file."""

    async def run() -> None:
        stated = {"llm": LlmProvider.SCRIPTED, "greeting": "", "bank_file": ":memory:", "idle_secs": 0, **values}
        stated |= {"record_dir": str(folder), "record": values.get("record", "audio"), "groq_api_key": "gsk_hidden"}
        services = await Services.load(Settings(_env_file=None, **stated))
        async with calling(parts_of(services, model)) as call:
            await act(call)
        await services.close()

    virtual_time.run(run())
    (path,) = records_in(folder)
    return path


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A call in which the bot is interrupted by a sneeze, and then by a word, and is typed to."""

    async def act(call: InProcessCall) -> None:
        await call.type(f"My name is Xaver and my card is {CARD}. Tell me a story.")
        await call.until_state("speaking")
        await call.listen(1.0)
        _, ends = call.say(clip("sneeze"))
        await call.listen(ends - call.now + 2.0)
        _, ends = call.say(clip("stop"))
        await call.listen(ends - call.now + 4.0)
        await call.type("And now?")
        await call.listen(4.0)

    model = TokenModel(STORY, "Thank you, Xaver, that is all there is.", STORY, STORY, size=7)
    return recorded(tmp_path_factory.mktemp("story"), model, act)


def test_the_replay_is_the_call(story):
    record = load(story)
    trace = play(record)
    assert difference(trace_of(record), trace, record.began) is None
    assert trace.notes == []
    # What is compared is not nothing.
    found = figures(trace)
    assert found.cancels >= 1
    assert found.resumed >= 1
    assert sum(1 for _, _, checksum in trace.pulls if checksum) > 100
    assert any("first of them" in heard for heard in found.heard)


def test_it_says_where_it_parts(story):
    record = load(story)
    at, chunk = record.tts[0].items[2]
    record.tts[0].items[2] = (at, VoiceChunk(b"\1\0" * (len(chunk.pcm) // 2), chunk.sample_rate_hz, chunk.words))
    parts = difference(trace_of(record), play(record), record.began)
    assert parts is not None
    assert parts.what == "packet"
    heard_from = next(at for at, _, checksum in record.pulls if checksum) - record.began
    assert heard_from + 0.3 < parts.at_secs < heard_from + 0.5  # the third tenth of 0.2 s, and the playout's delay

    record = load(story)
    record.judged.clear()
    first = record.heard[0]
    record.heard[0] = Heard(When(first.when.at + 0.5, 0), first.words)
    assert difference(trace_of(record), play(record), record.began) is not None


def test_what_if_nothing_could_interrupt(story, capsys):
    assert command.main(command.Options([story], ["INTERRUPTION_MODE=off"]), b"") == 0
    told = capsys.readouterr().out
    row = next(line.split() for line in told.splitlines() if line.startswith("cancels"))
    assert int(row[1]) >= 1
    assert row[2] == "0"
    assert re.search(r"from \d+\.\d s on it is a guess: ", told)
    assert "would have heard" in told


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("NO_SUCH=1", "NO_SUCH: there is no such setting"),
        ("VAD_STOP_MS=never", "VAD_STOP_MS: Input should be"),
        ("VAD_STOP_MS", "--set takes NAME=VALUE, not 'VAD_STOP_MS'"),
    ],
)
def test_a_wrong_change_is_one_sentence(story, capsys, change, said):
    assert command.main(command.Options([story], [change]), b"") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line


def test_two_tracks_for_people(story, tmp_path, capsys):
    out = tmp_path / "call.wav"
    assert command.main(command.Options([story], listen=out), b"") == 0
    record = load(story)
    assert abs((out.stat().st_size - 44) / 4 / 24_000 - record.secs) < 0.1
    assert "the replay is the call" in capsys.readouterr().out


def test_from_a_call_to_a_test_without_the_person(story, tmp_path, capsys):
    test = tmp_path / "test_story.py"
    assert command.main(command.Options([story], as_test=test), b"") == 0
    told = capsys.readouterr().out
    data = b"".join(entry.body for entry in unpack(test.with_suffix(".parley").read_bytes()).entries)
    for secret in (b"Xaver", CARD.encode(), b"gsk_hidden", b"5679"):
        assert secret not in data
        assert secret.decode() not in test.read_text() + told
    assert "without the person the call has the same states and verdicts" in told
    spec = importlib.util.spec_from_file_location("test_story", test)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.test_the_call_goes_as_it_should()
    module.EXPECTED["states"].pop()
    with pytest.raises(AssertionError):
        module.test_the_call_goes_as_it_should()


def test_a_record_holds_no_key_and_no_pin(tmp_path):
    def respond(messages):
        last = messages[-1]
        if last["role"] == "tool":
            return ["Please type your PIN."] if last["content"] == ASK else [f"I see: {last['content']}"]
        return [("check_balance", "{}")]

    async def act(call: InProcessCall) -> None:
        await call.type("What is my balance?")
        await call.listen(4.0)
        for key in "4711#":
            await call.take(UserTextFrame(key, source="key"))
            await call.listen(0.2)
        await call.listen(6.0)

    key = bytes(range(32))
    values = {"tools": "check_balance", "tools_with_pin": "check_balance"}
    values["record_key"] = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
    path = recorded(tmp_path, ToolModel(respond), act, **values)
    entries = unpack(path.read_bytes(), key).entries
    told = b"\n".join(entry.body for entry in entries if entry.kind not in (Kind.PCM, Kind.TTS_CHUNK, Kind.PULL))
    assert b"gsk_hidden" not in told
    assert [entry.body for entry in entries if entry.kind == Kind.FRAME and b'"key"' in entry.body] == [
        f'{{"frame":"UserTextFrame","text":"{pressed}","source":"key"}}'.encode() for pressed in "0000#"
    ]
    assert [entry.body for entry in entries if entry.kind == Kind.PIN] == [b"\1"]
    with pytest.raises(RecordError, match="set RECORD_KEY"):
        load(path)
    record = load(path, key)
    assert any("1240 dollars" in heard for heard in figures(trace_of(record)).heard)
    trace = play(record)
    assert difference(trace_of(record), trace, record.began) is None
    assert trace.notes == []


def test_events_are_what_happened_without_audio_and_redacted(tmp_path):
    async def act(call: InProcessCall) -> None:
        await call.type(f"My card is {CARD}.")
        await call.listen(4.0)

    path = recorded(tmp_path, TokenModel(f"You said {CARD}."), act, record="events")
    entries = unpack(path.read_bytes()).entries
    kinds = {entry.kind for entry in entries}
    assert {Kind.SENT, Kind.LLM_END, Kind.FRAME, Kind.CLOSED} <= kinds
    assert not kinds & {Kind.PCM, Kind.PACKET, Kind.TTS_CHUNK, Kind.PULL}
    told = b"".join(entry.body for entry in entries)
    assert b"[card number]" in told
    assert CARD.encode() not in told
    with pytest.raises(RecordError, match="record with RECORD=audio"):
        load(path)


def test_many_calls_at_once_are_each_their_own(tmp_path):
    """Windows of several calls are rated together, a little later than they come; the replay of each knows."""

    async def run() -> None:
        stated = {"llm": LlmProvider.SCRIPTED, "greeting": "", "idle_secs": 0, "record": "audio"}
        services = await Services.load(Settings(_env_file=None, record_dir=str(tmp_path), **stated))
        parts_of(services)

        async def one(number: int) -> None:
            await asyncio.sleep(0.007 * number)
            async with calling(services) as call:
                await call.type(f"Tell me everything that you can do, please, caller {number}.")
                await call.until_state("speaking")
                await call.listen(1.0)
                call.say(clip("stop" if number % 2 else "sneeze"))
                await call.listen(4.0)

        await asyncio.gather(*map(one, range(3)))
        await services.close()

    virtual_time.run(run())
    replayed = [command.replay_file(path) for path in records_in(tmp_path)]
    assert [(each.parts, each.error, each.guessed) for each in replayed] == 3 * [("", "", None)]


def test_a_record_that_was_cut_off_is_replayed_as_far_as_it_goes(story, tmp_path, capsys):
    cut = tmp_path / "cut.parley"
    cut.write_bytes(story.read_bytes()[: story.stat().st_size * 3 // 4])
    command.main(command.Options([cut]), b"")
    told = capsys.readouterr().out
    assert "the record was cut off" in told


@pytest.mark.parametrize("content", [b"", b"RIFF", b"PARLEYRC", b"PARLEYRC\1\0\0" + bytes(16)])
def test_a_foreign_file_is_one_sentence(tmp_path, capsys, content):
    path = tmp_path / "foreign.parley"
    path.write_bytes(content)
    assert command.main(command.Options([path]), b"") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {path}: ")


def test_records_are_sorted_by_what_a_replay_asks_for(story):
    record = load(story)
    assert isinstance(record, Record)
    assert record.whole
    assert [each.told["said"] for each in record.llm][0].startswith("My name is Xaver")
    assert all(each.how in ("end", "closed") for each in record.tts)
