"""Reports of the tasks as rows of tables: one row a post for who looks first, then one row a finding.

Owns: the columns of each task. Must not know: files, how reports are made, rows of findings (``finding_rows.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from kandong.errors import InputError
from kandong.tasks.finding_rows import finding_sheets
from kandong.tasks.tables import Cell, Sheet

_HEAD: Final = ("post", "status")
_TAIL: Final = ("warnings", "unchecked", "ms")
Row = dict[str, Cell]


def sheets_of(task: str, posts: Sequence[tuple[str, Mapping[str, Any]]]) -> list[Sheet]:
    """Give the sheets for named reports of one task: a row a post, then a row a finding where the task has any."""
    rows = [_ROWS[task](report["result"]) for _, report in posts]
    columns = tuple(dict.fromkeys(name for row in rows for name in row))
    body = [
        [
            name,
            report["status"],
            *(row.get(column) for column in columns),
            _joined(report["warnings"]),
            _joined(report["unchecked"]),
            report["took_ms"],
        ]
        for (name, report), row in zip(posts, rows, strict=True)
    ]
    return [(task, (*_HEAD, *columns, *_TAIL), body), *finding_sheets(task, posts)]


def sheets_of_post(name: str, reports: Mapping[str, Mapping[str, Any]]) -> list[Sheet]:
    """Give the sheets for several reports of one post, as ``analyse`` made them.

    Errors: ``InputError`` naming the report, as they may come back from outside.
    """
    if not reports:
        raise InputError("There are no reports.", hint="Send what POST /v1/reports gave.", field="reports")
    sheets: list[Sheet] = []
    for task, report in reports.items():
        if task not in _ROWS:
            raise InputError(f"There is no task {task[:40]!r}.", hint=f"Known: {', '.join(_ROWS)}.", field="reports")
        try:
            sheets += sheets_of(task, [(name, report)])
        except (AttributeError, IndexError, KeyError, TypeError, ValueError):
            raise InputError(
                f"reports.{task} is no report of this task.",
                hint="Send it as POST /v1/reports gave it.",
                field=f"reports.{task}",
            ) from None
    return sheets


def _read(result: Mapping[str, Any]) -> Row:
    images = result["images"]
    lines = [line for image in images for line in image["lines"]]
    return {
        "text": "\n".join(image["full_text"] for image in images),
        "lines": len(lines),
        "uncertain": sum(line["low_conf"] for line in lines),
        "disagreeing": _joined(f"{one['text']} / {one['vlm_text']}" for one in lines if one["agree"] is False),
        "numbers": _joined(number["raw"] for image in images for number in image["numbers"]),
        "codes": _joined(code["text"] for image in images for code in image["codes"]),
    }


def _ask(result: Mapping[str, Any]) -> Row:
    marks = result["marks"]
    return {
        "question": result["question"],
        "answer": result["answer"],
        "verified": result["verified"],
        "unverified": _joined(mark["text"] for mark in marks if mark["state"] == "unverified"),
    }


def _describe(result: Mapping[str, Any]) -> Row:
    return {
        "caption": result["caption"],
        "scene": result["scene"],
        "image_kind": result["image_kind"],
        "people_count": result["people_count"],
        "objects": _joined(f"{one['name']}×{one['count']}" for one in result["objects"]),
        "brands": _joined(one["name"] for one in result["brands"]),
    }


def _moderate(result: Mapping[str, Any]) -> Row:
    names = ("suggestion", "label", "sub_label", "score", "risk_level")
    return {name: result[name] for name in names} | {
        "rules": _joined(hit["rule_id"] for hit in result["hits"]),
        "terms": _joined(hit["evidence"]["quote"] for hit in result["hits"]),
        "contradictions": _joined(f"{c['field']}: {c['shown']} / {c['stated']}" for c in result["contradictions"]),
        "missing_notices": _joined(one["required"] for one in result["missing_notices"]),
        "needs_proof": _joined(one["proof"] for one in result["needs_proof"]),
    }


def _sentiment(result: Mapping[str, Any]) -> Row:
    return {
        "polarity": result["overall"]["polarity"],
        "score": result["overall"]["score"],
        "relation": result["relation"],
        "claims": _joined(f"{one['text']}: {one['verdict']}" for one in result["claims"]),
        "aspects": _joined(f"{one['aspect']} {one['polarity']}" for one in result["aspects"]),
        "demand": result["demand"],
        "urgency": result["urgency"],
        "sarcasm": _joined(result["sarcasm"]["cues"]),
    }


def _extract(result: Mapping[str, Any]) -> Row:
    if "data" in result:
        data = result["data"] or {}
        return {str(name): value if isinstance(value, Cell) else str(value) for name, value in data.items()}
    promotion = result["promotion"]
    return {
        "brand": result["brand"],
        "products": _joined(one["name"] for one in result["products"] if one["name"]),
        "price": _joined(one["price"] for one in result["offers"] if one["price"]),
        "list_price": _joined(one["list_price"] for one in result["offers"] if one["list_price"]),
        "gifts": _joined(one["name"] for one in promotion["gifts"]),
        "promotions": _joined(rule["text"] for rule in result["promotion_rules"]),
        "start": promotion["start"],
        "end": promotion["end"],
        "channel": result["channel"],
        "conflicts": _joined(f"{one['field']}: {' / '.join(one['values'])}" for one in result["conflicts"]),
    }


def _joined(values: Any) -> str:
    return "; ".join(dict.fromkeys(str(value) for value in values))


_ROWS: Final[Mapping[str, Callable[[Mapping[str, Any]], Row]]] = {
    "read": _read,
    "ask": _ask,
    "describe": _describe,
    "moderate": _moderate,
    "sentiment": _sentiment,
    "extract": _extract,
}
