"""What the bot can do to answer sooner, so that a kept run tells whether it was made before that."""

from collections.abc import Mapping
from typing import Any, Final

CAPABILITIES: Final[Mapping[str, str]] = {
    "a sure turn detector that ends doubtful turns": "endpoint_sure",
    "an early recogniser beside the vendor's": "early_stt",
    "turns that end on early words": "endpoint_early",
    "replies prepared while the caller speaks": "preemptive_speaking",
    "several prepared replies": "preemptive_max",
    "look-ups in prepared replies": "preemptive_tools",
    "two models asked at once": "llm_hedge_requests",
}
"""Each with the setting that turns it off."""


def known() -> list[str]:
    """The settings of all capabilities, for a run to keep."""
    return sorted(CAPABILITIES.values())


def made_before(found: Mapping[str, Any]) -> list[str]:
    """Capabilities that did not exist when something was measured.

    Args:
        found: What was measured, with what :func:`known` said then under ``"capabilities"``.
    """
    return [name for name, setting in CAPABILITIES.items() if setting not in found.get("capabilities", ())]


def warning(found: Mapping[str, Any]) -> str:
    """A sentence for the document about a run that is older than the bot; empty for one that is not."""
    missing = made_before(found)
    return f"**Older than the bot: made before {', '.join(missing)}. Make it anew.**" if missing else ""
