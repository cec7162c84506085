"""English."""

from processors.languages.base import Agreement, Cues, Language, Lexicon, Sentences, endings, phrases, words

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
    ),
    lexicon=Lexicon(
        acknowledgements=phrases(
            "yeah,yes,yep,yup,ya,okay,ok,k,kay,right,sure,alright,all right,fine,good,great,nice,cool,perfect,wow,"
            "really,indeed,exactly,absolutely,of course,i see,got it,gotcha,makes sense,thanks,thank you,cheers,"
            "thank you very much,thanks a lot,mhmm,mm hmm,uh huh,aha,sounds good,go on,go ahead,no problem,"
            "no worries,i understand,understood,true,that's right,that's true,very good,very well,excellent,lovely"
        ),
        stops=phrases(
            "stop,wait,hold on,hang on,no,nope,pause,quiet,be quiet,shut up,enough,excuse me,sorry,pardon,actually,"
            "but,what,hey,hello,listen,one second,one moment,just a second,just a minute,cancel,never mind,"
            "nevermind,let me,can you,could you,can i,could i,i want,i need,i have,how,why,when,where,who,which,"
            "repeat"
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
        digits=endings(
            "zero, oh, o, one, two, three, four, five, six, seven, eight, nine, double, triple, dash,dot, slash"
        ),
        numbers=endings("number, code, pin, digits, zip, postcode, extension, iban, cvv, cvc, id"),
        short_numbers=endings("code, pin, zip, postcode, extension, cvv, cvc"),
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
)
