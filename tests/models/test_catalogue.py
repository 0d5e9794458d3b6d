"""Names and paths lead to the folders where downloads really lie."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kandong.errors import ModelNotFoundError
from kandong.models.catalogue import find_model, full_name

NAME = "Qwen/Qwen3-VL-2B-Instruct"


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KANDONG_HOME", str(tmp_path / "kandong"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("MODELSCOPE_CACHE", str(tmp_path / "modelscope"))
    monkeypatch.delenv("KANDONG_MODEL", raising=False)
    return tmp_path


def make_model(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({}), "utf-8")
    return folder


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("2b", NAME),
        ("Qwen3-VL-2B", NAME),
        ("qwen3-vl-2b-instruct", NAME),
        (NAME, NAME),
        ("4B", "Qwen/Qwen3-VL-4B-Instruct"),
        ("someone/Finetune-2B", "someone/Finetune-2B"),
        ("./model", None),
        ("~/model", None),
        ("a/b/c", None),
        ("/abs/model", None),
        ("model", None),
        ("C:\\models\\x", None),
    ],
)
def test_names_are_told_from_paths(wanted: str, expected: str | None) -> None:
    assert full_name(wanted) == expected


@pytest.mark.parametrize(
    "place",
    [
        "kandong/models/Qwen/Qwen3-VL-2B-Instruct",
        "hub/models--Qwen--Qwen3-VL-2B-Instruct/snapshots/abc",
        "modelscope/models/Qwen--Qwen3-VL-2B-Instruct/snapshots/master",
        "modelscope/hub/models/Qwen/Qwen3-VL-2B-Instruct",
        "modelscope/models/Qwen/Qwen3-VL-2B-Instruct",
    ],
)
def test_downloads_of_every_tool_are_found(places: Path, place: str) -> None:
    folder = make_model(places / place)
    assert find_model().folder == folder
    assert find_model("2b").name == NAME


def test_the_snapshot_of_main_comes_first(places: Path) -> None:
    repository = places / "hub" / "models--Qwen--Qwen3-VL-2B-Instruct"
    wanted = make_model(repository / "snapshots" / "old")
    make_model(repository / "snapshots" / "new")
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("old", "utf-8")
    assert find_model().folder == wanted


def test_a_folder_is_taken_as_it_is_and_the_variable_is_the_default(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_model(places / "mine")
    assert find_model(folder).name == "mine"
    monkeypatch.setenv("KANDONG_MODEL", str(folder))
    assert find_model().folder == folder


def test_what_is_missing_says_what_to_do(places: Path) -> None:
    with pytest.raises(ModelNotFoundError, match="not on this machine") as caught:
        find_model()
    assert "kandong pull Qwen/Qwen3-VL-2B-Instruct" in (caught.value.hint or "")
    with pytest.raises(ModelNotFoundError, match="no model folder at"):
        find_model("./nothing")
    (places / "file.gguf").write_text("x", "utf-8")
    with pytest.raises(ModelNotFoundError, match="is a file"):
        find_model(places / "file.gguf")
