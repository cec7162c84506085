"""The balance of one of the caller's accounts."""

from processors.tools.bank import AccountKind, Bank, customer_of, dollars
from processors.tools.base import ToolContext
from processors.tools.declare import tool


@tool(worded_for="account accounts balance balances checking current how money much left savings")
async def check_balance(context: ToolContext, account: AccountKind = "checking") -> str:
    """Look up the balance of the caller's account.

    Args:
        account: Which account; checking if the caller names none.
    """
    cents = await context.shared(Bank).balance_cents(await customer_of(context), account)
    state = "is overdrawn by" if cents < 0 else "holds"
    return f"The {account} account {state} {dollars(cents)}."
