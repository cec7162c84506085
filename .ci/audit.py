"""Known faults in the packages of ``requirements/run.txt``, as ``pip-audit`` finds them.

    .venv/bin/python .ci/audit.py [--may-be-offline]

Exits with 1 if there is one, and with 2 if the service that knows them did not answer for every package (which a mirror
of the package index often does not): what was not looked up is not sound. ``--may-be-offline`` makes the latter a
warning.
"""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
AUDIT = ["tool", "run", "pip-audit", "--disable-pip", "--format=json", "--progress-spinner=off"]


def main() -> int:
    """Print what is known, and how much of it."""
    uv = str(ROOT / ".venv" / "bin" / "uv")
    command = [uv, *AUDIT, "--requirement", str(ROOT / "requirements" / "run.txt")]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        packages = json.loads(run.stdout)["dependencies"]
    except (ValueError, KeyError):
        reason = (run.stderr.strip().splitlines() or ["no reason was given"])[-1]
        return not_looked_up(f"pip-audit did not run: {reason}")
    faults = [(package, fault) for package in packages for fault in package.get("vulns", [])]
    for package, fault in faults:
        repaired = ", ".join(fault["fix_versions"]) or "no version yet"
        print(f"{package['name']} {package['version']}: {fault['id']}, repaired in {repaired}")
    if faults:
        return 1
    passed_over = [package["name"] for package in packages if "skip_reason" in package]
    if passed_over or not packages:
        return not_looked_up(f"the package index told nothing of {len(passed_over)} of {len(packages)} packages")
    print(f"no known faults in {len(packages)} packages")
    return 0


def not_looked_up(why: str) -> int:
    """Say that the audit is not whole."""
    tolerated = "--may-be-offline" in sys.argv[1:]
    print(f"{'warning' if tolerated else 'error'}: NOT audited: {why}", file=sys.stderr)
    return 0 if tolerated else 2


if __name__ == "__main__":
    sys.exit(main())
