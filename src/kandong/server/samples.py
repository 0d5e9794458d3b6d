"""The sample pictures as the page gets them.

Owns: which of them a model can answer, and their addresses. Must not know: where pictures lie.
"""

from __future__ import annotations

import msgspec

from kandong.models.samples import sample_pictures


class Sample(msgspec.Struct, frozen=True):
    """A picture with a question that it can answer."""

    name: str
    title_zh: str
    title_en: str
    question_zh: str
    url: str


def samples_for(*, is_demo: bool) -> list[Sample]:
    """List them: the miniature's own while that is what runs, as it reads no others."""
    listed = (sample_pictures(of_demo=True) if is_demo else []) or sample_pictures()
    return [Sample(s.name, s.title_zh, s.title_en, s.question_zh, f"/api/samples/{s.name}") for s in listed]
