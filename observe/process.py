"""CPU and memory of this process."""

import time

import psutil


def resident_bytes() -> int:
    """Resident memory."""
    return psutil.Process().memory_info().rss


class CpuMeter:
    """CPU use between two looks."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.monotonic(), time.process_time()

    def percent(self) -> float:
        """Of one core, all threads together, since the last look; above 100 where several cores worked."""
        wall, cpu = time.monotonic(), time.process_time()
        share = (cpu - self._cpu) / max(wall - self._wall, 1e-3)
        self._wall, self._cpu = wall, cpu
        return round(100 * share, 1)
