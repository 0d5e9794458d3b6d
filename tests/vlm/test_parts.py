"""Parts are loaded side by side, none runs before the weights are verified, and a failure anywhere ends it at once."""

from __future__ import annotations

import shutil
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kandong.errors import CheckpointError, ResourceError
from kandong.vlm import parts
from kandong.vlm.checkpoint import Checkpoint
from kandong.vlm.convert import convert
from kandong.vlm.decoder import Decoder
from kandong.vlm.device import Precision
from kandong.vlm.opening import OpenedModel, open_model
from kandong.vlm.parts import load_parts
from kandong.vlm.vision import VisionTower
from kandong.vlm.weights import WeightType
from tests.inspection import GOLDEN

NUM_BLOCKS = 4


def reserve(decoder: Decoder) -> None:
    decoder.cache.reserve(NUM_BLOCKS)


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("loading") / "converted"
    convert(Checkpoint(GOLDEN / "tied"), target, "tests/tiny", WeightType.INT8)
    return target


def opened(folder: Path) -> OpenedModel:
    return open_model(folder, Precision.AUTO, None)


def threads() -> set[str]:
    return {thread.name for thread in threading.enumerate() if thread.name.startswith(("load", "forget"))}


def test_nothing_runs_before_the_weights_are_verified(converted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    happened: list[str] = []
    model = opened(converted)

    def verify() -> None:
        model.verify()
        happened.append("verified")

    for owner, name in ((Decoder, "run"), (VisionTower, "encode")):
        original: Any = getattr(owner, name)

        def recording(*arguments: Any, _original: Any = original, _name: str = name) -> Any:
            happened.append(_name)
            return _original(*arguments)

        monkeypatch.setattr(owner, name, recording)
    load_parts(converted, replace(model, verify=verify), None, reserve)
    assert happened[0] == "verified"
    assert sorted(happened[1:]) == ["encode", "run", "run"]
    assert threads() == set()


def test_weights_that_differ_are_refused_before_anything_runs(converted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise CheckpointError("damaged")

    def never(*_: object) -> None:
        raise AssertionError("it ran")

    monkeypatch.setattr(Decoder, "run", never)
    monkeypatch.setattr(VisionTower, "encode", never)
    with pytest.raises(CheckpointError, match="damaged"):
        load_parts(converted, replace(opened(converted), verify=refuse), None, reserve)
    assert threads() == set()


def test_a_damaged_tokenizer_is_what_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint"
    shutil.copytree(GOLDEN / "tied", folder, ignore=shutil.ignore_patterns("*.npz"))
    (folder / "tokenizer.json").write_text('{"model": 1}', "utf-8")
    with pytest.raises(CheckpointError, match=r"tokenizer\.json"):
        load_parts(folder, opened(folder), None, reserve)
    assert threads() == set()


@pytest.mark.parametrize("part", ["Decoder", "VisionTower", "warm_up_language", "warm_up_vision"])
def test_a_failure_of_any_part_ends_the_loading(converted: Path, monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    def fail(*_: object) -> None:
        raise MemoryError(part)

    monkeypatch.setattr(parts, part, fail)
    with pytest.raises(MemoryError, match=part):
        load_parts(converted, opened(converted), None, reserve)
    assert threads() == set()


def test_a_cache_that_cannot_be_had_ends_the_loading(converted: Path) -> None:
    def fail(_: Decoder) -> None:
        raise ResourceError("no room")

    with pytest.raises(ResourceError, match="no room"):
        load_parts(converted, opened(converted), None, fail)
    assert threads() == set()
