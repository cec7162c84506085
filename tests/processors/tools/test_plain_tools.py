"""Time, arithmetic, knowledge; and that tools are found by themselves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors import tools as tools_package
from processors.tools.base import Shared, ToolError
from processors.tools.calculate import calculate, evaluate, plain
from processors.tools.catalogue import choose, find_tools
from processors.tools.current_time import current_time
from processors.tools.knowledge import passages_of
from processors.tools.search_knowledge import search_knowledge
from settings import Settings, SettingsError
from tests.processors.tools.conftest import Caller

# --- time ------------------------------------------------------------------------------------


async def test_the_time_here_and_elsewhere(ask):
    assert await ask(current_time) == "It is Wednesday, 25 November 2026, 15:07 (UTC+01:00)."
    assert await ask(current_time, timezone="Asia/Tokyo") == "It is Wednesday, 25 November 2026, 23:07 (UTC+09:00)."
    for nowhere in ("Mars/Olympus", "../etc/passwd", "/"):
        with pytest.raises(ToolError, match="there is no time zone"):
            await ask(current_time, timezone=nowhere)


# --- arithmetic ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("2+3*4", "14"),
        ("(2+3)*4", "20"),
        ("0.1+0.2", "0.3"),
        ("17/100*240", "40.8"),
        ("1,240 - 1,299.50", "-59.5"),
        ("2^10", "1024"),
        ("-7 // 2", "-4"),
        ("-7 % 3", "2"),
        ("5300*(1+2.4/100)**3", "5690.8316672"),
        ("round(2/3, 2)", "0.67"),
        ("max(3, 4) + min(1, 2) + abs(-5) + sqrt(16)", "14"),
        ("1e30", "1" + "0" * 30),
        ("10 - 10", "0"),
        ("0 * -1", "0"),
        ("1/3", "0.3333333333"),
    ],
)
async def test_sums(ask, expression, value):
    assert await ask(calculate, expression=expression) == f"{expression} = {value}"


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("1/0", "that has no result"),
        ("sqrt(-1)", "that has no result"),
        ("max()", "that has no result"),
        ("round(1, 2, 3)", "that has no result"),
        ("2**101", "an exponent may be 100 at most"),
        ("9**99", "too large"),
        ("10**99**99", "exponent|too large"),
        ("round(1.5, 99999999)", "that has no result"),
        ("__import__('os').system('true')", "only numbers"),
        ("().__class__", "only numbers"),
        ("'a' * 9", "only numbers"),
        ("1 if 2 else 3", "only numbers"),
        ("True + 1", "only numbers"),
        ("1j * 2", "only numbers"),
        ("x", "only numbers"),
        ("open(1)", "only numbers"),
        ("1 +", "no arithmetic"),
        ("", "no arithmetic"),
        ("1\0", "no arithmetic|no result"),
        ("(" * 100 + "1" + ")" * 99, "no arithmetic"),
        ("-" * 199 + "1", ""),
    ],
)
def test_what_is_no_sum(expression, says):
    if not says:
        assert plain(evaluate(expression)) == "-1"
        return
    with pytest.raises(ToolError, match=says):
        evaluate(expression)


@given(st.text(alphabet="0123456789+-*/%.(), ^eabsmxround", max_size=40))
def test_any_text_has_a_value_or_an_error_in_words(text):
    try:
        value = plain(evaluate(text))
    except ToolError:
        return
    assert value.lstrip("-").replace(".", "", 1).isdigit()


async def test_a_very_long_sum_is_refused(ask):
    with pytest.raises(ToolError, match="at most 200 characters"):
        await ask(calculate, expression="1+" * 200 + "1")


# --- knowledge -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "found"),
    [
        ("When are you open on Saturdays?", "on Saturdays from nine to one"),
        ("fee for cash abroad", "Cash from machines of other banks costs 4 dollars"),
        ("what interest does the savings account pay", "2.4 percent"),
        ("my card was stolen!", "blocked at once"),
        ("home loans' rates", "4.2 percent"),
        ('"quoted" OR NEAR( lost AND *', "blocked at once"),
    ],
)
async def test_the_sample_files_answer(ask, question, found):
    assert found in " ".join((await ask(search_knowledge, question=question)).split())


@pytest.mark.parametrize("question", ["", "what is it about?", "xyzzy", "'; DROP TABLE passages; --", "…"])
async def test_what_is_not_there_is_not_made_up(ask, question):
    assert await ask(search_knowledge, question=question) == "Nothing is known about that. Say so."


async def test_a_changed_folder_is_read_again(tmp_path):
    caller = Caller(Shared(Settings(_env_file=None, knowledge_folder=tmp_path)))
    assert "Nothing" in await caller(search_knowledge, question="parrots")
    (tmp_path / "birds.md").write_text("Parrots are not allowed.")
    assert await caller(search_knowledge, question="parrot") == "[birds] Parrots are not allowed."
    (tmp_path / "birds.md").write_bytes(b"\xff\xfe")
    with pytest.raises(ToolError, match="the knowledge cannot be read"):
        await caller(search_knowledge, question="parrot")


def test_files_are_cut_at_headings_and_long_sections_at_paragraphs():
    found = passages_of("my-file", "Before.\n# Title\n## One\nText of one.\n\n" + "x" * 699 + "\n\nend\n## Two ##\n\n")
    assert [(passage.title, len(passage.text)) for passage in found] == [
        ("my file", 7),
        ("Title: One", 12),
        ("Title: One", 699),
        ("Title: One", 3),
    ]


# --- finding tools ---------------------------------------------------------------------------

SHIPPED = [
    "book_appointment",
    "calculate",
    "check_balance",
    "current_time",
    "email_statement",
    "end_call",
    "recent_transactions",
    "search_knowledge",
    "transfer_to_person",
]


def test_all_shipped_tools_are_found_and_effects_ask_first():
    found = find_tools()
    assert list(found) == SHIPPED
    assert [name for name, tool in found.items() if tool.effect] == [
        "book_appointment",
        "email_statement",
        "transfer_to_person",
    ]
    assert [name for name, tool in found.items() if tool.confirm] == ["book_appointment", "email_statement"]


def test_one_more_file_is_one_more_tool(tmp_path, monkeypatch):
    (tmp_path / "greet_politely.py").write_text(
        "from processors.tools.declare import tool\n\n\n"
        '@tool()\nasync def greet(name: str) -> str:\n    """Greet."""\n    return f"Hello {name}"\n'
    )
    monkeypatch.setattr(tools_package, "__path__", [*tools_package.__path__, str(tmp_path)])
    assert list(find_tools()) == sorted([*SHIPPED, "greet"])
    (tmp_path / "greet_again.py").write_text((tmp_path / "greet_politely.py").read_text())
    with pytest.raises(SettingsError, match="^TOOLS: two tools are named 'greet'"):
        find_tools()


def test_tools_are_chosen_by_name():
    found = find_tools()
    assert choose(["all"], found) == list(found.values())
    assert choose(["none"], found) == []
    assert [tool.name for tool in choose(["end_call", "calculate", "end_call"], found)] == ["end_call", "calculate"]
    with pytest.raises(SettingsError, match="^TOOLS: there is no tool 'fly'; it may be: all, none, book_appointment, "):
        choose(["fly"], found)
