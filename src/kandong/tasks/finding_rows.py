"""What reports found, one row a finding, each with its place: for who filters and counts in a spreadsheet.

Owns: these sheets and their columns. Must not know: files, how reports are made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from kandong.tasks.tables import Cell, Sheet

_PLACE: Final = ("quote", "source", "image_index", "line_id", "box")
Rows = Iterator[list[Cell]]
Result = Mapping[str, Any]


def finding_sheets(task: str, posts: Sequence[tuple[str, Mapping[str, Any]]]) -> list[Sheet]:
    """Give the further sheets of a task for named reports; ``describe`` has none."""
    return [
        (title, ("post", *columns), [[name, *row] for name, report in posts for row in rows(report["result"])])
        for title, columns, rows in _SHEETS.get(task, ())
    ]


def listed_fields(result: Result) -> list[Mapping[str, Any]]:
    """Give the fields of an extraction, each with its path; with a caller's own schema they come by path."""
    fields = result["fields"]
    return fields if isinstance(fields, list) else [{"path": path} | field for path, field in fields.items()]


def _lines(result: Result) -> Rows:
    for image in result["images"]:
        for line in image["lines"]:
            head = [image["index"], line["id"], line["text"], line["conf"], line["low_conf"]]
            yield [*head, line["vlm_text"], line["agree"], _box(line["box"])]


def _numbers(result: Result) -> Rows:
    for image in result["images"]:
        for number in image["numbers"]:
            value = [number["raw"], number["kind"], number["price_kind"], number["value"], number["unit"]]
            checked = [", ".join(number["verified_by"]), number["is_struck"]]
            yield [image["index"], number["line_id"], *value, *checked, _box(number["box"])]


def _marks(result: Result) -> Rows:
    for mark in result["marks"]:
        names = ("text", "kind", "value", "state", "formula", "reason")
        yield [*(mark[name] for name in names), *_at_first(mark)]


def _findings(result: Result) -> Rows:
    law = ("rule_id", "title", "law", "article", "penalty_article", "certainty")
    for kind, reason, remedy in (
        ("hits", "reason", "reword"),
        ("missing_notices", "missing", "required"),
        ("needs_proof", "because", "proof"),
        ("arithmetic", "formula", "computed"),
        ("exempted", "exemption", "basis"),
    ):
        for one in result[kind]:
            words = [one.get("severity"), one.get("suggest"), one.get("decided_by"), one.get("term")]
            why = [_plain(one[reason]), _plain(one[remedy])]
            yield [kind, *(one.get(name) for name in law), *words, *why, *_at(one["evidence"])]
    for evidence in result["suspected_instructions"]:
        yield ["suspected_instructions", *[None] * (len(law) + 6), *_at(evidence)]


def _claims(result: Result) -> Rows:
    for claim in result["claims"]:
        names = ("text", "object", "expected", "observed", "coverage", "verdict")
        yield [*(claim[name] for name in names), *_at(claim["evidence"])]


def _fields(result: Result) -> Rows:
    for field in listed_fields(result):
        yield [field["path"], _plain(field["value"]), field["status"], field.get("formula"), *_at_first(field)]


def _conflicts(result: Result) -> Rows:
    for one in result.get("conflicts", ()):
        values = " / ".join(map(str, one["values"]))
        yield [one["field"], one["kind"], values, one.get("formula"), *_at_first(one)]


def _at(evidence: Mapping[str, Any] | None) -> list[Cell]:
    """Give a place as cells of ``_PLACE``."""
    if evidence is None:
        return [None] * len(_PLACE)
    return [*(evidence[name] for name in _PLACE[:-1]), _box(evidence["box"])]


def _at_first(finding: Result) -> list[Cell]:
    """Give the first of a finding's places; it may have none."""
    return _at(next(iter(finding["evidence"]), None))


def _box(box: Sequence[float] | None) -> str | None:
    return None if box is None else " ".join(f"{side:g}" for side in box)


def _plain(value: Any) -> Cell:
    if isinstance(value, list | tuple):
        return "、".join(map(str, value))
    return value if isinstance(value, Cell) else str(value)


_SHEETS: Final[Mapping[str, tuple[tuple[str, tuple[str, ...], Callable[[Result], Rows]], ...]]] = {
    "read": (
        ("lines", ("image_index", "line_id", "text", "conf", "low_conf", "model_text", "agree", "box"), _lines),
        (
            "numbers",
            ("image_index", "line_id", "raw", "kind", "price_kind", "value", "unit", "verified_by", "is_struck", "box"),
            _numbers,
        ),
    ),
    "ask": (("marks", ("text", "kind", "value", "state", "formula", "reason", *_PLACE), _marks),),
    "moderate": (
        (
            "findings",
            (
                "kind", "rule", "title", "law", "article", "penalty_article", "certainty", "severity", "suggest",
                "decided_by", "term", "reason", "remedy", *_PLACE,
            ),
            _findings,
        ),
    ),
    "sentiment": (("claims", ("text", "object", "expected", "observed", "coverage", "verdict", *_PLACE), _claims),),
    "extract": (
        ("fields", ("field", "value", "status", "formula", *_PLACE), _fields),
        ("conflicts", ("field", "kind", "values", "formula", *_PLACE), _conflicts),
    ),
}  # fmt: skip
