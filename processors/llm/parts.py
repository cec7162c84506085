"""A long reply is offered in parts: what of it is said now, and where the bot asks whether to go on. Pure."""

from typing import Final

from processors.tts.sentences import PieceCutter

FREE_CHARS: Final = 160
"""So much passes as it comes; from then on whole sentences only, since the reply may be cut in the middle of one. By
then the voice is some ten seconds behind."""

_ENDS: Final = ".!?…。！？।॥؟"


class ReplyParts:
    """The first part of one reply.

    Use: pass all text through :meth:`feed`; stop the model when the part is :attr:`full`; at the end :meth:`finish`.

    Args:
        max_chars: Longest part; 0: no limit.
        code: Language code of the text.
    """

    def __init__(self, max_chars: int, code: str = "en") -> None:
        self._max_chars = max_chars
        self._cutter = PieceCutter(code, first_clause=False)
        self._passed = ""
        self._free = True
        self.full = False

    def feed(self, text: str) -> str:
        """Take some text; what of it may be said now."""
        if self.full:
            return ""
        self._free = self._free and len(self._passed) + len(text) <= FREE_CHARS
        if not self._max_chars or self._free:
            self._passed += text
            return text
        said = ""
        for piece in self._cutter.push(text):
            if len(self._passed) + len(piece) > self._max_chars:
                self.full = True
                break
            self._passed += piece
            said += piece
        return said

    def finish(self, *, cut: bool) -> str:
        """The stream is over: what is still to be said.

        Args:
            cut: Whether it ended at the model's limit: then what is left is no whole sentence.
        """
        if self.full:
            return ""
        rest = "".join(self._cutter.flush())
        if rest.strip() and len(self._passed) + len(rest) > self._max_chars > 0:
            self.full = True
            return ""
        if cut and self._passed.strip() and rest.rstrip()[-1:] not in _ENDS:
            return ""
        self._passed += rest
        return rest

    def question(self, words: str) -> str:
        """The question, joined to what was said.

        Args:
            words: "Shall I go on?" in the caller's language.
        """
        said = self._passed.rstrip()
        mark = "" if not said or said[-1] in _ENDS else "…"
        return f"{mark}{'' if self._passed[-1:].isspace() and not mark else ' '}{words}"
