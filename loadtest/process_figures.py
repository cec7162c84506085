"""CPU time and memory of another process."""

import psutil


def cpu_secs(pid: int) -> float:
    """CPU time that a process has used."""
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


def rss_mb(pid: int) -> float:
    """Resident memory of a process."""
    return psutil.Process(pid).memory_info().rss / 2**20
