"""The bot puts the caller through to a person, and comes back when nobody takes the call."""

import asyncio
from contextlib import suppress
from typing import Final

from contracts.transfer import TransferOutcome
from processors.tools.base import CallControl, MeantBy, ToolContext
from processors.tools.declare import tool
from settings import Settings

LONGEST_SECS: Final = 65.0
"""Longer than ``TRANSFER_SECS`` may be."""

STILL_TRYING_SECS: Final = 10.0
"""So often the caller hears that it is still tried."""

MEANT_BY = MeantBy(
    {
        "en": (
            "person, human, people, somebody, someone, anybody, anyone, agent*, operator, representative*, colleague*, "
            "employee*, staff, adviser*, advisor*, supervisor*, manager*, real, transfer*, connect*, put me through, "
            "through, forward me, speak, talk, speaking, talking, not a bot, no bot*, no robot*, to a machine, "
            "this machine, help*"
        ),
        "de": (
            "mensch*, person*, jemand*, mitarbeiter*, berater*, kolleg*, vorgesetzt*, chef*, verbind*, durchstell*, "
            "weiterleit*, stell, stellen, sprechen, reden, echt*, roboter*, maschine*, bot, hilf*, helfen"
        ),
        "es": (
            "persona*, humano*, alguien, agente*, operador*, asesor*, encargado*, supervisor*, pás*, pas*, comunic*, "
            "transfer*, hablar, hable, real, robot*, máquina*, bot, ayuda*"
        ),
        "fr": (
            "personne*, humain*, quelqu un, agent*, conseill*, opérat*, collègue*, responsable*, pass*, transf*, "
            "parler, parle, vrai*, robot*, machine*, bot, aide*"
        ),
        "hi": (
            "इंसान, आदमी, व्यक्ति, किसी, कोई, एजेंट, ऑपरेटर, प्रतिनिधि, अधिकारी, मैनेजर, जोड़*, ट्रांसफर, बात, असली, रोबोट, मशीन, "
            "मदद, insaan, aadmi, kisi, baat, madad"
        ),
    }
)

LINES: Final = {
    "en": ("One moment please, I'm putting you through.", "I'm still trying to reach somebody."),
    "de": ("Einen Moment bitte, ich verbinde Sie.", "Ich versuche noch, jemanden zu erreichen."),
    "es": ("Un momento, por favor, le paso con una persona.", "Todavía estoy intentando localizar a alguien."),
    "fr": ("Un instant, je vous mets en relation.", "J'essaie toujours de joindre quelqu'un."),
    "hi": ("एक क्षण, मैं आपको जोड़ रहा हूँ।", "मैं अभी भी किसी से संपर्क करने की कोशिश कर रहा हूँ।"),
}
"""By language: what is said before it is tried, and while it is."""

OUTCOMES: Final = {
    TransferOutcome.DONE: "The caller has been put through.",
    TransferOutcome.REFUSED: "I'm sorry, everybody is busy right now. I'm still here: what can I do for you?",
    TransferOutcome.NO_ANSWER: "I'm sorry, nobody answered. I'm still here: what can I do for you?",
    TransferOutcome.IMPOSSIBLE: "I'm sorry, I can't put you through from this line. What can I do for you?",
}


class Desk:
    """Where the people are.

    Args:
        settings: The settings.
    """

    def __init__(self, settings: Settings) -> None:
        self.target = settings.transfer_to
        self.within_secs = settings.transfer_secs


@tool(effect=True, confirm=False, timeout_secs=LONGEST_SECS, meant_by=MEANT_BY)
async def transfer_to_person(context: ToolContext) -> str:
    """Put the caller through to a person. Use it when the caller asks for one, or when you cannot help."""
    desk = context.shared(Desk)
    before, meanwhile = LINES.get(context.session.language, LINES["en"])
    if not await context.call.say(before):
        return "The caller spoke, and was not put through. Ask whether they still want a person."
    # Carriers take the caller out of the stream, and let them hear it ring.
    telling = (
        asyncio.create_task(_tell(context.call, meanwhile)) if context.request_data.get("carrier") == "sip" else None
    )
    try:
        outcome = await context.call.transfer(desk.target, desk.within_secs)
    finally:
        if telling is not None:
            telling.cancel()
            with suppress(asyncio.CancelledError):
                await telling
    return OUTCOMES[outcome]


async def _tell(call: CallControl, text: str) -> None:
    """Tell again and again that it is still tried, as long as the caller listens."""
    said = True
    while said:
        await asyncio.sleep(STILL_TRYING_SECS)
        said = await call.say(text)
