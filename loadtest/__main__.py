"""``python -m loadtest``: measures of the bot as its callers meet it."""

import argparse
import sys

from loguru import logger

logger.remove()  # Pipecat greets at its import

from loadtest import ablate, cluster, document, faults, interruptions, run, simulated

COMMANDS = {
    "interruptions": (interruptions, "play clips over the speaking bot, and tell what it did"),
    "run": (run, "call a bot with many callers at once, and write a report"),
    "faults": (faults, "let every vendor fail in every way, and tell what the caller heard"),
    "ablate": (ablate, "change one thing at a time, and tell what it does"),
    "document": (document, "write the documentation's tables and plot from committed runs"),
    "cluster": (cluster, "kill parts of a cluster, and tell what its callers noticed"),
    "simulate": (simulated, "let simulated callers call, and judge their calls by rules"),
}


def main() -> int:
    """Run the command that was named; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m loadtest", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, (module, about) in COMMANDS.items():
        command = commands.add_parser(name, help=about)
        module.add_arguments(command)
        command.set_defaults(main=module.main)
    options = parser.parse_args()
    return options.main(options)


if __name__ == "__main__":
    sys.exit(main())
