"""Training data and training of the product's own small models."""

import os

# Read at NumPy's import: its threads would spin on the cores of what is measured.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
