"""The metrics of several processes as one text: each sample with the label ``worker``, each family told once.

Pure. Prometheus' text format: https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass
class _Family:
    """A family of metrics.

    Attributes:
        head: Its HELP and TYPE.
        samples: Of all workers.
    """

    head: list[str] = field(default_factory=list)
    samples: list[str] = field(default_factory=list)


def merged(expositions: Mapping[str, str]) -> str:
    """Merge them.

    Args:
        expositions: What each worker tells, by the label's value.
    """
    families: dict[str, _Family] = {}
    for worker, text in expositions.items():
        family = _Family()
        for line in text.splitlines():
            if line.startswith("#"):
                _, kind, name, *_ = line.split(" ", 3)
                family = families.setdefault(name, _Family())
                if not any(told.startswith(f"# {kind} ") for told in family.head):
                    family.head.append(line)
            elif line:
                family.samples.append(_labelled(line, worker))
    return "".join(f"{line}\n" for family in families.values() for line in (*family.head, *family.samples))


def _labelled(sample: str, worker: str) -> str:
    """A sample with one label more; its name ends at the first brace or space."""
    name, brace, rest = sample.partition("{")
    if brace and " " not in name:
        return f'{name}{{worker="{worker}"{"" if rest.startswith("}") else ","}{rest}'
    name, _, value = sample.partition(" ")
    return f'{name}{{worker="{worker}"}} {value}'
