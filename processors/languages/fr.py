"""French."""

from processors.languages.base import Agreement, Cues, Language, Lexicon, Sentences, endings, phrases, words

FRENCH = Language(
    code="fr",
    name="French",
    locale="fr-FR",
    azure_voice="fr-FR-VivienneMultilingualNeural",
    elevenlabs_voice="JBFqnCBsd6RMkjVDRZzb",
    sentences=Sentences(
        greeting="Bonjour, vous êtes au service téléphonique de la banque. Que puis-je faire pour vous ?",
        repeat="Pardon, je n'ai pas compris. Pouvez-vous répéter ?",
        moment="Un instant, s'il vous plaît.",
        still="Je cherche encore.",
        apology="Désolé, je ne peux pas répondre pour le moment. Réessayez dans un instant.",
        still_there="Êtes-vous toujours là ?",
        goodbye="Il semble qu'il n'y ait plus personne, je vais raccrocher. Au revoir.",
    ),
    lexicon=Lexicon(
        acknowledgements=phrases(
            "oui,ouais,d'accord,ok,okay,bien,très bien,bon,c'est bon,je vois,je comprends,compris,entendu,"
            "exactement,exact,voilà,parfait,merci,merci beaucoup,super,bien sûr,ah bon,vraiment,mhm"
        ),
        stops=phrases(
            "stop,arrêtez,arrête,attendez,attends,un instant,un moment,une seconde,non,mais,pardon,excusez moi,"
            "silence,assez,allô,bonjour,quoi,comment,quand,où,pourquoi,qui,quel,quelle,combien,est ce que,"
            "pouvez vous,je veux,je voudrais,j'ai besoin"
        ),
        fillers=frozenset(words("euh heu hum ah oh ben bah alors et")),
    ),
    cues=Cues(
        unfinished=endings(
            "le, la, les, un, une, des, du, de, au, aux, mon, ma, mes, ton, ta, votre, vos, notre,leur, et, ou,"
            "mais,parce que, car, que, qui, si, quand, puisque, donc je, à, avec, pour, sans, dans, sur,chez, vers,"
            "entre,je voudrais, je veux, j'aimerais, j'ai besoin de, je vais, pouvez-vous, est-ce que,c'est, est,"
            "sont, euh,heu, ben, numéro est, nom est, un instant, un moment, je veux dire, par exemple"
        ),
        doubtful=endings("en, par, comme, très, plus, aussi, alors, donc, bon, ne, se, me, où, ce, cette"),
        finished=endings(
            "oui, non, si, d'accord, ok, okay, bien, exactement, merci, s'il vous plaît, au revoir,stop, arrêtez,"
            "non merci"
        ),
        closing=endings("merci, s'il vous plaît, merci beaucoup, au revoir, c'est tout"),
        digits=endings("zéro, un, deux, trois, quatre, cinq, six, sept, huit, neuf, virgule, tiret, point"),
        numbers=endings("numéro, code, pin, téléphone, compte, carte, postal, référence"),
    ),
    agreement=Agreement(
        yes=phrases("oui,ouais,d'accord,ok,okay,bien sûr,certainement,exact,exactement,allez y,parfait,volontiers"),
        no=phrases(
            "non,pas,jamais,mais,attendez,attends,un instant,un moment,stop,plutôt,à la place,changez,autre,"
            "plus tard,comment,quoi,pourquoi,quand,quel,quelle,peut être"
        ),
    ),
)
