"""Measures what building an artifact costs: wall seconds, CPU seconds, peak memory."""

import os
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def measure_usage() -> Iterator[dict[str, float]]:
    """Wall and CPU seconds of the block, and the peak memory of this process in bytes."""
    usage: dict[str, float] = {}
    _reset_peak()
    wall, cpu = time.perf_counter(), _cpu_seconds()
    yield usage
    usage["seconds"] = round(time.perf_counter() - wall, 3)
    usage["cpu_seconds"] = round(_cpu_seconds() - cpu, 3)
    usage["peak_bytes"] = _peak_bytes()


def _cpu_seconds() -> float:
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _reset_peak() -> None:
    """On Linux the peak counts from here; elsewhere from the start of the process."""
    if os.access("/proc/self/clear_refs", os.W_OK):
        Path("/proc/self/clear_refs").write_text("5")


def _peak_bytes() -> int:
    status = Path("/proc/self/status")
    if status.exists():
        line = next(row for row in status.read_text().splitlines() if row.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
