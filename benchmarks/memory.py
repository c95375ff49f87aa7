"""Peak memory of a benchmark's process."""

import resource
import sys
from pathlib import Path


def peak_memory() -> float:
    """Peak memory of this process alone, in MB."""
    status = Path("/proc/self/status")
    if status.exists():  # on Linux, getrusage includes the memory of the parent at the start of this process
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1e3
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS, kB elsewhere
    return peak / (1e6 if sys.platform == "darwin" else 1e3)
