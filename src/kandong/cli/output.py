"""Writing to stdout and stderr: data on one, one line of trouble on the other.

Owns: what happens when the reader has gone, and how an error looks. Must not know: commands, engines.
"""

from __future__ import annotations

import json
import os
import sys

from kandong.errors import KandongError


class ReaderGoneError(Exception):
    """Whoever read stdout has gone, as in ``kandong ask … | head``. No failure, but there is no use in going on."""


def write_out(text: str) -> None:
    """Write to stdout at once. Errors: ``ReaderGoneError``."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        # Python would complain once more when it closes stdout at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise ReaderGoneError from None


def write_json(value: object) -> None:
    """Write a value as one line of JSON. Errors: ``ReaderGoneError``."""
    write_out(json.dumps(value, ensure_ascii=False) + "\n")


def write_error(error: KandongError) -> None:
    """Write an error as one line on stderr: what is wrong, and what to do."""
    print(" ".join(part for part in (f"error: {error.message}", error.hint) if part), file=sys.stderr)
