"""Recorded calls, played again: exactly as they were, with another setting, or as a test. See docs/replay.md."""
