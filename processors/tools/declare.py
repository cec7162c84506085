"""``@tool`` makes a tool of an async function: its signature is the schema, its docstring the description.

::

    @tool(effect=True, timeout_secs=5)
    async def block_card(context: ToolContext, card: Literal["debit", "credit"]) -> str:
        \"""Block one of the caller's cards at once.

        Args:
            card: Which card.
        \"""

Types are checked by pydantic: ``Annotated`` with its ``Field``, ``Literal``, enums, dates and defaults all work. An
argument that the signature does not know is refused.
"""

import copy
import inspect
import json
import re
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, get_args, get_type_hints

import docstring_parser
from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from pydantic.fields import FieldInfo
from pydantic_core import PydanticSerializationError, to_json

from processors.tools.base import Arguments, MeantBy, Tool, ToolContext, ToolError, ToolFunction

MAX_RESULT_CHARS = 2_000
"""Longest result: more is neither spoken nor remembered."""

ToolCoroutine = Callable[..., Awaitable[object]]


def tool(
    *,
    effect: bool = False,
    confirm: bool | None = None,
    timeout_secs: float = 10.0,
    worded_for: str = "",
    meant_by: MeantBy | None = None,
    outcome: ToolFunction | None = None,
) -> Callable[[ToolCoroutine], Tool]:
    """Make a :class:`Tool` of an async function that takes a :class:`ToolContext` (if it wants one) and arguments.

    Args:
        effect: Whether it changes something in the world.
        confirm: Whether the caller must say yes first; by default what has an effect needs it.
        timeout_secs: How long a reply waits for it.
        worded_for: Words of questions to which its result is the answer as it stands.
        meant_by: Words by which it is asked for; None: it is always described to the model.
        outcome: Tells what became of an effect whose process died; see :class:`Tool`.

    Raises:
        TypeError: The function is not async, has no docstring, or an argument without a type.
    """

    def decorate(function: ToolCoroutine) -> Tool:
        name = getattr(function, "__name__", "")
        if not inspect.iscoroutinefunction(function):
            raise TypeError(f"tool {name}: it must be an async function")
        document = docstring_parser.parse(function.__doc__ or "")
        if not document.short_description:
            raise TypeError(f"tool {name}: it has no docstring that tells the model what it does")
        texts = {parameter.arg_name: parameter.description or "" for parameter in document.params}
        hints = get_type_hints(function, include_extras=True)
        context_name = next((each for each, hint in hints.items() if hint is ToolContext), None)
        model = _arguments_model(name, function, hints, texts, context_name)

        async def run(arguments: Arguments, context: ToolContext) -> str:
            more = {context_name: context} if context_name else {}
            return _as_text(await function(**arguments, **more))

        return Tool(
            name=name,
            description="\n".join(filter(None, (document.short_description, document.long_description))),
            schema=schema_of(model),
            run=run,
            check=lambda arguments: checked(model, arguments),
            effect=effect,
            confirm=effect if confirm is None else confirm,
            timeout_secs=timeout_secs,
            worded_for=frozenset(worded_for.split()),
            meant_by=meant_by,
            outcome=outcome,
        )

    return decorate


def _arguments_model(
    name: str, function: ToolCoroutine, hints: dict[str, Any], texts: dict[str, str], context_name: str | None
) -> type[BaseModel]:
    fields: dict[str, Any] = {}
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name == context_name:
            continue
        if parameter.name not in hints or parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise TypeError(f"tool {name}: {parameter} has no type")
        hint = hints[parameter.name]
        described = any(isinstance(part, FieldInfo) and part.description for part in get_args(hint))
        if parameter.name in texts and not described:
            hint = Annotated[hint, Field(description=texts[parameter.name])]
        fields[parameter.name] = (hint, ... if parameter.default is parameter.empty else parameter.default)
    return create_model(name, __config__=ConfigDict(extra="forbid"), **fields)


def schema_of(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON schema of a model, without titles and references: small models read it better, and every token costs."""
    schema = model.model_json_schema()
    return _plain(schema, schema.pop("$defs", {}))


def _plain(node: Any, definitions: dict[str, Any]) -> Any:
    if isinstance(node, list):
        return [_plain(item, definitions) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        target = definitions[node["$ref"].rsplit("/", 1)[-1]]
        return _plain({**target, **{key: value for key, value in node.items() if key != "$ref"}}, definitions)
    # Only a schema's own title is text; an argument may be named "title" too.
    return {
        key: _plain(value, definitions)
        for key, value in node.items()
        if not (key == "title" and isinstance(value, str))
    }


def checked(model: type[BaseModel], arguments: dict[str, Any]) -> Arguments:
    """The arguments with their types.

    Raises:
        ToolError: They are wrong; the message tells the model each mistake in words.
    """
    try:
        found = model.model_validate_json(json.dumps(arguments), strict=True)
    except ValidationError as strict:
        repaired = _with_numbers(arguments, strict)
        if repaired is not None:
            return checked(model, repaired)
        try:
            model.model_validate(arguments)
        except ValidationError as error:  # its words say more
            raise ToolError("wrong arguments: " + "; ".join(_mistakes(model, error))) from None
        raise ToolError("wrong arguments: " + "; ".join(_mistakes(model, strict))) from None
    return {name: getattr(found, name) for name in model.model_fields}


def _with_numbers(arguments: dict[str, Any], error: ValidationError) -> dict[str, Any] | None:
    """The arguments with numbers in place of their spelling ("2", 2.0 for a whole one); None if that changes nothing.

    Nothing else is taken for another type: ``true`` is not 1, 1 is not "1".
    """
    repaired: Any = copy.deepcopy(arguments)
    changed = False
    for mistake in error.errors(include_url=False):
        if mistake["type"] not in ("int_type", "float_type"):
            continue
        parent: Any = repaired
        for step in mistake["loc"][:-1]:
            parent = parent[step] if _has(parent, step) else None
        last: Any = mistake["loc"][-1]
        if _has(parent, last) and (number := _number(parent[last])) is not None:
            parent[last], changed = number, True
    return repaired if changed else None


def _has(parent: Any, step: Any) -> bool:
    return step in parent if isinstance(parent, dict) else isinstance(parent, list) and step in range(len(parent))


def _number(value: object) -> int | float | None:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and re.fullmatch(r"-?\d{1,15}", value.strip()):
        return int(value)
    if isinstance(value, str) and re.fullmatch(r"-?\d{1,15}\.\d{1,15}", value.strip()):
        return float(value)
    return None


def _mistakes(model: type[BaseModel], error: ValidationError) -> list[str]:
    lines = []
    for mistake in error.errors(include_url=False):
        where = ".".join(str(part) for part in mistake["loc"])
        if mistake["type"] == "extra_forbidden":
            known = ", ".join(model.model_fields) or "none"
            lines.append(f"there is no argument {where} (there are: {known})")
        elif mistake["type"] == "missing":
            lines.append(f"{where} is missing")
        else:
            lines.append(f"{where}: {mistake['msg'][:1].lower()}{mistake['msg'][1:]}")
    return lines


def _as_text(result: object) -> str:
    """What the model is told: text as it is, nothing as "done", all else as JSON."""
    if result is None:
        return "done"
    if not isinstance(result, str):
        try:
            result = to_json(result).decode()
        except PydanticSerializationError as error:
            raise ToolError(f"the result cannot be told: {error}") from None
    return result if len(result) <= MAX_RESULT_CHARS else result[: MAX_RESULT_CHARS - 1] + "…"
