"""From what was said and what was heard to the score of each request and call. Pure.

Success, times and losses come from sound at the caller alone. The bot's messages add what sound cannot tell: that a
sentence was an apology, and how long the bot itself thinks that it took.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import numpy as np

from loadtest import scoring
from loadtest.acts import REPLY_OVER_SECS, CallMade, Request
from loadtest.audio import BLOCK_SECS, Samples
from loadtest.continuity import Continuity, continuity
from loadtest.faults_scoring import signs_of
from loadtest.lowering import lowered_ms
from loadtest.phrases import APOLOGIES, is_cover, is_still_to_come
from loadtest.recording import Recording, Sound
from loadtest.scenario import Kind
from loadtest.scoring import NotMeasurable
from loadtest.speech_end import speech_end_ms

LINE_LOST_SECS: Final = 2.0
"""A line that has brought no packet for so long is dead."""

RESUME_SECS: Final = 3.0
"""A voice that is not heard again within this time after a sound has not gone on."""

TOLD_AFTER_SECS: Final = 0.06
"""The message that an answer is heard comes within so long of its first sample."""

STOP_SECS: Final = 2.0
"""A voice that stops later than this after an interruption began has not stopped for it."""


@dataclass
class RequestScore:
    """One request. Milliseconds; None where a figure does not apply or could not be measured.

    Attributes:
        caller: Number of the caller.
        number: Number of the request among the caller's.
        kind: What was done.
        asked: The question's clip.
        over: The clip said over the bot's voice.
        begun_secs: When, in seconds since the test began.
        asked_secs: When the question ended, likewise.
        ended_secs: When it was over, likewise.
        success: Whether it was answered, in time, and (for an interruption) the interruption was, too.
        told: Whether the caller was told that there is no answer.
        silent: Neither answered nor told.
        cause: Why it failed, in a word; empty if it did not.
        v2v_ms: Voice to voice: end of the question to the first sound of the answer itself; "one moment" is none.
        first_sound_ms: The same to whatever was heard first.
        answer_ms: The same as voice to voice, by the bot's message.
        response_ms: End of the question to the end of the answer, where nothing was said over it.
        longest_silence_ms: Longest time from the question's end on in which nobody was heard.
        longest_unsigned_ms: The same without a sign on the page either.
        covered: Whether "one moment", or the like, was heard before the answer.
        stop_ms: Start of the interruption to the bot's last sound.
        lowered_ms: Start of the interruption to the bot's lowered voice, where a reference tells.
        stopped: Whether the bot stopped for the interruption.
        recovery_ms: End of the interruption to the first sound of the next answer.
        recovered: Whether the bot stopped and answered the interruption.
        resumed: Whether the voice went on after a false alarm.
        gap_ms: End of the false alarm to the bot's next sound; 0 if it spoke on.
        added_silence_ms: Silence that the false alarm put into the answer, where a reference tells.
        samples_lost: Samples of speech (at 48 kHz) that the false alarm cost, where a reference tells.
        bot_ms: What the bot thinks that its answer took.
        stages_ms: The bot's own stages.
        bot_silence_ms: How long the bot thinks that it was silent for the sound.
        speech_end_ms: By how much the bot's VAD, given the same clip, puts the end of the question later.
    """

    caller: int
    number: int
    kind: str
    asked: str = ""
    over: str = ""
    begun_secs: float = 0.0
    asked_secs: float | None = None
    ended_secs: float = 0.0
    success: bool = False
    told: bool = False
    silent: bool = False
    cause: str = ""
    v2v_ms: float | None = None
    first_sound_ms: float | None = None
    answer_ms: float | None = None
    response_ms: float | None = None
    longest_silence_ms: float | None = None
    longest_unsigned_ms: float | None = None
    covered: bool = False
    stop_ms: float | None = None
    lowered_ms: float | None = None
    stopped: bool | None = None
    recovery_ms: float | None = None
    recovered: bool | None = None
    resumed: bool | None = None
    gap_ms: float | None = None
    added_silence_ms: float | None = None
    samples_lost: int | None = None
    bot_ms: int | None = None
    stages_ms: dict[str, int] = field(default_factory=dict)
    bot_silence_ms: int | None = None
    speech_end_ms: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


@dataclass
class CallScore:
    """One call.

    Attributes:
        caller: Number of the caller.
        connect_ms: From the offer to the open line.
        begun_secs: When it was connected, in seconds since the test began.
        ended_secs: When it was over, likewise.
        secs: How long it lasted.
        packets: Packets of the bot that came.
        lost: Packets that did not.
        holes: Places where the bot itself missed its time.
        late: Packets more than 60 ms late.
        late_p99_ms: Lateness that 1 % exceed.
        late_max_ms: The worst.
        slip_p99_ms: How late the caller itself was: large values make all others doubtful.
        characters_heard: Characters of replies that were played.
        characters_unheard: Characters of replies that were made and not played.
        requests: What was asked.
        timeline: Levels of the bot by 100 ms, and what was said when, for the worst calls' plot.
        waited_secs: How long the caller had waited in the queue before, because the bot was full.
        refusals: How often the caller had been told so.
    """

    caller: int
    connect_ms: float
    begun_secs: float
    ended_secs: float
    secs: float
    packets: int
    lost: int
    holes: int
    late: int
    late_p99_ms: float
    late_max_ms: float
    slip_p99_ms: float
    characters_heard: int
    characters_unheard: int
    requests: list[dict[str, Any]] = field(default_factory=list)
    timeline: dict[str, Any] = field(default_factory=dict)
    waited_secs: float = 0.0
    refusals: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def judge_request(
    request: Request,
    sound: Sound | None,
    *,
    answer_limit_secs: float,
    references: Mapping[str, Samples],
    epoch_secs: float,
) -> RequestScore:
    """Score one request.

    Args:
        request: What was done.
        sound: What its line brought; None if there was no line.
        answer_limit_secs: When an answer counts as none.
        references: Undisturbed answers by the name of their question.
        epoch_secs: Monotonic time at which the test began.
    """
    score = RequestScore(
        request.caller,
        request.number,
        request.kind.value,
        asked=request.asked_clip.name if request.asked_clip else "",
        over=request.over.name if request.over else "",
        begun_secs=round(request.begun_secs - epoch_secs, 3),
        ended_secs=round(request.ended_secs - epoch_secs, 3),
    )
    if request.phone is None or request.asked is None or request.asked.last_loud_secs is None or sound is None:
        score.cause = request.refusal or "connection_lost"
        score.told, score.silent = request.told, not request.told
        return score
    recording, asked, ended = request.phone.recording, request.asked, request.ended_secs
    asked_end = request.asked.last_loud_secs
    score.asked_secs = round(asked_end - epoch_secs, 3)
    told = _was_told(recording, asked_end, ended)
    try:
        score.v2v_ms = scoring.voice_to_voice_ms(asked, sound)
    except NotMeasurable:
        score.cause = "spoke_into_question"
    if score.v2v_ms is not None and asked_end + score.v2v_ms / 1000 > ended:
        score.v2v_ms = None  # what was heard belongs to a later request
    _add_the_bots_word(score, recording, asked_end, ended)
    score.first_sound_ms = score.v2v_ms
    if score.covered and score.v2v_ms is not None:
        score.v2v_ms = _to_the_answer_itself(score, sound, asked_end, ended)
    if score.bot_ms is not None and request.asked_clip is not None:
        score.speech_end_ms = speech_end_ms(request.asked_clip)
    if score.v2v_ms is None or score.v2v_ms > 1000 * answer_limit_secs:
        score.cause = score.cause or ("connection_lost" if _connection_lost(recording, ended) else "no_answer")
        score.told, score.silent = told, not told and score.cause != "spoke_into_question"
        _judge_silences(score, recording, sound, asked_end, ended)
        return score
    reply_end = _end_of_voice(sound, asked_end, ended)
    _judge_silences(score, recording, sound, asked_end, reply_end)
    score.success = not told
    if told:
        score.told, score.cause = True, "apologised"
    elif is_still_to_come([m for m in recording.messages if asked_end <= m.arrival_secs <= ended]):
        score.success, score.told, score.cause = False, True, "only_told_to_wait"
    if request.kind is Kind.INTERRUPTION:
        _judge_interruption(score, request, sound, references)
    elif request.kind is Kind.FALSE_ALARM:
        _judge_false_alarm(score, request, sound, references)
    else:
        score.response_ms = 1000 * (reply_end - asked_end)
    return score


def _judge_silences(score: RequestScore, recording: Recording, sound: Sound, from_secs: float, to_secs: float) -> None:
    signs = signs_of([(m.arrival_secs, m.type, m.data) for m in recording.messages])
    score.longest_silence_ms = scoring.longest_quiet_ms(sound, recording.said, from_secs, to_secs)
    score.longest_unsigned_ms = scoring.longest_quiet_ms(sound, recording.said, from_secs, to_secs, signs=signs)


def _to_the_answer_itself(score: RequestScore, sound: Sound, asked_end: float, ended: float) -> float | None:
    """From the question to the first loud sample of the answer that the bot tells of; None if there was none."""
    if score.answer_ms is None:
        return score.v2v_ms  # only its message can tell them apart
    told = asked_end + score.answer_ms / 1000 - TOLD_AFTER_SECS
    loud = sound.loud_secs
    after = loud[(loud >= told) & (loud < ended)]
    return 1000 * float(after[0] - asked_end) if len(after) else None


def _judge_interruption(score: RequestScore, request: Request, sound: Sound, references: Mapping[str, Samples]) -> None:
    over, ended = request.over, request.ended_secs
    if over is None or over.last_loud_secs is None or over.first_loud_secs is None:
        score.success, score.cause = False, score.cause or "not_interrupted"
        return
    try:
        score.stop_ms = scoring.barge_in_stop_ms(over, sound)
    except NotMeasurable:
        return  # the answer was over before: nothing to interrupt
    score.stopped = score.stop_ms is not None and score.stop_ms <= 1000 * STOP_SECS
    stop = over.first_loud_secs + (score.stop_ms or 0.0) / 1000
    reference = references.get(score.asked)
    if reference is not None and score.stopped and request.phone is not None:
        with suppress(NotMeasurable):
            score.lowered_ms = lowered_ms(request.phone.recording, reference, over.first_loud_secs, stop)
    loud = sound.loud_secs
    # The voice after the stop is the answer, even if it begins before the sound is quite over.
    after = loud[(loud > stop + BLOCK_SECS) & (loud < ended)]
    if score.stopped and len(after):
        score.recovery_ms = max(0.0, 1000 * float(after[0] - over.last_loud_secs))
    score.recovered = score.recovery_ms is not None
    if not score.recovered:
        score.success, score.silent = False, bool(score.stopped)
        score.cause = "no_answer_to_interruption" if score.stopped else "did_not_stop"


def _judge_false_alarm(score: RequestScore, request: Request, sound: Sound, references: Mapping[str, Samples]) -> None:
    over = request.over
    if over is None or over.first_loud_secs is None or over.last_loud_secs is None or request.phone is None:
        return
    try:
        score.gap_ms = scoring.false_alarm_gap_ms(over, sound)
    except NotMeasurable:
        return
    score.resumed = score.gap_ms is not None and score.gap_ms <= 1000 * RESUME_SECS
    reference = references.get(score.asked)
    found: Continuity | None = None
    if reference is not None:
        try:
            found = continuity(request.phone.recording, reference, over.first_loud_secs, over.last_loud_secs)
        except NotMeasurable:
            # It was heard again, and yet it was not the same answer that went on.
            score.resumed = False if score.resumed and _reference_was_heard(request, reference) else score.resumed
    if found is not None:
        score.added_silence_ms, score.samples_lost = found.added_silence_ms, found.samples_lost
    if not score.resumed:
        score.success, score.silent = False, score.gap_ms is None
        score.cause = score.cause or "did_not_resume"


def _reference_was_heard(request: Request, reference: Samples) -> bool:
    """Whether the answer before the sound was the one of the reference; a model may word it anew each time."""
    assert request.phone is not None
    assert request.over is not None
    first = request.over.first_loud_secs
    assert first is not None
    before = request.phone.recording.samples(first - 0.5, first)
    try:
        scoring.lost_samples(reference, before, before)
    except NotMeasurable:
        return False
    return True


def _add_the_bots_word(score: RequestScore, recording: Recording, asked_end: float, ended: float) -> None:
    for message in recording.messages:
        if not asked_end <= message.arrival_secs <= ended:
            continue
        if message.type == "bot-tts-text" and score.bot_ms is None:
            score.covered = score.covered or is_cover(str(message.data.get("text", "")))
        elif message.type == "time-to-answer" and score.bot_ms is None:
            score.answer_ms = 1000 * (message.arrival_secs - asked_end)
            score.bot_ms, score.stages_ms = int(message.data["ms"]), dict(message.data["stages"])
        elif message.type == "interruption-decision" and score.over:
            score.bot_silence_ms = message.data["decision"].get("silence_ms")


def _was_told(recording: Recording, from_secs: float, to_secs: float) -> bool:
    """Whether the caller read, or heard, that there is no answer."""
    for message in recording.messages:
        if from_secs <= message.arrival_secs <= to_secs and (
            message.type == "error"
            or (message.type == "reply-played" and str(message.data.get("heard", "")).strip() in APOLOGIES)
        ):
            return True
    return False


def _connection_lost(recording: Recording, at_secs: float) -> bool:
    # A recording without packets is one without a network.
    if not recording.packets:
        return not len(recording.sound().starts_secs)
    last = max((p.arrival_secs for p in recording.packets if p.arrival_secs <= at_secs), default=-np.inf)
    return at_secs - last > LINE_LOST_SECS


def _end_of_voice(sound: Sound, from_secs: float, to_secs: float) -> float:
    """End of the first stretch of voice from a time on that no rest of an answer's end interrupts."""
    loud = sound.loud_secs
    inside = loud[(loud >= from_secs) & (loud < to_secs)]
    if not len(inside):
        return to_secs
    rests = np.flatnonzero(np.diff(inside) >= REPLY_OVER_SECS)
    return float(inside[rests[0]] if len(rests) else inside[-1]) + BLOCK_SECS


def judge_call(call: CallMade, sound: Sound, requests: Sequence[RequestScore], epoch_secs: float) -> CallScore:
    """Score one call.

    Args:
        call: The call.
        sound: What it brought.
        requests: Scores of what was asked in it.
        epoch_secs: Monotonic time at which the test began.
    """
    recording = call.phone.recording
    delivered = scoring.delivery(recording.packets)
    played = [message.data for message in recording.messages if message.type == "reply-played"]
    slip = 1000 * np.asarray(recording.slip_secs or [0.0])
    return CallScore(
        caller=call.caller,
        connect_ms=round(call.connect_ms, 1),
        begun_secs=round(call.connected_secs - epoch_secs, 3),
        ended_secs=round(call.ended_secs - epoch_secs, 3),
        secs=round(call.ended_secs - call.connected_secs, 3),
        **{**asdict(delivered), "late_p99_ms": round(delivered.late_p99_ms, 2)},
        slip_p99_ms=round(float(np.percentile(slip, 99)), 2),
        characters_heard=sum(len(str(data.get("heard", ""))) for data in played),
        characters_unheard=sum(len(str(data.get("unheard", ""))) for data in played),
        requests=[request.as_dict() for request in requests],
        timeline=_timeline(call, sound),
        waited_secs=round(call.waited_secs, 1),
        refusals=call.refusals,
    )


def _timeline(call: CallMade, sound: Sound) -> dict[str, Any]:
    """Levels of the bot in dB by 100 ms, what was said and the bot's states; seconds of the call."""
    origin = call.connected_secs
    slots = max(1, int((call.ended_secs - origin) * 10) + 1)
    loudest = np.zeros(slots)
    places = ((sound.starts_secs - origin) * 10).astype(np.int64)
    inside = (places >= 0) & (places < slots)
    np.maximum.at(loudest, places[inside], sound.rms[inside])
    recording = call.phone.recording
    return {
        "bot_dbfs": [round(float(x)) for x in 20 * np.log10(np.maximum(loudest, 1.0) / 32_768)],
        "said": [
            [said.name, round(said.first_loud_secs - origin, 2), round(said.last_loud_secs - origin, 2)]
            for said in recording.said
            if said.first_loud_secs is not None and said.last_loud_secs is not None
        ],
        "states": [
            [round(m.arrival_secs - origin, 2), str(m.data.get("state"))]
            for m in recording.messages
            if m.type == "turn-state"
        ],
    }
