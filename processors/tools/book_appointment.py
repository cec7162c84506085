"""An appointment at the branch: the example of a tool that changes something."""

from datetime import date, datetime, time, timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from contracts.caller_time import exists
from processors.tools.bank import Bank, customer_of
from processors.tools.base import Arguments, MeantBy, ToolContext, ToolError
from processors.tools.declare import tool

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
HOURS: dict[int, tuple[time, time]] = {
    **dict.fromkeys(range(5), (time(9), time(17))),
    5: (time(9), time(13)),
}
"""When the branch opens and closes, by day of the week; an appointment takes half an hour."""

MAX_DAYS_AHEAD = 60

Day = Annotated[
    str,
    AfterValidator(lambda text: text.strip().lower()),
    Field(description='"today", "tomorrow", a day of the week (the next one), or a date as YYYY-MM-DD.'),
]
Clock = Annotated[time, Field(description="HH:MM, on the hour or half past.")]


MEANT_BY = MeantBy(
    {
        "en": (
            "appointment*, book*, advis*, meet*, see, visit*, come, coming, schedul*, slot*, reserv*, "
            "reschedul*, someone, somebody, anyone, anybody, person, people, human, agent, consult*, talk to, "
            "speak to, speak with, talk with, face to face, in person, expert*, specialist*, representative, "
            "manager, staff, employee, colleague, calendar, arrange*, set up, sit down, stop by, drop by, "
            "drop in, pop in, discuss*, loan*, mortgage*, cancel*, session, times, o clock, "
            "monday #, monday at #, tuesday #, tuesday at #, wednesday #, wednesday at #, thursday #, "
            "thursday at #, friday #, friday at #, saturday #, saturday at #, tomorrow #, tomorrow at #"
        ),
        "de": (
            "*termin*, buch*, *berat*, treffen, triff*, sehen, besuch*, vorbei*, komm*, vereinbar*, ausmach*, "
            "reserv*, verschieb*, jemand*, mensch*, person*, mitarbeiter*, kolleg*, sprechen, reden, "
            "gespräch*, persönlich*, experte*, fachmann, zuständig*, kalender, *kredit*, darlehen*, "
            "hypothek*, besprech*, ansprechpartner*, absag*, einplan*, vor ort, zusammensetzen"
        ),
        "es": (
            "cita*, reserv*, asesor*, consejer*, reuni*, ver, verme, visit*, venir, vengo, acerc*, pasar, "
            "pasarme, agend*, program*, alguien, persona*, humano, agente, hablar, experto*, especialista*, "
            "gestor*, gerente, calendario, hueco*, préstamo*, hipoteca*, concert*, quedar, cancel*, turno*, "
            "atender, atienda*"
        ),
        "fr": (
            "rendez*, rdv, réserv*, conseill*, rencontr*, voir, visit*, venir, viens, passer, planifi*, fix*, "
            "quelqu un, personne*, humain*, agent*, parler, discuter, expert*, spécialiste*, gestionnaire, "
            "responsable, agenda, calendrier, créneau*, prêt*, hypothé*, entretien*, réunion*, annul*, "
            "déplac*, report*, sur place"
        ),
        "hi": (
            "अपॉइंटमेंट*, अपॉइन्टमेंट*, अपाइंटमेंट*, अप्वाइंटमेंट*, मुलाकात*, मुलाक़ात*, मिलना, मिलने, मिलूँ, "
            "मिलवा*, मीटिंग*, बुक*, सलाहकार*, किसी, कोई, व्यक्ति, इंसान, आदमी, एजेंट, अधिकारी, मैनेजर, आना, "
            "आऊँ, तय, स्लॉट, लोन, ऋण, कर्ज़, कर्ज, बात, रद्द, milna, milne"
        ),
    }
)


async def outcome(_: Arguments, context: ToolContext) -> str:
    """What became of a booking whose process died meanwhile."""
    booked = await context.shared(Bank).booked(context.key)
    if booked is None:
        raise ToolError("the line broke off before that: nothing is booked; call it again if it is still wanted")
    number, starts_at = booked
    when = f"{starts_at:%A}, {starts_at.day} {starts_at:%B} at {starts_at:%H:%M}"
    return f"The appointment is booked: {when}, number {number}."


@tool(meant_by=MEANT_BY, effect=True, outcome=outcome)
async def book_appointment(
    context: ToolContext,
    day: Day,
    at: Clock,
    topic: Literal["account", "card", "loan", "savings", "other"] = "other",
) -> str:
    """Book an appointment for the caller with an adviser at the branch.

    Args:
        topic: What it is about.
    """
    now = context.now()
    starts_at = check(resolve(day, now.date()), at, now)
    booking = await context.shared(Bank).book(await customer_of(context), starts_at, topic, context.key)
    when = f"{starts_at:%A}, {starts_at.day} {starts_at:%B} at {starts_at:%H:%M}"
    if not booking.new:
        return f"The caller already has that appointment: {when}, number {booking.number}."
    return f"The appointment is booked: {when}, number {booking.number}."


def resolve(day: str, today: date) -> date:
    """The date that a word means.

    Raises:
        ToolError: It is none.
    """
    if day in ("today", "tomorrow"):
        return today + timedelta(days=day == "tomorrow")
    if day in WEEKDAYS:
        return today + timedelta(days=(WEEKDAYS.index(day) - today.weekday() - 1) % 7 + 1)
    try:
        return date.fromisoformat(day)
    except ValueError:
        raise ToolError(f"{day!r} is no day; use today, tomorrow, a day of the week, or YYYY-MM-DD") from None


def check(day: date, at: time, now: datetime) -> datetime:
    """The moment, if one can come then.

    Raises:
        ToolError: Closed, past, or too far away; says what is possible.
    """
    starts_at = datetime.combine(day, at.replace(tzinfo=None), tzinfo=now.tzinfo)
    if not exists(starts_at):
        raise ToolError(f"on {day:%A} the clocks go forward, and {at:%H:%M} does not exist; ask for another time")
    if starts_at <= now:
        raise ToolError(f"that is past: it is {now:%A}, {now:%Y-%m-%d %H:%M} now")
    if day > now.date() + timedelta(days=MAX_DAYS_AHEAD):
        raise ToolError(f"that is too far away: {MAX_DAYS_AHEAD} days ahead at most")
    if day.weekday() not in HOURS:
        raise ToolError("the branch is closed on Sundays")
    opens, closes = HOURS[day.weekday()]
    if at.minute % 30 or at.second or not opens <= at.replace(tzinfo=None) < closes:
        raise ToolError(f"on {day:%A} they begin on the hour or half past, from {opens:%H:%M} to {closes:%H:%M}")
    return starts_at
