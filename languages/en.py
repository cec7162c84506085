"""English."""

import re

from languages.base import Agreement, Cues, Language, Lexicon, Sentences, endings, phrases, words
from languages.numerals import currencies, in_words, nouns
from languages.roman import NUMERAL, is_plain, roman
from languages.speech import Speech, short_forms


def _cardinal(number: int) -> str:
    return _words(number).replace(",", "").replace(" and ", " ")


def _year(number: int) -> str:
    return _cardinal(number) if 2000 <= number < 2010 else _year_words(number).replace(" and ", " ")


def _clock(hour: int, minute: int, half: str) -> str:
    if not half and (hour > 12 or hour == 0):
        half = "a.m." if hour in (0, 24) else "p.m."
    said = [_cardinal((hour - 1) % 12 + 1)]
    if minute:
        said += [*(["oh"] if minute < 10 else []), _cardinal(minute)]
    elif not half:
        said.append("o'clock")
    return " ".join([*said, half] if half else said)


def _date(day: int, month: int, year: int | None, before: str) -> str:
    said = f"{SPEECH.month_name(month)} {_ordinal(day)}"
    return said if year is None else f"{said}, {_year(year)}"


def _decade(found: re.Match[str]) -> str:
    decade = _year(int(found[1]))
    return decade.removesuffix("y") + "ies" if decade.endswith("y") else decade + "s"


def _fraction(above: int, below: int) -> str:
    if (above, below) == (1, 2):
        return "one half"
    name = {2: "half", 4: "quarter"}.get(below) or _ordinal(below).replace(" and ", " ")
    return f"{_cardinal(above)} {name}{'' if above == 1 else 's'}"


def _street(found: re.Match[str]) -> str:
    return f"{found[1]} Street"


def _inches(found: re.Match[str]) -> str:
    quoted = found.string[: found.end() - 1].count('"') % 2
    counts = found[1] == "1" or re.match(
        r" (?!tall|wide|long|high|deep|and|or|is|by|in)[a-z]", found.string[found.end() :]
    )
    return found.group() if quoted else f"{found[1]} inch{'' if counts else 'es'}"


def _reign(found: re.Match[str]) -> str:
    return f"{found[1]} the {_ordinal(roman(found[2]))}"


def _reign_if_plain(found: re.Match[str]) -> str:
    return _reign(found) if is_plain(found[2]) and found[1] not in _NO_KINGS else found.group()


def _days_to(found: re.Match[str]) -> str:
    """Jan 3–5."""
    return f"{SPEECH.month_name(_MONTHS[found[1]])} {SPEECH.ordinal(int(found[2]))} to {SPEECH.ordinal(int(found[3]))}"


_NO_KINGS = frozenset({"A", "An", "The", "On", "In", "At", "Your", "My", "His", "Her", "This", "No", "Or", "And", "Is"})
_SHORT_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec"
_FULL_MONTHS = "January February March April May June July August September October November December"
_MONTHS = {name: at for names in (_SHORT_MONTHS, _FULL_MONTHS) for at, name in enumerate(names.split(), 1)}


_NUMBERED = (
    "World War|Chapter|Part|Volume|Act|Scene|Phase|Type|Class|Level|Section|Article|Appendix|Title|Book|Stage|Mark|"
    "Step|Super Bowl|Episode|Tier|Grade|Group|Table|Figure|Unit|Schedule|Annex|chapter|part|volume|type|level|stage|"
    "phase"
)
_REIGNED = (
    "(?:King|Queen|Pope|Emperor|Tsar) [A-Z][a-z]+|Henry|George|Charles|Edward|Pius|Louis|Philip|Frederick|Gustav|James"
)
_STARTERS = r"(?<=T)he\b|(?<=I)t\b|(?<=W)e\b|(?<=Y)ou\b|(?<=O)ur\b|(?<=P)lease\b|(?<=A)nd\b|(?<=I)s\b"
_TITLES = {"Mr": "Mister", "Mrs": "Missus", "Ms": "Miz", "Prof": "Professor"}
_DAYS = {"Mon": "Monday", "Tue": "Tuesday", "Wed": "Wednesday", "Thu": "Thursday", "Fri": "Friday"} | {
    "Sat": "Saturday",
    "Sun": "Sunday",
}
_DAY = "|".join(_DAYS)
_DOTTED = "ft|oz|lb|lbs|yd|tbsp|tsp|hr|hrs|mins|sec|secs"
_WINDS = {"N": "North", "S": "South", "E": "East", "W": "West"}
_words = in_words("en", "cardinal")
_ordinal = in_words("en", "ordinal")
_year_words = in_words("en", "year")

SPEECH = Speech(
    cardinal=_cardinal,
    ordinal=lambda number: _ordinal(number).replace(",", "").replace(" and ", " "),
    year=_year,
    clock=_clock,
    date=_date,
    thousands=",\u00a0\u202f\u2009",
    point="point",
    month_first=True,
    months=(
        *("January Jan", "February Feb", "March Mar", "April Apr", "May", "June Jun", "July Jul"),
        *("August Aug", "September Sept Sep", "October Oct", "November Nov", "December Dec"),
    ),
    weekdays=(
        *("Monday Mon", "Tuesday Tue Tues", "Wednesday Wed", "Thursday Thu Thurs"),
        *("Friday Fri", "Saturday Sat", "Sunday Sun"),
    ),
    currencies=currencies(
        """
        $ US$ USD: one dollar, dollars, one cent, cents
        £ GBP: one pound, pounds, one penny, pence
        € EUR: one euro, euros, one cent, cents
        ₹ INR Rs. Rs: one rupee, rupees, one paisa, paise
        CHF: one franc, francs, one centime, centimes
        ¥ JPY: one yen, yen
        ¢: one cent, cents
        CA$ CAD: one Canadian dollar, Canadian dollars, one cent, cents
        C$: one Canadian dollar, Canadian dollars, one cent, cents
        A$ AU$ AUD: one Australian dollar, Australian dollars, one cent, cents
        """,
        named="$ US$ USD",
    ),
    units=nouns(
        """
        %: one percent, percent
        km: one kilometer, kilometers
        m: one meter, meters
        cm: one centimeter, centimeters
        mm: one millimeter, millimeters
        m² m2: one square meter, square meters
        km²: one square kilometer, square kilometers
        mi: one mile, miles
        ft: one foot, feet
        km/h kph: one kilometer per hour, kilometers per hour
        mph: one mile per hour, miles per hour
        m/s: one meter per second, meters per second
        kg: one kilogram, kilograms
        g: one gram, grams
        mg: one milligram, milligrams
        lb lbs: one pound, pounds
        oz: one ounce, ounces
        l L: one liter, liters
        ml mL: one milliliter, milliliters
        °C: one degree Celsius, degrees Celsius
        °F: one degree Fahrenheit, degrees Fahrenheit
        °: one degree, degrees
        h hr hrs: one hour, hours
        min mins: one minute, minutes
        s sec secs: one second, seconds
        ms: one millisecond, milliseconds
        kB KB: one kilobyte, kilobytes
        MB: one megabyte, megabytes
        GB: one gigabyte, gigabytes
        TB: one terabyte, terabytes
        W: one watt, watts
        kW: one kilowatt, kilowatts
        kWh: one kilowatt hour, kilowatt hours
        V: one volt, volts
        mA: one milliamp, milliamps
        mAh: one milliamp hour, milliamp hours
        Hz: one hertz, hertz
        kHz: one kilohertz, kilohertz
        MHz: one megahertz, megahertz
        GHz: one gigahertz, gigahertz
        kbps kbit/s: one kilobit per second, kilobits per second
        Mbps Mbit/s: one megabit per second, megabits per second
        Gbps Gbit/s: one gigabit per second, gigabits per second
        dB: one decibel, decibels
        hPa: one hectopascal, hectopascals
        kcal: one kilocalorie, kilocalories
        m/s²: one meter per second squared, meters per second squared
        yd: one yard, yards
        tbsp: one tablespoon, tablespoons
        tsp: one teaspoon, teaspoons
        px: one pixel, pixels
        rpm: one revolution per minute, revolutions per minute
        """
    ),
    scales={
        "k": "thousand",
        "K": "thousand",
        "m": "million",
        "M": "million",
        "mn": "million",
        "bn": "billion",
        "tn": "trillion",
        "B": "billion",
        "thousand": "thousand",
        "million": "million",
        "billion": "billion",
        "trillion": "trillion",
        "lakh": "lakh",
        "crore": "crore",
    },
    ordinal_mark="st|nd|rd|th",
    year_after="in|of|since|from|by|until|till|before|after|year|during|around",
    spelled_after=(
        "(?:account|card|phone|telephone|mobile|customer|order|reference|ref|booking|confirmation|tracking|flight|"
        "room|sort|post|zip|security|verification|access)?[ -]*(?:number|no\\.|code|pin|id|account|card|extension|"
        "ext\\.|reference|box|zip|postcode|telephone|tel\\.)(?: (?:is|was|number|code|no\\.|"
        "ending in|ends in|ending with|ending))*"
        "|ending in|ends in|ending with|ending|dial|call|OTP|one-time (?:code|password|passcode)|passcode|Acct\\. #|"
        "extension|routing number"
    ),
    signs={
        "%": "percent",
        "&": "and",
        "+": "plus",
        "-": "minus",
        "±": "plus or minus",
        "=": "equals",
        "<": "less than",
        ">": "more than",
        "*": "times",
        ":": "divided by",
        "@": "at",
        "#": "number",
        ".": "dot",
        "~": "about",
        "²": "squared",
        "³": "cubed",
        "^": "to the power of",
        "√": "the square root of",
        "∛": "the cube root of",
        "≤": "less than or equal to",
        "≥": "greater than or equal to",
        "≠": "not equal to",
        "∞": "infinity",
        "π": "pi",
        "§": "section",
        "§§": "sections",
        "by": "by",
        "sharp": "sharp",
        "heart": "love",
        "to": "to",
        "ratio": "to",
        "per": "per",
        "and": "and",
        "the": "the",
        "of": "of",
        "ending in": "ending in",
        "out of": "out of",
        "over": "over",
        "star": "star",
        "hash": "pound",
    },
    fractions={
        "½": "one half",
        "1/2": "one half",
        "⅓": "one third",
        "1/3": "one third",
        "⅔": "two thirds",
        "2/3": "two thirds",
        "¼": "one quarter",
        "1/4": "one quarter",
        "¾": "three quarters",
        "3/4": "three quarters",
    },
    abbreviations={
        "Dr.": "Doctor",
        "Mr.": "Mister",
        "Mrs.": "Missus",
        "Ms.": "Miz",
        "Prof.": "Professor",
        "e.g.": "for example",
        "i.e.": "that is",
        "etc.": "et cetera",
        "vs.": "versus",
        "approx.": "approximately",
        "dept.": "department",
        "Dept.": "Department",
        "incl.": "including",
        "E.g.": "For example",
        "I.e.": "That is",
        "a.k.a.": "also known as",
        "Ave.": "Avenue",
        "Blvd.": "Boulevard",
        "Rd.": "Road",
        "Ln.": "Lane",
        "Hwy.": "Highway",
        "Apt.": "Apartment",
        "Sgt.": "Sergeant",
        "Capt.": "Captain",
        "Gen.": "General",
        "Gov.": "Governor",
        "Rep.": "Representative",
        "Sen.": "Senator",
        "Rev.": "Reverend",
        "Jr.": "Junior",
        "Sr.": "Senior",
        "Mon.": "Monday",
        "Tue.": "Tuesday",
        "Tues.": "Tuesday",
        "Wed.": "Wednesday",
        "Thu.": "Thursday",
        "Thurs.": "Thursday",
        "Fri.": "Friday",
        "Rte.": "Route",
        "Acct.": "Account",
        "qty.": "quantity",
        "Qty.": "Quantity",
    },
    abbreviations_before_numbers={
        "No.": "number",
        "no.": "number",
        "nos.": "numbers",
        "fig.": "figure",
        "Fig.": "Figure",
        "vol.": "volume",
        "Vol.": "Volume",
        "p.": "page",
        "min.": "minimum",
        "Min.": "minimum",
        "max.": "maximum",
        "Max.": "maximum",
        "Ch.": "Chapter",
        "ch.": "chapter",
        "Sec.": "Section",
        "sec.": "section",
        "Tel.": "telephone",
        "tel.": "telephone",
        "pp.": "pages",
        "ext.": "extension",
        "Ext.": "extension",
    },
    no_ends=short_forms(
        "mr mrs ms dr prof st mt vs e.g i.e p.o approx dept est inc ltd co corp u.s u.k a.m p.m gen gov rev sgt incl "
        "a.k.a ave blvd rd ln hwy apt capt rep sen jr sr ft ph.d rte rs acct oz lb lbs yd tbsp tsp hr hrs mins"
    ),
    no_ends_before_numbers=short_forms(
        "no nos fig vol p pp ext sec ch min max tel jan feb mar apr jun jul aug sep sept oct nov dec"
    ),
    fraction=_fraction,
    date_after="on|by|until|till|from|since|before|after|due|dated",
    expires_after="expires|expiry|expiration|expiring|exp|valid until|valid through",
    pressed=r"\b(?:press|dial|hit|enter|type|push|key|keypad)\b",
    shortened={"mo": "month", "hr": "hour", "yr": "year", "wk": "week", "min": "minute", "sec": "second"},
    own=(
        (r"\b(Mr|Mrs|Ms|Prof)(?= [A-Z][a-z])", lambda found: _TITLES[found[1]]),
        (r"\bDr(?= [A-Z][a-z])", lambda _: "Doctor"),
        (r"\bSt(?= [A-Z][a-z]+['’]s\b)", lambda _: "Saint"),
        (r"\bHwy(?= \d)", lambda _: "Highway"),
        (r"(?<!\w)['’]0(\d)\b", lambda found: f"oh {_cardinal(int(found[1]))}"),
        (r"\b401\(k\)", lambda _: "four oh one k"),
        (rf"\b({_DAY})(?=\s?/\s?(?:{_DAY})\b)|(?<=/)({_DAY})\b", lambda found: _DAYS[found[1] or found[2]]),
        (r"(?<=\d)hr(?= [a-z])", lambda _: " hour"),
        (r"(?<=\d{4}) x(\d{2,5})\b", lambda found: f" extension {SPEECH.digits(found[1])}"),
        (r"(?<![\w/.])(\d{1,2})-(?=\d{1,2}/\d{1,2}(?![\d/]))", lambda found: f"{found[1]} "),
        (r"(?<=[a-z])/(?=(?:day|week|month|year|hour|night|person|user)\b)", lambda _: " per "),
        (r"(?<=noon|ight)\s?[-–]\s?(?=\d)|(?<=\d[ap]m)\s?[-–]\s?(?=(?:mid)?(?:noon|night))", lambda _: " to "),
        (r"(?<=\d)\s?sq\.? ?ft\b\.?", lambda _: " square feet"),
        (rf"(?<=\d)(\s?)({_DOTTED})\.(?= [a-z])", lambda found: f"{found[1]}{found[2]}"),
        (r"(?<=\d)x(?= as\b)", lambda _: " times"),
        (r"(?<=\d )((?:[A-Z][a-z]+ )+)St\.(?= [A-Z])", lambda found: f"{found[1]}Street."),
        (r"(?<=\d[A-Z] )((?:[A-Z][a-z]+ )+)St\.(?= [A-Z])", lambda found: f"{found[1]}Street."),
        (r"(?<![\w.,])(\d{3}0|\d0)['’]?s\b", _decade),
        (r"(?<!\w)w/o(?!\w)", lambda _: "without"),
        (r"(?<!\w)w/in(?!\w)", lambda _: "within"),
        (r"(?<!\w)w/(?=\s)", lambda _: "with"),
        (r"(?<!\w)c/o(?!\w)", lambda _: "care of"),
        (r"(?<!\w)b/c(?!\w)", lambda _: "because"),
        (r"(?<!\w)[nN]/[aA](?!\w)", lambda _: "not applicable"),
        (r"\b(St\.) (?=[A-Z][a-z]+(?:['’]s)? St\b)", lambda _: "Saint "),
        (r"(?<=\d )((?:[NSEW]\. )?(?:[A-Z][a-z]+ )+|\d+(?:st|nd|rd|th) )St\.(?!\w)", lambda found: f"{found[1]}Street"),
        (rf"(?<=[a-z] )([A-Z][a-z]+|\d+(?:st|nd|rd|th)) St\.(?!\w| [A-Z](?!{_STARTERS}))", _street),
        (rf"((?:^|(?<=[.,;] ))[A-Z][a-z]+|\d+(?:st|nd|rd|th)|['’]s) St\.(?!\w| [A-Z](?!{_STARTERS}))", _street),
        (r"\bSt\.(?=\s[A-Z])", lambda _: "Saint"),
        (r"\bMt\.(?=\s[A-Z])", lambda _: "Mount"),
        (r"\bFt\.(?=\s[A-Z])", lambda _: "Fort"),
        (r"(?<=\d )([NSEW])\.(?= [A-Z][a-z])", lambda found: _WINDS[found[1]]),
        (r"(\d{1,2})\s?['′’]\s?(\d{1,2})(?:[\"″”]|'')", lambda found: f"{found[1]} foot {found[2]}"),
        (r"(?<![\w.,])(\d+(?:\.\d+)?)[\"″](?=\s[a-z]|[.,;]|$)", _inches),
        (r"(?<![\w.,])(\d+)['′](?=\s(?:tall|wide|long|high|deep)\b)", lambda found: f"{found[1]} feet"),
        (
            r"(?<![\w.,])(\d+(?:\.\d+)?)x(?= (?!minus|plus|equals|divided|times|less|greater|not)[a-z]{3})",
            lambda found: f"{found[1]} times",
        ),
        (r"(?<=\d)\s?ft\.? (\d{1,2})\s?in\b\.?", lambda found: f" foot {found[1]}"),
        (r"(?<=\d(?:st|nd|rd|th))\s?[-–]\s?(?=\d{1,2}(?:st|nd|rd|th)\b)", lambda _: " to "),
        (r"(?<=°[CF])\s?[-–]\s?(?=\d)", lambda _: " to "),
        (rf"\b({'|'.join(_MONTHS)})\.? (\d{{1,2}})\s?[-–]\s?(\d{{1,2}})(?![\w:/-]|[.,]\d)", _days_to),
        (rf"\b({_NUMBERED}) ({NUMERAL})\b(?!['’]\w)", lambda found: f"{found[1]} {_cardinal(roman(found[2]))}"),
        (rf"\b((?:{_REIGNED})) ({NUMERAL})\b(?!['’][a-rt-z])", _reign),
        (rf"\b([A-Z][a-z]+) ({NUMERAL})\b(?!['’][a-rt-z])", _reign_if_plain),
    ),
)

ENGLISH = Language(
    code="en",
    name="English",
    locale="en-US",
    azure_voice="en-US-AvaMultilingualNeural",
    elevenlabs_voice="JBFqnCBsd6RMkjVDRZzb",
    sentences=Sentences(
        greeting="Hello, this is the bank's help line. How can I help you?",
        repeat="Sorry, I didn't catch that. Could you say it again?",
        moment="One moment, please.",
        still="I'm still looking into it.",
        apology="I'm sorry, I can't answer that right now. Please try again in a moment.",
        still_there="Are you still there?",
        goodbye="It seems that nobody is there, so I'll hang up now. Goodbye.",
        closing="This line is being closed for a moment. Please call again in a minute. Goodbye.",
        time_up="We have talked for as long as this line allows, so I'll hang up now. Goodbye.",
        person="I'm an automatic assistant. Am I speaking with a person?",
        busy="I'm getting many calls right now. It will take about {wait}.",
        in_queue="You're still in line, about {wait}.",
        full="I'm getting more calls than I can answer. Please try again in a minute.",
        quota="I've given all the answers that I may give today. Please call again tomorrow.",
        go_on="Shall I go on?",
        farewell="Goodbye.",
        waits={5: "five seconds", 10: "ten seconds", 20: "twenty seconds", 30: "half a minute", 60: "a minute"},
    ),
    lexicon=Lexicon(
        acknowledgements=phrases(
            "yeah,yes,yep,yup,ya,okay,ok,k,kay,right,sure,alright,all right,fine,good,great,nice,cool,perfect,"
            "wow,really,indeed,exactly,absolutely,of course,i see,got it,gotcha,makes sense,thanks,thank you,"
            "cheers,thank you very much,thanks a lot,mhmm,mm hmm,uh huh,aha,sounds good,go on,go ahead,"
            "no problem,no worries,i understand,understood,true,that's right,that's true,very good,very well,"
            "excellent,lovely,yes miss,yes please,sir yes sir,aye aye sir,affirmative,as you wish,sure thing,"
            "okey doke,right you are,quite,quite so,quite right,just so,i know right,i get it,i got it,"
            "i got you,i hear you,i guess so,i suppose so,i think so,i hope so,if you say so,clearly,likewise,"
            "that's fine,that's okay,that's correct,that's good,that's great,that's nice,that works,"
            "works for me,sounds great,sounds fine,sounds right,good to hear,glad to hear it,good one,"
            "good idea,well done,much appreciated,i appreciate it,thank you so much,many thanks,thanks so much,"
            "okay then,all good,it's okay,it's fine,please do,please go on,please continue,continue,carry on,"
            "keep going,why not"
        ),
        stops=phrases(
            "stop,wait,hold on,hang on,no,nope,pause,quiet,be quiet,shut up,enough,excuse me,sorry,pardon,actually,"
            "but,what,hey,hello,listen,one second,one moment,just a second,just a minute,cancel,never mind,"
            "nevermind,let me,can you,could you,can i,could i,i want,i need,i have,how,why,when,where,who,which,"
            "repeat"
        ),
        exclamations=phrases(
            "oops,whoops,oopsie,ouch,ow,oh dear,dear me,dear,oh dear me,oh my,oh my god,oh my gosh,"
            "oh my goodness,my goodness,goodness,goodness me,gosh,oh gosh,my god,good god,oh god,jeez,geez,"
            "jesus,gee,gee whiz,golly,whoa,woah,yay,yikes,phew,ugh,uh oh,oh oh,ha,haha,hah,heh,hehe,hmph,"
            "damn,dang,darn,shoot,crap,shit,bloody hell,what the heck,what the hell,good grief,good lord,"
            "oh lord,good heavens,heavens,blimey,crikey,bummer,too bad,what a pity,what a shame,what a mess,"
            "tsk,tut tut,ahem,achoo,bless you,bless me,hooray,hurray,bravo,ooh,aw,aww,eww,yuck,pff,yes sir,"
            "no sir,yes ma'am,yes madam,sir,ma'am,madam,aye,aye aye,roger,roger that,copy that,you bet,"
            "you're right,you are right,interesting,amazing,awesome,brilliant,fantastic,terrific,super,"
            "wonderful,neat,sweet,nice one,well well,my my,my word,upon my word,oh boy,boy,man,oh man,dude,"
            "mate,you don't say,no kidding,no doubt,oh well,oh really,is that so,is that right,fair enough,"
            "fair,good to know,i know,i guess,i suppose,i agree,totally,definitely,certainly,precisely,correct,"
            "agreed,very true,so true,naturally,obviously,same here,me too,for sure,i bet,i'll be damned,"
            "thank god,thank goodness,good for you,wowza,alrighty,okey dokey,righto,very nice,very interesting"
        ),
        requests=frozenset(
            words(
                "me it him her us them this that these those here there tell give show go come take put get make "
                "let leave cut turn hurry watch check send book order pay call change explain again back more "
                "less not don't doesn't didn't can't won't isn't wasn't another other different someone somebody "
                "something anything everything nothing my mine yours please today tomorrow yesterday tonight"
            )
        ),
        fillers=frozenset(words("um uh er erm ah oh eh hm well so like you know just then and")),
    ),
    cues=Cues(
        unfinished=endings(
            # articles, possessives, conjunctions, prepositions that can't stand at the end
            "a, an, the, my, your, our, their, its, every, and, or, but, nor, because, if, whether,although,"
            "unless,until, while, whereas, than, whose, very, plus, versus, of, into, onto, between, among,during,"
            "without,upon, towards, against, regarding, concerning, despite, except,"
            # contractions that want something after them
            "i'm, i'd, i'll, i've, we're, we'd, we'll, we've, they're, they've, you're, you've, he's,she's, it's,"
            "that's, there's, what's, who's, where's, how's, let's, gonna, wanna, gotta,"
            # beginnings
            "i meant, i mean, what i meant is, i want to, i wanted to, i'd like to, i would like to, i'd like,"
            "i would like, i need to, i have to, i was going to, i'm going to, i'm trying to, i'm looking for,"
            "i'm calling about, i'm calling to, i'm calling for, i was wondering, i wonder if, i just, i also,"
            "do you have, do you know, how do i, how can i, tell me about, what about, how about,make me, give me,"
            "get me, and then, such as, as well as, in order to, kind of, sort of, for example, the thing is,"
            "the problem is, the question is, it depends on, or maybe, and also, but also,"
            # a name or a number is about to be given
            "name is, number is, code is, address is, password is, pin is, email is, mail is, date is,amount is,"
            "ending in, ending with, starting with, spelled,"
            # fillers, and time that is asked for
            "um, uh, uhm, umm, erm, er, hmm, let me see, let me think, let me check, let me look,let's see,"
            "hold on,hang on, one moment, a moment, one second, a second, one sec, a sec, wait a minute,"
            "give me a minute"
        ),
        doubtful=endings(
            "to, for, with, from, at, in, by, as, about, on, over, under, through, after, before,around, like, is,"
            "are,was, were, am, be, been, has, have, had, do, does, did, will, would, can, could, should,must,"
            "might, may,i, we, he, she, they, his, some, any, not, just, only, also, so, when, where, why, how,"
            "what, who, which,basically, you know, quite, another, double, triple, single, both, either, neither,"
            "mister, mr, mrs, ms, dr,doctor, you want, i want, i need, i think, i guess, i believe, can i, can you,"
            "could i,could you, would you,may i, should i, to book, to make, to get, to buy, to send, to transfer,"
            "to change,to order, to reserve,to know, to find, to use, to add, to set, called"
        ),
        opening=endings(
            "so, well, and, but, now, look, listen, because, okay so, yes so, yeah so, yes but,yeah but, no but"
        ),
        finished=endings(
            "yes, yeah, yep, yup, no, nope, nah, okay, ok, sure, right, correct, exactly, true, false,fine, good,"
            "great,stop, thanks, thank you, goodbye, bye, please, never mind, no thanks, no thank you,yes please,"
            "nothing,of course, i don't know, i'm not sure, not really, i think so, i guess so, i hope so,"
            "all right, alright,sounds good, today, tomorrow, yesterday, help, cancel, repeat, again, what, pardon,"
            "sorry, no way, mhm,uh huh, mm hmm, huh, go ahead, i do, i am, it is, i did, i have, i can, i will,"
            "they are,we are, that's it,that's all, that is all, how are you, not yet, hello, hi"
        ),
        closing=endings(
            "please, thanks, thank you, thank you very much, thanks a lot, goodbye, bye, that's all,that's it,"
            "as well,that is all, never mind, i think so, what i meant, what i mean, and so on, et cetera,or not,"
            "at all, o'clock"
        ),
        questions=endings("what, what's, where, where's, who, who's, which, how, how's, when, why"),
        digits=endings("zero, oh, o, one, two, three, four, five, six, seven, eight, nine, double, triple"),
        numbers=endings("number, code, pin, digits, zip, postcode, extension, iban, cvv, cvc, id, phone, telephone"),
        lengths={
            "pin": 4,
            "extension": 4,
            "cvv": 3,
            "cvc": 3,
            "zip": 5,
            "postcode": 5,
            "code": 6,
            "phone": 10,
            "telephone": 10,
            "mobile": 10,
            "cell": 10,
            "card": 16,
        },
        spelled=endings("name, surname, spell, spelled, spelt, spelling, letters, mail, email, e-mail, address"),
        spelling_words=endings(
            "zed, zee, alpha, alfa, bravo, charlie, delta, echo, foxtrot, golf, hotel, india, juliet, kilo, lima, mike,"
            "november, oscar, papa, quebec, romeo, sierra, tango, uniform, victor, whiskey, yankee, zulu"
        ),
        signs=endings("dash, hyphen, slash, underscore, plus, hash, star, space"),
        at_signs=endings("at"),
        dots=endings("dot, point, period"),
        corrections=endings("no, sorry, wait, correction, rather, i, mean"),
        leads=endings(
            "it's, its, it is, that's, that is, that would be, okay, ok, sure, yes, so, well, okay so, sure it's,"
            "yes it's, okay it's, yeah it's, here it is, the first part is, it starts with, one moment"
        ),
    ),
    agreement=Agreement(
        yes=phrases(
            "yes,yeah,yep,yup,ya,sure,okay,ok,please do,do it,do that,go ahead,go on,of course,certainly,"
            "definitely,absolutely,correct,right,that's right,exactly,perfect,alright,all right,fine,sounds good,"
            "i do,i agree,confirmed,confirm,mhm,mm hmm,uh huh"
        ),
        no=phrases(
            "no,nope,not,don't,do not,never,wait,stop,but,hold on,hang on,instead,rather,actually,cancel,change,"
            "make it,different,another,except,unless,later,how,what,why,when,which,who,maybe,perhaps"
        ),
    ),
    speech=SPEECH,
    idle=frozenset(
        words(
            "a an the and or but so of to in on at for with from by about as if then this that these those it its "
            "i you he she we they me him her us them my mine your yours our ours their is am are was were be been "
            "being do does did can could would will should shall might must may has had having s m d t re ve ll "
            "don isn aren wasn won wouldn couldn what who whom whose how just also too very really actually maybe "
            "perhaps some any other another else something anything one ones tell say said give show let know "
            "think want wanted like need please help hello hi hey yo welcome sorry pardon excuse um uh er erm hm "
            "hmm mm well yes yeah yep sure right question questions ask asking asked answer repeat again slowly "
            "louder speak talk talking understand hear heard listen mean means name called robot bot computer "
            "machine ai assistant voice real thing things way sort kind get got here there up out down into quick "
            "quickly kindly alright look looking wondering wonder able try trying back you're english german "
            "french spanish hindi language"
        )
    ),
    handovers=phrases(
        "pass you to,pass you over,pass you on to,hand you over,hand you to,put you on to,give you to,"
        "give the phone to,pass the phone to,hand the phone to,talk to my,speak to my,speak with my,"
        "talk with my,here is my,here's my,ask my wife,ask my husband,my wife will,my husband will"
    ),
)
