"""``bot.py`` as it is started."""

import asyncio
import os
import socket
import sys

import pytest

import bot
from loadtest.bot_process import ROOT, real_bot


async def run(*arguments: str, **env: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "bot.py", *arguments),
        cwd=ROOT,
        env={**os.environ, **env},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(90):
        output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


async def test_help_is_enough(capsys):
    (code, text) = await run("--help")
    assert code == 0
    assert "serve" in text
    assert "check" in text
    with pytest.raises(SystemExit) as done:
        bot.parser().parse_args(["serve", "--help"])
    assert done.value.code == 0
    serve_text = capsys.readouterr().out
    for flag in (
        "--stt",
        "--llm",
        "--tts",
        "--host",
        "--port",
        "--workers",
        "--max-calls",
        "--history-turns",
        "--log-json",
    ):
        assert flag in serve_text
    assert "local|scripted|ollama" in serve_text


def is_one_line(code: int, text: str, line: str) -> None:
    assert code == 2
    assert text.splitlines()[-1].startswith(line)
    assert "Traceback" not in text
    assert len(text.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "env", "line"),
    [
        (("serve", "--port", "x"), {}, "error: PORT: "),
        (("serve", "--workers", "0"), {}, "error: WORKERS: "),
        (("check",), {"STT": "ears"}, "error: STT: "),
    ],
)
def test_a_setting_that_cannot_be_read_is_one_line(arguments, env, line, monkeypatch, capfd):
    """Before anything is started, so no process of its own is needed to see it."""
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    code = bot.main(arguments)
    is_one_line(code, "".join(capfd.readouterr()), line)


@pytest.mark.parametrize(
    ("arguments", "env", "line"),
    [
        (("serve",), {"LLM": "gpt"}, "error: LLM: "),
        (("serve",), {"LLM": "scripted", "PROMPT": "no/such/file"}, "error: PROMPT: "),
        (("serve", "--workers", "3"), {"LLM": "scripted", "PROMPT": "no/such/file"}, "error: PROMPT: "),
    ],
)
async def test_a_wrong_setting_stops_the_start_with_one_line(arguments, env, line):
    is_one_line(*await run(*arguments, **env), line)


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_a_taken_port_is_one_line(workers):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        code, text = await run("serve", "--port", str(taken.getsockname()[1]), LLM="scripted", WORKERS=workers)
    assert code == 1
    assert "error: cannot listen on 127.0.0.1:" in text
    assert "set PORT" in text
    assert "Traceback" not in text


async def test_a_worker_without_a_proxy_is_one_line():
    code, text = await run("serve", "--worker")
    assert code == 1
    assert text.splitlines() == ["error: no proxy configures this worker; start the bot with WORKERS"]


async def test_check_times_each_stage():
    code, text = await run("check", LLM="scripted")
    assert code == 0, text
    for stage in ("speech to text", "language model, first token", "text to speech, first audio"):
        assert stage in text
    assert "opening hours" in text
    assert text.splitlines()[-1] == "The loop works."


async def test_the_log_can_be_json():
    import json

    async with real_bot(LOG_JSON="true") as started:
        pass
    logged = [json.loads(line) for line in started.lines if line.startswith("{")]
    assert any("stt local" in entry["record"]["message"] for entry in logged)
