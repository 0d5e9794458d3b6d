"""Moderating posts: words and what is read in pictures, judged by the rules.

Owns: what belongs to one post, and how readings become lines to judge. Must not know: rules' words, how results look.
A picture that cannot be read never stops the other posts; what a code names is never fetched.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from kandong.errors import KandongError
from kandong.reading.report import ImageReading
from kandong.rules.judge import judge
from kandong.rules.report import ModerationReport, TextLine
from kandong.rules.rule import RuleBook
from kandong.tasks.evidence import lines_of, speaks_to_model
from kandong.tasks.offers import find_statements
from kandong.tasks.read import FileReading, read_files


@dataclass(frozen=True)
class PostReport:
    """One post: its name, its verdict, and the pictures with what was read in them.

    ``report`` is absent where no picture of the post could be read and it has no words. ``errors`` names the pictures
    that could not be read; they are also named in the report's ``unchecked``.
    """

    name: str
    ms: float
    report: ModerationReport | None
    files: tuple[FileReading, ...] = ()

    @property
    def errors(self) -> tuple[tuple[str, KandongError], ...]:
        """The files that could not be read, and why."""
        return tuple((file.name, file.error) for file in self.files if file.error is not None)

    def to_dict(self) -> dict[str, Any]:
        """Give the JSON form: ``{post, ms, report, errors}``."""
        return {
            "post": self.name,
            "ms": round(self.ms, 1),
            "report": None if self.report is None else self.report.to_dict(),
            "errors": [{"file": name} | error.to_dict() for name, error in self.errors],
        }


def moderate_each(files: Sequence[str], rules: RuleBook, stdin: bytes | None = None) -> Iterator[PostReport]:
    """Judge each picture as a post of its own. Errors: ``ModelError`` where OCR cannot be opened."""
    for file in read_files(files, stdin):
        yield _judge_post(file.name, None, (file,), rules)


def moderate_together(
    text: str | None, files: Sequence[str], rules: RuleBook, stdin: bytes | None = None
) -> PostReport:
    """Judge words and pictures as one post; without pictures nothing of reading is loaded beyond its patterns."""
    name = files[0] if files else "text"
    return _judge_post(name, text, tuple(read_files(files, stdin)), rules)


def judge_readings(text: str | None, readings: Sequence[ImageReading], rules: RuleBook) -> ModerationReport:
    """Judge a post's words and the readings of its pictures."""
    lines = [TextLine(text)] if text else []
    for reading in readings:
        lines += lines_of(reading)
    return judge(
        lines,
        rules,
        statements=find_statements(lines),
        has_pictures=bool(readings),
        speaks_to_model=speaks_to_model,
    )


def _judge_post(name: str, text: str | None, files: tuple[FileReading, ...], rules: RuleBook) -> PostReport:
    start = time.perf_counter()
    readings = [file.reading for file in files if file.reading is not None]
    reading_ms = sum(file.ms for file in files)
    if not readings and not text:
        return PostReport(name, reading_ms, None, files)
    report = judge_readings(text, readings, rules)
    failed = tuple(f"未能读取的图片：{file.name}" for file in files if file.error is not None)
    report = replace(report, unchecked=report.unchecked + failed)
    return PostReport(name, reading_ms + 1e3 * (time.perf_counter() - start), report, files)
