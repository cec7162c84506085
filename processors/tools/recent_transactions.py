"""The latest movements on one of the caller's accounts."""

from typing import Annotated

from pydantic import Field

from processors.tools.bank import AccountKind, Bank, Transaction, customer_of, dollars
from processors.tools.base import ToolContext
from processors.tools.declare import tool


@tool(
    worded_for="account accounts checking last latest movements newest payments purchases recent savings transaction "
    "transactions were one two three four five six seven eight nine ten"
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
