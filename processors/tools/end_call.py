"""The bot hangs up."""

from processors.tools.base import MeantBy, ToolContext
from processors.tools.declare import tool

MEANT_BY = MeantBy(
    {
        "en": (
            "bye*, goodbye*, farewell, ciao, thank*, cheers, all, everything, nothing, no, nope, nah, done, "
            "finish*, end*, hang*, leave, leaving, go, going, gotta, stop, quit, exit, later, see you, see "
            "ya, night, evening, weekend, day, care, enough, set, great, perfect, fine, good, ok, okay, "
            "wonderful, excellent, awesome, brilliant, that s it, that is it, that was it, that will be it, "
            "that d be it, that ll be it, over, disconnect*, drop, helpful, helped, satisfied, happy, call, "
            "solved, settled, complete*, off, nice, got it, understood, alright, sorted, appreciate*, so "
            "long, cut, run"
        ),
        "de": (
            "tschüss*, tschau, ciao, wiederhören, wiedersehen, wiederschauen, ade, servus, danke*, dank, "
            "alles, nichts, nein, nee, nö, fertig, ende, beend*, auflegen, aufleg*, leg, lege, schluss, "
            "reicht, genug, gut, perfekt, super, prima, klasse, okay, ok, das war, wars, war s, wär s, wärs, "
            "das wär*, gehen, los, weg, später, bis dann, bis bald, schöne*, abend, wochenende, nacht, "
            "erledigt, geklärt, geholfen, stopp, stop, mehr, wünsche, toll, passt, bedank*, gespräch, anruf, "
            "muss"
        ),
        "es": (
            "adiós, chao, chau, hasta, luego, gracias, nada, no, todo, termina*, acab*, colg*, cuelg*, fin, "
            "final*, basta, suficiente, bien, perfecto, genial, vale, ok, okay, listo, ya está, irme, voy, "
            "noche*, buen*, cuíd*, ayudado, resuelt*, cort*, dejarlo, llamada, despid*"
        ),
        "fr": (
            "au revoir, revoir, salut, ciao, adieu, merci*, rien, non, tout, fini*, termin*, raccroch*, fin, "
            "assez, suffi*, bien, parfait*, super, génial, ok, okay, d accord, c est bon, partir, pars, vais, "
            "tard, bientôt, soirée, soir, journée, nuit, week, aidé*, réglé*, coup*, arrêt*, appel, bonne*, "
            "laisse*, quitt*"
        ),
        "hi": (
            "अलविदा, बाय, बाई, धन्यवाद, शुक्रिया, थैंक*, नमस्ते, नमस्कार, बस, कुछ नहीं, नहीं, सब, खत्म, "
            "ख़त्म, समाप्त, काट*, रख*, कॉल, बंद, ठीक, अच्छा, बढ़िया, काफ़ी, काफी, हो गया, जाना, चलता, चलती, "
            "बाद, मिलते, फिर, मदद, ओके, इतना, dhanyavad, shukriya, bas, theek, nahi, nahin"
        ),
    },
    few_ways=True,
)


@tool(meant_by=MEANT_BY)
async def end_call(context: ToolContext) -> str:
    """End the call. Use it when the caller says goodbye or wants nothing more."""
    context.call.hang_up()
    return "Say goodbye in one short sentence. The line closes when the caller has heard it."
