"""Which node serves a request: any node can tell, and is asked. Pure."""

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from cluster.store import NodeInfo

_NODE_CHARS: Final = 12
_PC_ID: Final = re.compile(rf"([0-9a-f]{{{_NODE_CHARS}}})-[0-9a-f]{{32}}")


def new_node() -> str:
    """A name that no other node has, nor this one had before it was started again."""
    return uuid.uuid4().hex[:_NODE_CHARS]


def node_of(pc_id: str | None) -> str | None:
    """The node that made a peer connection; None if its name does not say so."""
    found = _PC_ID.fullmatch(pc_id or "")
    return found[1] if found else None


class Way(Enum):
    """What is to be done with a request."""

    HERE = "here"
    PASS_ON = "pass on"
    TAKE_UP = "take up"


@dataclass(frozen=True)
class Route:
    """Where a request goes.

    Attributes:
        way: What is to be done.
        node: To whom it is passed on.
    """

    way: Way
    node: NodeInfo | None = None


@dataclass(frozen=True)
class Asked:
    """What is known of a request.

    Attributes:
        has_call: Whether this node has the caller's call.
        owner: The node that has the call, as the store says; None: there is no call, or the store is away.
        pc_node: The node that made the peer connection which the request names.
        offers: Whether it offers a connection: only then can a call be taken up.
        may_pass: Whether it came from a client; what another node has passed on is served here.
    """

    has_call: bool
    owner: str | None
    pc_node: str | None
    offers: bool
    may_pass: bool = True


def route(asked: Asked, me: str, live: Mapping[str, NodeInfo], *, draining: bool) -> Route:
    """Where a request goes.

    Args:
        asked: The request.
        me: This node.
        live: Nodes whose lease holds, by name.
        draining: Whether this node takes no more calls.
    """
    if asked.has_call:
        return Route(Way.HERE)
    owner = asked.owner or asked.pc_node
    other = live.get(owner or "") if owner != me else None
    if other is not None and other.draining and asked.offers:
        other = None  # its calls go elsewhere
    if not asked.may_pass:
        return Route(Way.TAKE_UP if asked.offers and asked.owner is not None and other is None else Way.HERE)
    if other is not None:
        return Route(Way.PASS_ON, other)
    if asked.offers and draining and (free := freest(me, live)) is not None:
        return Route(Way.PASS_ON, free)
    if asked.offers and asked.owner is not None:
        return Route(Way.TAKE_UP)
    return Route(Way.HERE)


def freest(me: str, live: Mapping[str, NodeInfo]) -> NodeInfo | None:
    """The node beside this one that has the most places left, and takes calls."""
    others = [info for info in live.values() if info.node != me and not info.draining]
    return max(others, key=lambda info: (info.free, info.node), default=None)
