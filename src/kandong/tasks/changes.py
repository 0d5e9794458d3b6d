"""What is new or changed since the last time: prices, gifts and dates of posts, compared by name.

Owns: what is remembered of an extraction, the comparison, and its file. Must not know: how fields are extracted.
A value that could not be read this time is no change: it is told as unverified.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

from kandong.errors import InputError, StorageError

_FORMAT: Final = 1
FIELDS: Final = ("price", "list_price", "gift", "date")


@dataclass(frozen=True)
class Change:
    """One thing that is new, changed or gone; ``old`` and ``new`` hold the values as text."""

    post: str
    kind: Literal["new", "changed", "unverified", "gone"]
    field: str | None = None
    old: str | None = None
    new: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Give the JSON form."""
        return asdict(self)


Summary = dict[str, Any]


def summary_of(report: Mapping[str, Any]) -> Summary:
    """Give what is remembered of a report of ``extract``."""
    result = report["result"]
    promotion = result["promotion"]
    dates = [promotion["start"], promotion["end"]]
    return {
        "input_sha256": list(report["input_sha256"]),
        "price": sorted({one["price"] for one in result["offers"] if one["price"]}),
        "list_price": sorted({one["list_price"] for one in result["offers"] if one["list_price"]}),
        "gift": sorted({one["name"] for one in promotion["gifts"]}),
        "date": [] if dates == [None, None] else ["/".join(one or ".." for one in dates)],
    }


def compare(old: Mapping[str, Summary], new: Mapping[str, Summary]) -> list[Change]:
    """Compare two times, post by post: new ones, changed fields, posts that are gone."""
    changes: list[Change] = []
    for post, now in new.items():
        before = old.get(post)
        if before is None:
            parts = [f"{field} {'、'.join(now[field])}" for field in FIELDS if now[field]]
            changes.append(Change(post, "new", None, None, "; ".join(parts) or None))
            continue
        if before["input_sha256"] == now["input_sha256"]:
            continue
        for field in FIELDS:
            was, has = "、".join(before[field]), "、".join(now[field])
            if was != has:
                changes.append(Change(post, "changed" if has else "unverified", field, was or None, has or None))
    changes += [Change(post, "gone") for post in old if post not in new]
    return changes


def memory_file(home: Path, folder: Path) -> Path:
    """Name the file that remembers a folder."""
    return home / "extractions" / f"{hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:24]}.json"


def load_memory(path: Path) -> dict[str, Summary]:
    """Give what was remembered; empty the first time. Errors: ``InputError`` for a file that is damaged."""
    if not path.is_file():
        return {}
    try:
        value = json.loads(path.read_text("utf-8"))
        posts = {str(name): _checked(one) for name, one in value["posts"].items()} if value["format"] == _FORMAT else {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise InputError(
            "What was remembered of this folder cannot be read.",
            hint=f"Remove {path.name} in the cache.",
            field="since",
        ) from None
    return posts


def save_memory(path: Path, posts: Mapping[str, Summary]) -> None:
    """Remember posts; a cut leaves the old memory or the new one. Errors: ``StorageError``."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_suffix(".new")
        new.write_text(json.dumps({"format": _FORMAT, "posts": dict(posts)}, ensure_ascii=False) + "\n", "utf-8")
        new.replace(path)
    except OSError:
        raise StorageError("The comparison cannot be remembered.", hint="Is the disk full?") from None


def _checked(value: Any) -> Summary:
    names = ("input_sha256", *FIELDS)
    if any(not all(isinstance(one, str) for one in value[name]) for name in names):
        raise TypeError
    return {name: list(value[name]) for name in names}
