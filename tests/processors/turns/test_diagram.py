"""The documentation shows the table that runs."""

from processors.turns.diagram import DOCUMENT, document


def test_the_document_is_printed_from_the_table() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == document(), "run: python -m processors.turns.diagram"
