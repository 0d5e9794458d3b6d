"""The doctor's findings as the page gets them.

Owns: how old a finding may be, and that what takes long runs elsewhere. Must not know: what is examined, HTTP.

The quick examination runs here: this process has loaded OpenVINO anyway, so it takes a tenth of a second. The thorough
one opens OCR and reads gigabytes, so it gets a process of its own, which gives its memory back.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from typing import Any, Final, Literal

import msgspec

from kandong.errors import KandongError, QueueFullError
from kandong.runtime.doctor import examine

_THOROUGH_WITHIN_S: Final = 300.0
_FRESH_S: Final = 5.0
_GRADES: Final[dict[str, Literal["ok", "warn", "fail"]]] = {"warning": "warn", "problem": "fail"}


class DoctorCheck(msgspec.Struct, frozen=True):
    """One finding."""

    name: str
    status: Literal["ok", "warn", "fail"]
    message: str
    hint: str | None


class DoctorReport(msgspec.Struct, frozen=True):
    """What stands in the way of answers on this machine; ``is_thorough``: every byte was read, and OCR tried."""

    checks: list[DoctorCheck]
    is_thorough: bool


class CheckUp:
    """Examines this machine for one model. Thread-safe: who asks meanwhile gets the same findings."""

    def __init__(self, model: str | None) -> None:
        """``model`` as ``find_model`` takes it."""
        self._model = model
        self._quick_lock = threading.Lock()
        self._thorough_lock = threading.Lock()
        self._quick: tuple[float, DoctorReport] | None = None

    def quick(self) -> DoctorReport:
        """Look at everything that can be looked at in a second; the findings may be five seconds old."""
        with self._quick_lock:
            if self._quick is None or time.monotonic() - self._quick[0] > _FRESH_S:
                found = [check.to_dict() for check in examine(self._model)]
                self._quick = time.monotonic(), _report(found, is_thorough=False)
            return self._quick[1]

    def thorough(self) -> DoctorReport:
        """Read every byte of the conversions and a card with OCR.

        Errors: ``QueueFullError`` while another does; ``KandongError`` if it does not come to its end.
        """
        command = [sys.executable, "-m", "kandong.cli.main", "doctor", "--verify", "--json"]
        if self._model:
            command += ["--model", self._model]
        if not self._thorough_lock.acquire(blocking=False):  # each would hold a thread for as long as it takes
            raise QueueFullError(
                "A thorough examination is under way.", hint="Try again when it is done.", retry_after_s=10
            )
        try:
            ended = subprocess.run(
                command, capture_output=True, stdin=subprocess.DEVNULL, timeout=_THOROUGH_WITHIN_S, check=False
            )
            return _report(json.loads(ended.stdout)["checks"], is_thorough=True)
        except (OSError, subprocess.TimeoutExpired, ValueError, KeyError):
            raise KandongError(
                "The examination did not come to its end.", hint="Run `kandong doctor --verify`."
            ) from None
        finally:
            self._thorough_lock.release()


def _report(found: list[Any], *, is_thorough: bool) -> DoctorReport:
    checks = [DoctorCheck(c["name"], _GRADES.get(c["status"], "ok"), c["found"], c["remedy"]) for c in found]
    return DoctorReport(checks, is_thorough)
