"""Real engine processes for tests, with the scripted engine in them.

Owns: quick settings, and the shortest way to say what a request shall do. Must not know: what is tested.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from kandong.runtime.breaker import RestartPolicy
from kandong.runtime.supervisor import Supervisor, SupervisorOptions
from kandong.types import Picture, PictureRef
from kandong.vlm.prompt import Message, PicturePart, TextPart
from kandong.vlm.request import Deadlines, Request

SCRIPTED = (sys.executable, "-m", "tests.runtime.scripted_engine")
QUICK = RestartPolicy(first_delay_s=0.02, max_delay_s=0.05, max_deaths=100, window_s=60.0, cool_down_s=1.0)
PATIENCE_S = 30.0


def scripted(settings: dict[str, Any] | None = None, **options: Any) -> Supervisor:
    """Make a supervisor of the scripted engine that restarts at once; ``settings`` are the script's own."""
    quick: dict[str, Any] = {"command": SCRIPTED, "engine": settings or {}, "restart": QUICK}
    return Supervisor(SupervisorOptions(**quick | options))


def script(words: str, *pictures: Picture | PictureRef, **deadlines: float) -> Request:
    """Make a request that tells the scripted engine what to do, and by when."""
    parts: tuple[PicturePart | TextPart, ...] = (*(PicturePart(i) for i in range(len(pictures))), TextPart(words))
    return Request([Message("user", parts)], pictures, deadlines=Deadlines(**deadlines))


def picture(seed: int = 0, height_px: int = 40, width_px: int = 60) -> Picture:
    """Make a picture of noise."""
    rgb = np.random.default_rng(seed).integers(0, 256, (height_px, width_px, 3), np.uint8)
    return Picture(rgb, "raw")


def await_true(condition: Callable[[], object], within_s: float = PATIENCE_S) -> float:
    """Wait for a condition; gives how many seconds that took. Fails after ``within_s``."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < within_s, "waited in vain"
        time.sleep(0.01)
    return time.monotonic() - started


def is_alive(process_id: int) -> bool:
    """Whether a process runs; one that has ended and was not yet waited for does not."""
    try:
        stat = Path(f"/proc/{process_id}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def cpu_seconds(process_id: int) -> float:
    """Give the processor time that a process has used."""
    fields = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
