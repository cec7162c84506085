"""The exact packages are those that the project asks for, with hashes, and every platform of the README has them."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
RUN = ROOT / "requirements" / "run.txt"
TEST = ROOT / "requirements" / "test.txt"

FROM_SOURCE = ["docopt"]
"""Pure Python, published without a wheel."""

COMPILED_ON_INTEL_MACS = ["loudness"]
"""Pipecat asks for it; Apple's command line tools compile it."""


def locked(path: Path) -> dict[str, list[Requirement]]:
    """Pinned requirements by name; one name may have several, for different platforms."""
    text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    found: dict[str, list[Requirement]] = {}
    for line in text.splitlines():
        if line and not line.startswith(("#", " ")):
            requirement = Requirement(line.partition(" --hash")[0])
            found.setdefault(canonicalize_name(requirement.name), []).append(requirement)
    return found


def asked_for(*extras: str) -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *(line for extra in extras for line in project["optional-dependencies"][extra])]
    return [Requirement(line) for line in wanted]


@pytest.mark.parametrize(("path", "extras"), [(RUN, ()), (TEST, ("test", "mcp"))], ids=["run", "test"])
def test_the_list_holds_what_the_project_asks_for(path, extras):
    pinned = locked(path)
    for requirement in asked_for(*extras):
        pins = pinned.get(canonicalize_name(requirement.name), [])
        assert pins, f"{requirement.name} is not in {path.name}: run make lock"
        for pin in pins:
            (only,) = pin.specifier
            assert only.operator == "=="
            assert requirement.specifier.contains(Version(only.version)), f"{pin} is not {requirement}: run make lock"


def test_what_tests_install_changes_nothing_that_the_bot_runs_on():
    run, test = locked(RUN), locked(TEST)
    assert all(list(map(str, test[name])) == list(map(str, pins)) for name, pins in run.items())


@pytest.mark.parametrize("path", [RUN, TEST], ids=["run", "test"])
def test_every_package_has_hashes_and_no_place(path):
    text = path.read_text(encoding="utf-8")
    assert "://" not in text
    assert not re.search(r"^\s*--?(index|extra-index|find-links|trusted)", text, re.MULTILINE)
    for line in text.replace("\\\n", " ").splitlines():
        if line and not line.startswith(("#", " ")):
            assert "--hash=sha256:" in line, line


# --- other machines ----------------------------------------------------------------------

PYTHONS = ["3.11", "3.12", "3.13", "3.14"]
PLATFORMS = {
    "Linux x86-64": "x86_64-manylinux_2_31",
    "Linux aarch64": "aarch64-manylinux_2_31",
    "macOS Intel": "x86_64-apple-darwin",
    "macOS Apple chip": "aarch64-apple-darwin",
}
FIRST_MACOS = {("macOS Apple chip", "3.14"): "14.0"}
"""The first macOS that everything has wheels for; 13.0 if not named."""
NOWHERE = {("macOS Intel", "3.14")}
"""Where it cannot be had: onnxruntime, numba and others are not built for it."""

UNREACHABLE = re.compile(r"error sending request|failed to fetch|dns error|timed out|connect", re.IGNORECASE)


def resolved(platform: str, python: str) -> subprocess.CompletedProcess[str]:
    """Look for a wheel of every package of the list, without installing one."""
    uv = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
    if uv is None:
        pytest.skip("uv is not installed")
    sources = [*FROM_SOURCE, *(COMPILED_ON_INTEL_MACS if platform == "macOS Intel" else [])]
    command = [uv, "pip", "compile", str(TEST), "--no-deps", "--no-header", "--quiet", "--only-binary", ":all:"]
    command += [option for name in sources for option in ("--no-binary", name)]
    command += ["--python-version", python, "--python-platform", PLATFORMS[platform]]
    first_macos = FIRST_MACOS.get((platform, python), "13.0")
    env = {**os.environ, "MACOSX_DEPLOYMENT_TARGET": first_macos, "UV_SYSTEM_CERTS": "1"}
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=env)


@pytest.mark.registry
@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("platform", PLATFORMS)
def test_all_packages_can_be_had_on(platform, python):
    run = resolved(platform, python)
    if run.returncode and "No solution found" not in run.stderr and UNREACHABLE.search(run.stderr):
        pytest.skip(f"the package index cannot be reached: {run.stderr.strip().splitlines()[-1]}")
    if (platform, python) in NOWHERE:
        assert "No solution found" in run.stderr, "it can be had by now: say so in the README"
        return
    assert run.returncode == 0, run.stderr
    assert len(re.findall(r"^[a-z0-9].*==", run.stdout, re.MULTILINE)) > 100
