"""The pictures that people are offered to try Kandong with, each with a question that it answers.

Owns: which there are: those of the package, and those that the miniature reads. Must not know: engines, HTTP.
Each folder of them has a ``samples.json``; names are unique across both.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable

from kandong.models.demo import demo_folder

_LIST = "samples.json"


@dataclass(frozen=True)
class SamplePicture:
    """A picture and a question about it; ``expected`` is the answer that stands on it, where there is one alone."""

    name: str
    title_zh: str
    title_en: str
    question_zh: str
    expected: str | None = None


def sample_pictures(*, of_demo: bool = False) -> list[SamplePicture]:
    """List the pictures of the package, or with ``of_demo`` those of the miniature, which can read no others."""
    folder = _demo_pictures() if of_demo else _package_pictures()
    try:
        listed = json.loads((folder / _LIST).read_text("utf-8"))
    except OSError:
        return []
    return [SamplePicture(**one) for one in listed]


def sample_picture_bytes(name: str) -> bytes | None:
    """Give a picture's PNG, of either list; ``None`` for a name that is none."""
    for of_demo, folder in ((False, _package_pictures()), (True, _demo_pictures())):
        if name in {sample.name for sample in sample_pictures(of_demo=of_demo)}:
            return (folder / f"{name}.png").read_bytes()
    return None


def _package_pictures() -> Traversable:
    return resources.files("kandong.samples")


def _demo_pictures() -> Traversable:
    return demo_folder() / "samples"
