"""The settings of the service: one table for flags, ``KANDONG_*`` variables, TOML keys and their documentation.

Owns: names, types, defaults and bounds. Must not know: who uses a setting, where the command line comes from.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """What a running service was told; units are in the names, ``None`` means absent."""

    host: str = "127.0.0.1"
    port: int = 8765
    data_folder: Path | None = None
    model: str | None = None
    max_upload_bytes: int = 20 * 2**20
    max_pictures: int = 16


def home_folder() -> Path:
    """Give the folder of what a user keeps: ``$KANDONG_HOME``, or the place for data of this system."""
    if home := os.environ.get("KANDONG_HOME"):
        return Path(home)
    if os.name == "nt" and (local := os.environ.get("LOCALAPPDATA")):
        return Path(local) / "kandong"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "kandong"
