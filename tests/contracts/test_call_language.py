"""A call follows its caller's language: with one clear sentence, and never on a word or two."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pipecat.frames.frames import LLMTextFrame

from contracts.call_language import CallLanguage, HeardLanguage, chosen_language
from contracts.frames import ReplyEndFrame, ReplyStartFrame, SayFrame, TranscriptFrame
from contracts.stt import RecognisedWord, Transcript
from contracts.tts import VoiceChunk
from languages.catalogue import language
from processors.stt.processor import STTProcessor
from processors.tts.processor import TTSParams, TTSProcessor
from processors.turns.handler import HandlerParams, InterruptionHandler
from processors.turns.machine import TurnMachine
from settings import SettingsError, load
from tests.processors.chain import running

ALLOWED = ("en", "es", "de")


def heard(*said):
    """The language of the call after each of these: (text, code, confidence)."""
    call = CallLanguage("en", ALLOWED)
    codes = []
    for text, code, confidence in said:
        call.hear(text, HeardLanguage(code, confidence))
        codes.append(call.code)
    return codes


def test_a_call_that_changes_its_language_and_comes_back():
    assert heard(
        ("what is my balance", "en", 1.0),
        ("¿puede hablar español?", "es", 0.95),
        ("quiero saber mi saldo", "es", 0.9),
        ("no", "pt", 0.99),
        ("OK", "de", 0.99),
        ("please call François Dupont now", "fr", 0.55),
        ("let us speak English again", "en", 0.9),
    ) == ["en", "es", "es", "es", "es", "es", "en"]


@given(
    st.lists(
        st.tuples(
            st.lists(st.sampled_from(["sí", "no", "gracias", "bitte"]), max_size=6).map(" ".join),
            st.sampled_from(["en", "es", "de", "fr", ""]),
            st.floats(0, 1),
        )
    )
)
def test_whatever_is_heard_only_a_clear_sentence_changes_it(said):
    codes = ["en", *heard(*said)]
    for before, after, (text, code, confidence) in zip(codes, codes[1:], said, strict=False):
        clear = confidence >= 0.8 and len(text.split()) >= 3 and code in ALLOWED
        assert after == (code if clear else before)


def test_a_call_that_may_not_change_stays():
    call = CallLanguage("de")
    assert not call.hear("puede usted hablar español", HeardLanguage("es", 1.0))
    assert call.code == "de"


def test_the_token_chooses_before_the_page_and_only_what_is_allowed():
    assert chosen_language({"language": "de-AT"}, {"language": "es"}, ALLOWED) == "de"
    assert chosen_language({"language": "fr"}, {"language": "es"}, ALLOWED) == "es"
    assert chosen_language({}, {"language": ["es"]}, ALLOWED) is None


@given(st.lists(st.tuples(st.sampled_from(["en", "es", ""]), st.floats(0, 1)), max_size=8))
def test_the_language_of_a_transcript_is_that_of_most_words(words):
    known = tuple(RecognisedWord("x", confidence, language=code) for code, confidence in words)
    confidence = sum(word.confidence for word in known) / len(known) if known else 1.0
    told = Transcript("x", 1, True, confidence, known).language
    assert 0 <= told.confidence <= 1
    if told.code:
        assert all(sum(c == told.code for c, _ in words) >= sum(c == other for c, _ in words) for other in ("en", "es"))
    else:
        assert not any(code for code, _ in words)


class FakeRecogniser:
    """A recogniser that hears what it is told."""

    segment = 0

    def __init__(self, *transcripts):
        self._transcripts = transcripts

    async def start(self, emit, on_error):
        for transcript in self._transcripts:
            await emit(transcript)

    def feed(self, pcm, speech_prob):
        pass

    async def close(self):
        pass


class Mouth:
    """A voice that notes what it is given."""

    def __init__(self, name):
        self.name = name
        self.said = []

    async def speak(self, text):
        self.said.append(text)
        yield VoiceChunk(bytes(4_800), 24_000)


def spanish(text):
    words = tuple(RecognisedWord(word, 0.95, 0.0, 0.1, "es") for word in text.split())
    return Transcript(text, 1, True, 0.95, words)


async def test_voice_figures_and_the_bots_sentences_change_together_before_the_words_come(virtual):
    call = CallLanguage("en", ALLOWED)
    english, castilian = Mouth("english"), Mouth("castilian")
    tts = TTSProcessor(english, params=TTSParams(language="en"), voices={"es": castilian})
    handler = InterruptionHandler(TurnMachine(), params=HandlerParams(greeting=language("en").sentences.greeting))
    order = []
    call.tell(tts.speak, handler.speak, lambda code: order.append(code))
    async with running(tts) as chain:
        await chain.push(ReplyStartFrame(reply_id=1), LLMTextFrame("It costs 5 €. "))
        await asyncio.sleep(0.01)
        async with running(STTProcessor(FakeRecogniser(spanish("cuánto cuesta eso")), call)) as recogniser:
            frame = await recogniser.until(TranscriptFrame)
            assert frame.text == "cuánto cuesta eso"
            assert order == ["es"]
        await chain.push(LLMTextFrame("And 2 $."), ReplyEndFrame(reply_id=1))
        await chain.push(ReplyStartFrame(reply_id=2), LLMTextFrame("Son 5 €."), ReplyEndFrame(reply_id=2))
        await chain.push(SayFrame(reply_id=3, text=language("es").sentences.moment, remember=False))
        await chain.until(ReplyEndFrame, count=3)
    assert english.said == ["It costs five euros.", "And two dollars."], "a reply ends in the language it began in"
    assert castilian.said == ["Son cinco euros.", language("es").sentences.moment]
    assert handler._params.greeting == language("es").sentences.greeting
    assert handler.machine.params.endpoint.language == handler.machine.params.verdict.language == "es"


def test_a_call_that_begins_in_another_language_tells_everybody_at_once():
    told = []
    call = CallLanguage("es", (), "en")
    call.tell(told.append)
    assert told == ["es"]
    assert "Spanish" in call.told()
    assert CallLanguage("en").told() == ""


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"language": "auto"}, "LANGUAGE: auto needs a recogniser that tells languages apart; set STT=deepgram"),
        ({"languages": "en,xx"}, "LANGUAGES: xx is none of ours; it may be: de, en"),
        ({"languages": "en,de"}, "STT: the local recogniser hears English only"),
    ],
)
def test_what_cannot_be_heard_or_spoken_stops_the_start(values, says):
    with pytest.raises(SettingsError) as error:
        load(**values)
    assert says in str(error.value)


def test_auto_is_all_languages_or_those_that_are_named():
    keys = {"deepgram_api_key": "k", "stt": "deepgram", "tts": "gtts", "llm": "scripted"}
    settings = load(language="auto", **keys)
    assert (settings.follows_caller, settings.language) == (True, "en")
    assert set(settings.languages) == {"en", "de", "es", "fr", "hi"}
    settings = load(language="auto", languages="de,en", **keys)
    assert (settings.language, settings.languages) == ("de", ["de", "en"])
    assert load(language="es", **keys).languages == ["es"]
