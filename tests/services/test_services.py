"""What calls share, as the settings name it."""

import pytest
from aiortc import RTCIceServer

from contracts.llm import LanguageModelError
from emulators import azure, elevenlabs
from emulators.faults import Vendor
from processors.context.prompt import VOICE_RULES, WITH_TOOLS, WITHOUT_TOOLS, system_prompt
from processors.models.files import ModelError
from processors.tools.catalogue import offered
from server.limits import ServerLimits
from services.language_models import thinks_here
from services.services import Services
from services.voices import make_voice
from settings import LlmProvider, Settings, SettingsError, SttProvider
from tests.emulators.serving import serving


def settings(**values) -> Settings:
    return Settings(**{"_env_file": None, "llm": LlmProvider.SCRIPTED, **values})


class NoWeights:
    name = "local"
    closed = False

    def __init__(self, *args, **kwargs):
        pass

    async def warm(self, system_prompt, tools=()):
        raise LanguageModelError("no weights for model.gguf; hub: no network", retryable=False)

    async def close(self):
        NoWeights.closed = True


@pytest.mark.parametrize(
    ("values", "here"),
    [
        ({"llm": "scripted", "llm_fallback": "local"}, False),
        ({"llm": "local"}, True),
        ({"llm": "groq", "groq_api_key": "k", "llm_fallback": "none"}, False),
        ({"llm": "ollama", "llm_fallback": "local"}, True),
    ],
)
def test_a_language_model_may_run_in_the_process_or_not(values, here):
    assert thinks_here(settings(**values)) is here


async def test_without_weights_the_scripted_responder_answers_and_the_page_says_so(monkeypatch):
    monkeypatch.setattr("services.language_models.LocalModel", NoWeights)
    services = await Services.load(settings(llm=LlmProvider.LOCAL))
    assert services.language_model.name == "scripted"
    assert NoWeights.closed
    assert services.info()["providers"] == {"stt": "local", "llm": "scripted", "tts": "local"}
    assert ["scripted" in warning for warning in services.info()["warnings"]] == [True]
    await services.close()


@pytest.fixture
def no_moonshine(monkeypatch):
    def cannot():
        raise ModelError("the speech recogniser's encoder cannot be fetched: no network")

    monkeypatch.setattr("processors.stt.moonshine_model.load", cannot)


async def test_without_local_ears_a_vendors_are_enough(no_moonshine, monkeypatch):
    async def works(_params):
        pass

    monkeypatch.setattr("processors.stt.deepgram.probe", works)
    services = await Services.load(settings(stt=SttProvider.DEEPGRAM, deepgram_api_key="k"))
    assert services.warnings == ["The local recogniser could not be loaded, so the vendor's words are not checked."]
    assert type(services.recogniser()).__name__ == "DeepgramRecogniser"
    assert services.judge is None
    await services.close()


async def test_without_any_recogniser_the_start_fails_with_one_line(no_moonshine):
    with pytest.raises(SettingsError, match=r"^the speech recogniser's encoder cannot be fetched: no network$"):
        await Services.load(settings())


async def test_a_server_that_is_down_is_kept_and_warned_of():
    services = await Services.load(settings(llm=LlmProvider.OLLAMA, ollama_url="http://127.0.0.1:9/v1"))
    assert services.language_model.name == "llama3.2 at http://127.0.0.1:9/v1"
    assert services.warnings == ["The language model does not answer yet."]
    await services.close()


async def test_the_prompt_comes_from_a_file(tmp_path):
    path = tmp_path / "prompt.txt"
    path.write_text("You are a baker.\n")
    services = await Services.load(settings(prompt=str(path), tools=["none"]))
    other = "If the caller speaks another language, say in one sentence that you can help in English only."
    assert services.system_prompt == f"You are a baker.\n\n{VOICE_RULES}\n\n{WITHOUT_TOOLS}\n\n{other}"
    await services.close()
    path.write_text(" ")
    with pytest.raises(SettingsError, match="PROMPT: .* is empty"):
        await Services.load(settings(prompt=str(path)))


async def test_settings_reach_who_uses_them():
    services = await Services.load(
        settings(
            vad_stop_ms=300,
            endpoint_max_ms=1000,
            resume_at_word=True,
            interruption_take_backs=1,
            interruption_mode="off",
            language="de",
            deepgram_api_key="k",
            deepgram_url="ws://127.0.0.1:9",
        )
    )
    assert services.system_prompt.startswith("You answer the phone of a bank's help line.")
    assert services.system_prompt.endswith(
        f"{WITH_TOOLS}\n\n"
        "If the caller speaks another language, say in one sentence that you can help in German only.\n\n"
        "Always answer in German, whatever language this text is in."
    )
    assert "LLM=scripted speaks English, hardly German." in services.warnings
    assert services.vad_params.stop_ms == 300
    assert services.turn_params.step_back
    assert services.turn_params.take_backs == 1
    assert services.turn_params.endpoint.silence_limit_ms == 1300
    assert services.turn_params.verdict.language == "de"
    assert services.handler_params.greeting.startswith("Guten Tag")
    assert services.llm_params.moment == "Einen Moment, bitte."
    assert services.providers()["tts"] == "gtts"
    assert services.tts_params.language == "de"
    assert services.judge is None
    await services.close()


async def test_a_voice_on_the_network_has_the_local_one_behind_it():
    services = await Services.load(settings(tts="gtts", gtts_url="http://127.0.0.1:9", tts_first_byte_secs=2))
    assert services.providers()["tts"] == "gtts, then local"
    chunks = [chunk async for chunk in services.voice.speak("Good morning.")]
    assert sum(len(chunk.pcm) for chunk in chunks) > 20_000
    await services.close()


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"tts": "azure", "azure_speech_key": "k", "azure_speech_region": "r"}, "azure, then gtts"),
        ({"tts": "elevenlabs", "elevenlabs_api_key": "k"}, "elevenlabs, then gtts"),
        ({"tts": "gtts"}, "gtts"),
    ],
)
def test_no_english_voice_speaks_another_language(values, name):
    assert make_voice(settings(language="hi", deepgram_api_key="k", **values)).name == name


def test_turn_servers_get_their_credentials():
    named = settings(ice_servers=["stun:a:1", "turn:b:2"], turn_username="me", turn_credential="secret")
    plain, turn = ServerLimits.of(named, lambda: 1).ice_servers
    assert plain == "stun:a:1"
    assert isinstance(turn, RTCIceServer)
    assert (turn.urls, turn.username, turn.credential) == ("turn:b:2", "me", "secret")


@pytest.mark.parametrize(
    ("llm", "tools", "names"),
    [
        ("scripted", "auto", 8),
        ("local", "auto", 2),
        ("local", "end_call", 1),
        ("scripted", "none", 0),
    ],
)
def test_which_tools_are_offered(llm, tools, names):
    assert len(offered(settings(llm=llm, tools=tools))) == names


def test_a_tool_may_be_done_without_a_question():
    found = {tool.name: tool.confirm for tool in offered(settings(tools_without_question="book_appointment"))}
    assert (found["book_appointment"], found["email_statement"]) == (False, True)
    with pytest.raises(SettingsError, match=r"^TOOLS_WITHOUT_QUESTION: there is no tool 'fly'; it may be: book_app"):
        offered(settings(tools_without_question="fly"))


async def test_the_prompt_may_be_named():
    assert system_prompt(settings(prompt="bank")) == system_prompt(settings(prompt="prompts/bank.md"))
    with pytest.raises(SettingsError, match=r"^PROMPT: bakery cannot be read .* prompts/ \(bank\), or a text"):
        system_prompt(settings(prompt="bakery"))


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"tts": "elevenlabs", "elevenlabs_api_key": "k", "elevenlabs_url": "http://127.0.0.1:9"}, "elevenlabs"),
        ({"tts": "azure", "azure_speech_key": "k" * 32, "azure_url": "ws://127.0.0.1:9"}, "azure"),
    ],
)
async def test_streaming_voices_that_are_not_there_have_the_local_one_behind_them(values, name):
    services = await Services.load(settings(**values))
    assert services.providers()["tts"] == f"{name}, then local"
    assert [warning.startswith(f"Voice {name}: ") for warning in services.warnings] == [True]
    chunks = [chunk async for chunk in services.voice.speak("Good morning.")]
    assert sum(len(chunk.pcm) for chunk in chunks) > 20_000
    await services.close()


@pytest.mark.parametrize(
    ("make_app", "values", "says"),
    [
        (
            elevenlabs.make_app,
            {"tts": "elevenlabs", "elevenlabs_api_key": "very-secret"},
            r"^TTS: ElevenLabs refuses the key \(HTTP 401\); set ELEVENLABS_API_KEY$",
        ),
        (
            azure.make_app,
            {"tts": "azure", "azure_speech_key": "very-secret"},
            r"^TTS: Azure refuses the key \(HTTP 401\); set AZURE_SPEECH_KEY and AZURE_SPEECH_REGION$",
        ),
    ],
)
async def test_a_wrong_key_stops_the_start_and_says_what_to_set(make_app, values, says, monkeypatch):
    monkeypatch.setattr("processors.tts.azure.LOAD_SECS", 0.5)
    keys = {Vendor.ELEVENLABS: "right", Vendor.AZURE: "right"}
    async with serving(make_app, keys=keys) as (_, where):
        with pytest.raises(SettingsError, match=says) as refused:
            await Services.load(settings(elevenlabs_url=f"ws://{where}", azure_url=f"ws://{where}", **values))
    assert "very-secret" not in str(refused.value)
