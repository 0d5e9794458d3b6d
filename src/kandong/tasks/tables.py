"""Reports as files that others open: CSV, Excel, JSON lines.

Owns: how sheets are written, the columns of moderation, and that no cell of a stranger's text is ever run as a formula.
Must not know: how reports are made.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import xlsxwriter

from kandong.errors import InputError
from kandong.tasks.moderate import PostReport

POST_COLUMNS: Final = (
    "post",
    "suggestion",
    "label",
    "sub_label",
    "score",
    "risk_level",
    "is_ad",
    "rules",
    "terms",
    "missing_notices",
    "needs_proof",
    "arithmetic",
    "exempted",
    "suspected_instructions",
    "unchecked",
    "errors",
    "rules_version",
    "ms",
)
HIT_COLUMNS: Final = (
    "post",
    "rule",
    "title",
    "law",
    "article",
    "penalty_article",
    "certainty",
    "severity",
    "suggest",
    "term",
    "quote",
    "source",
    "image_index",
    "line_id",
    "span",
    "box",
    "reason",
    "reword",
)
ENDINGS: Final = (".csv", ".xlsx", ".jsonl")
_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")
_MAX_CELL_CHARACTERS: Final = 32_000  # Excel's own limit is 32,767
_MAX_ROWS: Final = 1_048_575  # below the head
_MAX_EXACT: Final = 10**15  # Excel keeps 15 digits

Cell = str | int | float | bool | None
Sheet = tuple[str, tuple[str, ...], list[list[Cell]]]


def check_target(path: Path) -> None:
    """Refuse a file that could not be written, before any work is done. Errors: ``InputError``."""
    if path.suffix.lower() not in ENDINGS:
        raise InputError(f"{path}: cannot write this kind of table.", hint=f"Use {', '.join(ENDINGS)}.", field="out")
    if not path.parent.is_dir():
        raise InputError(f"The folder of {path} is not there.", hint="Make it first.", field="out")


def write_table(posts: Sequence[PostReport], path: Path) -> None:
    """Write reports; the ending chooses the format. Errors: ``InputError`` where the file cannot be written.

    CSV is UTF-8 with a mark at its beginning, as Excel wants it, one row a post. Excel has a second sheet with one row
    a hit. JSON lines hold the whole reports.
    """
    post_sheet: Sheet = ("posts", POST_COLUMNS, [post_row(post) for post in posts])
    hit_sheet: Sheet = ("hits", HIT_COLUMNS, [row for post in posts for row in hit_rows(post)])
    write_sheets([post_sheet, hit_sheet], [post.to_dict() for post in posts], path)


def write_sheets(sheets: Sequence[Sheet], reports: Sequence[dict[str, Any]], path: Path) -> None:
    """Write sheets as CSV (the first only) or Excel, or the whole reports as JSON lines; the ending chooses.

    Errors: ``InputError`` where the file cannot be written.
    """
    check_target(path)
    try:
        if path.suffix.lower() == ".jsonl":
            path.write_text("".join(f"{json.dumps(one, ensure_ascii=False)}\n" for one in reports), "utf-8")
        elif path.suffix.lower() == ".csv":
            _, columns, rows = sheets[0]
            with path.open("w", encoding="utf-8-sig", newline="") as file:
                writer = csv.writer(file)
                writer.writerow(columns)
                writer.writerows([escape_formula(cell) for cell in row] for row in rows)
        else:
            _write_excel(sheets, str(path))
    except (OSError, xlsxwriter.exceptions.FileCreateError):
        raise InputError(
            f"{path} cannot be written.", hint="Close it elsewhere, or name another.", field="out"
        ) from None


def excel_of(sheets: Sequence[Sheet]) -> bytes:
    """Give sheets as an Excel file. Text is written as text, whatever it begins with; cells of other kinds as text."""
    file = io.BytesIO()
    _write_excel(sheets, file)
    return file.getvalue()


def escape_formula(cell: Cell) -> Cell:
    """Put a ' before text that a spreadsheet would run as a formula."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA_STARTS) else cell


def post_row(post: PostReport) -> list[Cell]:
    """Give one post as a row of ``POST_COLUMNS``."""
    errors = "; ".join(f"{name}: {error.message}" for name, error in post.errors)
    report = post.report
    if report is None:
        return [post.name, *[""] * 14, errors, "", round(post.ms, 1)]
    return [
        post.name,
        str(report.suggestion),
        report.label,
        report.sub_label,
        report.score,
        report.risk_level,
        report.is_ad.value,
        _joined(hit.rule_id for hit in report.hits),
        _joined(hit.evidence.quote for hit in report.hits),
        _joined(f"{missing.rule_id} {'、'.join(missing.missing)}" for missing in report.missing_notices),
        _joined(f"{proof.rule_id} {proof.proof}" for proof in report.needs_proof),
        _joined(f"{one.formula} = {one.computed}, not {one.claimed}" for one in report.arithmetic),
        _joined(f"{one.rule_id} {one.term}" for one in report.exempted),
        _joined(one.quote for one in report.suspected_instructions),
        _joined(report.unchecked),
        errors,
        report.rules_version,
        round(post.ms, 1),
    ]


def hit_rows(post: PostReport) -> list[list[Cell]]:
    """Give the hits of a post as rows of ``HIT_COLUMNS``."""
    return [
        [
            post.name,
            hit.rule_id,
            hit.title,
            hit.law,
            hit.article,
            hit.penalty_article,
            hit.certainty,
            hit.severity,
            str(hit.suggest),
            hit.term,
            hit.evidence.quote,
            hit.evidence.source,
            hit.evidence.image_index,
            hit.evidence.line_id,
            "" if hit.evidence.span is None else "-".join(map(str, hit.evidence.span)),
            "" if hit.evidence.box is None else " ".join(f"{side:g}" for side in hit.evidence.box),
            hit.reason,
            hit.reword,
        ]
        for hit in (post.report.hits if post.report is not None else ())
    ]


def _joined(values: Any) -> str:
    return "; ".join(dict.fromkeys(str(value) for value in values))


def _write_excel(sheets: Sequence[Sheet], target: str | io.BytesIO) -> None:
    with xlsxwriter.Workbook(target, {"in_memory": True}) as book:
        bold = book.add_format({"bold": True})
        for title, columns, rows in sheets:
            sheet = book.add_worksheet(title)
            sheet.freeze_panes(1, 1)
            sheet.set_column(0, len(columns) - 1, 18)
            sheet.write_row(0, 0, columns, bold)
            for number, row in enumerate(rows[:_MAX_ROWS], start=1):
                for column, cell in enumerate(row):
                    if isinstance(cell, int | float) and abs(cell) < _MAX_EXACT:
                        sheet.write(number, column, cell)
                    elif cell is not None:
                        # write_string never makes a formula or a link of it
                        sheet.write_string(number, column, str(cell)[:_MAX_CELL_CHARACTERS])
            sheet.autofilter(0, 0, max(1, len(rows)), len(columns) - 1)
