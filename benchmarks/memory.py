"""Most memory that a benchmark's process has held."""

import resource
import sys
from pathlib import Path


def peak_memory() -> float:
    """Most memory that this process alone has held, in MB."""
    status = Path("/proc/self/status")
    if status.exists():  # on Linux getrusage counts what the parent held, too, when it started this process
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1e3
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS, kB elsewhere
    return peak / (1e6 if sys.platform == "darwin" else 1e3)
