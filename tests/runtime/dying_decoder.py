"""A decoding process that does what its pictures say: die, hang, lie.

Owns: these ways to fail. Must not know: what is tested.
"""

from __future__ import annotations

import json
import os
import signal
import time

from kandong.runtime.piped_child import Frame, serve_calls

_HEADER = {"height_px": 2, "width_px": 3, "format": "PNG", "num_frames": 1, "conversions": []}


def answer(frames: list[bytes]) -> list[Frame]:
    """Do what the first frame says."""
    match frames[0]:
        case b"die":
            os.kill(os.getpid(), signal.SIGSEGV)
        case b"exit":
            os._exit(0)
        case b"raise":
            raise RuntimeError("0x7f00aabbccdd")
        case b"hang":
            time.sleep(60)
        case b"spin":
            while True:
                pass
        case b"lie":
            return [json.dumps({"picture": _HEADER | {"height_px": 30_000}}).encode(), bytes(18)]
        case b"lie more":
            return [json.dumps({"picture": _HEADER | {"path": "/etc/passwd"}}).encode(), bytes(18)]
        case b"nonsense":
            return [b"\x00" * 100]
        case b"memory":
            return [json.dumps({"error": {"code": "out_of_memory", "message": "x"}}).encode()]
    return [json.dumps({"picture": _HEADER}).encode(), bytes(18)]


if __name__ == "__main__":
    serve_calls(answer)
