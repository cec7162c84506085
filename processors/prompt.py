"""What the language model is told before every conversation."""

from pathlib import Path

from settings import Settings, SettingsError

DEFAULT_PROMPT = (
    "You answer the phone of a bank's help line. Your words are spoken aloud: answer in one or two short plain "
    "sentences, without lists, markup, code or emoji. "
    "You know: branches open Monday to Friday, nine to five; the phone line is open day and night; a lost card is "
    "blocked at once on this line; statements are sent by e-mail on request. "
    "You cannot see accounts here: never invent a balance, a payment or a name. If you do not know something, say so. "
    "A part of your reply that ends in …[interrupted] was cut off by the caller, who did not hear the rest."
)


def system_prompt(settings: Settings) -> str:
    """The prompt of the settings' file, or the built-in one.

    Raises:
        SettingsError: The file cannot be read, or is empty.
    """
    path: Path | None = settings.system_prompt_file
    if path is None:
        return DEFAULT_PROMPT
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"SYSTEM_PROMPT_FILE: {path} cannot be read ({error}); set it to a text file") from None
    if not text:
        raise SettingsError(f"SYSTEM_PROMPT_FILE: {path} is empty; it may be: a text file with the system prompt")
    return text
