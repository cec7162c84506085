"""The pipeline's mouth: plays what the TTS makes, pauses and resumes it to the sample, and tells what was really heard.

:class:`PlayoutOutput` feeds the pure :class:`~transports.playout.PlayoutEngine` and releases words, starts and ends
when their sample leaves, not when it was made. The transport's track pulls from it at the pace of RTP.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from pipecat.frames.frames import CancelFrame, EndFrame, Frame, InterruptionFrame, StartFrame
from pipecat.processors.frame_processor import FrameDirection

from audio.pcm import mean_square
from contracts.frames import (
    OUTPUT_SAMPLE_RATE_HZ,
    CallHoldFrame,
    PlayoutDuckFrame,
    PlayoutPauseFrame,
    PlayoutResumeFrame,
    PlayoutStalledFrame,
    ReplyCutFrame,
    ReplyEndFrame,
    ReplyPlayedFrame,
    ReplyPlayingFrame,
    ReplyStartFrame,
    UtteranceAudioFrame,
    UtteranceEndFrame,
    UtteranceStartFrame,
    WordHeardFrame,
    WordTimesFrame,
)
from contracts.overtaking import OvertakingInterruptions
from processors.audio_filter.played import PlayedAudio
from transports import rtvi
from transports.far_end import FarEnd
from transports.heard_words import Pace, word_starts
from transports.playout import PlayoutEngine
from transports.tap import CallTap

STALL_SECS: Final = 0.5
"""An unfinished reply with nothing to play for this long has stalled."""

AUDIBLE_RMS: Final = 300.0
"""Level (of 32768) from which a reply that ran dry counts as heard again: -41 dBFS."""

LOOK_BACK_PULLS: Final = 250
"""For so many pulls it is known what was played when: 5 s, more than it takes to find out that a line is gone."""

END_GRACE_SECS: Final = 2.0
"""How much longer than its audio lasts the end of a call waits for a reply to be heard."""


@dataclass(eq=False)
class _Utterance:
    reply: "_Reply"
    utterance_id: int
    text: str
    base: int
    words: deque[tuple[int, str]] = field(default_factory=deque)
    """Words (position, text) whose sample has not been pushed yet."""

    told: list[tuple[float, str]] = field(default_factory=list)
    """Words that the TTS has given: start in seconds, text."""

    words_heard: int = 0
    heard: str = ""

    @property
    def unheard(self) -> str:
        """What of the text has not sounded: the words, joined, are the text."""
        return self.text[len(self.heard) :]


@dataclass(eq=False)
class _Reply:
    reply_id: int
    remember: bool
    has_audio: bool = False
    playing: bool = False
    ended: bool = False
    over: bool = False
    error: str | None = None
    utterances: list[_Utterance] = field(default_factory=list)
    silent: list[_Utterance] = field(default_factory=list)
    """Texts without sound before the first that has one."""


@dataclass(frozen=True)
class _Begins:
    reply: _Reply


@dataclass(frozen=True)
class _WordSounds:
    utterance: _Utterance
    position: int
    text: str


@dataclass(frozen=True)
class _Ends:
    reply: _Reply


class PlayoutOutput(OvertakingInterruptions):
    """The last node before the context: what passes here is what the person hears.

    Args:
        send_message: Sends the client a message; see :mod:`transports.rtvi`.
        engine: The playout; 24 kHz mono.
    """

    def __init__(self, send_message: Callable[[dict[str, Any]], None], engine: PlayoutEngine | None = None) -> None:
        super().__init__(name="output")
        self._send = send_message
        self._engine = engine or PlayoutEngine(sample_rate_hz=OUTPUT_SAMPLE_RATE_HZ)
        self._replies: dict[int, _Reply] = {}
        self._utterances: dict[int, _Utterance] = {}
        self._pace = Pace()
        self._open: _Reply | None = None
        self._last_word_position: int | None = None
        self._dry_samples = 0
        self._stalled = False
        self._pulled = 0
        self._pulls: deque[tuple[int, int]] = deque(maxlen=LOOK_BACK_PULLS)
        """Samples pulled in all, silence included, and the engine's position then."""
        self._on_hold = False
        self._connection_is_down = False
        self._due: deque[object] = deque()
        self._due_came = asyncio.Event()
        self._telling = asyncio.Lock()
        self._teller: asyncio.Task[None] | None = None
        self._all_played = asyncio.Event()
        self._all_played.set()
        self.far_end: FarEnd | None = None
        """Who plays from a buffer of its own what is pulled; None: what is pulled is heard."""
        self.on_audio: Callable[[bytes], None] | None = None
        """Given all that is played: 24 kHz mono 16-bit PCM."""
        self.tap: CallTap | None = None
        """Told what leaves."""
        self.played = PlayedAudio()
        """What was played lately, for the audio filter."""

    # --- the track's side ------------------------------------------------------------------

    def pull(self, samples: int) -> bytes:
        """The next samples for the track: 24 kHz 16-bit mono PCM, silence where there is nothing to say."""
        self._pulls.append((self._pulled, self._engine.played))
        self._pulled += samples
        pcm = self._engine.pull(samples)
        self._note_due()
        if self._open is not None:
            self._watch_for_stall(pcm)
        self.played.push(pcm)
        if self.on_audio is not None:
            self.on_audio(pcm)
        if self.tap is not None:
            self.tap.pulled(pcm)
        return pcm

    @property
    def sounds(self) -> bool:
        """Whether there was something of a reply in what was pulled last."""
        return self._engine.last_content[1] > 0

    def has(self, samples: int) -> bool:
        """Whether so many samples are there, so that they could be pulled ahead of their time."""
        return not self._engine.paused and not self._engine.ducked and self._engine.pending >= samples

    def connection_lost(self, unheard_secs: float) -> None:
        """Nothing comes through: keep back what would not be heard.

        Parameters:
            unheard_secs: How long that has been so; what was played since then is played again.
        """
        if self.tap is not None:
            self.tap.line(unheard_secs)
        self._connection_is_down = True
        self._engine.hold(self._played_in_last(unheard_secs))

    def connection_back(self) -> None:
        """Go on, unless the call is on hold as well; does nothing while the line is up."""
        if self._connection_is_down:
            if self.tap is not None:
                self.tap.line(None)
            self._connection_is_down = False
            if not self._on_hold:
                self._engine.end_hold()

    def _played_in_last(self, secs: float) -> int:
        """Samples of content that were played in the last so many seconds, those played again counted once."""
        since = self._pulled - round(secs * OUTPUT_SAMPLE_RATE_HZ)
        played = self._engine.played
        position = next((position for pulled, position in self._pulls if pulled >= since), played)
        return max(0, played - position)

    def _heard_position(self) -> int:
        """Position of the next sample to be heard."""
        after = self._engine.played
        if self.far_end is None:
            return after
        heard = self._pulled - self.far_end.unplayed()
        for pulled, position in reversed(self._pulls):
            if pulled <= heard:
                return min(after, position + heard - pulled)
            after = position
        return after

    def _note_due(self) -> None:
        due = self._engine.take_due(self._heard_position())
        for item in due:
            self._note(item)
        if due:
            self._due_came.set()

    def _note(self, item: object) -> None:
        """Book what was heard at once, so that a cut in the next instant tells it right; frames follow."""
        match item:
            case _Begins(reply) if not reply.over:
                reply.playing = True
            case _WordSounds(utterance, position, text) if not utterance.reply.over:
                utterance.heard += text
                utterance.words_heard += 1
                self._last_word_position = position
            case _Ends(reply) if not reply.over:
                self._last_word_position = None
                self._forget(reply)
            case _:
                return
        self._due.append(item)

    def _watch_for_stall(self, pcm: bytes) -> None:
        reply = self._open
        assert reply is not None
        if self._engine.paused or not reply.playing:
            return
        # A voice that drips may send a pause of its speech; the caller hears no end of the silence.
        if self._engine.last_content[1] and (not self._dry_samples or mean_square(pcm) >= AUDIBLE_RMS**2):
            self._dry_samples = 0
            if self._stalled:
                self._stalled = False
                self._due.append(PlayoutStalledFrame(reply.reply_id, False))
                self._due_came.set()
            return
        self._dry_samples += len(pcm) // 2
        if not self._stalled and self._dry_samples >= STALL_SECS * OUTPUT_SAMPLE_RATE_HZ:
            self._stalled = True
            self._due.append(PlayoutStalledFrame(reply.reply_id, True))
            self._due_came.set()

    # --- the pipeline's side ---------------------------------------------------------------

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Take what is to be played; obey pause, resume and cancel; tell the client what passes."""
        await super().process_frame(frame, direction)
        if direction is FrameDirection.UPSTREAM:
            await self.push_frame(frame, direction)
            return
        match frame:
            case StartFrame():
                self._teller = self.create_task(self._tell_for_ever())
            case ReplyStartFrame() | UtteranceStartFrame() | UtteranceAudioFrame() | WordTimesFrame():
                if not self.overtaken:
                    self._take(frame)
                return
            case UtteranceEndFrame() | ReplyEndFrame():
                if not self.overtaken:
                    self._take(frame)
                return
            case PlayoutDuckFrame():
                self._engine.duck()
                return
            case PlayoutPauseFrame():
                self._engine.pause()
                return
            case PlayoutResumeFrame():
                self._engine.resume(step_back_to=self._last_word_position if frame.step_back else None)
                self._engine.unduck()
                return
            case CallHoldFrame():
                self._hold(frame)
            case InterruptionFrame():
                await self._cut(nothing_said=isinstance(frame, ReplyCutFrame) and frame.unsaid)
            case EndFrame():
                await self._play_out()
            case CancelFrame():
                self._cancel_replies()
            case _:
                pass
        for message in rtvi.messages(frame):
            self._send(message)
        await self.push_frame(frame, direction)

    async def cleanup(self) -> None:
        """Stop telling."""
        await super().cleanup()
        if self._teller is not None:
            await self.cancel_task(self._teller)
            self._teller = None

    def _take(self, frame: Frame) -> None:
        match frame:
            case ReplyStartFrame():
                self._open = _Reply(frame.reply_id, frame.remember)
                self._replies[frame.reply_id] = self._open
                self._all_played.clear()
                self._dry_samples = 0
                self._stalled = False
            case UtteranceStartFrame():
                reply = self._replies.get(frame.reply_id)
                if reply is not None and not reply.ended:
                    utterance = _Utterance(reply, frame.utterance_id, frame.text, self._engine.pushed)
                    reply.utterances.append(utterance)
                    self._utterances[frame.utterance_id] = utterance
            case UtteranceAudioFrame():
                utterance = self._utterances.get(frame.utterance_id)
                if utterance is not None:
                    self._push(utterance, frame.audio)
            case WordTimesFrame():
                utterance = self._utterances.get(frame.utterance_id)
                if utterance is not None:
                    self._add_words(utterance, [(word.start_secs, word.text) for word in frame.words])
            case UtteranceEndFrame():
                utterance = self._utterances.pop(frame.utterance_id, None)
                if utterance is not None:
                    self._end_utterance(utterance, frame.error)
            case ReplyEndFrame():
                reply = self._replies.get(frame.reply_id)
                if reply is not None and not reply.ended:
                    self._end_reply(reply, frame.error)
            case _:
                raise AssertionError(f"{frame} is nothing to play")

    def _push(self, utterance: _Utterance, pcm: bytes) -> None:
        reply = utterance.reply
        if pcm and not reply.has_audio:
            reply.has_audio = True
            self._engine.mark_start()
            self._engine.mark(self._engine.pushed, _Begins(reply))
            for silent in reply.silent:
                self._engine.mark(self._engine.pushed, _WordSounds(silent, self._engine.pushed, silent.text))
            reply.silent.clear()
        self._engine.push(pcm)
        self._mark_words(utterance)

    def _add_words(self, utterance: _Utterance, words: list[tuple[float, str]]) -> None:
        for start_secs, text in words:
            position = utterance.base + round(start_secs * OUTPUT_SAMPLE_RATE_HZ)
            utterance.words.append((position, text))
        utterance.told += words
        self._mark_words(utterance)

    def _mark_words(self, utterance: _Utterance) -> None:
        """Mark the words whose sample is there; the others wait, for it may never come."""
        while utterance.words and utterance.words[0][0] < self._engine.pushed:
            position, text = utterance.words.popleft()
            self._engine.mark(position, _WordSounds(utterance, position, text))

    def _end_utterance(self, utterance: _Utterance, error: str | None) -> None:
        pushed = self._engine.pushed
        length_secs = (pushed - utterance.base) / OUTPUT_SAMPLE_RATE_HZ
        if error is not None:
            utterance.reply.error = utterance.reply.error or error
            sounding = [word for word in self._word_starts(utterance) if word[0] < length_secs]
            self._add_words(utterance, sounding[len(utterance.told) :])
            return
        if pushed > utterance.base:
            starts = self._word_starts(utterance, whole=True)
            self._add_words(utterance, starts[len(utterance.told) :])
            self._pace.learn(utterance.text, length_secs)
        if pushed == utterance.base:
            # A text without sound (an emoji): it counts as said when its place is reached, if anything is heard at all.
            if utterance.reply.has_audio:
                self._engine.mark_tail(_WordSounds(utterance, pushed, utterance.text))
            else:
                utterance.reply.silent.append(utterance)
        for _, text in utterance.words:
            # A time beyond the audio's end is a vendor's slip: the word was spoken all the same.
            self._engine.mark(max(utterance.base, pushed - 1), _WordSounds(utterance, pushed - 1, text))
        utterance.words.clear()

    def _word_starts(self, utterance: _Utterance, *, whole: bool = False) -> list[tuple[float, str]]:
        length_secs = (self._engine.pushed - utterance.base) / OUTPUT_SAMPLE_RATE_HZ
        return word_starts(
            utterance.text, utterance.told, pushed_secs=length_secs, whole=whole, pace_secs=self._pace.secs
        )

    def _note_cut(self, utterance: _Utterance) -> None:
        """Words that have begun by the samples that left, whatever is known of their times by now."""
        if utterance.utterance_id not in self._utterances:
            return  # all its words have their places
        played_secs = (self._heard_position() - utterance.base) / OUTPUT_SAMPLE_RATE_HZ
        begun = "".join(word for start, word in self._word_starts(utterance) if start < played_secs)
        if len(begun) > len(utterance.heard):
            utterance.heard = begun

    def _end_reply(self, reply: _Reply, error: str | None) -> None:
        reply.ended = True
        reply.error = error or reply.error
        if self._open is reply:
            self._open = None
            if self._stalled:  # all that it was waited for is there
                self._stalled = False
                self._due.append(PlayoutStalledFrame(reply.reply_id, False))
                self._due_came.set()
        self._engine.mark_tail(_Ends(reply))
        if not self._engine.pending:
            self._note_due()

    def _hold(self, frame: CallHoldFrame) -> None:
        self._on_hold = frame.on
        if frame.on:
            self._engine.hold(self._played_in_last(frame.unheard_secs))
        elif not self._connection_is_down:
            self._engine.end_hold()

    def _forget(self, reply: _Reply) -> None:
        reply.over = True
        self._replies.pop(reply.reply_id, None)
        if not self._replies:
            self._all_played.set()

    # --- telling what was heard ------------------------------------------------------------

    async def _tell_for_ever(self) -> None:
        while True:
            await self._due_came.wait()
            self._due_came.clear()
            await self._tell()

    async def _tell(self) -> None:
        async with self._telling:
            while self._due:
                await self._tell_one(self._due.popleft())

    async def _tell_one(self, item: object) -> None:
        match item:
            case _Begins(reply):
                await self._announce(ReplyPlayingFrame, reply_id=reply.reply_id)
            case _WordSounds(utterance, _, text):
                question = utterance.text.rstrip().endswith(("?", "？"))
                left = max(0, len(utterance.text.split()) - utterance.words_heard)
                await self._announce(
                    WordHeardFrame, reply_id=utterance.reply.reply_id, text=text, question=question, words_left=left
                )
                if utterance.words_heard == 1:
                    self._send(rtvi.utterance_heard(utterance.text))
            case _Ends(reply):
                await self._announce_played(reply, cut=False)
            case PlayoutStalledFrame():
                await self.push_frame(item, FrameDirection.UPSTREAM)
            case _:
                raise AssertionError(f"{item} is nothing to tell")

    async def _announce(self, frame_type: type[Frame], **fields: Any) -> None:
        for message in rtvi.messages(frame_type(**fields)):
            self._send(message)
        await self.broadcast_frame(frame_type, **fields)

    async def _announce_played(self, reply: _Reply, *, cut: bool) -> None:
        await self._announce(
            ReplyPlayedFrame,
            reply_id=reply.reply_id,
            heard="".join(utterance.heard for utterance in reply.utterances),
            unheard="".join(utterance.unheard for utterance in reply.utterances),
            cut=cut,
            error=reply.error,
            remember=reply.remember,
        )

    # --- ends ------------------------------------------------------------------------------

    async def _cut(self, *, nothing_said: bool) -> None:
        """An interruption: silence at the next packet, and the heard words committed before anybody goes on.

        Args:
            nothing_said: Whether so little sounded that it does not count as heard.
        """
        cut = self._cancel_replies()
        await self._tell()
        if nothing_said:
            for utterance in (utterance for reply in cut for utterance in reply.utterances):
                utterance.heard = ""
        for reply in cut:
            await self._announce_played(reply, cut=True)

    def _cancel_replies(self) -> list[_Reply]:
        self._note_due()  # a far end may have come on since the last pull
        cut = list(self._replies.values())
        for utterance in (utterance for reply in cut for utterance in reply.utterances):
            self._note_cut(utterance)
        self._engine.cancel(fade=self.far_end is None)
        if self.far_end is not None:
            self.far_end.clear()
            self._pulls.clear()
        for reply in cut:
            self._forget(reply)
        self._utterances.clear()
        self._open = None
        self._last_word_position = None
        self._stalled = False
        return cut

    async def _play_out(self) -> None:
        """The call ends: what has been said is still heard."""
        last_secs = self._engine.pending / OUTPUT_SAMPLE_RATE_HZ + END_GRACE_SECS
        try:
            async with asyncio.timeout(last_secs):
                await self._all_played.wait()
        except TimeoutError:
            self._cancel_replies()
        await self._tell()
