"""Finished reports by a hash of everything that determines them.

Owns: that hash, and a store of the latest in memory. Must not know: tasks' insides, databases (any store with ``get``
and ``put`` will do).
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final, Protocol

from kandong import __version__
from kandong.reading.reader import pipeline_digest
from kandong.tasks.case import Case
from kandong.tasks.prompt_files import PLACEHOLDERS

_KEPT: Final = 512


class ReportCache(Protocol):
    """Where finished reports are kept."""

    def get(self, key: str) -> dict[str, Any] | None:
        """Give the report of a key, or ``None``."""

    def put(self, key: str, report: dict[str, Any]) -> None:
        """Keep a report."""


class MemoryReports:
    """The latest reports, in memory; safe to use from several threads."""

    def __init__(self, num_kept: int = _KEPT) -> None:
        self._num_kept = num_kept
        self._reports: OrderedDict[str, str] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: str) -> dict[str, Any] | None:
        """Give a copy of the report of a key, or ``None``."""
        with self._lock:
            text = self._reports.get(key)
            if text is None:
                return None
            self._reports.move_to_end(key)
        report: dict[str, Any] = json.loads(text)
        return report

    def put(self, key: str, report: dict[str, Any]) -> None:
        """Keep a report; the one used longest ago goes."""
        text = json.dumps(report, ensure_ascii=False)
        with self._lock:
            self._reports[key] = text
            self._reports.move_to_end(key)
            while len(self._reports) > self._num_kept:
                self._reports.popitem(last=False)


def report_key(task: str, case: Case, model: Mapping[str, Any] | None, *, has_reader: bool = True) -> str:
    """Give the hash of all that determines a report: post, pixels, options, model, prompts, rules, reading, version.

    Whether a model answers is part of it, so a report made without one never stands in for one made with it.
    """
    known = {
        "version": __version__,
        "task": task,
        "text": case.post.text,
        "comments": [comment.text for comment in case.post.comments],
        "id": case.post.id,
        "platform": case.post.platform,
        "time": case.post.time,
        "product": None if case.post.product is None else asdict(case.post.product),
        "pictures": [picture.digest for picture in case.post.pictures],
        "question": case.options.question if task == "ask" else None,
        "schema": case.options.schema if task == "extract" else None,
        "mode": case.options.mode,
        "model": dict(model) if model is not None else case.has_model,
        "prompts": case.prompts.version(*PLACEHOLDERS),
        "rules": case.rules.version,
        "reading": pipeline_digest() if has_reader else None,
    }
    text = json.dumps(known, ensure_ascii=False, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
