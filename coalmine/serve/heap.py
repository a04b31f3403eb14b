"""The heap of a worker: what large answers pass through stays mapped, instead of being mapped anew for each piece.

uvloop reads up to 256,000 bytes at once into an object of its own. glibc gives memory of that size back to the system
as soon as it is free, and the next piece begins with sixty page faults: with answers of a megabyte that was half of all
processor time (measured).
"""

from __future__ import annotations

import ctypes

# Parameters of mallopt(3), from malloc.h.
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
# A piece fits. What uvloop buffers for a TLS connection is larger by little (262,144 bytes) and mostly never touched:
# mapped apart, that costs nothing, and out of the heap it would be pages that others have touched (25 kB for an idle
# connection became 79).
LARGEST_KEPT = 1 << 18
# At most that much free memory stays at the end of the heap.
MOST_KEPT = 4 << 20


def keep_freed_memory() -> bool:
    """Whether the C library can be told; where it is not glibc, its own ways are left alone."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return bool(mallopt(_M_MMAP_THRESHOLD, LARGEST_KEPT) and mallopt(_M_TRIM_THRESHOLD, MOST_KEPT))
