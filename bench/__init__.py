"""Benchmarks: what a call costs, how soon it is answered, what it survives."""

import os

# Read at NumPy's import: its threads would spin on the cores of what is measured.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
