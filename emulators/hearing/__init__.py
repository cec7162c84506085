"""How the speech-to-text emulators hear: from the audio alone.

There is no side channel and no watermark: what a client sends is all that an emulator knows. ``prints`` makes features
of it, ``gate`` finds speech in it, ``corpus`` and ``matcher`` look the speech up among recordings whose words are
known, and ``recognisers`` offers that, or a real recogniser, to the wire protocols.
"""
