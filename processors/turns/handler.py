"""The interruption handler: drives the turn machine with frames.

It turns frames into the machine's events and the machine's actions into frames, keeps one timer for the machine's
next deadline, and collects the user's audio so that the turn detector and the sound judge can be asked about it.
It decides nothing.
"""

import asyncio
import math
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

import numpy as np
from loguru import logger
from pipecat.frames.frames import (
    CancelFrame,
    EndFrame,
    Frame,
    InputAudioRawFrame,
    UserBackchannelFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.utils.time import time_now_iso8601

from audio.pcm import mean_square
from contracts.frames import (
    INPUT_SAMPLE_RATE_HZ,
    WINDOW_SAMPLES,
    AudioWindowFrame,
    CallEndsSoonFrame,
    CallErrorFrame,
    CallHoldComesFrame,
    CallHoldFrame,
    ClientReadyFrame,
    EarlyTranscriptFrame,
    GoOnFrame,
    InterimTranscriptFrame,
    InterruptionDecisionFrame,
    PlayoutDuckFrame,
    PlayoutPauseFrame,
    PlayoutResumeFrame,
    PlayoutStalledFrame,
    PreemptiveTurnFrame,
    ReplyCommittedFrame,
    ReplyCutFrame,
    ReplyEndsCallFrame,
    ReplyPlayedFrame,
    ReplyPlayingFrame,
    ReplyQueuedFrame,
    ReplyRefusedFrame,
    SayFrame,
    StillThinkingFrame,
    ToolsRunningFrame,
    TranscriptFrame,
    TurnStateFrame,
    UserDoubtFrame,
    UserTextFrame,
    UserTurnFrame,
    UserWordsFrame,
    WordHeardFrame,
)
from contracts.llm import Cause
from languages.catalogue import language as known_language
from processors.compat import InlineAudio
from processors.turns import events as ev
from processors.turns.events import Phrase
from processors.turns.hold import Hold
from processors.turns.machine import TurnMachine
from processors.turns.phrases import phrase_text
from processors.turns.states import State
from processors.vad.processor import SpeechGate, SpeechGateParams

SPEECH_MEMORY_SECS = 8
"""The turn detector hears the last eight seconds."""

PRE_ONSET_SECS = 0.2
"""The sound judge hears a sound from this long before its first voiced window."""

OVER_VOICE_GATE = SpeechGateParams(start_windows=1, stop_ms=128)
"""Over the bot's voice the first voiced window counts, and a sound ends sooner than speech does elsewhere."""

FILLERS = frozenset({Phrase.MOMENT, Phrase.STILL, Phrase.BUSY, Phrase.IN_QUEUE})
"""What is said while a reply is awaited: no part of the conversation."""

APOLOGIES = {Cause.BUSY.value: Phrase.FULL, Cause.QUOTA.value: Phrase.QUOTA}
"""What is said instead of a reply, by the cause that there is none."""

BEGUN_SEGMENT = -1
"""Number of a segment of speech that was heard by another process."""

TurnDetector = Callable[[np.ndarray], Awaitable[float]]
"""Asked with up to 8 s of int16 PCM at 16 kHz; answers the probability that the speech is complete."""


@dataclass(frozen=True)
class SoundClip:
    """A sound over the bot's voice, for the judge.

    Attributes:
        sound_id: Number of the sound.
        pcm: int16 at 16 kHz, from ``PRE_ONSET_SECS`` before its onset.
        speech_probs: The VAD's probability of each 32 ms window of ``pcm``.
        elapsed_ms: Milliseconds since the onset.
        ended: Whether it has ended.
    """

    sound_id: int
    pcm: np.ndarray
    speech_probs: np.ndarray
    elapsed_ms: int
    ended: bool


SoundJudge = Callable[[SoundClip], Awaitable[float | None]]
"""Scores a sound (log-odds, above 0 an interruption), or None if it can't."""


@dataclass(frozen=True)
class HandlerParams:
    """What the handler says and when it asks the judge.

    Attributes:
        language: Of the fixed sentences.
        greeting: First sentence; empty: none.
        judge_at_ms: Lengths of a sound, in milliseconds, at which the judge is asked.
        tells_words: Whether the words so far are passed on while the user speaks, for a model that reads along.
        asked: What the caller had asked and was not answered when the call lost its process: it is answered first.
        begun: Words of a turn that the caller had not ended then.
    """

    language: str = "en"
    greeting: str = ""
    judge_at_ms: tuple[int, ...] = (160, 224, 320, 416, 512, 608, 800, 1200, 1600)
    tells_words: bool = False
    asked: str = ""
    begun: str = ""


class InterruptionHandler(InlineAudio, FrameProcessor):
    """The node that gives and takes the floor.

    Args:
        machine: The call's turn machine.
        detect_end_of_turn: The turn detector; None: the text rule and silence alone decide.
        judge: The sound judge; None: words and durations alone decide.
        params: Sentences and times.
        on_fault: Called with each fault that a deadline had to repair.
        hang_up: Ends the call, when nobody is there any more.
        on_turn_ended_early: Told what became of each turn that was ended before its final words were known; see
            :class:`~processors.turns.events.TurnEndedEarly`.
    """

    def __init__(
        self,
        machine: TurnMachine,
        *,
        detect_end_of_turn: TurnDetector | None = None,
        judge: SoundJudge | None = None,
        params: HandlerParams | None = None,
        on_fault: Callable[[str], None] | None = None,
        hang_up: Callable[[], None] = lambda: None,
        on_turn_ended_early: Callable[[str], None] = lambda _: None,
    ) -> None:
        super().__init__(name="interruptions")
        self.machine = machine
        self._hold = Hold(machine)
        self._hold_comes = False
        self._hang_up = hang_up
        self._on_turn_ended_early = on_turn_ended_early
        self._params = params or HandlerParams()
        self._detect = detect_end_of_turn
        self._judge = judge
        self._on_fault = on_fault or (lambda fault: None)
        self._gate = SpeechGate(OVER_VOICE_GATE)
        windows = SPEECH_MEMORY_SECS * INPUT_SAMPLE_RATE_HZ // WINDOW_SAMPLES
        self._heard: deque[tuple[bytes, float]] = deque(maxlen=windows)
        self.on_audio: Callable[[bytes], None] | None = None
        """Given each window of the caller's audio: 16 kHz mono 16-bit PCM."""
        self._judged_sound_id: int | None = None
        self._windows_since_onset = 0
        self._judge_plan: list[int] = []
        self._lock = asyncio.Lock()
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def speak(self, language: str) -> None:
        """The caller speaks another language: its words are judged, and the bot's own sentences said, in that."""
        before, after = (known_language(code).sentences.greeting for code in (self._params.language, language))
        greeting = after if self._params.greeting == before else self._params.greeting
        self._params = replace(self._params, language=language, greeting=greeting)
        self.machine.speak(language)

    # --- frames in ---------------------------------------------------------------------

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Feed the machine; pass on what others need to see."""
        await super().process_frame(frame, direction)
        match frame:
            case AudioWindowFrame():
                await self._hear(frame)
                return
            case VADUserStartedSpeakingFrame():
                await self._feed(ev.SpeechStarted())
            case VADUserStoppedSpeakingFrame():
                await self._feed(ev.SpeechEnded())
            case TranscriptFrame():
                await self.push_frame(frame, direction)
                await self._feed(ev.Words(frame.text, frame.segment, True, frame.confidence))
                return
            case InterimTranscriptFrame():
                await self.push_frame(frame, direction)
                await self._feed(ev.Words(frame.text, frame.segment, False, frame.confidence, frame.eager))
                await self._tell_words()
                return
            case EarlyTranscriptFrame():
                await self._feed(ev.EarlyWords(frame.text, frame.segment, frame.final))
                return
            case UserTextFrame():
                await self.push_frame(frame, direction)
                if frame.source == "key":
                    await self._feed(*map(ev.KeyPressed, frame.text))
                else:
                    await self._feed(ev.TextTyped(frame.text))
                return
            case CallHoldComesFrame():
                self._hold_comes = True
                return
            case CallHoldFrame():
                await self.push_frame(frame, direction)
                await (self._begin_hold() if frame.on else self._end_hold())
                self._hold_comes = False
                return
            case ClientReadyFrame():
                await self._feed(ev.ClientReady(greets=bool(self._params.greeting)))
                await self._take_up()
                if frame.returns:
                    await self.push_frame(frame, direction)
                    await self.push_frame(TurnStateFrame(self.machine.state.value, self.machine.turn_id))
                    return
            case WordHeardFrame():
                await self._feed(ev.WordHeard(frame.text, frame.question, frame.words_left))
            case ReplyPlayingFrame():
                await self._feed(ev.ReplyPlaying(frame.reply_id))
            case ReplyPlayedFrame():
                await self._feed(ev.ReplyPlayed(frame.reply_id, frame.heard, frame.error))
            case ToolsRunningFrame():
                await self._feed(ev.WaitsForTools(frame.reply_id, frame.longest_secs))
            case CallEndsSoonFrame():
                await self._feed(ev.CallEndsSoon())
                return
            case ReplyQueuedFrame():
                await self._feed(ev.WaitsInQueue(frame.reply_id, frame.wait_secs))
                return
            case ReplyEndsCallFrame():
                await self._feed(ev.EndsCall(frame.reply_id))
                return
            case GoOnFrame():
                await self._feed(ev.GoOnDecided(frame.question, frame.goes_on))
                return
            case ReplyRefusedFrame():
                await self._feed(ev.Refused(frame.reply_id, APOLOGIES.get(frame.cause, Phrase.APOLOGY)))
                return
            case ReplyCommittedFrame():
                await self._feed(ev.ReplyCommitted(frame.reply_id))
            case PlayoutStalledFrame():
                await self._feed(ev.PlayoutStalled(frame.reply_id, frame.stalled))
            case EndFrame() | CancelFrame():
                await self._feed(ev.HungUp())
            case _:
                pass
        await self.push_frame(frame, direction)

    async def _take_up(self) -> None:
        """Answer what the process before this one left open, once."""
        asked, begun = self._params.asked, self._params.begun
        self._params = replace(self._params, asked="", begun="")
        if asked:
            await self._feed(ev.TextTyped(asked))
        elif begun:
            await self._feed(ev.Words(begun, BEGUN_SEGMENT, True))

    async def _tell_words(self) -> None:
        """Pass the words so far on, if somebody reads along."""
        turn_id, text = self.machine.words_so_far
        if self._hold.on:
            return
        if self._params.tells_words and text and self.machine.state is State.USER_SPEAKING:
            await self.push_frame(UserWordsFrame(turn_id, text))

    async def process_audio(self, frame: InputAudioRawFrame, direction: FrameDirection) -> None:
        """Hear a window; it goes no further."""
        if isinstance(frame, AudioWindowFrame):
            await self._hear(frame)
        else:
            await self.process_frame(frame, direction)

    async def cleanup(self) -> None:
        """Stop the timer and what is being asked."""
        await super().cleanup()
        if self._timer is not None:
            self._timer.cancel()
        for task in list(self._tasks):
            task.cancel()

    async def _hear(self, frame: AudioWindowFrame) -> None:
        """Remember the window, notice sounds over the bot's voice, and ask the judge when it is time."""
        if self._hold.on:
            return
        self._heard.append((frame.audio, frame.speech_prob))
        if self.on_audio is not None:
            self.on_audio(frame.audio)
        change = self._gate.push(frame.speech_prob)
        if not self.machine.judges:
            if change is not None and self.machine.params.preemptive and self.machine.state is State.USER_SPEAKING:
                await self._feed(ev.SpeechPaused() if change == "stopped" else ev.SpeechResumed())
            return
        if change == "started":
            await self._feed(ev.SoundStarted())
        if self._judged_sound_id is not None:
            self._windows_since_onset += 1
            if self.machine.state is State.PAUSED:
                await self._feed(ev.SoundWindow(frame.speech_prob, _level_dbfs(frame.audio)))
            ended = change == "stopped"
            elapsed_ms = self._windows_since_onset * 1000 * WINDOW_SAMPLES // INPUT_SAMPLE_RATE_HZ
            # The window itself may have decided: then nothing is judged any more.
            due = ended or (self._judge_plan and elapsed_ms >= self._judge_plan[0])
            if due and self._judged_sound_id is not None:
                self._judge_plan = [at for at in self._judge_plan if at > elapsed_ms]
                self._ask_judge(self._clip(elapsed_ms, ended))
            if ended:
                await self._feed(ev.SoundEnded())

    # --- the machine -------------------------------------------------------------------

    async def _feed(self, *events: ev.Event) -> None:
        """One event in, all its actions out, before the next event: frames come from several tasks."""
        async with self._lock:
            for event in events:
                state = self.machine.state
                await self._follow(self._hold.handle(event, self._now()), told=state)

    async def _begin_hold(self) -> None:
        async with self._lock:
            state = self.machine.state
            await self._follow(self._hold.begin(self._now()), told=state)

    async def _end_hold(self) -> None:
        async with self._lock:
            state = self.machine.state
            await self._follow(self._hold.end(self._now()), told=state)

    async def _follow(self, actions: list[ev.Action], *, told: State) -> None:
        for action in actions:
            await self._carry_out(action)
        if self.machine.state is not told:
            await self.push_frame(TurnStateFrame(self.machine.state.value, self.machine.turn_id))
        self._arm_timer()

    def _now(self) -> float:
        return self.get_event_loop().time()

    def _arm_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        deadline = self._hold.next_deadline()
        if deadline is not None:
            self._timer = self.get_event_loop().call_at(deadline, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self._keep(self._feed(ev.Tick()))

    def _keep(self, coroutine: Awaitable[None]) -> None:
        task = asyncio.ensure_future(coroutine)
        self._tasks.add(task)  # pyright: ignore[reportArgumentType] - a coroutine makes a Task
        task.add_done_callback(self._tasks.discard)  # pyright: ignore[reportArgumentType]

    # --- actions out -------------------------------------------------------------------

    async def _carry_out(self, action: ev.Action) -> None:
        match action:
            case ev.Duck():
                await self.push_frame(PlayoutDuckFrame())
            case ev.Pause():
                await self.push_frame(PlayoutPauseFrame())
            case ev.Resume():
                await self.push_frame(PlayoutResumeFrame(step_back=self.machine.params.step_back))
            case ev.Cancel(_, unsaid):
                await self.push_frame(ReplyCutFrame(unsaid=unsaid))
            case ev.AskReply(turn_id, reply_id, text, doubted):
                await self.push_frame(UserTurnFrame(turn_id, reply_id, text, doubted=doubted))
            case ev.AskToGoOn(question, turn_id, reply_id, text):
                await self.push_frame(UserDoubtFrame(question, turn_id, reply_id, text))
            case ev.KeepTurn(turn_id, text):
                await self.push_frame(UserTurnFrame(turn_id, 0, text, wants_reply=False))
            case ev.PrepareReply(_, text) if text and self._hold_comes:
                pass  # the pause is the hold's own: the reply is asked for when the call goes on
            case ev.PrepareReply(turn_id, text):
                await self.push_frame(PreemptiveTurnFrame(turn_id, text))
            case ev.Say():
                await self.push_frame(self._say_frame(action))
            case ev.StartJudging(sound_id):
                self._judged_sound_id = sound_id
                self._windows_since_onset = 0
                self._judge_plan = list(self._params.judge_at_ms)
            case ev.StopJudging():
                self._judged_sound_id = None
            case ev.DetectEndOfTurn(probe):
                if self._detect is not None and self._heard:
                    self._keep(self._detect_end_of_turn(self._detect, self._pcm(len(self._heard)), probe))
            case ev.TurnEndedEarly(outcome):
                self._on_turn_ended_early(outcome)
            case ev.AnnounceUserStarted():
                await self.push_frame(UserStartedSpeakingFrame())
            case ev.AnnounceUserStopped():
                await self.push_frame(UserStoppedSpeakingFrame())
            case ev.Backchannel(text):
                await self.push_frame(UserBackchannelFrame(text=text, user_id="", timestamp=time_now_iso8601()))
            case ev.PublishDecision(decision):
                await self.push_frame(InterruptionDecisionFrame(decision))
            case ev.TellClient(message):
                await self.push_frame(CallErrorFrame(message))
            case ev.ShowWaiting():
                await self.push_frame(StillThinkingFrame())
            case ev.ReportFault(fault):
                logger.error("turn {}: {}", self.machine.turn_id, fault)
                self._on_fault(fault)
            case ev.HangUp():
                self._hang_up()

    def _say_frame(self, say: ev.Say) -> SayFrame:
        text = phrase_text(say.phrase, self._params.language, self._params.greeting, say.wait_secs)
        filler = say.phrase in FILLERS
        return SayFrame(say.reply_id, text, remember=not filler, only_if_idle=filler)

    # --- what was heard lately ----------------------------------------------------------

    def _pcm(self, windows: int) -> np.ndarray:
        recent = list(self._heard)[-windows:]
        return np.frombuffer(b"".join(audio for audio, _ in recent), np.int16)

    def _clip(self, elapsed_ms: int, ended: bool) -> SoundClip:
        before = round(PRE_ONSET_SECS * INPUT_SAMPLE_RATE_HZ / WINDOW_SAMPLES)
        windows = min(self._windows_since_onset + before, len(self._heard))
        probs = np.array([prob for _, prob in list(self._heard)[-windows:]], np.float32)
        assert self._judged_sound_id is not None
        return SoundClip(self._judged_sound_id, self._pcm(windows), probs, elapsed_ms, ended)

    def _ask_judge(self, clip: SoundClip) -> None:
        if self._judge is not None:
            self._keep(self._score(self._judge, clip))

    async def _score(self, judge: SoundJudge, clip: SoundClip) -> None:
        started = self._now()
        score = await judge(clip)
        if score is not None:
            cost_ms = (self._now() - started) * 1000
            await self._feed(ev.Scored(score, clip.elapsed_ms, clip.sound_id, cost_ms))

    async def _detect_end_of_turn(self, detect: TurnDetector, pcm: np.ndarray, probe: int) -> None:
        await self._feed(ev.TurnScored(await detect(pcm), probe))


def _level_dbfs(audio: bytes) -> float:
    return 10 * math.log10(mean_square(audio) / 32768**2 + 1e-10)
