from pathlib import Path

import pytest

import settings
from settings import LlmProvider, Settings, SettingsError, load


@pytest.fixture(autouse=True)
def bare(monkeypatch, tmp_path):
    """No settings from outside."""
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def test_defaults():
    found = load()
    assert (found.host, found.port, found.history_turns) == ("127.0.0.1", 7860, 20)
    assert (found.stt.value, found.llm.value, found.tts.value) == ("local", "local", "local")


def test_flags_win_over_the_environment_and_that_over_the_file(monkeypatch, tmp_path):
    (tmp_path / ".env").write_text("PORT=1\nHOST=0.0.0.0\nMAX_CALLS=3\n")
    monkeypatch.setenv("PORT", "2")
    monkeypatch.setenv("MAX_CALLS", "4")
    found = load(port="5", llm="scripted", host=None)
    assert (found.port, found.host, found.max_calls) == (5, "0.0.0.0", 4)
    assert found.llm is LlmProvider.SCRIPTED


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("LLM", "gpt", "may be: one of auto, local, scripted"),
        ("PORT", "70000", "given: '70000'"),
        ("PORT", "abc", "TCP port"),
        ("HISTORY_TURNS", "0", "Turns of the conversation"),
        ("INTERRUPTION_MODE", "shout", "one of duck, pause, cancel, off"),
        ("INTERRUPTION_SENSITIVITY", "2", "0: hardly anything"),
        ("LOG_LEVEL", "LOUD", "DEBUG, INFO"),
        ("LANGUAGE", "xx", "own sentences: de, en, es, fr, hi"),
    ],
)
def test_a_wrong_value_is_one_line_that_names_it(monkeypatch, name, value, says):
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as error:
        load()
    message = str(error.value)
    assert message.startswith(f"{name}: ")
    assert says in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({}, "STT: the local recogniser hears English only, and LANGUAGE is de; set STT=deepgram and DEEPGRAM_API_KEY"),
        (
            {"deepgram_api_key": "k", "deepgram_model": "flux-general-en"},
            "DEEPGRAM_MODEL: flux-general-en hears English only, and LANGUAGE is de; set it to nova-3",
        ),
        (
            {"deepgram_api_key": "k", "tts": "local"},
            "TTS: the local voice speaks English only, and LANGUAGE is de; set TTS to gtts, azure or elevenlabs",
        ),
    ],
)
def test_who_does_not_know_the_language_is_one_line(values, says):
    with pytest.raises(SettingsError) as error:
        load(language="de", **values)
    assert str(error.value) == says


def test_one_setting_picks_voices_and_sentences():
    found = load(language="de", deepgram_api_key="k")
    assert (found.stt.value, found.tts.value) == ("deepgram", "gtts")
    assert found.why("tts") == "no key for a voice is set, and the local voice speaks English only"
    assert found.greeting.startswith("Guten Tag, ")
    assert found.azure_voice == "de-DE-SeraphinaMultilingualNeural"
    assert load().azure_voice == "en-US-AvaMultilingualNeural"
    assert load().greeting == "Hello, this is the bank's help line. How can I help you?"
    own = load(language="de", deepgram_api_key="k", greeting="", azure_voice="de-DE-KatjaNeural")
    assert (own.greeting, own.azure_voice) == ("", "de-DE-KatjaNeural")


def test_a_missing_key_is_one_line(monkeypatch):
    with pytest.raises(SettingsError, match=r"^GROQ_API_KEY: missing; set it to a key from console.groq.com$"):
        load(llm="groq")
    monkeypatch.setenv("GROQ_API_KEY", "gsk_1")
    monkeypatch.setenv("GROQ_MODELS", "a, b")
    assert load(llm="groq").groq_models == ["a", "b"]


@pytest.mark.parametrize(
    ("tts", "has", "says"),
    [
        ("elevenlabs", {}, "ELEVENLABS_API_KEY: missing; set it to a key from elevenlabs.io"),
        ("azure", {}, "AZURE_SPEECH_KEY: missing; set it to what portal.azure.com shows"),
        ("azure", {"AZURE_SPEECH_KEY": "k"}, "AZURE_SPEECH_REGION: missing"),
    ],
)
def test_what_a_voice_needs_is_one_line(monkeypatch, tts, has, says):
    for name, value in has.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=f"^{says}"):
        load(tts=tts)


def test_no_key_is_ever_shown(monkeypatch):
    monkeypatch.setenv("OLLAMA_API_KEY", "very-secret")
    monkeypatch.setenv("TURN_CREDENTIAL", "very-secret")
    monkeypatch.setenv("TURN_SECRET", "very-secret")
    found = load()
    assert "very-secret" not in repr(found) + str(found.model_dump())
    assert found.ollama_api_key.get_secret_value() == "very-secret"


def test_servers_are_a_list(monkeypatch):
    monkeypatch.setenv("ICE_SERVERS", "stun:a:1, turn:b:2,")
    assert load().ice_servers == ["stun:a:1", "turn:b:2"]
    for wrong in ("http://nope", "turn:", "turn:a:port", "stun:a:1?transport=udp", "turn:a:1?transport=sctp"):
        monkeypatch.setenv("ICE_SERVERS", wrong)
        with pytest.raises(SettingsError, match="ICE_SERVERS"):
            load()
    monkeypatch.setenv("ICE_SERVERS", "turns:a:5349?transport=tcp")
    assert load().ice_servers == ["turns:a:5349?transport=tcp"]


def test_the_example_is_up_to_date_and_says_every_setting():
    text = (Path(settings.ROOT) / ".env.example").read_text()
    assert text == settings.env_example()
    for name in Settings.model_fields:
        assert f"#{name.upper()}=" in text


def test_the_example_is_valid_as_it_stands(tmp_path):
    lines = settings.env_example().splitlines()
    (tmp_path / ".env").write_text("\n".join(line.removeprefix("#") for line in lines if not line.startswith("# ")))
    assert load() == Settings(_env_file=None)


KEYS = {
    "DEEPGRAM_API_KEY": "d",
    "GROQ_API_KEY": "g",
    "ELEVENLABS_API_KEY": "e",
    "AZURE_SPEECH_KEY": "a",
    "AZURE_SPEECH_REGION": "westeurope",
}


@pytest.mark.parametrize(
    ("keys", "picked"),
    [
        ("", "local local local"),
        ("DEEPGRAM_API_KEY", "deepgram local local"),
        ("GROQ_API_KEY", "local groq local"),
        ("DEEPGRAM_API_KEY GROQ_API_KEY", "deepgram groq gtts"),
        ("DEEPGRAM_API_KEY GROQ_API_KEY ELEVENLABS_API_KEY", "deepgram groq elevenlabs"),
        ("AZURE_SPEECH_KEY AZURE_SPEECH_REGION", "local local azure"),
        ("AZURE_SPEECH_KEY", "local local local"),
        (" ".join(KEYS), "deepgram groq elevenlabs"),
    ],
)
def test_auto_picks_vendors_whose_keys_are_there(monkeypatch, keys, picked):
    for name in keys.split():
        monkeypatch.setenv(name, KEYS[name])
    settings = load()
    assert f"{settings.stt.value} {settings.llm.value} {settings.tts.value}" == picked
    assert settings.why("stt") == f"DEEPGRAM_API_KEY is {'set' if 'DEEPGRAM' in keys else 'not set'}"


def test_a_provider_that_is_named_is_taken_and_needs_no_reason(monkeypatch):
    monkeypatch.setenv("DEEPGRAM_API_KEY", "d")
    settings = load(stt="local")
    assert settings.stt.value == "local"
    assert settings.why("stt") == ""
    monkeypatch.delenv("DEEPGRAM_API_KEY")
    with pytest.raises(SettingsError, match=r"^DEEPGRAM_API_KEY: missing"):
        load(stt="deepgram")


def test_limits_of_models_are_read_and_checked() -> None:
    assert Settings(_env_file=None, llm_limits="rpm=30, tpd=200000").llm_limits == {"rpm": 30, "tpd": 200_000}
    for wrong in ("rpm", "rph=3", "rpm=0", "rpm=many"):
        with pytest.raises(SettingsError, match="LLM_LIMITS: .*is no limit such as rpm=30"):
            load(_env_file=None, llm_limits=wrong)


def test_a_shared_limit_needs_a_place_to_be_counted_in() -> None:
    with pytest.raises(SettingsError, match="REDIS_URL: missing; MAX_CALLS_SHARED is counted there"):
        load(_env_file=None, max_calls_shared=5)
    with pytest.raises(SettingsError, match="REDIS_URL: .*begins with redis://") as wrong:
        load(_env_file=None, redis_url="http://user:secret@host")
    assert "secret" not in str(wrong.value)


def test_a_setting_is_still_read_by_its_old_name(monkeypatch, tmp_path):
    assert settings.outdated_names() == []
    (tmp_path / ".env").write_text("GUESS_SHARE=0.7\n")
    assert load().preemptive_min_share == 0.7
    monkeypatch.setenv("GUESS_SHARE", "0.6")
    assert load().preemptive_min_share == 0.6
    assert settings.outdated_names() == [
        "GUESS_SHARE is now called PREEMPTIVE_MIN_SHARE; the next version reads the new name only"
    ]
    (tmp_path / ".env").write_text("PREEMPTIVE_MIN_SHARE=0.3\n")
    assert load().preemptive_min_share == 0.3
    monkeypatch.setenv("GUESS_SHARE", "much")
    (tmp_path / ".env").unlink()
    with pytest.raises(SettingsError, match=r"^PREEMPTIVE_MIN_SHARE: .*given: 'much'"):
        load()


def test_no_part_of_the_settings_replaces_a_check_of_another():
    """The parts are mixed in to one class: of two validators with one name only one would ever run."""
    own = [
        name
        for part in Settings.__mro__
        if part.__module__.startswith("settings.")
        for name in vars(part)["__pydantic_decorators__"].field_validators
        if name in vars(part)
    ]
    assert len(own) >= 3
    assert sorted(set(own)) == sorted(own)
