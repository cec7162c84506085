"""How long to wait after speech has ended until the turn is over. Pure.

Two opinions are weighed: the words (:mod:`processors.turns.completeness`) and the sound
(:mod:`processors.turns.smart_turn`), and silence has the last word. A wait that is too short costs little here, since a
caller who goes on before the reply is heard extends the same turn; one that is too long is felt in every turn.
"""

from dataclasses import dataclass

from processors.turns.completeness import Completeness, completeness, ends_in_figures


@dataclass(frozen=True)
class EndpointParams:
    """Waits, counted from the VAD's end of speech, in milliseconds.

    Attributes:
        complete_ms: When words and sound are complete.
        unclear_ms: When they disagree, or one is in doubt.
        sure_ms: When the words are in doubt and the sound is beyond it.
        unfinished_ms: When the words want more.
        dictated_ms: When a number or a name is being dictated and is not all: no limit of silence but this.
        voiceless_ms: At least, after the last words of a voice that the VAD did not notice.
        vad_stop_ms: Silence that the VAD has already waited for.
        silence_limit_ms: The longest silence within a turn, the VAD's included.
        sounds_complete: Probability from which the sound counts as complete.
        sounds_open: Probability below which it counts as going on, however complete the words are.
        sounds_sure: Probability from which it decides where the words are in doubt; above 1: never.
        language: Language code of the words.
    """

    complete_ms: int = 0
    unclear_ms: int = 500
    sure_ms: int = 100
    unfinished_ms: int = 1600
    dictated_ms: int = 2300
    voiceless_ms: int = 700
    vad_stop_ms: int = 200
    silence_limit_ms: int = 2000
    sounds_complete: float = 0.5
    sounds_open: float = 0.1
    sounds_sure: float = 0.9
    language: str = "en"


def wait_ms(text: str, p_complete: float | None, params: EndpointParams, asked: str = "") -> int:
    """How long the silence must go on after the VAD's end of speech.

    Args:
        text: All words of the turn; empty: nothing was said, so there is nothing to wait for.
        p_complete: The turn detector's probability (0 to 1) that the speech is complete; None: it was not asked.
        params: The waits.
        asked: What the bot said last.
    """
    if not text.strip():
        return params.complete_ms
    sound = 1.0 if p_complete is None else p_complete
    match completeness(text, params.language, asked):
        case Completeness.DICTATED:
            return params.dictated_ms
        case Completeness.FINISHED:
            wait = params.complete_ms
        case Completeness.UNFINISHED:
            wait = params.unfinished_ms
        case Completeness.DOUBTFUL:
            wait = _in_doubt_ms(text, p_complete, params)
        case Completeness.OPEN:
            wait = params.complete_ms if sound >= params.sounds_complete else params.unclear_ms
    return max(0, min(wait, params.silence_limit_ms - params.vad_stop_ms))


def _in_doubt_ms(text: str, p_complete: float | None, params: EndpointParams) -> int:
    """The wait after words that may go on: the sound decides, if it is sure. Of a dictated number it knows nothing."""
    if p_complete is None:
        return params.unclear_ms
    if p_complete < params.sounds_open:
        return params.unfinished_ms
    sure = p_complete >= params.sounds_sure and not ends_in_figures(text, params.language)
    return params.sure_ms if sure else params.unclear_ms
