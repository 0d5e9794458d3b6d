"""Finds the Chinese fonts that cards are drawn with: Noto Sans and Serif CJK, regular and bold.

Owns: where they lie. Nothing of the fonts is shipped; their licence (SIL OFL 1.1) allows drawing with them.
"""

from __future__ import annotations

import shutil
import subprocess
from functools import lru_cache
from pathlib import Path

from PIL import ImageFont

FACES = ("sans", "sans-bold", "serif", "serif-bold")
_FILES = {
    "sans": "NotoSansCJK-Regular.ttc",
    "sans-bold": "NotoSansCJK-Bold.ttc",
    "serif": "NotoSerifCJK-Regular.ttc",
    "serif-bold": "NotoSerifCJK-Bold.ttc",
}
_FAMILY_ENDS = " SC"  # simplified Chinese glyphs; a collection also holds Japanese, Korean, Taiwan and Hong Kong ones
_FOLDERS = (
    "/usr/share/fonts/opentype/noto",
    "/usr/share/fonts/noto-cjk",
    "/usr/share/fonts/google-noto-cjk",
    "/usr/local/share/fonts",
    "~/.local/share/fonts",
    "~/Library/Fonts",
    "/Library/Fonts",
)
_MAX_FACES = 16


class FontMissingError(RuntimeError):
    """A font that the cards are drawn with is not installed; the message says how to get it."""


def font(face: str, size_px: int) -> ImageFont.FreeTypeFont:
    """Open a face at a size. Errors: ``FontMissingError``."""
    path, index = _find(face)
    return _open(path, index, size_px)


@lru_cache(maxsize=256)
def _open(path: str, index: int, size_px: int) -> ImageFont.FreeTypeFont:
    # The basic layout does not depend on whether libraqm is there, so that a seed draws the same everywhere.
    return ImageFont.truetype(path, size_px, index=index, layout_engine=ImageFont.Layout.BASIC)


@lru_cache(maxsize=len(FACES))
def _find(face: str) -> tuple[str, int]:
    name = _FILES[face]
    for path in [Path(folder).expanduser() / name for folder in _FOLDERS] + _asked_of_fontconfig(face):
        if path.is_file() and path.name == name:
            index = _simplified_face(str(path))
            if index is not None:
                return str(path), index
    raise FontMissingError(
        f"The font {name} is not installed. Install it, on Debian and Ubuntu: apt-get install fonts-noto-cjk; "
        "elsewhere put the file of the Noto CJK release into the folder of your fonts."
    )


def _asked_of_fontconfig(face: str) -> list[Path]:
    program = shutil.which("fc-match")
    if program is None:
        return []
    family = "Noto Serif CJK SC" if face.startswith("serif") else "Noto Sans CJK SC"
    weight = "bold" if face.endswith("bold") else "regular"
    command = [program, "-f", "%{file}", f"{family}:style={weight}"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20).stdout.strip()
    return [Path(answer)] if answer else []


def _simplified_face(path: str) -> int | None:
    """Find the face of simplified Chinese in a collection, without Mono."""
    for index in range(_MAX_FACES):
        try:
            family = ImageFont.truetype(path, 16, index=index).getname()[0] or ""
        except OSError:
            return None
        if family.endswith(_FAMILY_ENDS) and "Mono" not in family:
            return index
    return None
