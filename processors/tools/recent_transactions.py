"""The latest movements on one of the caller's accounts."""

from typing import Annotated

from pydantic import Field

from processors.tools.bank import AccountKind, Bank, Transaction, customer_of, dollars
from processors.tools.base import MeantBy, ToolContext
from processors.tools.declare import tool

MEANT_BY = MeantBy(
    {
        "en": (
            "transaction*, payment*, paid, pay, pays, spent, spend*, purchase*, bought, buy, debit*, credit*, "
            "transfer*, withdr*, deposit*, movement*, activit*, statement, history, account*, recent*, "
            "latest, last, lately, newest, charge*, refund*, salary, wage*, money, came in, come in, came, "
            "coming in, went out, go out, going out, goes out, going on, arriv*, receiv*, sent, booking*, "
            "booked, happen*, took, taken, entry, entries, expense*, subscription*, rent, bill*, standing "
            "order*, where did, shop*, cleared, gone through, go through, income*, earn*, outgoing*, "
            "incoming*, landed, hit my, saving*, checking"
        ),
        "de": (
            "*umsatz*, *umsätze*, transaktion*, *buchung*, *gebucht*, *zahlung*, *zahlt*, bezahl*, "
            "*ausgegeben, *ausgaben, *gekauft, kauf*, käufe, einkauf*, einkäufe, *überweis*, *überwiesen, "
            "gutschrift*, *lastschrift*, *eingang, *eingänge, eingegangen, gehalt, lohn, letzte*, neueste*, "
            "kürzlich, zuletzt, neulich, *konto*, *bewegung*, geld, miete, rechnung*, *gehoben, passiert, "
            "los, verlauf, *erstattung*, *kommen, gekommen, abo*, dauerauftr*, raus*, rein*"
        ),
        "es": (
            "movimiento*, transacci*, pago*, pagu*, pagad*, pagar, gast*, compr*, cargo*, cobr*, transfer*, "
            "retir*, ingres*, depósito*, deposit*, último*, última*, reciente*, cuenta*, historial, "
            "actividad, nómina, sueldo, salario, dinero, recib*, alquiler, factura*, pasó, pasado, lleg*, "
            "entró, entrado, salió, salido, operaci*, reembolso*, devoluci*, suscripci*"
        ),
        "fr": (
            "transaction*, opération*, mouvement*, paiement*, payé*, payer, dépens*, achat*, acheté*, débit*, "
            "prélèv*, prélev*, virement*, retrait*, retiré*, dépôt*, dernier*, dernière*, récent*, récemment, "
            "compte*, historique, activité, salaire, paie, argent, reçu*, loyer, facture*, passé, arrivé*, "
            "entré*, sorti*, rembours*, abonnement*"
        ),
        "hi": (
            "लेनदेन, लेन, देन, ट्रांजैक्शन*, ट्रांज़ैक्शन*, ट्रांसैक्शन*, ट्रान्जेक्शन*, ट्रांजेक्शन*, "
            "भुगतान, पेमेंट*, खर्च*, ख़र्च*, खरीद*, ख़रीद*, निकाल*, निकले, निकला, जमा, ट्रांसफर*, ट्रांसफ़र*, "
            "पिछला, पिछले, पिछली, हाल, हालिया, आखिरी, आख़िरी, अंतिम, ताज़ा, खाता, खाते, खातों, अकाउंट*, वेतन, "
            "तनख्वाह, सैलरी, पैसा, पैसे, पैसों, किराया, बिल, आए, आया, आयी, आई, गए, गया, गयी, गई, कटा, कटे, "
            "कटी, एंट्री, हुए, len den, kharch*, pichle, pichla"
        ),
    }
)


@tool(
    meant_by=MEANT_BY,
    worded_for="account accounts checking last latest movements newest payments purchases recent savings transaction "
    "transactions were one two three four five six seven eight nine ten",
)
async def recent_transactions(
    context: ToolContext, account: AccountKind = "checking", count: Annotated[int, Field(ge=1, le=10)] = 3
) -> str:
    """Look up the latest transactions of the caller's account, the newest first.

    Args:
        account: Which account; checking if the caller names none.
        count: How many.
    """
    found = await context.shared(Bank).transactions(await customer_of(context), account, count)
    if not found:
        return f"There are no transactions on the {account} account."
    return f"On the {account} account: " + "; ".join(in_words(each) for each in found) + "."


def in_words(transaction: Transaction) -> str:
    """One transaction as it is spoken."""
    way = "went to" if transaction.cents < 0 else "came from"
    day = f"{transaction.day:%A}, {transaction.day.day} {transaction.day:%B}"
    return f"on {day}, {dollars(transaction.cents)} {way} {transaction.partner}"
