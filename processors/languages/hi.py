"""Hindi."""

from processors.languages.base import Agreement, Cues, Language, Lexicon, Sentences, endings, phrases, words

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
    ),
    lexicon=Lexicon(
        acknowledgements=phrases(
            "हाँ,हां,जी,जी हाँ,ठीक,ठीक है,अच्छा,सही,बिल्कुल,समझ गया,समझ गई,धन्यवाद,शुक्रिया,ओके,haan,han,haanji,"
            "haan ji,ji,ji haan,theek,theek hai,thik hai,achha,accha,sahi,bilkul,samajh gaya,samajh gayi,"
            "dhanyavaad,shukriya,ok,okay"
        ),
        stops=phrases(
            "रुको,रुकिए,रुकें,नहीं,बस,सुनो,सुनिए,माफ़ कीजिए,एक मिनट,लेकिन,क्या,कैसे,कब,कहाँ,क्यों,कौन,मुझे,ruko,"
            "rukiye,nahi,nahin,bas,suno,suniye,maaf kijiye,ek minute,lekin,kya,kaise,kab,kahan,kyun,kaun,mujhe"
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
    ),
    agreement=Agreement(
        yes=phrases("हाँ,हां,जी,जी हाँ,ठीक है,ठीक,बिल्कुल,ज़रूर,सही,कर दीजिए,कर दो,haan,ha ji,theek hai,ji haan"),
        no=phrases("नहीं,मत,ना,लेकिन,पर,रुको,रुकिए,बदल,दूसरा,बाद में,कैसे,क्या,क्यों,कब,कौन,शायद,nahin,nahi"),
    ),
)
