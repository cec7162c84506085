"""What is said of a wrong setting."""


class SettingsError(Exception):
    """A setting is missing or wrong; the message says in one line what to set."""
