"""How often tests that try many cases repeat: enough for every run, and the full number by ``make thorough``."""

from __future__ import annotations

import os


def repetitions(usual: int, thorough: int) -> int:
    """Give the number for this run."""
    return thorough if os.environ.get("KANDONG_TEST_THOROUGH") else usual
