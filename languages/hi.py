"""Hindi."""

import re

from languages.base import Agreement, Cues, Language, Lexicon, Sentences, endings, phrases, words
from languages.numerals import currencies, nouns
from languages.speech import Speech, short_forms


def _cardinal(number: int) -> str:
    said: list[str] = []
    for size, name in ((10**9, "अरब"), (10**7, "करोड़"), (10**5, "लाख"), (10**3, "हज़ार"), (100, "सौ")):
        count, number = divmod(number, size)
        if count:
            said += [_cardinal(count), name]
    return " ".join(said + [_UP_TO_99[number]] if number or not said else said)


def _ordinal(number: int) -> str:
    return _ORDINALS.get(number) or _cardinal(number) + "वाँ"


def _year(number: int) -> str:
    hundreds, rest = divmod(number, 100)
    if 1100 <= number < 2000:
        return f"{_cardinal(hundreds)} सौ {_cardinal(rest)}" if rest else f"{_cardinal(hundreds)} सौ"
    return _cardinal(number)


def _clock(hour: int, minute: int, half: str) -> str:
    hour = hour % 12 + 12 * (half == "p.m.") if half else hour % 24
    time = "रात" if hour < 4 or hour > 19 else "सुबह" if hour < 12 else "दोपहर" if hour < 16 else "शाम"
    said = f"{time} {_cardinal((hour - 1) % 12 + 1)}"
    return f"{said} बजकर {_cardinal(minute)} मिनट" if minute else f"{said} बजे"


def _date(day: int, month: int, year: int | None, before: str) -> str:
    said = f"{_cardinal(day)} {SPEECH.month_name(month)}"
    return said if year is None else f"{said} {_year(year)}"


def _time_of_day(found: re.Match[str]) -> str:
    _, _, said = _clock(int(found[2]), int(found[3]), "").partition(" ")
    return f"{found[1]} {said}"


def _ordinal_like(found: re.Match[str]) -> str:
    """With the ending that the noun asks for."""
    vowel = {"ी": "ी", "े": "े"}.get(found[2][1], "ा")
    number = int(found[1])
    if number in _ORDINALS:
        return _ORDINALS[number].removesuffix("ा") + vowel
    return _cardinal(number) + {"ी": "वीं", "े": "वें", "ा": "वाँ"}[vowel]


def _small_ordinal(found: re.Match[str]) -> str:
    """1ला, 2री."""
    return _ORDINALS[int(found[1])].removesuffix("ा") + {"ा": "ा", "ी": "ी", "े": "े"}[found[2][-1]]


def _time(found: re.Match[str]) -> str:
    return _clock(int(found[1]), int(found[2]), "")


_UP_TO_99 = words(
    "शून्य एक दो तीन चार पाँच छह सात आठ नौ दस ग्यारह बारह तेरह चौदह पंद्रह सोलह सत्रह अठारह उन्नीस "
    "बीस इक्कीस बाईस तेईस चौबीस पच्चीस छब्बीस सत्ताईस अट्ठाईस उनतीस तीस इकतीस बत्तीस तैंतीस चौंतीस पैंतीस छत्तीस सैंतीस "
    "अड़तीस उनतालीस चालीस इकतालीस बयालीस तैंतालीस चौवालीस पैंतालीस छियालीस सैंतालीस अड़तालीस उनचास पचास इक्यावन बावन "
    "तिरपन चौवन पचपन छप्पन सत्तावन अट्ठावन उनसठ साठ इकसठ बासठ तिरसठ चौंसठ पैंसठ छियासठ सड़सठ अड़सठ उनहत्तर सत्तर इकहत्तर "
    "बहत्तर तिहत्तर चौहत्तर पचहत्तर छिहत्तर सतहत्तर अठहत्तर उन्यासी अस्सी इक्यासी बयासी तिरासी चौरासी पचासी छियासी सत्तासी "
    "अट्ठासी नवासी नब्बे इक्यानवे बानवे तिरानवे चौरानवे पचानवे छियानवे सत्तानवे अट्ठानवे निन्यानवे"
)
"""Hindi counts irregularly up to a hundred, and num2words does not know it."""

_ORDINALS = {1: "पहला", 2: "दूसरा", 3: "तीसरा", 4: "चौथा", 6: "छठा"}


def _fraction(above: int, below: int) -> str:
    return SPEECH.fractions.get(f"{above}/{below}") or f"{_cardinal(above)} बटा {_cardinal(below)}"


SPEECH = Speech(
    cardinal=_cardinal,
    ordinal=_ordinal,
    year=_year,
    clock=_clock,
    date=_date,
    thousands=",\u00a0\u202f\u2009",
    point="दशमलव",
    month_first=False,
    months=(
        *("जनवरी", "फ़रवरी फरवरी", "मार्च", "अप्रैल", "मई", "जून", "जुलाई"),
        *("अगस्त", "सितंबर", "अक्टूबर", "नवंबर", "दिसंबर"),
    ),
    weekdays=("सोमवार सोम", "मंगलवार मंगल", "बुधवार बुध", "गुरुवार गुरु", "शुक्रवार शुक्र", "शनिवार शनि", "रविवार रवि"),
    currencies=currencies(
        """
        ₹ INR रुपये रुपए Rs. Rs रु.: एक रुपया, रुपये, एक पैसा, पैसे
        $ US$ USD: एक डॉलर, डॉलर, एक सेंट, सेंट
        £ GBP: एक पाउंड, पाउंड, एक पेनी, पेंस
        € EUR: एक यूरो, यूरो, एक सेंट, सेंट
        ¥ JPY: एक येन, येन
        """,
        named="₹ INR रुपये रुपए Rs. Rs रु.",
    ),
    units=nouns(
        """
        %: एक प्रतिशत, प्रतिशत
        km किमी: एक किलोमीटर, किलोमीटर
        m: एक मीटर, मीटर
        cm: एक सेंटीमीटर, सेंटीमीटर
        km/h: एक किलोमीटर प्रति घंटा, किलोमीटर प्रति घंटा
        kg किग्रा: एक किलोग्राम, किलोग्राम
        g gm: एक ग्राम, ग्राम
        °F: एक डिग्री फ़ारेनहाइट, डिग्री फ़ारेनहाइट
        l L: एक लीटर, लीटर
        °C: एक डिग्री सेल्सियस, डिग्री सेल्सियस
        °: एक डिग्री, डिग्री
        mg: एक मिलीग्राम, मिलीग्राम
        ml: एक मिलीलीटर, मिलीलीटर
        V: एक वोल्ट, वोल्ट
        Mbps: एक मेगाबिट प्रति सेकंड, मेगाबिट प्रति सेकंड
        GHz: एक गीगाहर्ट्ज़, गीगाहर्ट्ज़
        h: एक घंटा, घंटे
        min: एक मिनट, मिनट
        s: एक सेकंड, सेकंड
        MB: एक मेगाबाइट, मेगाबाइट
        GB: एक गीगाबाइट, गीगाबाइट
        """
    ),
    scales={"हज़ार": "हज़ार", "हजार": "हज़ार", "लाख": "लाख", "करोड़": "करोड़", "lakh": "लाख", "crore": "करोड़"},
    ordinal_mark="वाँ|वां|वें|वीं",
    spelled_after="(?:खाता|फ़ोन|फोन|कार्ड|मोबाइल|ग्राहक)? ?(?:संख्या|नंबर)|पिन|कोड|PIN|OTP|ओटीपी",
    signs={
        "%": "प्रतिशत",
        "&": "और",
        "+": "प्लस",
        "-": "माइनस",
        "±": "प्लस माइनस",
        "=": "बराबर",
        "<": "से कम",
        ">": "से ज़्यादा",
        "*": "गुणा",
        ":": "भाग",
        "@": "ऐट",
        "#": "नंबर",
        ".": "डॉट",
        "~": "लगभग",
        "²": "वर्ग",
        "³": "घन",
        "^": "की घात",
        "√": "वर्गमूल",
        "∛": "घनमूल",
        "≤": "से कम या बराबर",
        "≥": "से ज़्यादा या बराबर",
        "≠": "बराबर नहीं",
        "∞": "अनंत",
        "π": "पाई",
        "§": "धारा",
        "§§": "धारा",
        "by": "गुणा",
        "heart": "प्यार",
        "sharp": "शार्प",
        "to": "से",
        "ratio": "से",
        "per": "प्रति",
        "and": "और",
        "ending in": "आख़िरी अंक",
        "out of": "बटा",
        "over": "बटा",
        "star": "स्टार",
        "hash": "हैश",
    },
    fractions={"½": "आधा", "1/2": "आधा", "¼": "चौथाई", "1/4": "चौथाई", "¾": "तीन चौथाई", "3/4": "तीन चौथाई"},
    abbreviations={"डॉ.": "डॉक्टर", "Dr.": "डॉक्टर", "श्री.": "श्री"}
    | {"डा.": "डॉक्टर", "प्रो.": "प्रोफ़ेसर", "पृ.": "पृष्ठ", "सं.": "संख्या", "क्र.": "क्रमांक", "श्रीम.": "श्रीमती"}
    | {"जन.": "जनवरी", "फ़र.": "फ़रवरी", "अग.": "अगस्त", "सित.": "सितंबर", "अक्टू.": "अक्टूबर", "नव.": "नवंबर"}
    | {"दिस.": "दिसंबर"},
    abbreviations_before_numbers={"नं.": "नंबर"},
    no_ends=short_forms("डॉ डा प्रो पृ सं क्र श्री dr mr mrs a.m p.m rs रु जन फ़र फर अप्रै अग सित अक्टू नव दिस"),
    no_ends_before_numbers=frozenset(["नं"]),
    fraction=_fraction,
    pressed="दबा|डायल|बटन|टाइप",
    phones=r"1800[ -]\d{3}[ -]\d{3,4}",
    own=(
        (r"(?<=\d)/-", lambda _: ""),
        (r"(?<!\w)24\s?[x×*]\s?7(?!\w)", lambda _: "चौबीस सात"),
        (r"(?<![\w.,])([1-4])(ला|ली|ले|रा|री|रे|था|थी|थे)(?!\w)", _small_ordinal),
        (r"(?<!\w)(\d)['’](\d{1,2})[\"”]", lambda found: f"{found[1]} फ़ुट {found[2]} इंच"),
        # The part of the day is told once.
        (r"(रात|सुबह|दोपहर|शाम) ([01]?\d|2[0-4]):([0-5]\d) ?बजे", _time_of_day),
        (
            r"(?<![\w.,])(1\d\d|10\d\d|1[3-9]\d{3})(?= (?:डायल|पर (?:कॉल|फ़ोन|फोन)))",
            lambda found: SPEECH.digits(found[1]),
        ),
        (r"(?<![\w.,])(\d{1,4})(वाँ|वां|वीं|वी|वें|वे)(?!\w)", _ordinal_like),
        (r"(?<![\w:.,])([01]?\d|2[0-4]):([0-5]\d) ?बजे", _time),
    ),
)

HINDI = Language(
    code="hi",
    name="Hindi",
    locale="hi-IN",
    azure_voice="hi-IN-SwaraNeural",
    elevenlabs_voice="JBFqnCBsd6RMkjVDRZzb",
    sentences=Sentences(
        greeting="नमस्ते, यह बैंक की हेल्पलाइन है। मैं आपकी क्या मदद कर सकता हूँ?",
        repeat="माफ़ कीजिए, मैं समझ नहीं पाया। क्या आप दोहराएँगे?",
        moment="एक क्षण, कृपया।",
        still="मैं अभी देख रहा हूँ।",
        apology="माफ़ कीजिए, मैं अभी जवाब नहीं दे पा रहा हूँ। कृपया थोड़ी देर में फिर कोशिश करें।",
        still_there="क्या आप अभी भी लाइन पर हैं?",
        goodbye="लगता है कोई नहीं है, इसलिए मैं अब फ़ोन रखता हूँ। नमस्ते।",
        closing="यह लाइन थोड़ी देर के लिए बंद हो रही है। कृपया एक मिनट बाद फिर कॉल करें। नमस्ते।",
        time_up="इस लाइन पर बात करने का समय पूरा हो गया है, इसलिए मैं अब फ़ोन रखता हूँ। नमस्ते।",
        person="मैं एक स्वचालित सहायक हूँ। क्या मैं किसी व्यक्ति से बात कर रहा हूँ?",
        busy="अभी बहुत सारे कॉल आ रहे हैं। लगभग {wait} लगेगा।",
        in_queue="आप अभी भी कतार में हैं, लगभग {wait}।",
        full="अभी इतने कॉल आ रहे हैं कि मैं सबका जवाब नहीं दे सकता। कृपया एक मिनट बाद फिर कोशिश करें।",
        quota="आज मैं और जवाब नहीं दे सकता। कृपया कल फिर कॉल करें।",
        go_on="क्या मैं आगे बताऊँ?",
        farewell="नमस्ते।",
        waits={5: "पाँच सेकंड", 10: "दस सेकंड", 20: "बीस सेकंड", 30: "आधा मिनट", 60: "एक मिनट"},
    ),
    lexicon=Lexicon(
        acknowledgements=phrases(
            "हाँ,हां,जी,जी हाँ,ठीक,ठीक है,अच्छा,सही,बिल्कुल,समझ गया,समझ गई,धन्यवाद,शुक्रिया,ओके,haan,han,"
            "haanji,haan ji,ji,ji haan,theek,theek hai,thik hai,achha,accha,sahi,bilkul,samajh gaya,"
            "samajh gayi,dhanyavaad,shukriya,ok,okay,जी बिल्कुल,जी ज़रूर,ज़रूर,जरूर,अच्छा ठीक है,सही है,"
            "सही बात है,चलो ठीक है,कोई बात नहीं,समझा,समझी,पता है,मुझे पता है,बोलिए,आगे बोलिए,जारी रखिए,"
            "haan bilkul,ji bilkul,zaroor,jaroor,achha theek hai,sahi hai,koi baat nahi,koi baat nahin,samjha,"
            "samjhi,pata hai,mujhe pata hai,boliye,aage boliye,jari rakhiye,kyun nahi,क्यों नहीं"
        ),
        stops=phrases(
            "रुको,रुकिए,रुकें,नहीं,बस,सुनो,सुनिए,माफ़ कीजिए,एक मिनट,लेकिन,क्या,कैसे,कब,कहाँ,क्यों,कौन,मुझे,ruko,"
            "rukiye,nahi,nahin,bas,suno,suniye,maaf kijiye,ek minute,lekin,kya,kaise,kab,kahan,kyun,kaun,mujhe"
        ),
        exclamations=phrases(
            "अरे बाप रे,बाप रे,हे भगवान,ओह,ओहो,उफ़,उफ,वाह,वाह वाह,शाबाश,हाय,हाय राम,हे राम,अरे वाह,क्या बात है,"
            "जी साहब,जी सर,जी मैडम,सर,मैडम,साहब,बहुत अच्छा,बहुत बढ़िया,बढ़िया,कमाल है,सच में,अरे यार,यार,छी,"
            "हाहा,arre baap re,baap re,he bhagwan,hey bhagwan,oho,uff,waah,wah,wah wah,shabash,haay,hai ram,"
            "he ram,arre wah,kya baat hai,ji sir,ji sahab,ji madam,sir,madam,sahab,bahut accha,bahut achha,"
            "bahut badhiya,badhiya,kamaal hai,sach mein,arre yaar,yaar,chhi,haha,oops"
        ),
        requests=frozenset(
            words(
                "मेरा मेरी मुझको मैं हम हमें यह वह ये वो यहाँ वहाँ बताओ बताइए दो दीजिए दिखाओ दिखाइए जाओ आओ लो "
                "करो कीजिए भेजो भेजिए बदलो बदलिए फिर दोबारा और ज़्यादा कम मत कुछ कोई आज कल mujhko main hum "
                "hamein yah vah ye wo yahan vahan batao bataiye dijiye dikhao dikhaiye jao aao karo kijiye bhejo "
                "bhejiye badlo badliye phir dobara zyada kam mat kuchh koi aaj kal"
            )
        ),
        fillers=frozenset(words("अरे तो और are arre to aur")),
    ),
    cues=Cues(
        unfinished=endings(
            "और, या, लेकिन, मगर, क्योंकि, कि, अगर, तो मैं, मेरा, मेरी, मेरे, आपका, आपकी, का, की, के,को, में, से,"
            "पर,ने, मुझे, मैं, aur, ya, lekin, magar, kyunki, ki, agar, mera, meri, mere, aapka, ka, ke,ko, mein,"
            "se,par, ne, mujhe, matlab, um, uh"
        ),
        finished=endings(
            "हाँ, हां, जी, नहीं, ठीक है, धन्यवाद, बस, रुको, haan, han, ji, nahi, nahin, theek hai,thik hai,"
            "dhanyavaad, bas, ruko"
        ),
        closing=endings("धन्यवाद, शुक्रिया, dhanyavaad, shukriya, please"),
        digits=endings(
            "शून्य, एक, दो, तीन, चार, पाँच, छह, सात, आठ, नौ, zero, ek, do, teen, char, paanch, chhah,saat, aath,nau"
        ),
        numbers=endings("नंबर, कोड, पिन, खाता, फ़ोन, number, code, pin, khata, phone"),
        lengths={"पिन": 4, "pin": 4, "कोड": 6, "code": 6, "फ़ोन": 10, "phone": 10},
        spelled=endings("नाम, पता, ईमेल, naam, pata, email"),
        at_signs=endings("at, एट"),
        dots=endings("dot, डॉट"),
        corrections=endings("नहीं, nahi"),
        leads=endings("जी, हाँ, ji, haan"),
    ),
    agreement=Agreement(
        yes=phrases("हाँ,हां,जी,जी हाँ,ठीक है,ठीक,बिल्कुल,ज़रूर,सही,कर दीजिए,कर दो,haan,ha ji,theek hai,ji haan"),
        no=phrases("नहीं,मत,ना,लेकिन,पर,रुको,रुकिए,बदल,दूसरा,बाद में,कैसे,क्या,क्यों,कब,कौन,शायद,nahin,nahi"),
    ),
    speech=SPEECH,
    idle=frozenset(
        words(
            "मैं मैंने मुझे मुझको मेरा मेरी मेरे हम हमें हमारा हमारी हमारे आप आपका आपकी आपके आपको तुम तुम्हारा वह "
            "वो यह ये इस उस इसका उसका इसे उसे का की के को से में पर ने और या लेकिन तो भी ही है हैं हूँ हूं था थी "
            "थे हो होगा होगी होता होती होते रहा रही रहे क्या कैसे कैसा कैसी कृपया प्लीज़ प्लीज बताइए बताओ बताएं "
            "बताएँ बता बताना कहिए कहना कहो दीजिए दिखाइए दिखाओ करना करने करें करो कर किया चाहता चाहती चाहते जानना "
            "जानकारी हाँ हां जी हेलो हैलो सुनिए माफ़ माफ कीजिए सवाल जवाब दोबारा फिर धीरे समझ सुन नाम रोबोट मशीन "
            "आवाज़ असली यहाँ वहाँ हिंदी अंग्रेज़ी भाषा अपना अपने अपनी main mera meri mere mujhe aap ka ki ke ko "
            "se mein par aur hai hain hoon kya kaise batao bataiye haan ji"
        )
    ),
    handovers=phrases(
        "पत्नी से बात,पति से बात,फ़ोन देता हूँ,फ़ोन देती हूँ,फोन देता हूँ,फोन देती हूँ,wife se baat,"
        "husband se baat,phone deta hoon,phone deti hoon"
    ),
)
