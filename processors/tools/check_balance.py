"""The balance of one of the caller's accounts."""

from processors.tools.bank import AccountKind, Bank, customer_of, dollars
from processors.tools.base import MeantBy, ToolContext
from processors.tools.declare import tool

MEANT_BY = MeantBy(
    {
        "en": (
            "balance*, money, much, account*, saving*, checking, funds, cash, afford, overdraw*, overdrawn, "
            "overdraft, owe, broke, rich, left, remain*, available, budget, i have, i got, i ve got, do i "
            "have, have i, have i got, debt*, deposit*, salary, enough, standing, negative, in the red, in "
            "the black, in credit, dollar*, euro*, pound*, worth, savings"
        ),
        "de": (
            "*konto*, *stand, saldo, geld*, guthaben, wieviel*, wie viel*, viel, *spar*, giro*, *überzogen, "
            "minus, schulden, schulde, leisten, übrig, verfügbar*, euro*, cent*, reicht, genug, habe ich, hab "
            "ich, ich habe, ich hab, drauf, darauf, pleite, gehalt, betrag, dispo*, kohle"
        ),
        "es": (
            "saldo*, dinero, cuenta*, cuánto*, cuánta*, plata, lana, pasta, ahorro*, corriente, fondos, debo, "
            "deuda*, disponible*, queda*, tengo, hay, alcanza, descubierto, euro*, dólar*, peso*, suficiente, "
            "rojos, nómina, sueldo"
        ),
        "fr": (
            "solde*, argent, compte*, combien, épargne*, livret*, courant*, fonds, dois, dette*, découvert, "
            "disponible*, reste*, ai je, j ai, il y a, sous, euro*, assez, suffisant*, salaire, rouge, thune, "
            "fric, montant"
        ),
        "hi": (
            "बैलेंस*, बैलेन्स*, बकाया, खाता, खाते, खातों, अकाउंट*, पैसा, पैसे, पैसों, कितना, कितने, कितनी, "
            "बचत, बचा, बचे, बची, शेष, रकम, राशि, रुपये, रुपए, रुपया, रुपयों, सेविंग*, करंट, जमा, उधार, कर्ज़, "
            "कर्ज, काफ़ी, काफी, धन, paisa, paise, kitna, kitne, kitni, khata, khate, bachat, bacha"
        ),
    }
)


@tool(meant_by=MEANT_BY, worded_for="account accounts balance balances checking current how money much left savings")
async def check_balance(context: ToolContext, account: AccountKind = "checking") -> str:
    """Look up the balance of the caller's account.

    Args:
        account: Which account; checking if the caller names none.
    """
    cents = await context.shared(Bank).balance_cents(await customer_of(context), account)
    state = "is overdrawn by" if cents < 0 else "holds"
    return f"The {account} account {state} {dollars(cents)}."
