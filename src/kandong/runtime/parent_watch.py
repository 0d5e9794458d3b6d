"""The engine's process must not outlive its supervisor, however that dies.

Owns: three watches of a child over its parent: the kernel's (Linux), a pipe whose other end only the parent holds
(every platform), and the parent's number (POSIX). Must not know: what either process does.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time

EXIT_ORPHANED = 71
_PR_SET_PDEATHSIG = 1
_POLL_S = 1.0


def watch_parent(parent_id: int, pipe: int) -> None:
    """End this process at once when the parent is gone; ``pipe`` is read until its end, nothing in it matters.

    The pipe alone would do, were it not that a fork of the parent may hold its other end open.
    """
    watch_parent_number(parent_id)
    threading.Thread(target=_read_to_end, args=(pipe,), name="parent-pipe", daemon=True).start()


def watch_parent_number(parent_id: int) -> None:
    """As ``watch_parent`` for a child that was forked, and so has no pipe of its own."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if _is_orphan(parent_id):  # it died before the kernel was told
        os._exit(EXIT_ORPHANED)
    if os.name == "posix":
        threading.Thread(target=_poll, args=(parent_id,), name="parent-poll", daemon=True).start()


def _is_orphan(parent_id: int) -> bool:
    return os.name == "posix" and os.getppid() != parent_id


def _read_to_end(pipe: int) -> None:
    try:
        while os.read(pipe, 4096):
            pass
    except OSError:
        pass
    os._exit(EXIT_ORPHANED)


def _poll(parent_id: int) -> None:
    while not _is_orphan(parent_id):
        time.sleep(_POLL_S)
    os._exit(EXIT_ORPHANED)
