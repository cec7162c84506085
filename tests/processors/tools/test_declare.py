"""A function's signature and docstring become what the model is shown, and what it writes becomes typed arguments."""

import contextlib
from datetime import date
from enum import Enum
from typing import Annotated, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from processors.tools.base import ToolContext, ToolError
from processors.tools.declare import MAX_RESULT_CHARS, tool


class Size(Enum):
    SMALL = "small"
    LARGE = "large"


class Guest(BaseModel):
    name: str
    title: str = ""


@tool(effect=True, timeout_secs=3)
async def order(
    context: ToolContext,
    dish: Literal["soup", "salad"],
    day: date,
    size: Size = Size.SMALL,
    count: Annotated[int, Field(ge=1, le=9)] = 1,
    guest: Guest | None = None,
) -> str:
    """Order a dish.

    Use it when the caller is hungry.

    Args:
        dish: What to eat.
        count: How many.
    """
    return f"{count} {size.value} {dish} on {day:%A}, key {context.key}"


def test_the_schema_says_what_the_signature_says():
    assert (order.name, order.effect, order.confirm, order.timeout_secs) == ("order", True, True, 3)
    assert order.description == "Order a dish.\nUse it when the caller is hungry."
    properties = order.schema["properties"]
    assert order.schema["required"] == ["dish", "day"]
    assert order.schema["additionalProperties"] is False
    assert properties["dish"] == {"description": "What to eat.", "enum": ["soup", "salad"], "type": "string"}
    assert properties["day"] == {"format": "date", "type": "string"}
    assert properties["size"] == {"enum": ["small", "large"], "type": "string", "default": "small"}
    assert properties["count"] == {
        "description": "How many.",
        "minimum": 1,
        "maximum": 9,
        "type": "integer",
        "default": 1,
    }
    assert properties["guest"]["anyOf"][0]["properties"]["title"] == {"default": "", "type": "string"}
    assert "context" not in properties
    assert "$" not in str(order.schema)


async def test_arguments_get_their_types():
    arguments = order.check({"dish": "soup", "day": "2026-01-05", "count": "2"})
    assert arguments == {"dish": "soup", "day": date(2026, 1, 5), "size": Size.SMALL, "count": 2, "guest": None}
    assert await order.run(arguments, ToolContext(key="k")) == "2 small soup on Monday, key k"


def test_the_same_wish_written_differently_is_the_same():
    one = order.check({"dish": "soup", "day": "2026-01-05", "size": "small"})
    other = order.check({"day": "2026-01-05", "dish": "soup", "count": 1.0})
    assert one == other


def test_every_mistake_is_told_in_words():
    with pytest.raises(ToolError) as error:
        order.check({"dish": "cake", "count": 12, "sauce": "hot"})
    assert str(error.value) == (
        "wrong arguments: dish: input should be 'soup' or 'salad'; day is missing; "
        "count: input should be less than or equal to 9; "
        "there is no argument sauce (there are: dish, day, size, count, guest)"
    )


@pytest.mark.parametrize(
    "wrong",
    [{"count": True}, {"count": 2.5}, {"count": "two"}, {"count": [1]}, {"dish": True}, {"size": 1}, {"day": 20260105}]
    + [{"guest": "Ann"}, {"guest": {"name": 7}}, {"guest": {"name": True}}, {"count": None}],
)
def test_nothing_is_taken_for_another_type(wrong):
    with pytest.raises(ToolError, match=f"wrong arguments: {next(iter(wrong))}"):
        order.check({"dish": "soup", "day": "2026-01-05", **wrong})


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=3))
def test_any_value_is_taken_as_it_is_or_refused_in_words(value):
    with contextlib.suppress(ToolError):
        found = order.check({"dish": "soup", "day": "2026-01-05", "count": value})["count"]
        assert not isinstance(value, bool)
        assert type(found) is int
        assert found == float(value)


async def test_results_become_text():
    @tool()
    async def look(what: str) -> object:
        """Look."""
        return {"nothing": None, "list": [1, date(2026, 1, 5)], "long": "x" * 9999}[what]

    assert not look.confirm
    assert await look.run({"what": "nothing"}, ToolContext()) == "done"
    assert await look.run({"what": "list"}, ToolContext()) == '[1,"2026-01-05"]'
    assert len(await look.run({"what": "long"}, ToolContext())) == MAX_RESULT_CHARS


def test_what_is_no_tool_is_said_when_it_is_written():
    with pytest.raises(TypeError, match="tool plain: it must be an async function"):

        @tool()
        def plain() -> None:
            """Do it."""

    with pytest.raises(TypeError, match="tool silent: it has no docstring"):

        @tool()
        async def silent() -> None:
            pass

    with pytest.raises(TypeError, match="tool untyped: what has no type"):

        @tool()
        async def untyped(what) -> None:
            """Do it."""
