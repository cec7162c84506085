"""A statement by e-mail, to the address that the bank has on file and to no other."""

from processors.tools.bank import AccountKind, Bank, customer_of, dollars
from processors.tools.base import MeantBy, ToolContext
from processors.tools.declare import tool
from processors.tools.mail import Mail

LINES = 30
"""Transactions on a statement."""


MEANT_BY = MeantBy(
    {
        "en": (
            "statement*, email*, e mail*, mail*, send*, sent, forward*, pdf, document*, paper*, print*, "
            "written, writing, inbox, copy, copies, record*, overview, summary, letter, post, report*, "
            "download*, proof"
        ),
        "de": (
            "*auszug*, *auszüge*, *mail*, schick*, *schicken, *geschickt, send*, *senden, gesendet, zusenden, "
            "schriftlich*, papier, pdf, dokument*, *druck*, kopie*, unterlagen, übersicht, brief, post, "
            "beleg*, nachweis*, postfach, bericht, aufstellung"
        ),
        "es": (
            "extracto*, estado*, correo*, email*, mail*, enví*, envi*, mand*, pdf, documento*, papel, "
            "escrito, copia*, imprim*, resumen, carta, comprobante*, justificante*, informe, certificado*, "
            "bandeja"
        ),
        "fr": (
            "relevé*, *mail*, courriel*, courrier*, envo*, transmet*, expédi*, pdf, document*, papier, écrit, "
            "copie*, imprim*, récapitulatif, lettre, justificatif*, attestation*, poste, rapport, recevoir, "
            "extrait*"
        ),
        "hi": (
            "स्टेटमेंट*, विवरण, ईमेल*, मेल, भेज*, पीडीएफ, दस्तावेज़*, दस्तावेज*, कागज़, कागज, लिखित, कॉपी, "
            "प्रिंट, डाक, चिट्ठी, सारांश, रिपोर्ट, पासबुक, bhej*"
        ),
    }
)


@tool(meant_by=MEANT_BY, effect=True, timeout_secs=15)
async def email_statement(context: ToolContext, account: AccountKind = "checking") -> str:
    """Send a statement of the caller's account to the e-mail address that the bank has on file.

    Args:
        account: Which account; checking if the caller names none.
    """
    bank, customer_id = context.shared(Bank), await customer_of(context)
    name, email = await bank.name_and_email(customer_id)
    balance = await bank.balance_cents(customer_id, account)
    lines = [
        f"{each.day.isoformat()}  {each.cents / 100:>12,.2f}  {each.partner}"
        for each in await bank.transactions(customer_id, account, LINES)
    ]
    text = f"Dear {name},\n\nyour {account} account, {context.now():%Y-%m-%d}:\n\n"
    text += "\n".join([*lines, "", f"Balance     {balance / 100:>12,.2f}"]) + "\n"
    await context.shared(Mail).send(email, f"Your {account} account", text, context.key)
    return f"The statement with a balance of {dollars(balance)} was sent to the e-mail address on file."
