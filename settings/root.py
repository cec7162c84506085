"""Where the bot's files stand."""

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
"""The folder of ``bot.py``; relative paths in settings begin there."""
