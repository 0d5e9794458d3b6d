"""JSON of a caller's own schema, checked leaf by leaf against the post.

Owns: the walk, and the status of a leaf. Must not know: the schema, models.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kandong.errors import InputError
from kandong.tasks.evidence import EvidenceBook, evidence_to_dict
from kandong.tasks.number_check import check_numbers
from kandong.vlm.grammar_source import schema_text


def check_schema(schema: Mapping[str, Any]) -> None:
    """Refuse a schema that is not of an object, or cannot be enforced. Errors: ``InputError``, ``GrammarError``."""
    if schema.get("type") != "object":
        raise InputError("The schema is not of an object.", hint='Give it "type": "object".', field="schema")
    schema_text(dict(schema))


def check_own(value: Any, book: EvidenceBook) -> list[dict[str, Any]]:
    """Give for each leaf its JSON path, status and evidence.

    ``verified``: its words stand in the post, or all its numbers do; ``computed``: they follow from the post's;
    ``single``: only the model says so; ``missing``: null or empty.
    """
    return [_leaf(path, name, leaf, book) for path, name, leaf in _leaves("$", "", value)]


def _leaves(path: str, name: str, value: Any) -> Iterator[tuple[str, str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(f"{path}.{key}", str(key), inner)
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            yield from _leaves(f"{path}[{i}]", name, inner)
    else:
        yield path, name, value


def _leaf(path: str, name: str, value: Any, book: EvidenceBook) -> dict[str, Any]:
    report: dict[str, Any] = {"path": path, "value": value, "status": "single", "evidence": [], "formula": None}
    if value is None or value == "":
        return report | {"status": "missing"}
    if isinstance(value, bool):
        return report
    # The field's name says what the number is, as a question would.
    marks = check_numbers(str(value), book, name)
    if marks:
        states = {mark.state for mark in marks}
        status = "single" if "unverified" in states else ("computed" if "computed" in states else "verified")
        evidence = [evidence_to_dict(one) for mark in marks for one in mark.evidence] if status != "single" else []
        formula = next((mark.formula for mark in marks if mark.formula), None)
        return report | {"status": status, "evidence": evidence, "formula": formula}
    found = book.find_text(str(value))
    return report if found is None else report | {"status": "verified", "evidence": [evidence_to_dict(found)]}
