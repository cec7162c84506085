"""``python -m loadtest``: measures of the bot as its callers meet it."""

import argparse
import sys

from loguru import logger

logger.remove()  # Pipecat greets at its import

from loadtest import ablate, cluster, document, faults, interruptions, run, simulated


def main() -> int:
    """Run the command that was named; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m loadtest", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("interruptions", help="play clips over the speaking bot, and tell what it did")
    interruptions.add_arguments(command)
    command.set_defaults(main=interruptions.main)
    command = commands.add_parser("run", help="call a bot with many callers at once, and write a report")
    run.add_arguments(command)
    command.set_defaults(main=run.main)
    command = commands.add_parser("faults", help="let every vendor fail in every way, and tell what the caller heard")
    faults.add_arguments(command)
    command.set_defaults(main=faults.main)
    command = commands.add_parser("ablate", help="change one thing at a time, and tell what it does")
    ablate.add_arguments(command)
    command.set_defaults(main=ablate.main)
    command = commands.add_parser("document", help="write the documentation's tables and plot from committed runs")
    document.add_arguments(command)
    command.set_defaults(main=document.main)
    command = commands.add_parser("cluster", help="kill parts of a cluster, and tell what its callers noticed")
    cluster.add_arguments(command)
    command.set_defaults(main=cluster.main)
    command = commands.add_parser("simulate", help="let simulated callers call, and judge their calls by rules")
    simulated.add_arguments(command)
    command.set_defaults(main=simulated.main)
    options = parser.parse_args()
    return options.main(options)


if __name__ == "__main__":
    sys.exit(main())
