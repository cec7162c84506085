"""Parley: a voice bot that people talk to from a browser, and can interrupt.

``python bot.py serve`` starts it, ``python bot.py check`` tells what works. The graph of a call is the list in
:func:`build_pipeline`.
"""

import argparse
import asyncio
import gc
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from loguru import logger

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read at NumPy's import: its threads would take the calls' cores
logger.remove()  # Pipecat greets at its import; what the log shows, and how, is decided in main()

import uvloop
from aiohttp import web
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.workers.runner import WorkerRunner

import settings as settings_module
from admission.shared_places import RedisPlaces
from cluster.call_watch import CallParts
from cluster.node import ClusterNode
from cluster.resume import resume
from cluster.store import NodeInfo
from contracts import secrets
from observe.call_log import CallLog
from observe.call_registry import CallRegistry
from observe.cost import CostMeter
from observe.log_lines import log_to_terminal
from observe.prices import PriceError, load_prices
from observe.process import CpuMeter
from observe.tracing import Tracer, TracingError
from processors import compat
from processors.audio_filter.caller_filter import CallerFilter
from processors.context.aggregators import ContextPair, Conversation
from processors.llm.processor import LLMProcessor
from processors.stt.processor import STTProcessor
from processors.tts.processor import TTSProcessor
from processors.turns.handler import InterruptionHandler
from processors.turns.machine import TurnMachine
from processors.vad.processor import VADProcessor
from recording.callers import delete_records_of
from server import exposure
from server.call_tokens import CallTokens, make_token
from server.calls import CALLS, Calls
from server.dashboard import Sources, add_dashboard
from server.limits import ServerLimits
from server.phone import add_phone, phone_params
from server.signalling import make_app
from server.sip import SipServer, sip_params
from server.site import app_runner
from server.supervisor import CLIENTS_LEAVE_SECS, first_of, run_workers
from server.worker import ProxyLink
from services.check import check
from services.language_models import thinks_here
from services.recorded import Recording
from services.services import EARLIER_CHARS, Services
from settings import OtherVoices, Settings, SettingsError
from transports.call import Call, transfer_of

CPU_SECS = 10.0
"""What calls take of the core is measured over so long."""


def build_pipeline(call: Call, services: Services, log: CallLog, node: ClusterNode | None = None) -> Pipeline:
    """The graph of one call. Frames flow down the list; pause, resume and cancel go down it too."""
    clock = services.clock_for(call.request_data)
    language = services.language_for(call.identity.claims if call.identity is not None else {}, call.request_data)
    goes_on = node.goes_on_from(call) if node is not None else None
    if goes_on is not None:
        language.code = goes_on.language
    conversation = Conversation(
        services.system_prompt,
        services.settings.history_turns,
        told=lambda: " ".join(filter(None, (language.told(), clock.told()))) if services.voices else clock.told(),
        max_tokens=services.prompt_tokens,
        earlier_chars=EARLIER_CHARS,
    )
    context = ContextPair(conversation)
    output = call.output()
    others = services.settings.other_voices
    caller_filter = CallerFilter(
        output.played,
        echo=services.settings.echo_guard,
        caller=others is not OtherVoices.HEARD,
        others=others is OtherVoices.NO_CONSENT,
    )
    tools = services.tool_runner(call.pc_id, conversation, call.identity, call.request_data, clock)
    if tools is not None:
        tools.session.hears_caller = caller_filter.is_callers
    machine = TurnMachine(services.turn_params, services.verdict_policy)
    params = services.handler_params
    if goes_on is not None:
        left = resume(goes_on, context, machine, tools)
        params = replace(params, greeting=left.say, asked=left.ask, begun=left.hear)
    interruptions = InterruptionHandler(
        machine,
        detect_end_of_turn=services.detect_end_of_turn,
        judge=services.judge,
        params=params,
        on_fault=log.fault,
        hang_up=call.hang_up,
        on_turn_ended_early=services.note_turn_ended_early,
    )
    llm = LLMProcessor(
        services.language_model_for(call.pc_id, log.tokens_used),
        tools,
        services.llm_params,
        preemptive_budget=services.preemptive_budget,
        earlier=conversation.earlier,
        transfer=transfer_of(call),
        on_usage=log.tokens_used,
    )
    tts = TTSProcessor(
        services.voice, params=services.tts_params, on_unheard=log.spoken_unheard, voices=services.voices
    )
    language.tell(interruptions.speak, llm.speak, tts.speak)
    log.watch(interruptions, llm, tts, output)
    if node is not None:
        node.keep(call, CallParts(conversation, machine, tools, language), interruptions, llm)
    return Pipeline(
        [
            call.input(),  # WebRTC audio and the client's messages -> InputAudioRawFrame, UserTextFrame
            VADProcessor(
                services.vad_params, caller_filter, services.speech_rater()
            ),  # Silero -> AudioWindowFrame, VADUserStarted/StoppedSpeakingFrame
            STTProcessor(services.recogniser(language.code), language, caller_filter),  # -> (Interim)TranscriptFrame
            *services.keypad(tools),  # takes the keys of a PIN, where one is asked for
            interruptions,  # who has the floor -> pause, resume, InterruptionFrame, UserTurnFrame
            context.user(),  # the last turns -> ReplyContextFrame
            llm,  # -> LLMTextFrame
            tts,  # -> UtteranceAudioFrame, WordTimesFrame
            output,  # plays, pauses, resumes, cancels; tells what was really heard
            context.assistant(),  # remembers what was heard, and only that
        ]
    )


async def run_call(
    call: Call, services: Services, registry: CallRegistry | None = None, node: ClusterNode | None = None
) -> None:
    """Run a call's pipeline until the call closes; what happens in it is kept in the registry."""
    now = asyncio.get_running_loop().time()
    call_id = call.pc_id  # a caller who comes back brings another one
    log = CallLog(call, (registry or CallRegistry()).open(call_id, now=now, quality=lambda: call.quality))
    recording = Recording(call, services) if services.records is not None else None
    worker = PipelineWorker(
        build_pipeline(call, services if recording is None else recording.services, log, node),
        params=PipelineParams(audio_in_sample_rate=16_000, audio_out_sample_rate=24_000),
        enable_rtvi=False,
        enable_turn_tracking=False,
        idle_timeout_secs=None,
    )
    # A runner of its own for each call: one call's end never ends another.
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    running = asyncio.create_task(runner.run())
    closed = asyncio.create_task(call.closed.wait())
    try:
        await asyncio.wait({running, closed}, return_when=asyncio.FIRST_COMPLETED)
        if recording is not None:
            recording.call_closed()
        await worker.cancel()
        await running
    finally:
        closed.cancel()
        if recording is not None:
            recording.close()
        services.forget_call(call_id)
        if node is not None:
            await node.gone(call)
        log.close()


async def serve(settings: Settings, proxy: ProxyLink | None = None) -> None:
    """Load the models, then take calls until told to stop.

    Args:
        settings: The settings.
        proxy: What stands before this process, if it is one of several.
    """
    compat.install()
    services = await Services.load(settings)

    registry = CallRegistry(
        services.providers, transcripts=settings.transcripts, retention_secs=60 * settings.retention_minutes
    )
    tracer = _tracer(settings)
    if tracer is not None:
        registry.add_listener(tracer)

    costs = _cost_meter()
    registry.add_listener(costs)
    loop = asyncio.get_running_loop()

    async def start_call(call: Call) -> None:
        await run_call(call, services, registry, node)

    # Before anyone is told that it runs, and may stop it.
    stopped = _stop_signals() if proxy is None else proxy.stop_orders()
    worker = {} if proxy is None else {"worker": proxy.worker}

    def info() -> dict[str, object]:
        return {**services.info(), **worker}

    places = _shared_places(settings)
    # Workers of one machine stand behind a proxy that nobody passes by.
    node = _cluster_node(settings, lambda: app, lambda: runner) if proxy is None else None
    app = make_app(
        ServerLimits.of(settings, services.admission_limit),
        start_call,
        info=info,
        places=places,
        node=node,
        guard=exposure.make_guard(settings),
        access=exposure.make_access(settings),
        tokens=CallTokens.from_settings(settings),
    )
    if proxy is not None:
        proxy.guard(app)
        services.processes = proxy.config.count
    sources = Sources(
        registry,
        services.admission_limit,
        settings.dashboard_token,
        info,
        gateway=lambda: {**services.gateway(), "line": app[CALLS].snapshot()},
        cost=lambda: costs.so_far(registry, loop.time()),
        faces_others=exposure.faces_others(settings),
    )
    add_dashboard(app, sources)
    if (phone := phone_params(settings)) is not None:
        add_phone(app, phone)
    sip = SipServer(app[CALLS], params) if (params := sip_params(settings)) is not None else None
    runner = app_runner(app, shutdown_timeout=CLIENTS_LEAVE_SECS)
    measuring = asyncio.create_task(_measure_cpu(services, app[CALLS]))
    await runner.setup()
    try:
        await exposure.make_site(runner, settings).start()
        logger.info("{}", services.summary())
        if proxy is None:
            exposure.tell(settings)
        if sip is not None:
            await sip.open()
        _spare_garbage_collection()
        _say_ready(settings, runner)
        await stopped.wait()
        if proxy is None:
            logger.info(
                "stopping: {} calls may come to an end within {:g} s; once more to stop at once",
                len(app[CALLS]),
                settings.drain_secs,
            )
        stopped.clear()
        await first_of(app[CALLS].drain(settings.drain_secs), stopped.wait())
    finally:
        measuring.cancel()
        await runner.cleanup()
        if sip is not None:
            await sip.close()
        if places is not None:
            await places.close()
        await services.close()
        if tracer is not None:
            await tracer.close()


async def serve_with_workers(settings: Settings, flags: Mapping[str, object]) -> int:
    """Take calls with several processes behind one port until told to stop; returns the exit code.

    Args:
        settings: The settings.
        flags: Those that the command line set; the workers read them from their environment.
    """
    command = [sys.executable, str(settings_module.ROOT / "bot.py"), "serve", "--worker"]
    # The proxy counts who asks how often: a worker sees this machine's address only.
    own = {"HOST": "127.0.0.1", "PORT": "0", "WORKERS": "1", "OFFERS_PER_MINUTE": "0", "CALLS_PER_ADDRESS": "0"}
    own |= {"TLS_CERT": "", "TLS_KEY": "", "SAMPLE_CUSTOMER": str(settings.sample_customer_id)}
    env = {**os.environ, **{name.upper(): str(value) for name, value in flags.items()}, **own}
    # A language model in the worker has more than one thread, and these wait for each other on a single core.
    pin = not thinks_here(settings)

    def on_ready(runner: web.AppRunner) -> None:
        _say_ready(settings, runner)

    return await run_workers(settings, command, env, _stop_signals(), on_ready, pin=pin)


async def _measure_cpu(services: Services, calls: Calls) -> None:
    """Tell what calls take of the core, again and again."""
    if thinks_here(services.settings):
        return  # a model's threads are not the calls'
    meter, before = CpuMeter(), len(calls)
    while True:
        await asyncio.sleep(CPU_SECS)
        services.note_cpu((before + len(calls)) / 2, meter.percent() / 100)
        before = len(calls)


def _say_ready(settings: Settings, runner: web.AppRunner) -> None:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    print(f"Parley is ready: {exposure.scheme(settings)}://{host}:{runner.addresses[0][1]}", flush=True)


def _spare_garbage_collection() -> None:
    """What has been loaded stays for good: looking through it for garbage again and again would hold up every voice."""
    gc.collect()
    gc.freeze()


def _shared_places(settings: Settings) -> RedisPlaces | None:
    """Where processes count their calls together, if they do."""
    if not settings.max_calls_shared:
        return None
    return RedisPlaces.at(settings.redis_url.get_secret_value(), settings.max_calls_shared)


def _cluster_node(
    settings: Settings, app: Callable[[], web.Application], runner: Callable[[], web.AppRunner]
) -> ClusterNode | None:
    """This process among others at the same Redis; None without one."""
    if not (url := settings.redis_url.get_secret_value()):
        return None

    def info() -> NodeInfo:
        calls = app()[CALLS]
        listening = runner().addresses
        own = exposure.own_url(settings, listening[0][1]) if listening else ""
        return NodeInfo("", settings.node_url or own, len(calls), calls.max_calls, calls.draining, os.getpid())

    return ClusterNode.at(url, info)


def _tracer(settings: Settings) -> Tracer | None:
    """What sends traces, if they are wanted.

    Raises:
        SettingsError: They cannot be made.
    """
    if not settings.otel_exporter_otlp_endpoint:
        return None
    try:
        return Tracer.exporting_to(settings.otel_exporter_otlp_endpoint)
    except TracingError as error:
        raise SettingsError(f"OTEL_EXPORTER_OTLP_ENDPOINT: {error}") from None


def _cost_meter() -> CostMeter:
    """What adds up what the calls cost.

    Raises:
        SettingsError: The price file is wrong.
    """
    try:
        return CostMeter(load_prices())
    except PriceError as error:
        raise SettingsError(str(error)) from None


def _stop_signals() -> asyncio.Event:
    """An event that Ctrl-C and SIGTERM set."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stopped.set)
    return stopped


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(
        prog="bot.py",
        description="Parley: a voice bot that people talk to from a browser, and can interrupt.",
        epilog="Every setting can stand in the environment or in .env: see .env.example.",
    )
    commands = top.add_subparsers(dest="command", required=True)
    serve_command = commands.add_parser("serve", help="take calls at http://HOST:PORT")
    check_command = commands.add_parser(
        "check", help="tell which providers are set up, and time one sentence through all of them"
    )
    for command in (serve_command, check_command):
        for name in settings_module.FLAGS:
            command.add_argument(
                f"--{name.replace('_', '-')}",
                dest=name,
                metavar=settings_module.metavar(name),
                help=settings_module.help_text(name),
            )
        command.add_argument("--log-json", action="store_const", const=True, help="one JSON object per log line")
    token_command = commands.add_parser("token", help="make a call token for trying, signed with CALL_TOKEN_SECRET")
    token_command.add_argument("subject", metavar="CALLER", help="whom it names")
    token_command.add_argument("--minutes", type=float, default=10.0, help="how long it is valid; default: 10")
    token_command.add_argument(
        "--claim", action="append", default=[], metavar="NAME=VALUE", help="something more that it says"
    )
    replay_command = commands.add_parser("replay", help="play recorded calls again, or ask what if")
    replay_command.add_argument("records", nargs="+", type=Path, metavar="FILE", help="a record, or a folder of them")
    replay_command.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", dest="changes", help="another setting: what if?"
    )
    replay_command.add_argument(
        "--listen",
        type=Path,
        metavar="OUT.wav",
        help="write the sound: caller left, bot right",
    )
    replay_command.add_argument(
        "--as-test", type=Path, metavar="TEST.py", help="write the call as a test, without the person in it"
    )
    records_command = commands.add_parser("records", help="delete the records of a caller")
    records_command.add_argument(
        "--delete", required=True, metavar="CALLER", help="the subject of their token, or their telephone number"
    )
    serve_command.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)  # told so by its proxy
    return top


def _print_token(settings: Settings, subject: str, minutes: float, claim: Sequence[str]) -> int:
    """Print a call token; returns the exit code."""
    claims = {name: value for name, _, value in (each.partition("=") for each in claim)}
    try:
        print(make_token(settings, subject, minutes, claims))
    except SettingsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _delete_records(caller: str) -> int:
    """Delete the records of a caller; returns the exit code: 0 if every record could be read."""
    try:
        settings = settings_module.load()
        found = delete_records_of(Path(settings.record_dir), caller, settings.record_key_bytes)
    except SettingsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"error: {error.filename}: {error.strerror}; set RECORD_DIR", file=sys.stderr)
        return 1
    for line in found.unreadable:
        print(f"error: {line}", file=sys.stderr)
    print(f"{found.deleted} records deleted")
    return 1 if found.unreadable else 0


def _replay(options: Mapping[str, Any]) -> int:
    """Replay records; returns the exit code."""
    from replay import command  # it stands on what measures the bot, which the bot that serves does without

    try:
        key = settings_module.load().record_key_bytes
    except SettingsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return command.main(command.Options(**options), key)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the process's exit code."""
    options = vars(parser().parse_args(arguments))
    command = options.pop("command")
    if command == "replay":
        return _replay(options)
    if command == "records":
        return _delete_records(options["delete"])
    token = {name: options.pop(name) for name in ("subject", "minutes", "claim") if name in options}
    proxy = ProxyLink.receive() if options.pop("worker", False) else None
    flags = {name: value for name, value in options.items() if value is not None}
    try:
        settings = settings_module.load(**flags)
    except SettingsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if command == "token":
        return _print_token(settings, **token)
    worker = proxy.config.index if proxy is not None else None
    secrets.register(settings.secrets)
    log_to_terminal(
        settings.log_level.value, as_json=settings.log_json, worker=worker, transcripts=settings.transcripts
    )
    for line in settings_module.outdated_names():
        logger.warning("{}", line)
    try:
        if command == "check":
            return uvloop.run(check(settings))
        if settings.workers > 1 and proxy is None:
            return uvloop.run(serve_with_workers(settings, flags))
        uvloop.run(serve(settings, proxy))
    except SettingsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"error: cannot listen on {settings.host}:{settings.port}: {error.strerror}; set PORT", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
