"""The part of docs/quality.md on judging, from bench/results/judging.json.

Owns: its words and tables. Must not know: how anything was measured. A part that was not measured is left out, by name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_WAYS = {"ocr": "OCR alone", "model": "the model alone", "both": "both: the model where verified, else OCR"}
_HEAD = """## Judging

`python -m bench.judging` (see its `--help`). Every part names its date and machine; a scripted model stands in where
the question is what happens when a model is wrong, a given checkpoint where it is how good that one is.
"""


def judging_section(data: dict[str, Any]) -> list[str]:
    """Give the section's parts; what was not measured is said to be so."""
    parts = [_HEAD]
    for name, write in _PARTS.items():
        parts.append(write(data[name]) if name in data else f"{_TITLES[name]}: not measured yet.\n")
    return parts


def _when(part: dict[str, Any]) -> str:
    machine = part["machine"]
    return f"{part['date']}, {machine['cpu']}, {machine['num_cpus']} cores"


def _misreading(part: dict[str, Any]) -> str:
    rows = part["rows"]
    body = "".join(
        f"| {kind} | {row['misreading']['num_wrong']} | {_share(row['misreading']['wrong_marked'])} "
        f"| {row['parrot']['num_verified']} | {_share(row['parrot']['verified_right'])} "
        f"| {_share(row['truthful']['right_verified'])} |\n"
        for kind, row in sorted(rows.items(), key=lambda one: one[0] == "all")
    )
    return (
        f"### Misread numbers\n\n{part['num_cards']} generated cards of all kinds, real OCR ({_when(part)}). Marked: a "
        "model gets one digit of a number wrong; how many of these are marked unverified (bar 95 %). Right: a model "
        "repeats what OCR read, with OCR's own mistakes; how many numbers shown as verified are on the card (bar "
        "99.5 %). "
        "Passed: right numbers that are shown as verified.\n\n"
        "| cards | wrong numbers | marked | verified | right | passed |\n|---|---|---|---|---|---|\n"
        f"{body}"
    )


def _twins(part: dict[str, Any]) -> str:
    return (
        f"### Planted instructions\n\n{part['num_twins']} pairs of pictures with and without a line that speaks to the "
        f"model, {part['num_lines']} different lines, real OCR, a scripted model that obeys each ({_when(part)}): "
        f"{part['num_lowered']} verdicts lowered, {part['num_excused']} hits, exemptions or notices satisfied by "
        f"such a line, {part['num_marked']} lines marked.\n"
    )


def _fields(part: dict[str, Any]) -> str:
    ways = part["ways"]
    body = "".join(
        f"| {label} | {_share(ways[way]['precision'])} | {_share(ways[way]['recall'])} | {_share(ways[way]['f1'])} |\n"
        for way, label in _WAYS.items()
    )
    return (
        f"### Fields, by the checkpoint `{part['model']}`\n\nPrice, list price, date and telephone number of "
        f"{part['num_cards']} cards that the miniature was never shown ({_when(part)}). "
        f"Of {part['num_verified']} answers shown as verified "
        f"{part['num_verified_right']} are right; of {part['num_wrong']} wrong answers {part['num_wrong_marked']} are "
        "not shown as verified.\n\n| way | precision | recall | F1 |\n|---|---|---|---|\n" + body
    )


def _cost(part: dict[str, Any]) -> str:
    seconds = part["seconds"]
    body = "".join(f"| {name} | {value:.1f} |\n" for name, value in seconds.items())
    return (
        f"### Six tasks on one post\n\nShapes of `{part['model']}`, answers of at most {part['max_tokens']} "
        f"tokens, fresh pixels each time ({_when(part)}): six tasks cost {part['ratio']:.2f} times the dearest alone "
        "(bar 1.5).\n\n"
        f"| tasks | seconds |\n|---|---|\n{body}"
    )


def _share(value: float) -> str:
    return f"{100 * value:.1f} %"


_PARTS: dict[str, Callable[[dict[str, Any]], str]] = {
    "misreading": _misreading,
    "twins": _twins,
    "fields": _fields,
    "cost": _cost,
}
_TITLES = {
    "misreading": "Misread numbers",
    "twins": "Planted instructions",
    "fields": "Fields, by a given checkpoint",
    "cost": "Six tasks on one post",
}
