"""A process that decodes pictures for another one and may do nothing else.

Owns: its own limits, and the form of what goes in and out. Must not know: who asks, what a picture is for.
Run by ``kandong.runtime.decoder`` as ``python -m kandong.reading.decode_child``.

In, on stdin, for each picture: its length in 8 bytes (big-endian), then the file. Out, on stdout: the length of a
header in 4 bytes, the header as JSON, then the RGB bytes row by row, if it was decoded. It ends when stdin does.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from typing import Any, BinaryIO

from kandong.errors import KandongError
from kandong.reading.images import DEFAULT_LIMITS, decode_picture

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
    done = []
    for name, value in (
        ("AS", MEMORY_BYTES),
        ("FSIZE", 0),
        ("NOFILE", MAX_OPEN_FILES),
        ("CORE", 0),
        ("NPROC", 0),
    ):
        kind = getattr(resource, f"RLIMIT_{name}", None)
        if kind is not None:
            with contextlib.suppress(OSError, ValueError):  # macOS knows RLIMIT_AS and refuses to set it
                resource.setrlimit(kind, (value, value))
                done.append(name)
    if sys.platform == "linux":
        import ctypes

        prctl = ctypes.CDLL(None).prctl
        if prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0:
            done.append("no_new_privs")
        prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    return done


def allow_cpu_seconds(seconds: int) -> None:
    """Let the kernel end this process once it has worked that long from now on, where there is such a limit."""
    try:
        import resource
    except ImportError:
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    until = int(used.ru_utime + used.ru_stime) + 1 + seconds
    resource.setrlimit(resource.RLIMIT_CPU, (until, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def serve(source: BinaryIO, sink: BinaryIO) -> None:
    """Decode until the source ends or sends what is no picture's length."""
    while len(head := source.read(8)) == 8:
        num_bytes = int.from_bytes(head, "big")
        if num_bytes > DEFAULT_LIMITS.max_bytes:
            return
        data = source.read(num_bytes)
        if len(data) < num_bytes:
            return
        allow_cpu_seconds(CPU_S)
        _answer(data, sink)
        sink.flush()


def _answer(data: bytes, sink: BinaryIO) -> None:
    try:
        picture = decode_picture(data)
    except KandongError as error:
        _write_header(sink, {"error": error.to_dict()})
        return
    header: dict[str, Any] = {
        "height_px": picture.height_px,
        "width_px": picture.width_px,
        "format": picture.format,
        "num_frames": picture.num_frames,
        "conversions": list(picture.conversions),
    }
    _write_header(sink, {"picture": header})
    sink.write(picture.rgb.data.cast("B"))


def _write_header(sink: BinaryIO, header: dict[str, Any]) -> None:
    data = json.dumps(header).encode()
    sink.write(len(data).to_bytes(4, "big") + data)


def main() -> None:
    """Serve stdin and stdout under limits; nothing that a library prints can get into the answers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for who started us; our stdin ends then
    sink = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    _write_header(sink, {"limits": limit_this_process()})
    sink.flush()
    serve(sys.stdin.buffer, sink)


if __name__ == "__main__":
    main()
