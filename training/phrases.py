"""What machine voices say for the training of the sound judge, and which voices espeak-ng lends."""


def phrases(text: str) -> list[str]:
    """Phrases that bars separate."""
    return text.split("|")


ACKNOWLEDGEMENTS = phrases(
    "mhm|mm-hmm|uh-huh|yeah|yes|yep|okay|ok|right|sure|I see|got it|alright|mm|hmm|oh|ah|aha|good|great|fine|"
    "thank you|thanks|exactly|really|wow|cool|nice|yeah yeah|okay okay|oh okay|oh I see|right right|sounds good|"
    "makes sense|of course|perfect|all right|uh huh yeah|mm okay|that's right|go on|very good|no problem"
)
INTERRUPTIONS = phrases(
    "stop|wait|wait a second|hold on|hang on|no|no no|excuse me|sorry|actually|but|what|hello|listen|one moment|"
    "please stop|stop it|can you repeat that|that's not what I meant|I have a question|what about my card|let me ask|"
    "cancel that|never mind|not that one|the other one|how much is it|when does it open|I need help|go back|"
    "speak slower please|I want to talk to somebody|could you say that again|my card was stolen|it doesn't work|"
    "how do I do that|where is the branch|who are you|why is that|tell me about transfers|I lost my password|"
    "next question|be quiet|enough|okay stop|yeah but wait|right but what about fees|give me the number|"
    "turn it off|that's wrong|I don't understand|what time is it|open an account|show me the balance|and on sundays|"
    "just tell me the price|is that free|do you have one near me|don't do that|repeat please|change my address"
)
ESPEAK_VOICES = phrases(
    "en-us|en-us+f2|en-us+m3|en-us+f4|en-us+m7|en-gb|en-gb+f3|en-gb+m5|en-gb-scotland|en-gb-scotland+f1|"
    "en-gb-x-rp+m2|en-029+f5|en-us+belinda|en-us+Andy"
)
