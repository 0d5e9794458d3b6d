"""Files below the one folder that the operator opened for paths.

Owns: that nothing outside it is ever opened: each step of a path is opened below the one before, and no link is
followed, so nothing can be exchanged between looking and opening. Must not know: pictures, requests.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from kandong.errors import InputError, NotFoundError, PictureLimitError

_HINT = "Name a picture below the media folder, like posts/card.png."
_MAX_STEPS = 32
_MAX_NAME_BYTES = 255


def read_media(folder: Path, path: str, max_bytes: int) -> bytes:
    """Read a file by a path below ``folder``, or an absolute one that begins with it.

    Errors: ``InputError`` for a path that could lead elsewhere; ``NotFoundError`` if there is no such plain file (links
    are none); ``PictureLimitError`` if it is too large.
    """
    steps = _steps(folder, path)
    if os.open not in os.supports_dir_fd:
        return _read_by_name(folder, steps, max_bytes)
    descriptor = -1
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        for step in steps[:-1]:
            below = os.open(step, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = below
        # Without O_NONBLOCK opening a pipe would wait for a writer for ever.
        file = os.open(steps[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=descriptor)
    except (OSError, ValueError):
        raise _missing() from None
    finally:
        if descriptor >= 0:
            os.close(descriptor)
    return _read_open(file, max_bytes)


def _steps(folder: Path, path: str) -> list[str]:
    """Give the names on the way, none of which leads upwards or elsewhere."""
    if "\0" in path or any(ord(c) < 32 for c in path):
        raise InputError("The path holds a control character.", hint=_HINT)
    text = path.replace("\\", "/") if os.name == "nt" else path
    root = str(folder).rstrip("/") + "/"
    if text.startswith(root):
        text = text[len(root) :]
    if text.startswith("/") or (os.name == "nt" and ":" in text):
        raise InputError("The path leads out of the media folder.", hint=_HINT)
    steps = [step for step in text.split("/") if step not in ("", ".")]
    if ".." in steps:
        raise InputError("The path leads out of the media folder.", hint=_HINT)
    try:
        is_long = len(steps) > _MAX_STEPS or any(len(os.fsencode(step)) > _MAX_NAME_BYTES for step in steps)
    except UnicodeEncodeError:
        raise _missing() from None
    if not steps or is_long:
        raise _missing()
    return steps


def _read_open(descriptor: int, max_bytes: int) -> bytes:
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise _missing()
        if status.st_size > max_bytes:
            raise PictureLimitError(f"The picture's file has more than {max_bytes} bytes.", hint="Make it smaller.")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read(max_bytes)
    except OSError:
        raise _missing() from None
    finally:
        os.close(descriptor)


def _read_by_name(folder: Path, steps: list[str], max_bytes: int) -> bytes:
    """Do the same where a folder cannot be opened (Windows): resolved first, then opened by its real name."""
    try:
        real = folder.joinpath(*steps).resolve(strict=True)
        if not real.is_relative_to(folder.resolve(strict=True)):
            raise _missing()
        return _read_open(os.open(real, os.O_RDONLY | getattr(os, "O_BINARY", 0)), max_bytes)
    except OSError:
        raise _missing() from None


def _missing() -> NotFoundError:
    return NotFoundError("There is no such picture in the media folder.", hint=_HINT)
