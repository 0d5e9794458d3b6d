"""Giving freed memory back to the operating system.

Owns: the platform call for it, and doing it again and again while weights are read. Must not know: what the memory
was for.
"""

from __future__ import annotations

import ctypes
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_PERIOD_S = 0.05
_MMAP_THRESHOLD = -3  # M_MMAP_THRESHOLD of malloc.h
_LARGE_BYTES = 4 * 2**20


def trim_freed_memory() -> None:
    """Return freed heap memory to the system, where the C library can (glibc); elsewhere do nothing.

    A picture of 1024×1024 leaves 0.6 GB behind in the allocator's lists; giving it back takes about 15 ms.
    """
    if sys.platform != "linux":
        return
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def map_large_blocks() -> None:
    """Let blocks of 4 MiB and more come from the system and go back to it at once, where the C library is glibc.

    Else it raises that limit by itself to 32 MiB, and smaller ones that graphs free stay in its lists: the peak of a
    picture of 1024×1024 is 3.9 GiB this way and 4.5 GiB without, the time the same (docs/experiments.md).
    """
    set_option = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if set_option is not None:
        set_option(_MMAP_THRESHOLD, _LARGE_BYTES)


@contextmanager
def forgetting(forget_pages: Callable[[], None]) -> Iterator[None]:
    """Call ``forget_pages`` every 50 ms while the block runs, and once at its end.

    While the plugin copies mapped weights into its own layout, both would be in memory at the peak otherwise.
    """
    is_done = threading.Event()

    def run() -> None:
        while not is_done.wait(_PERIOD_S):
            forget_pages()

    thread = threading.Thread(target=run, name="forget-pages", daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_done.set()
        thread.join()
        forget_pages()
