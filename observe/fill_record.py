"""Fills a call's record from what happens in the call."""

from observe import call_events as ev
from observe.record import CallRecord


def fill(record: CallRecord, event: ev.CallEvent) -> None:
    """Tell a call's record of one event."""
    match event:
        case ev.ClientReady(at):
            record.ready(at)
        case ev.StateChanged(at, state):
            record.change_state(at, state)
        case ev.HoldChanged(at, on):
            record.hold(at, on=on)
        case ev.SpeechBegan(at):
            record.speech_began(at)
        case ev.SpeechEnded(at):
            record.speech_ended(at)
        case ev.FinalWords(at, text, segment):
            record.said_words(at, text, segment)
        case ev.TextTyped(at, text):
            record.said_words(at, text, None)
        case ev.KeysPressed(at, keys):
            record.keys_pressed(at, keys)
        case ev.TurnEnded(at, _, reply_id, _):
            record.asked(at, reply_id)
        case ev.Decided(at, decision):
            record.decided(at, decision.as_dict())
        case ev.TroubleShown(at, message):
            record.trouble(at, message)
        case ev.Interrupted(at):
            record.interrupted(at)
        case ev.FirstToken(at, _):
            record.first_token(at)
        case ev.ModelDone(at, error):
            record.model_done(at, error)
        case ev.ToolsRun(at, longest_secs):
            record.tools_run(at, longest_secs)
        case ev.PieceBegan(at, _, utterance_id, text):
            record.piece_began(at, utterance_id, text)
        case ev.FirstAudio(at, _):
            record.first_audio(at)
        case ev.PieceDone(at, error):
            record.piece_done(at, error)
        case ev.ReplyPlaying(at, reply_id):
            record.playing(at, reply_id)
        case ev.WordHeard(at, text):
            record.word_heard(at, text)
        case ev.ReplyPlayed():
            record.played(event.at, event.unheard, cut=event.cut, error=event.error)
