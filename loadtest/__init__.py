"""Real callers and simulated ones: load, faults, interruptions, and what they measured."""

import os

# Read at NumPy's import: its threads would spin on the cores of what is measured.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
