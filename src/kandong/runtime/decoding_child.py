"""The process that decodes pictures from strangers and may do nothing else.

Owns: its own limits, and the form of what comes back. Must not know: who asks, what a picture is for.
Run by ``kandong.runtime.decoder`` as ``python -m kandong.runtime.decoding_child``.

A call is one frame, the file. Back come a header as JSON and, if it was decoded, the RGB bytes row by row.
"""

from __future__ import annotations

import contextlib
import json
import signal
import sys
from pathlib import Path

from kandong.errors import KandongError
from kandong.reading.images import decode_picture
from kandong.runtime.piped_child import Frame, serve_calls

MEMORY_BYTES = 2**30
CPU_S = 5
MAX_OPEN_FILES = 16
_PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 4, 38


def limit_this_process() -> list[str]:
    """Give up what decoding needs not; gives the names of the limits that this system has."""
    try:
        import resource
    except ImportError:  # Windows
        return []
    limits = {
        # Beyond what the imports have reserved: that grows with the cores of the machine.
        "AS": _address_space_bytes() + MEMORY_BYTES,
        "FSIZE": 0,
        "NOFILE": MAX_OPEN_FILES,
        "CORE": 0,
        "NPROC": 0,
    }
    done = []
    for name, value in limits.items():
        with contextlib.suppress(OSError, ValueError, AttributeError):  # macOS knows RLIMIT_AS and refuses to set it
            resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (value, value))
            done.append(name)
    if sys.platform == "linux":
        import ctypes

        prctl = ctypes.CDLL(None).prctl
        if prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0:
            done.append("no_new_privs")
        prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    return done


def _address_space_bytes() -> int:
    try:
        num_pages = int(Path("/proc/self/statm").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return 0
    import resource

    return num_pages * resource.getpagesize()


def allow_cpu_seconds(seconds: int) -> None:
    """Let the kernel end this process once it has worked that long from now on, where there is such a limit."""
    try:
        import resource
    except ImportError:
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    until = int(used.ru_utime + used.ru_stime) + 1 + seconds
    resource.setrlimit(resource.RLIMIT_CPU, (until, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def decode_call(frames: list[bytes]) -> list[Frame]:
    """Answer one call."""
    (data,) = frames
    allow_cpu_seconds(CPU_S)
    try:
        picture = decode_picture(data)
    except KandongError as error:
        return [json.dumps({"error": error.to_dict()}).encode()]
    header = {
        "height_px": picture.height_px,
        "width_px": picture.width_px,
        "format": picture.format,
        "num_frames": picture.num_frames,
        "conversions": list(picture.conversions),
    }
    return [json.dumps({"picture": header}).encode(), picture.rgb.data]


def main() -> None:
    """Serve the parent under limits until its end of the pipe is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for who started us; our pipe ends then
    limit_this_process()
    serve_calls(decode_call)


if __name__ == "__main__":
    main()
