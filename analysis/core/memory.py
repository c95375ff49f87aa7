"""Memory that is free goes back to the system: Arrow's, and that of the C library where it is glibc."""

import contextlib
import ctypes
import sys


def give_back() -> None:
    """Return what is free between blocks in use, which is kept otherwise; takes about a millisecond."""
    if arrow := sys.modules.get("pyarrow"):
        arrow.default_memory_pool().release_unused()
    with contextlib.suppress(OSError, AttributeError, TypeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)
