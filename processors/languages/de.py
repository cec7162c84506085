"""German."""

from processors.languages.base import Agreement, Cues, Language, Lexicon, Sentences, endings, phrases, words

GERMAN = Language(
    code="de",
    name="German",
    locale="de-DE",
    azure_voice="de-DE-SeraphinaMultilingualNeural",
    elevenlabs_voice="JBFqnCBsd6RMkjVDRZzb",
    sentences=Sentences(
        greeting="Guten Tag, hier ist der Telefonservice der Bank. Was kann ich für Sie tun?",
        repeat="Entschuldigung, das habe ich nicht verstanden. Können Sie es wiederholen?",
        moment="Einen Moment, bitte.",
        still="Ich bin noch dabei.",
        apology="Es tut mir leid, ich kann gerade nicht antworten. Bitte versuchen Sie es gleich noch einmal.",
        still_there="Sind Sie noch da?",
        goodbye="Es scheint niemand mehr da zu sein, ich lege jetzt auf. Auf Wiederhören.",
    ),
    lexicon=Lexicon(
        acknowledgements=phrases(
            "ja,jaja,jo,jep,okay,ok,gut,genau,richtig,stimmt,klar,alles klar,verstehe,ich verstehe,verstanden,aha,"
            "ach,ach so,achso,danke,vielen dank,dankeschön,danke schön,super,prima,toll,schön,in ordnung,sehr gut,"
            "na klar,natürlich,wirklich,echt,weiter,hmm,mhm"
        ),
        stops=phrases(
            "stopp,stop,halt,warte,warten sie,moment,einen moment,nein,nee,ne,nicht,aber,entschuldigung,ruhe,genug,"
            "bitte nicht,hallo,was,wie,wie bitte,wann,wo,warum,wer,welche,können sie,kann ich,ich will,ich möchte,"
            "ich brauche"
        ),
        fillers=frozenset(words("äh ähm öh ach also na nun so und")),
    ),
    cues=Cues(
        unfinished=endings(
            "der, die, das, den, dem, des, ein, eine, einen, einem, einer, mein, meine, meinen, dein,ihre, unser,"
            "und,oder, aber, weil, dass, ob, wenn, denn, sondern, obwohl, damit, mit, von, für, zu, zum,zur, bei,"
            "beim,im, am, ohne, gegen, wegen, durch, ich möchte, ich will, ich brauche, ich wollte,können sie,"
            "könnten sie,ist, sind, äh, ähm, hm, also ich, nummer ist, name ist, nummer lautet, moment,"
            "einen moment, ich meine,ich meinte, zum beispiel"
        ),
        doubtful=endings(
            "in, an, auf, aus, nach, vor, über, unter, als, wie, so, noch, auch, nur, sehr, dann,also, was, wo,"
            "hat, wird"
        ),
        finished=endings(
            "ja, nein, doch, okay, ok, gut, genau, richtig, stimmt, danke, bitte, stopp, halt,tschüss, nein danke"
        ),
        closing=endings("danke, bitte, vielen dank, danke schön, das war's, auf wiederhören"),
        digits=endings(
            "null, eins, zwei, zwo, drei, vier, fünf, sechs, sieben, acht, neun, doppel, komma, strich, punkt"
        ),
        numbers=endings("nummer, kontonummer, telefonnummer, code, pin, iban, postleitzahl, karte, kundennummer"),
    ),
    agreement=Agreement(
        yes=phrases(
            "ja,jawohl,jep,gerne,gern,okay,ok,klar,genau,richtig,natürlich,sicher,bitte,machen sie das,mach das,"
            "in ordnung,einverstanden,stimmt,passt,gut"
        ),
        no=phrases(
            "nein,nee,nicht,kein,keine,aber,warte,warten sie,moment,stopp,stop,halt,lieber,stattdessen,doch nicht,"
            "andere,anders,später,wie,was,warum,wann,welche,vielleicht"
        ),
    ),
)
