"""How a report of a task looks on a terminal.

Owns: the rows. Must not know: commands, how reports are made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from kandong.tasks.finding_rows import listed_fields

_MAX_CHARACTERS: Final = 60
_SIGNS: Final = {"found": "✓", "computed": "=", "unverified": "?"}
_FIELD_SIGNS: Final = {"verified": "✓", "computed": "=", "single": "·", "conflict": "!", "missing": " "}


def rows_of(task: str, report: Mapping[str, Any]) -> list[str]:
    """Describe a report for a person, one finding a row, what is not checked at the end."""
    rows = _ROWS[task](report["result"])
    rows += [f"  note  {warning}" for warning in report["warnings"]]
    return rows + [f"  unchecked  {what}" for what in report["unchecked"]]


def mark_rows(marks: list[dict[str, Any]]) -> list[str]:
    """Describe the numbers of an answer: ✓ found, = computed, ? unverified, each with its place or reason."""
    rows = []
    for mark in marks:
        place = "; ".join(dict.fromkeys(_place(one) for one in mark["evidence"]))
        why = {"found": place, "computed": mark["formula"], "unverified": mark["reason"]}[mark["state"]]
        rows.append(f"  {_SIGNS[mark['state']]} {mark['text']}  {mark['state']}: {why}")
    return rows


def _read(result: Mapping[str, Any]) -> list[str]:
    rows = []
    for image in result["images"]:
        for line in image["lines"]:
            doubt = "?" if line["low_conf"] else " "
            sign = {None: " ", True: "=", False: "!"}[line["agree"]]
            other = f"  [model: {line['vlm_text']}]" if line["agree"] is False else ""
            rows.append(f"{line['id']:>5}  {line['conf']:.2f}{doubt}{sign} {line['text']}{other}")
        rows += [f"{f'Q{i}':>5}  {code['type']}: {code['text']}" for i, code in enumerate(image["codes"], start=1)]
        if image.get("model_text"):
            rows += ["  model:", *(f"    {row}" for row in image["model_text"].splitlines())]
    return rows or ["no text found"]


def _ask(result: Mapping[str, Any]) -> list[str]:
    rows = [result["answer"] or "no answer", f"  verified: {result['verified']}"]
    if result["ocr_answer"] and result["reason"] == "ocr_disagrees":
        rows.append(f"  ! OCR reads {result['ocr_answer']}")
    return rows + mark_rows(result["marks"])


def _describe(result: Mapping[str, Any]) -> list[str]:
    rows = [result["caption"] or "no description"]
    if result["image_kind"]:
        rows.append(f"  {result['image_kind']}  scene {result['scene']}  people {result['people_count']}")
    rows += [f"  {one['name']} ×{one['count']}" for one in result["objects"]]
    rows += [f"  brand {one['name']} ({one['verified']})" for one in result["brands"]]
    return rows + [f"  removed, as nothing bears it out: {one}" for one in result["unsupported_claims_removed"]]


def _moderate(result: Mapping[str, Any]) -> list[str]:
    label = result["label"] + (f"/{result['sub_label']}" if result["sub_label"] else "")
    rows = [f"{result['suggestion']}  {label}  score {result['score']}  risk {result['risk_level']}"]
    for hit in result["hits"]:
        law = f"{hit['law']} {hit['article']} [{hit['certainty']}]" if hit["law"] else ""
        quote = _quote(hit["evidence"])
        rows.append(f"  {hit['suggest']}  {hit['rule_id']}  {quote}  by {hit['decided_by']}: {hit['reason']}  {law}")
    rows += [f"  missing  {one['rule_id']}  {one['required']}" for one in result["missing_notices"]]
    rows += [f"  proof  {one['rule_id']}  {_quote(one['evidence'])}: {one['proof']}" for one in result["needs_proof"]]
    rows += [f"  exempt  {one['rule_id']}  {_quote(one['evidence'])}: {one['basis']}" for one in result["exempted"]]
    return rows + [f"  note  speaks to a model: {_quote(one)}" for one in result["suspected_instructions"]]


def _sentiment(result: Mapping[str, Any]) -> list[str]:
    overall = result["overall"]
    rows = [
        f"{overall['polarity']}  score {overall['score']}  intensity {overall['intensity']}  "
        f"words and pictures: {result['relation']}",
        f"  demand {result['demand']}  urgency {result['urgency']}",
    ]
    rows += [
        f"  claim 「{one['text']}」: {one['object']} seen {one['observed']} ({one['coverage']}), {one['verdict']}"
        for one in result["claims"]
    ]
    rows += [f"  {one['aspect']} {one['polarity']} 「{one['quote']}」" for one in result["aspects"]]
    return rows + [f"  irony? {cue}" for cue in result["sarcasm"]["cues"]]


def _extract(result: Mapping[str, Any]) -> list[str]:
    rows = []
    for field in listed_fields(result):
        if field["status"] == "missing":
            continue
        place = "; ".join(dict.fromkeys(_place(one) for one in field["evidence"][:2]))
        why = field.get("formula") or place
        rows.append(f"  {_FIELD_SIGNS[field['status']]} {field['path']}  {field['value']}  {field['status']} {why}")
    rows += [f"  · {rule['type']}  {rule['text']}" for rule in result.get("promotion_rules", [])]
    rows += [f"  · {rule['kind']}  {rule['text'][:_MAX_CHARACTERS]}" for rule in result.get("rules", [])]
    rows += [f"  ! {one['field']}: {' / '.join(one['values'])}" for one in result.get("conflicts", [])]
    return rows or ["nothing found"]


def _quote(evidence: Mapping[str, Any]) -> str:
    return f"「{evidence['quote'][:_MAX_CHARACTERS]}」"


def _place(evidence: Mapping[str, Any]) -> str:
    where = evidence["line_id"] or evidence["source"]
    image = "" if evidence["image_index"] is None else f"picture {evidence['image_index'] + 1} "
    return f"{image}{where} {_quote(evidence)}"


_ROWS: Final[Mapping[str, Callable[[Mapping[str, Any]], list[str]]]] = {
    "read": _read,
    "ask": _ask,
    "describe": _describe,
    "moderate": _moderate,
    "sentiment": _sentiment,
    "extract": _extract,
}
