"""What measures, and what is measured, does not spin on both's cores by NumPy's threads."""

import os
import subprocess
import sys

import pytest

SCRIPT = """
import os, sys

class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == "numpy":
            print("threads:", os.environ.get("OPENBLAS_NUM_THREADS"))

sys.meta_path.insert(0, Watch())
import {module}
"""


@pytest.mark.parametrize("module", ["bench.emulated_services", "emulators.world", "loadtest.caller", "bot"])
def test_numpy_is_told_to_take_one_thread_before_it_is_imported(module: str) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OPENBLAS")}
    command = [sys.executable, "-c", SCRIPT.format(module=module)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.stdout.splitlines()[:1] == ["threads: 1"], done.stderr
