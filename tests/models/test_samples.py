"""One list of sample pictures: the package's, and the miniature's where it is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from kandong.models.samples import sample_picture_bytes, sample_pictures
from tests.marked_model import CARD, put_in_place


def test_each_picture_of_the_package_is_there() -> None:
    samples = sample_pictures()
    assert [sample.name for sample in samples] == ["card", "poster", "hotpot"]
    for sample in samples:
        assert (sample_picture_bytes(sample.name) or b"").startswith(b"\x89PNG")


def test_names_are_of_one_picture_each() -> None:
    names = [sample.name for of_demo in (False, True) for sample in sample_pictures(of_demo=of_demo)]
    assert len(names) == len(set(names))


def test_those_of_the_miniature_are_listed_with_their_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_in_place(tmp_path / "mini", monkeypatch)
    assert [sample.expected for sample in sample_pictures(of_demo=True)] == ["85"]
    assert sample_picture_bytes("price") == CARD.read_bytes()
    for name in ("../samples", "none", "samples.json", ""):
        assert sample_picture_bytes(name) is None


def test_where_there_is_no_miniature_it_has_no_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kandong.models.demo._FOLDER", tmp_path / "none")
    assert sample_pictures(of_demo=True) == []
