"""Prints the turn machine's diagram (Mermaid) and table from its transition table.

``python -m processors.turns.diagram`` writes ``docs/turn-machine.md``; a test keeps that file true.
"""

from pathlib import Path

from processors.turns.facts import FACTS
from processors.turns.states import State, Timer
from processors.turns.table import RULES

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "turn-machine.md"

HEAD = """# The turn machine

Printed from the transition table in `processors/turns/table.py` by `python -m processors.turns.diagram`; do not edit.

Events tell of the caller's audio, the playout and the client; names in small letters behind a clock are timers. A pair
of state and event that is not here changes nothing. Each rule may also leave the state as it is.
"""

FACTS_HEAD = (
    """These facts are noted first, by `processors/turns/facts.py`; then the table of the state says what follows."""
)

LIVENESS = """## no order of events leaves the caller stuck

`python -m bench.liveness` goes through every order of events, each in every form that the machine tells apart, with no
pause or 0.4 s between them, and counts two machines as one only if their whole states (`TurnState`) are equal but for
the clock. After each, within three seconds the bot must have spoken, listen, or have said why it does not. In each of
the four modes, up to two events lead to about 1,900 different states, and up to three to more than 50,000. A test goes
through all that two events lead to, and fails when a type of event or a field of the state is not explored.
"""


def _name(key: object) -> str:
    return f"⏱ {key.value}" if isinstance(key, Timer) else getattr(key, "__name__", str(key))


def document() -> str:
    """The whole document: a diagram and one table for each state."""
    lines = [HEAD, "```mermaid", "stateDiagram-v2", "    [*] --> listening"]
    arrows: dict[tuple[State, State], list[str]] = {}
    for (state, key), rule in RULES.items():
        for target in rule.leads_to:
            if target is not state and target is not State.CLOSING:
                arrows.setdefault((state, target), []).append(_name(key))
    order = list(State)
    for (state, target), names in sorted(arrows.items(), key=lambda arrow: [order.index(end) for end in arrow[0]]):
        lines.append(f"    {state.value} --> {target.value}: {', '.join(names)}")
    lines += ["```", ""]
    for state in State:
        rows = [(key, rule) for (owner, key), rule in RULES.items() if owner is state]
        if not rows:
            continue
        lines += [f"## {state.value}", "", "| event | what happens | may lead to |", "|---|---|---|"]
        for key, rule in rows:
            summary = (rule.act.__doc__ or "").splitlines()[0]
            targets = ", ".join(target.value for target in State if target in rule.leads_to)
            lines.append(f"| {_name(key)} | {summary} | {targets} |")
        lines.append("")
    lines += ["## whoever has the floor", "", FACTS_HEAD, "| event | what it tells |", "|---|---|"]
    lines += [f"| {_name(key)} | {(observe.__doc__ or '').splitlines()[0]} |" for key, observe in FACTS.items()]
    lines += ["", LIVENESS]
    return "\n".join(lines)


if __name__ == "__main__":
    DOCUMENT.write_text(document(), encoding="utf-8")
