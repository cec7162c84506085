"""The vendors' wire protocols on loopback, with their latencies, limits and faults.

Deepgram (v1 listen and v2 Flux), Groq chat completions, Google Translate's speech (what gTTS calls), ElevenLabs
(stream-input and multi-stream-input) and Azure speech synthesis answer the vendors' real SDKs without a key and without
the internet. ``python -m emulators --help`` says how to run them. The bot never imports this package.

All latencies are assumed, from a profile (:mod:`emulators.profile`); none is measured at a vendor.
"""

import os

# Read at NumPy's import: its threads would spin on the cores of what is measured.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
