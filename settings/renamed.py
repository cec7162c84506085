"""Settings that had another name: the old one is still read, below the new one, and a warning says what to write."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

RENAMED: Final = {"guess_share": "preemptive_min_share"}
"""New names by old ones. An old name is read for one version more."""


class OldNames(PydanticBaseSettingsSource):
    """Values that stand under an old name.

    Args:
        settings_cls: The settings.
        variables: Environment and ``.env``, names in lower case; the first that has a name counts.
    """

    def __init__(self, settings_cls: type[BaseSettings], variables: Sequence[Mapping[str, str | None]]) -> None:
        super().__init__(settings_cls)
        self._variables = variables

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """The value of a field under its old name, if it has one and is set; the name; False: it is no JSON."""
        old_names = [old for old, new in RENAMED.items() if new == field_name]
        found = (each[old] for each in self._variables for old in old_names if old in each)
        return next(found, None), field_name, False

    def __call__(self) -> dict[str, Any]:
        """All values that stand under an old name, by the new one."""
        fields = self.settings_cls.model_fields
        values = {new: self.get_field_value(fields[new], new)[0] for new in RENAMED.values()}
        return {new: value for new, value in values.items() if value is not None}
