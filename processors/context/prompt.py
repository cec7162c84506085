"""What the language model is told before every conversation: who it is, from a file, and how a voice bot behaves."""

from pathlib import Path

from languages.catalogue import language
from settings import ROOT, Settings, SettingsError

PROMPTS = ROOT / "prompts"
"""Where personas are found by name."""

VOICE_RULES = (
    "Your words are spoken aloud: answer in one or two short plain sentences, without lists, markup, code or emoji. "
    "A part of your reply that ends in …[interrupted] was cut off by the caller, who did not hear the rest. "
    "If you are asked to go on with a long reply, go on where it stopped."
)
"""Every persona is told this; its file need not."""

WITH_TOOLS = (
    "Use the tools for everything that they can find out or do; never guess what a tool could tell you, and never say "
    "that something is done unless a tool's result says so. What a result says in error or as not done, tell the "
    "caller in your own words. If a result came later and the caller has not been told, tell it first."
)
WITHOUT_TOOLS = "You cannot look anything up, see accounts or do anything but talk: say so when you are asked to."


def system_prompt(settings: Settings, *, with_tools: bool = False) -> str:
    """The persona that the settings name, and the rules.

    Args:
        settings: ``prompt`` is the name of a file in ``prompts/``, or a path.
        with_tools: Whether the model has tools.

    Raises:
        SettingsError: The file cannot be read, or is empty.
    """
    path = _path(settings.prompt)
    try:
        persona = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        known = ", ".join(sorted(found.stem for found in PROMPTS.glob("*.md")))
        raise SettingsError(
            f"PROMPT: {path} cannot be read ({error}); it may be: a name in prompts/ ({known}), or a text file"
        ) from None
    if not persona:
        raise SettingsError(f"PROMPT: {path} is empty; it may be: a text file that says who the bot is")
    rules = [VOICE_RULES, WITH_TOOLS if with_tools else WITHOUT_TOOLS]
    if len(settings.languages) > 1:
        return "\n\n".join([persona, *rules])  # each prompt's end says which language it is
    name = language(settings.language).name
    rules.append(f"If the caller speaks another language, say in one sentence that you can help in {name} only.")
    if settings.language != "en":
        rules.append(f"Always answer in {language(settings.language).name}, whatever language this text is in.")
    return "\n\n".join([persona, *rules])


def _path(name: str) -> Path:
    by_name = PROMPTS / f"{name}.md"
    return by_name if Path(name).name == name and by_name.is_file() else Path(name)
