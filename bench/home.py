"""Where the bench keeps what is large: environments of peers, checkpoints, conversions, pictures.

Owns: the folder and the names in it. Must not know: how anything in it is made.
"""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def bench_home() -> Path:
    """Give ``$KANDONG_BENCH_HOME``, or ``~/.cache/kandong-bench``."""
    named = os.environ.get("KANDONG_BENCH_HOME")
    return Path(named).absolute() if named else Path.home() / ".cache" / "kandong-bench"


def environment_python(folder: Path) -> Path:
    """Give the Python of a virtual environment. Not resolved: the link is what makes it one."""
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
