"""What the bot knows, from its folder of Markdown files."""

from processors.tools.base import MeantBy, ToolContext
from processors.tools.declare import tool
from processors.tools.knowledge import Knowledge

MEANT_BY = MeantBy(
    {
        "en": (
            "open*, clos*, hour*, when, where, fee*, cost*, price*, charge*, free, card*, loan*, mortgage*, "
            "rate*, interest, credit, debit, branch*, address*, locat*, near*, find, atm*, machine*, "
            "transfer*, abroad, foreign, travel*, lost, stolen, block*, pin, limit*, maximum, minimum, "
            "account*, apply*, insur*, app, online, password, phone, number, contact*, service*, offer*, "
            "holiday*, weekend*, monday*, tuesday*, wednesday*, thursday*, friday*, saturday*, sunday*, "
            "rule*, policy, terms, condition*, require*, document*, how long, how do, how can, change, order, "
            "new, replac*, overdraft*, currency, exchange*, cheque*, check, notice, complain*, security, "
            "safe, fraud, scam, tax*, student*, child*, kid*, business, joint, deposit*, withdraw*, bank*, "
            "have, has, is there, are there, can i, could i, may i, possible, allowed, do i need, pay*, "
            "which, why, today, tomorrow"
        ),
        "de": (
            "offen, geöffnet, öffn*, *zeiten, auf, zu, wann, wo, wohin, gebühr*, *kost*, *preis*, *karte*, "
            "*kredit*, darlehen*, hypothek*, *zins*, *filiale*, adresse*, standort*, nähe, nächste*, "
            "automat*, *überweis*, ausland*, reise*, verlor*, gestohlen, geklaut, *sperr*, pin, *limit*, "
            "maximal*, mindest*, *konto*, beantrag*, versicher*, app, online, passwort, telefon*, nummer, "
            "kontakt*, service*, angebot*, feiertag*, wochenend*, montag*, dienstag*, mittwoch*, donnerstag*, "
            "freitag*, samstag*, sonnabend*, sonntag*, regel*, bedingung*, voraussetzung*, brauche, dauer*, "
            "lange, ändern, bestell*, neue*, ersatz, dispo*, währung*, wechsel*, scheck*, frist*, beschwer*, "
            "sicher*, betrug, steuer*, student*, kind*, geschäft*, einzahl*, abheb*, bank*, gibt es, gibts, "
            "habt, haben sie, kann ich, könnte ich, darf ich, möglich, welche*, warum, wieso, heute, morgen, "
            "geschlossen, schließ*, macht"
        ),
        "es": (
            "abiert*, abr*, cerr*, cierr*, horario*, cuándo, cuando, dónde, donde, comisi*, tarifa*, cuesta*, "
            "coste*, precio*, tarjeta*, préstamo*, hipoteca*, interés*, crédito, débito, sucursal*, oficina*, "
            "dirección, ubica*, cerca, cajero*, transfer*, extranjero, viaj*, perd*, rob*, bloque*, pin, "
            "límite*, máximo, mínimo, cuenta*, solicit*, seguro*, app, aplicación, internet, línea, "
            "contraseña, teléfono, número, contact*, servicio*, ofrec*, festivo*, fin de semana, lunes, "
            "martes, miércoles, jueves, viernes, sábado*, domingo*, regla*, condici*, requisito*, necesito, "
            "tarda*, cambiar, pedir, nuev*, moneda, divisa*, cheque*, queja*, fraude, estafa, impuesto*, "
            "estudiante*, niñ*, hijo*, empresa*, retirar, banco*, tienen, tenéis, tiene, puedo, podría, "
            "posible, cuál*, por qué, hoy, mañana, hay, atienden"
        ),
        "fr": (
            "ouvert*, ouvr*, ferm*, horaire*, heures, quand, où, frais, coût*, tarif*, prix, carte*, prêt*, "
            "crédit*, hypothé*, intérêt*, taux, agence*, adresse*, près, proche*, distributeur*, guichet*, "
            "virement*, étranger*, voyag*, perdu*, perte, vol, volé*, bloqu*, opposition, code, pin, "
            "plafond*, limite*, maximum, minimum, compte*, demande*, assurance*, appli*, internet, ligne, mot "
            "de passe, téléphone, numéro, contact*, service*, offr*, férié*, week, weekend*, lundi*, mardi*, "
            "mercredi*, jeudi*, vendredi*, samedi*, dimanche*, règle*, condition*, faut, besoin, dure*, "
            "changer, commander, nouve*, devise*, chèque*, plainte*, réclam*, sécurité, fraude, arnaque, "
            "impôt*, étudiant*, enfant*, entreprise*, banque*, avez, y a t il, puis je, peux je, peut on, "
            "possible, quel*, pourquoi, aujourd hui, demain, découvert"
        ),
        "hi": (
            "खुल*, बंद, समय, कब, कहाँ, कहां, शुल्क, फीस, फ़ीस, चार्ज*, लागत, दाम, कीमत, कार्ड*, लोन, ऋण, "
            "कर्ज़, कर्ज, ब्याज, दर, शाखा*, ब्रांच*, पता, पास, नज़दीक*, नजदीक*, एटीएम*, ट्रांसफर*, "
            "ट्रांसफ़र*, विदेश*, यात्रा, खो, खोया, खोई, गुम, चोरी, ब्लॉक*, पिन, सीमा, लिमिट, अधिकतम, न्यूनतम, "
            "खाता, खाते, खातों, अकाउंट*, आवेदन, बीमा, ऐप, ऑनलाइन, पासवर्ड, फ़ोन, फोन, नंबर, संपर्क, सेवा*, "
            "छुट्टी, सोमवार, मंगलवार, बुधवार, गुरुवार, शुक्रवार, शनिवार, रविवार, नियम, शर्त*, ज़रूरत, जरूरत, "
            "चाहिए, बदल*, नया, नई, मुद्रा, चेक, शिकायत, सुरक्ष*, धोखा*, टैक्स, कर, छात्र*, बच्च*, बैंक*, "
            "सकता, सकती, सकते, कौन, कौनसा, कौनसी, क्यों, आज, कल, kab, kahan, khul*"
        ),
    }
)


@tool(meant_by=MEANT_BY)
async def search_knowledge(context: ToolContext, question: str) -> str:
    """Look up opening hours, fees, cards, loans and other facts. Use it before saying that something is not known.

    Args:
        question: What is to be known, in a few words.
    """
    found = await context.shared(Knowledge).search(question)
    if not found:
        return "Nothing is known about that. Say so."
    return "\n".join(f"[{passage.title}] {' '.join(passage.text.split())}" for passage in found)
