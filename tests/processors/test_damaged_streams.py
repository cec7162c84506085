"""What vendors send is damaged on its way, or of another form than their SDKs' types say: a sentence goes on."""

import asyncio
import json
from contextlib import aclosing, asynccontextmanager

import pytest
from aiohttp import web
from pydantic import SecretStr

from contracts.llm import LanguageModelError, TextDelta
from contracts.tts import VoiceError
from gateway.model import Endpoint, Gateway
from gateway.policy import Choice
from processors.llm.groq import GroqModel
from processors.llm.openai_compatible import OpenAICompatibleModel
from processors.tts.elevenlabs_socket import ContextSocket

PROMPT = [{"role": "user", "content": "When do you open?"}]
DONE = b"data: [DONE]\n\n"


def event(text: str, finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
    chunk = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
    return f"data: {json.dumps(chunk, ensure_ascii=False)}\n\n".encode()


@asynccontextmanager
async def streaming(*parts: bytes):
    """A server that streams these bytes to whoever asks; its URL."""

    async def complete(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for part in parts:
            await response.write(part)
            await asyncio.sleep(0.01)
        return response

    app = web.Application()
    app.router.add_post("/{path:.*}", complete)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def openai_model(url: str) -> OpenAICompatibleModel:
    return OpenAICompatibleModel(f"{url}/v1", "m", SecretStr("k"))


def groq_model(url: str) -> GroqModel:
    return GroqModel(SecretStr("k"), "m", base_url=url)


MODELS = pytest.mark.parametrize("make", [openai_model, groq_model])

DAMAGED = [
    b"data: {\n\n",
    b"data: 0\n\n",
    b"data: []\n\n",
    b'data: "text"\n\n',
    b"data: null\n\n",
    b'data: {"choices": 5}\n\n',
    b'data: {"choices": [0]}\n\n',
    b'data: {"choices": [{"delta": null}]}\n\n',
    b'data: {"choices": [{"delta": {"content": 5}}]}\n\n',
    b'data: {"choices": [{"delta": {"tool_calls": [{"index": "x", "function": {"arguments": {}}}]}}]}\n\n',
    b'data: {"choices": [{"delta": {}, "finish_reason": {"a": 1}}]}\n\n',
    b"data: " + b"[" * 100_000 + b"\n\n",
]


async def heard(model, prompt=PROMPT) -> str:
    text = ""
    async with aclosing(model.stream(prompt)) as deltas:
        async for delta in deltas:
            if isinstance(delta, TextDelta):
                text += delta.text
    return text


@MODELS
@pytest.mark.parametrize("bad", [b"\xff", b"\xc3", b"\xe2\x82", b"\xed\xa0\x80", b"\x80"])
async def test_a_bad_byte_costs_a_character(make, bad):
    broken = event("at nQne. ").replace(b"Q", bad)
    async with streaming(event("We open "), broken, event("Grüße!", "stop"), DONE) as url:
        model = make(url)
        text = await heard(model)
        assert text.replace("\ufffd", "") == "We open at nne. Grüße!"
        assert 1 <= text.count("\ufffd") <= 3
        await model.close()


@MODELS
async def test_a_character_may_come_in_two_packets(make):
    whole = event("Grüße", "stop")
    cut = whole.index("ü".encode()) + 1
    async with streaming(whole[:cut], whole[cut:], DONE) as url:
        model = make(url)
        assert await heard(model) == "Grüße"
        await model.close()


@MODELS
async def test_content_may_be_a_list_of_parts_and_thoughts_are_not_spoken(make):
    thought = {"type": "thinking", "thinking": [{"type": "text", "text": "They want the hours."}]}
    parts = event("TEXT").replace(b'"TEXT"', json.dumps([thought, {"type": "text", "text": "We open at "}]).encode())
    async with streaming(parts, event("nine.", "stop"), DONE) as url:
        model = make(url)
        assert await heard(model) == "We open at nine."
        await model.close()


@MODELS
@pytest.mark.parametrize("damaged", DAMAGED, ids=range(len(DAMAGED)))
async def test_a_damaged_event_is_a_fault_that_another_try_mends(make, damaged):
    async with streaming(event("We open "), damaged, DONE) as url:
        model = make(url)
        with pytest.raises(LanguageModelError) as failed:
            await heard(model)
        assert failed.value.retryable
        await model.close()


@pytest.mark.parametrize("damaged", [DAMAGED[0], DAMAGED[2], DAMAGED[8]])
async def test_the_sentence_goes_on_with_another_model(damaged):
    async with (
        streaming(event("We open "), damaged) as first,
        streaming(event("at nine."), event("", "stop"), DONE) as second,
    ):
        gateway = Gateway([Endpoint(Choice(n, {}), openai_model(url)) for n, url in (("a", first), ("b", second))])
        assert await heard(gateway.for_call("anna")) == "We open at nine."
        await gateway.close()


ODD_ENDS = [
    b'data: {"choices": null, "usage": {"prompt_tokens": 9, "completion_tokens": 3}}\n\n',
    b'data: {"choices": [{"delta": null, "finish_reason": "stop"}]}\n\n',
    b'data: {"choices": [], "usage": {"prompt_tokens": null, "completion_tokens": null}}\n\n',
    b'data: {"choices": [], "usage": {}}\n\n',
    b'data: {"choices": [], "usage": {"prompt_tokens": "many", "completion_tokens": -1}}\n\n',
    b'data: {"choices": [], "usage": {"prompt_tokens": 1e400, "completion_tokens": NaN}}\n\n',
]


@MODELS
@pytest.mark.parametrize("odd", ODD_ENDS, ids=range(len(ODD_ENDS)))
async def test_odd_words_about_the_end_or_the_cost_take_no_word_from_the_caller(make, odd):
    async with streaming(event("We open at nine."), event("", "stop"), odd, DONE) as url:
        model = make(url)
        assert await heard(model) == "We open at nine."
        await model.close()


class Wire:
    """A WebSocket that brings these messages, and then nothing."""

    def __init__(self, *messages: str | bytes) -> None:
        self.messages = list(messages)

    async def recv(self) -> str | bytes:
        if self.messages:
            return self.messages.pop(0)
        return await asyncio.get_running_loop().create_future()

    async def send(self, message: str) -> None:
        pass

    async def close(self) -> None:
        pass


@pytest.mark.parametrize(
    "message",
    ["0", "[]", "null", '"text"', "{", b"\xff\xfe", "[" * 100_000, '{"audio": 5}', '{"contextId": []}', "NaN"]
    + ['{"audio": "", "alignment": 7, "contextId": "u1"}', '{"isFinal": true, "contextId": {}}', '{"error": {}}'],
)
async def test_an_elevenlabs_socket_that_brings_nonsense_is_given_up_and_those_who_wait_are_told(message):
    changed: list[bool] = []
    socket = ContextSocket(Wire(message), SecretStr("k"), lambda: changed.append(True))
    context = socket.reserve()
    waiting = asyncio.create_task(socket.next(context))
    await asyncio.sleep(0.05)
    if message == '{"error": {}}':
        assert socket.usable, "an error that is none"
        waiting.cancel()
    else:
        with pytest.raises(VoiceError):
            await asyncio.wait_for(waiting, 1.0)
        assert socket.gone
        assert not socket.usable
        assert changed
    await socket.close()
