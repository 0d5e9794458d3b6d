"""Names of rows as the outside sees them.

Owns: that they cannot be guessed and say what they name. Must not know: tables.
"""

from __future__ import annotations

import secrets
from typing import Literal

Kind = Literal["file-", "conv_", "msg_", "gen_"]


def new_id(kind: Kind) -> str:
    """Give a new id: its kind, then 24 hexadecimal digits of chance."""
    return kind + secrets.token_hex(12)
