"""Goes on with a call that another process has begun: what was left open is said or answered first."""

from dataclasses import dataclass
from typing import Final

from loguru import logger

from cluster.call_state import CallState
from processors.context.aggregators import ContextPair
from processors.tools.runner import ToolRunner
from processors.tools.stored import StoredTools
from processors.turns.machine import TurnMachine

UNREADABLE: Final = (ValueError, KeyError, TypeError)


@dataclass(frozen=True)
class LeftOpen:
    """What comes first in a call that goes on; one of them at most.

    Attributes:
        say: The rest of what was being said.
        ask: A turn that is to be answered.
        hear: The beginning of a turn.
        turn_id: The turn before the next one.
        goes_on_with: The turn whose answer broke off in the middle.
    """

    turn_id: int
    say: str = ""
    ask: str = ""
    hear: str = ""
    goes_on_with: int | None = None


def left_open(state: CallState) -> LeftOpen:
    """What a state leaves open. Pure."""
    reply = state.reply
    if state.begun:
        return LeftOpen(max(0, state.turn_id - 1), hear=state.begun)
    if reply is None or reply.cut:
        return LeftOpen(state.turn_id)
    if reply.complete:
        return LeftOpen(state.turn_id, say=reply.rest)
    turn_id = reply.turn_id if reply.turn_id is not None else state.turn_id
    if not state.asked:
        return LeftOpen(turn_id)
    return LeftOpen(max(0, turn_id - 1), ask=state.asked, goes_on_with=turn_id if reply.heard else None)


def resume(state: CallState, context: ContextPair, machine: TurnMachine, tools: ToolRunner | None) -> LeftOpen:
    """Put a call's parts where another process left theirs; needs a running loop.

    Args:
        state: What is known of the call.
        context: Its conversation, still empty.
        machine: Who has the floor, before the first event.
        tools: Its tools, if it has any.

    Returns:
        What comes first.
    """
    conversation = context.conversation
    try:
        conversation.restore(state.conversation)
    except UNREADABLE as error:
        logger.error("call {}: its conversation cannot be read ({})", state.call_id, type(error).__name__)
        return LeftOpen(0)
    open_ = left_open(state)
    reply = state.reply
    if reply is not None and reply.heard:
        conversation.reply(reply.turn_id, reply.reply_id, reply.heard, reply.cut or bool(state.begun))
    if tools is not None and state.tools is not None:
        try:
            tools.restore(StoredTools.of(state.tools))
        except UNREADABLE as error:
            logger.error("call {}: its tools' state cannot be read ({})", state.call_id, type(error).__name__)
    context.goes_on_with = open_.goes_on_with
    machine.begin_after(open_.turn_id, state.reply_id)
    return open_
