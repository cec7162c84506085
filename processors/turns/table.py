"""The transition table of the turn machine.

For each state: the events and timers that mean something there, the handler that acts, and the states that it may lead
to. The table is data: tests walk it, the diagram in the documentation is printed from it
(``python -m processors.turns.diagram``), and ``machine.py`` applies it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from processors.turns.asking import ask_after_commit, speak_unconfirmed
from processors.turns.bot_answers import (
    give_up_stalled,
    note_stall,
    reply_missing,
    reply_over,
    speak,
    words_while_thinking,
)
from processors.turns.decisions import settle_decision
from processors.turns.events import (
    CallEndsSoon,
    ClientReady,
    EarlyWords,
    Event,
    GoOnDecided,
    HungUp,
    KeyPressed,
    PlayoutStalled,
    ReplyCommitted,
    ReplyPlayed,
    ReplyPlaying,
    Scored,
    SoundEnded,
    SoundStarted,
    SoundWindow,
    SpeechEnded,
    SpeechPaused,
    SpeechStarted,
    TextTyped,
    TurnScored,
    WaitsForTools,
    WaitsInQueue,
    Words,
)
from processors.turns.floor import Floor
from processors.turns.free_floor import ask_silent_caller, close, end_call_in_time, greet, hang_up, say_farewell
from processors.turns.over_voice import (
    drained,
    escalate,
    force_verdict,
    interrupt_by_key,
    interrupt_by_text,
    judge,
    judge_again,
    judge_speech_end,
    judge_window,
    plays_under_sound,
    runs_dry,
    sound_starts,
    speech_over_voice,
    words_over_voice,
)
from processors.turns.states import State, Timer
from processors.turns.taken_back import go_on_decided, go_on_undecided, kept_over, take_back_due
from processors.turns.user_speaks import (
    ask_noisy_caller,
    bot_plays_on,
    end_endless_speech,
    end_keys,
    end_turn,
    gather_early_words,
    gather_words,
    press_key,
    rate_turn,
    speech_ends,
    speech_pauses,
    take_typed,
    user_goes_on,
    user_takes_floor,
    words_missing,
    words_without_speech,
)
from processors.turns.waiting import (
    cover_queue,
    cover_tools,
    filler_due,
    queue_after_words,
    show_waiting,
    tools_after_words,
)

E = TypeVar("E", bound=Event)

Key = type[Event] | Timer
"""What happens: an event of this type, or this timer falls due."""


@dataclass(frozen=True)
class Rule:
    """What follows in one state from one event or timer.

    Attributes:
        act: The handler: takes the floor and the event (of a timer: the floor alone), and returns the next state.
        leads_to: The states that it may return.
    """

    act: Callable[..., State]
    leads_to: frozenset[State]


RULES: Final[dict[tuple[State, Key], Rule]] = {}
"""The transition table. Events and timers that are not named for a state mean nothing there."""


def _on(state: State, event: type[E], act: Callable[[Floor, E], State], *leads_to: State) -> None:
    RULES[state, event] = Rule(act, frozenset(leads_to))


def _due(state: State, timer: Timer, act: Callable[[Floor], State], *leads_to: State) -> None:
    RULES[state, timer] = Rule(act, frozenset(leads_to))


def review(floor: Floor) -> State:
    """The next seconds have told: a cancel without words was wrong, a resume that nobody disputed was right."""
    settle_decision(floor)
    return floor.state


def hung_up(floor: Floor, _: HungUp) -> State:
    """The call is over: nothing is waited for any more."""
    return close(floor)


def farewell(floor: Floor, _: CallEndsSoon) -> State:
    """The call must end, and the floor is free to say so."""
    return say_farewell(floor)


def history_holds(floor: Floor, _: ReplyCommitted) -> State:
    """History holds what was heard before: the request that has waited is made."""
    return ask_after_commit(floor)


_L, _U, _T, _S, _P = State.LISTENING, State.USER_SPEAKING, State.THINKING, State.SPEAKING, State.PAUSED

_on(_L, ClientReady, greet, _T, _U)
_on(_L, KeyPressed, press_key, _T, _U)
_on(_L, CallEndsSoon, farewell, _T)
_due(_L, Timer.IDLE, ask_silent_caller, _T)
_due(_L, Timer.HANG_UP, hang_up, _L)
_on(_L, SpeechStarted, user_takes_floor, _U)
_on(_L, Words, words_without_speech, _L, _U)
_on(_L, TextTyped, take_typed, _T, _U)

_on(_U, SpeechStarted, user_goes_on, _U)
_on(_U, ReplyPlaying, bot_plays_on, _U)
_on(_U, ReplyPlayed, kept_over, _T, _U)
_on(_U, GoOnDecided, go_on_decided, _S, _T, _L, _U)
_due(_U, Timer.GO_ON, go_on_undecided, _T, _U)
_due(_U, Timer.IDLE, ask_noisy_caller, _T)
_due(_U, Timer.TAKE_BACK, take_back_due, _S, _T, _L, _U)
_on(_U, SpeechEnded, speech_ends, _U)
_on(_U, SpeechPaused, speech_pauses, _U)
_on(_U, Words, gather_words, _S, _T, _L, _U)
_on(_U, EarlyWords, gather_early_words, _U)
_on(_U, TurnScored, rate_turn, _U)
_on(_U, TextTyped, take_typed, _T, _U)
_on(_U, KeyPressed, press_key, _T, _U)
_due(_U, Timer.KEYS, end_keys, _S, _T, _L, _U)
_due(_U, Timer.END_OF_TURN, end_turn, _S, _T, _L, _U)
_due(_U, Timer.TRANSCRIPT, words_missing, _S, _T, _L, _U)
_due(_U, Timer.ENDLESS_SPEECH, end_endless_speech, _S, _T, _L, _U)
_due(_U, Timer.COMMIT, ask_after_commit, _T, _U)
_on(_U, ReplyCommitted, history_holds, _T, _U)

_on(_T, SoundStarted, sound_starts, _P)
_on(_T, SpeechStarted, sound_starts, _P)
_on(_T, Words, words_while_thinking, _T, _L, _U)
_on(_T, TextTyped, interrupt_by_text, _T, _U)
_on(_T, KeyPressed, interrupt_by_key, _T, _U)
_on(_T, WaitsForTools, cover_tools, _T)
_on(_T, WaitsInQueue, cover_queue, _T)
_on(_T, ReplyPlaying, speak, _S)
_on(_T, ReplyPlayed, reply_over, _L, _U)
_due(_T, Timer.SIGN, show_waiting, _T)
_due(_T, Timer.FILLER, filler_due, _T)
_due(_T, Timer.REPLY, reply_missing, _T, _L, _U)
_due(_T, Timer.CONFIRM, speak_unconfirmed, _T)

_on(_S, SoundStarted, sound_starts, _P, _S)
_on(_S, SpeechStarted, speech_over_voice, _P, _S, _U)
_on(_S, Words, words_over_voice, _S, _U)
_on(_S, Scored, judge_again, _S, _U)
_on(_S, TextTyped, interrupt_by_text, _T, _U)
_on(_S, KeyPressed, interrupt_by_key, _T, _U)
_on(_S, ReplyPlayed, reply_over, _T, _L, _U)
_on(_S, PlayoutStalled, note_stall, _S)
_on(_S, WaitsForTools, tools_after_words, _S)
_due(_S, Timer.SIGN, show_waiting, _S)
_on(_S, WaitsInQueue, queue_after_words, _S)
_due(_S, Timer.STALL, give_up_stalled, _T)

_on(_P, SoundWindow, judge_window, _P, _S, _T, _L, _U)
_on(_P, SoundEnded, judge, _P, _S, _T, _L, _U)
_on(_P, SpeechEnded, judge_speech_end, _P, _S, _T, _L, _U)
_on(_P, Scored, judge, _P, _S, _T, _L, _U)
_on(_P, Words, judge, _P, _S, _T, _L, _U)
_on(_P, TextTyped, interrupt_by_text, _T, _U)
_on(_P, KeyPressed, interrupt_by_key, _T, _U)
_on(_P, ReplyPlaying, plays_under_sound, _P)
_on(_P, ReplyPlayed, drained, _U, _P)
_on(_P, PlayoutStalled, runs_dry, _P)
_due(_P, Timer.CONFIRM, speak_unconfirmed, _P)
_due(_P, Timer.ESCALATE, escalate, _P)
_due(_P, Timer.VERDICT, force_verdict, _S, _T, _L, _U)

for _state in (_L, _U, _T, _S, _P):
    _on(_state, HungUp, hung_up, State.CLOSING)
    _due(_state, Timer.CALL_LIMIT, end_call_in_time, _T, _state)
    _due(_state, Timer.REVIEW, review, _state)
