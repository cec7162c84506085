"""Spanish."""

from processors.languages.base import Agreement, Cues, Language, Lexicon, Sentences, endings, phrases, words

SPANISH = Language(
    code="es",
    name="Spanish",
    locale="es-ES",
    azure_voice="es-ES-XimenaNeural",
    elevenlabs_voice="JBFqnCBsd6RMkjVDRZzb",
    sentences=Sentences(
        greeting="Hola, le atiende la línea de ayuda del banco. ¿En qué puedo ayudarle?",
        repeat="Perdone, no le he entendido. ¿Puede repetirlo?",
        moment="Un momento, por favor.",
        still="Sigo en ello.",
        apology="Lo siento, ahora mismo no puedo responder. Inténtelo de nuevo en un momento.",
        still_there="¿Sigue ahí?",
        goodbye="Parece que no hay nadie, así que voy a colgar. Adiós.",
    ),
    lexicon=Lexicon(
        acknowledgements=phrases(
            "sí,si,vale,claro,de acuerdo,bien,muy bien,bueno,ya,ya veo,entiendo,entendido,exacto,correcto,perfecto,"
            "gracias,muchas gracias,ok,okay,ajá,aja,genial,eso,por supuesto,estupendo,mhm"
        ),
        stops=phrases(
            "para,pare,espera,espere,un momento,no,alto,silencio,basta,perdón,perdona,perdone,disculpe,pero,oiga,"
            "oye,hola,qué,cómo,cuándo,dónde,por qué,quién,cuál,cuánto,puede,puedo,quiero,necesito"
        ),
        fillers=frozenset(words("eh em este pues ah oh bueno y")),
    ),
    cues=Cues(
        unfinished=endings(
            "el, la, los, las, un, una, unos, unas, mi, mis, tu, su, sus, nuestro, y, e, o, u, pero,porque, que,"
            "si,aunque, sino, de, del, a, al, con, en, para, por, sin, sobre, desde, hasta, entre, hacia, quiero,"
            "quisiera, necesito, me gustaría, puede, podría, es, son, está, eh, em, este, número es, nombre es,"
            "un momento, o sea, es decir, por ejemplo"
        ),
        doubtful=endings("muy, más, como, cuando, donde, no, también, entonces, pues, bueno, lo, se, me"),
        finished=endings(
            "sí, si, no, vale, bien, claro, exacto, correcto, gracias, por favor, adiós, para,no gracias,sí por favor"
        ),
        closing=endings("gracias, por favor, muchas gracias, adiós, eso es todo, nada más"),
        digits=endings("cero, uno, dos, tres, cuatro, cinco, seis, siete, ocho, nueve, doble, coma, guion, punto"),
        numbers=endings("número, código, pin, teléfono, cuenta, tarjeta, postal, referencia"),
    ),
    agreement=Agreement(
        yes=phrases(
            "sí,si,claro,vale,de acuerdo,por supuesto,correcto,exacto,adelante,hágalo,está bien,perfecto,ok,okay"
        ),
        no=phrases(
            "no,nunca,pero,espere,espera,un momento,pare,mejor,en vez,cambie,otro,otra,después,cómo,qué,por qué,"
            "cuándo,cuál,quizás,tal vez"
        ),
    ),
)
