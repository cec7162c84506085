"""A small world for the turn machine: an LLM, a voice and a playout that obey its actions, in virtual time.

The world is as pure as the machine: it keeps a list of things that will happen and lets the earliest happen next.
A scene is a list of ``(at_ms, event)``; the world adds what follows from the machine's actions.
"""

import heapq
from dataclasses import dataclass, field

from processors.turns import events as ev
from processors.turns.machine import TurnMachine
from processors.turns.states import State, TurnParams

MAX_STEPS = 50_000
"""Steps of a scene; a machine that asks for the same deadline again and again never gets further."""


@dataclass
class Voice:
    """One reply on its way to the caller. Times are milliseconds."""

    reply_id: int
    length_ms: int
    ready_at: int
    words_ms: int = 300
    played_ms: int = 0
    started: bool = False


@dataclass
class Params:
    """How fast the world answers, in milliseconds; None means never."""

    llm_ms: int | None = 600
    reply_ms: int = 4000
    phrase_ms: int | None = 100
    phrase_length_ms: int = 1500
    commit_ms: int | None = 4
    question: bool = False
    goes_on: bool | None = False
    """What the model says when it is asked whether a reply goes on that was cut; None: nothing, ever."""


@dataclass
class World:
    """Runs a scene and remembers what happened.

    Attributes:
        log: ``(at_ms, action)`` of every action.
        sounded: Intervals ``(from_ms, to_ms, reply_id, ducked)`` in which the bot was heard.
        asked: The AskReply actions.
        completed: Ids of replies that were heard to their end.
        quiet_max_ms: The longest time in which the caller was owed something and heard nothing.
    """

    params: Params = field(default_factory=Params)
    turn_params: TurnParams = field(default_factory=TurnParams)
    log: list[tuple[int, ev.Action]] = field(default_factory=list)
    sounded: list[tuple[int, int, int, bool]] = field(default_factory=list)
    asked: list[ev.AskReply] = field(default_factory=list)
    completed: list[int] = field(default_factory=list)
    heard_ms: dict[int, int] = field(default_factory=dict)
    quiet_max_ms: int = 0

    def __post_init__(self) -> None:
        self.machine = TurnMachine(self.turn_params)
        self.now_ms = 0
        self._future: list[tuple[int, int, ev.Event]] = []
        self._count = 0
        self._voices: list[Voice] = []
        self._paused = False
        self._ducked = False
        self._speaking_user = False
        self._quiet_since: int | None = None
        self._asked_to_go_on: dict[str, int] = {}

    # --- running -----------------------------------------------------------------------

    def run(self, scene: list[tuple[int, ev.Event]], until_ms: int) -> "World":
        """Let the scene happen and time pass up to ``until_ms``."""
        for at_ms, event in scene:
            self._later(at_ms, event)
        for _ in range(MAX_STEPS):
            at_ms = self._next_ms()
            if at_ms is None or at_ms > until_ms:
                break
            self._advance(at_ms)
        else:
            raise AssertionError("time stands still")
        self._advance(until_ms)
        return self

    def _next_ms(self) -> int | None:
        times = []
        if self._future:
            times.append(self._future[0][0])
        deadline = self.machine.next_deadline()
        if deadline is not None:
            times.append(-int(-deadline * 1000 // 1))
        voice = self._voice()
        if voice is not None and not self._paused:
            if not voice.started:
                times.append(max(voice.ready_at, self.now_ms))
            else:
                times.append(self.now_ms + voice.length_ms - voice.played_ms)
        return min(times, default=None)

    def _advance(self, at_ms: int) -> None:
        at_ms = max(at_ms, self.now_ms)
        self._play(at_ms)
        self._watch_quiet(at_ms)
        self.now_ms = at_ms
        voice = self._voice()
        if voice is not None and not self._paused:
            if not voice.started and voice.ready_at <= at_ms:
                voice.started = True
                self._feed(ev.ReplyPlaying(voice.reply_id))
            elif voice.started and voice.played_ms >= voice.length_ms:
                self._voices.remove(voice)
                self.completed.append(voice.reply_id)
                self._feed(ev.ReplyPlayed(voice.reply_id, heard="words"))
        while self._future and self._future[0][0] <= at_ms:
            _, _, event = heapq.heappop(self._future)
            if isinstance(event, ev.SpeechStarted):
                self._speaking_user = True
            elif isinstance(event, ev.SpeechEnded):
                self._speaking_user = False
            self._feed(event)
        self._feed(ev.Tick())

    def _voice(self) -> Voice | None:
        ready = [voice for voice in self._voices if voice.started] or self._voices
        return min(ready, key=lambda voice: (voice.ready_at, voice.reply_id), default=None)

    def _play(self, at_ms: int) -> None:
        voice = self._voice()
        if voice is None or not voice.started or self._paused:
            return
        span = min(at_ms - self.now_ms, voice.length_ms - voice.played_ms)
        if span > 0:
            voice.played_ms += span
            self.heard_ms[voice.reply_id] = voice.played_ms
            self.sounded.append((self.now_ms, self.now_ms + span, voice.reply_id, self._ducked))

    def _watch_quiet(self, at_ms: int) -> None:
        voice = self._voice()
        sounding = voice is not None and voice.started and not self._paused
        free = self.machine.state in (State.LISTENING, State.CLOSING)
        if sounding or free or self._speaking_user:
            self._quiet_since = None
            return
        if self._quiet_since is None:
            self._quiet_since = self.now_ms
        self.quiet_max_ms = max(self.quiet_max_ms, at_ms - self._quiet_since)

    # --- obeying -----------------------------------------------------------------------

    def _later(self, at_ms: int, event: ev.Event) -> None:
        self._count += 1
        heapq.heappush(self._future, (at_ms, self._count, event))

    def _feed(self, event: ev.Event) -> None:
        for action in self.machine.handle(event, self.now_ms / 1000):
            self.log.append((self.now_ms, action))
            self._obey(action)

    def _obey(self, action: ev.Action) -> None:
        match action:
            case ev.Pause():
                self._paused = True
            case ev.Duck():
                self._ducked = True
            case ev.Resume():
                self._paused = self._ducked = False
            case ev.Cancel():
                self._cut()
            case ev.AskReply():
                self.asked.append(action)
                if self.params.llm_ms is not None:
                    since = self._asked_to_go_on.pop(action.text, self.now_ms)
                    ready_at = max(self.now_ms, since + self.params.llm_ms)
                    self._voices.append(Voice(action.reply_id, self.params.reply_ms, ready_at))
            case ev.AskToGoOn(question, _, _, text):
                self._asked_to_go_on.clear()
                if text:
                    self._asked_to_go_on[text] = self.now_ms
                if text and self.params.llm_ms is not None and self.params.goes_on is not None:
                    decided = ev.GoOnDecided(question, self.params.goes_on)
                    self._later(self.now_ms + self.params.llm_ms, decided)
            case ev.Say():
                if self.params.phrase_ms is not None:
                    self._voices.append(
                        Voice(action.reply_id, self.params.phrase_length_ms, self.now_ms + self.params.phrase_ms)
                    )
            case ev.TellClient():
                self._quiet_since = None
            case _:
                pass

    def _cut(self) -> None:
        self._paused = self._ducked = False
        for voice in self._voices:
            if voice.started and self.params.commit_ms is not None:
                at = self.now_ms + self.params.commit_ms
                self._later(at, ev.ReplyPlayed(voice.reply_id, heard="wor"))
                self._later(at, ev.ReplyCommitted(voice.reply_id))
        self._voices.clear()

    # --- asking ------------------------------------------------------------------------

    def actions(self, kind: type) -> list[tuple[int, ev.Action]]:
        """All actions of a kind with their times in milliseconds."""
        return [(at, action) for at, action in self.log if isinstance(action, kind)]

    def silent_ms(self, reply_id: int) -> int:
        """How long a reply was silent between its first and its last sound."""
        spans = [(a, b) for a, b, reply, _ in self.sounded if reply == reply_id]
        return (spans[-1][1] - spans[0][0]) - sum(b - a for a, b in spans) if spans else 0


def speech(
    start_ms: int, end_ms: int, text: str | None, *, final_ms: int | None = None, segment: int = 0
) -> list[tuple[int, ev.Event]]:
    """The events of one utterance: fast gate, VAD, windows and the final transcript (none if ``text`` is None)."""
    scene: list[tuple[int, ev.Event]] = [
        (start_ms + 32, ev.SoundStarted()),
        (start_ms + 64, ev.SpeechStarted()),
        (end_ms + 128, ev.SoundEnded()),
        (end_ms + 200, ev.SpeechEnded()),
    ]
    scene += [(at, ev.SoundWindow(0.95, -25.0)) for at in range(start_ms + 33, end_ms, 32)]
    if text is not None:
        scene.append((final_ms if final_ms is not None else end_ms + 260, ev.Words(text, segment, True, 0.9)))
    return scene
