"""What time it is."""

from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field

from contracts.caller_time import offset_of
from processors.tools.base import MeantBy, ToolContext, ToolError
from processors.tools.declare import tool

MEANT_BY = MeantBy(
    {
        "en": (
            "time*, date*, day*, today*, tonight, tomorrow*, yesterday*, now, clock, hour*, late, early, "
            "week*, month*, year*, when, morning*, afternoon*, evening*, noon, midnight, yet, still, already, "
            "until, till, ago, soon, long, open*, clos*, minute*, current*, moment, zone, monday*, tuesday*, "
            "wednesday*, thursday*, friday*, saturday*, sunday*, january, february, april, june, july, "
            "august, september, october, november, december"
        ),
        "de": (
            "zeit*, *zeit, uhr*, spät*, datum*, tag*, *tag, *tags, heut*, morgen*, gestern, jetzt, woche*, "
            "monat*, jahr*, stunde*, minute*, wann, bald, noch, schon, bis, früh*, abend*, mittag*, nacht, "
            "momentan, aktuell*, gerade, offen, geöffnet, öffn*, geschlossen, schließ*, lange, dauer*, "
            "zurzeit, kalender*, wievielt*, mittwoch, sonnabend"
        ),
        "es": (
            "hora*, tiempo, fecha*, día*, hoy, mañana*, ayer, ahora, semana*, mes, meses, año*, minuto*, "
            "cuándo, cuando, tarde*, noche*, temprano, pronto, todavía, aún, ya, hasta, abiert*, cerrad*, "
            "abr*, cierr*, cerr*, actual*, momento, lunes, martes, miércoles, jueves, viernes, sábado*, "
            "domingo*, estamos"
        ),
        "fr": (
            "heure*, temps, date*, jour*, aujourd hui, demain, hier, maintenant, semaine*, mois, année*, "
            "minute*, quand, tard, tôt, bientôt, encore, déjà, jusqu*, matin*, soir*, midi, nuit, ouvert*, "
            "ouvr*, ferm*, actuel*, moment, longtemps, lundi*, mardi*, mercredi*, jeudi*, vendredi*, samedi*, "
            "dimanche*, combien sommes"
        ),
        "hi": (
            "समय, टाइम*, बजे, बजा, बज, बजकर, वक्त, वक़्त, तारीख*, तारीख़*, दिन*, दिनांक, आज, कल, परसों, अभी, "
            "अब, हफ़्त*, हफ्त*, सप्ताह, महीना, महीने, साल, घंट*, मिनट, कब, सुबह, शाम, दोपहर, रात, देर, जल्दी, "
            "खुल*, बंद, तक, सोमवार, मंगलवार, बुधवार, गुरुवार, शुक्रवार, शनिवार, रविवार, वार, baje, aaj, kal, "
            "abhi, samay"
        ),
    },
    few_ways=True,
)


@tool(meant_by=MEANT_BY, worded_for="date day it it's now time today today's week")
async def current_time(
    context: ToolContext,
    timezone: Annotated[str, Field(description='IANA name, such as "Europe/Paris"; empty: the caller\'s.')] = "",
) -> str:
    """Tell the date, the day of the week and the time, here or elsewhere."""
    now = context.now()
    if timezone:
        try:
            now = now.astimezone(ZoneInfo(timezone))
        except (ZoneInfoNotFoundError, ValueError):
            raise ToolError(f"there is no time zone {timezone!r}; use a name such as Europe/Paris") from None
    return f"It is {now:%A}, {now.day} {now:%B %Y}, {now:%H:%M} ({offset_of(now)})."
