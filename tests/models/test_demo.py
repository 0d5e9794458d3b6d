"""The miniature is found by its name alone, and marked wherever its files are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kandong import Kandong
from kandong.cli.main import main
from kandong.errors import ModelNotFoundError
from kandong.models import demo
from kandong.models.catalogue import find_model
from tests.inspection import GOLDEN
from tests.marked_model import CARD, put_in_place


@pytest.fixture
def miniature(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The random golden checkpoint in the place of the miniature, with its mark."""
    put_in_place(tmp_path / "mini", monkeypatch)
    monkeypatch.setenv("KANDONG_HOME", str(tmp_path / "home"))
    return tmp_path / "mini"


def test_it_is_found_by_its_name_and_never_stands_in_for_another_model(miniature: Path) -> None:
    assert find_model("mini").folder == miniature
    assert find_model("Mini").is_demo
    for other in (None, "2b", "Qwen/Qwen3-VL-4B-Instruct", "someone/mini"):
        with pytest.raises(ModelNotFoundError):
            find_model(other)


def test_without_its_weights_the_name_is_as_unknown_as_any(miniature: Path) -> None:
    (miniature / "model.safetensors").unlink()
    with pytest.raises(ModelNotFoundError, match="no model folder at mini"):
        find_model("mini")


def test_other_models_are_not_marked(tmp_path: Path) -> None:
    assert not find_model(GOLDEN / "tied").is_demo
    (tmp_path / "config.json").write_text("[]", "utf-8")
    assert not demo.is_demo_model(tmp_path)
    assert not demo.is_demo_model(tmp_path / "nothing")


def test_a_conversion_elsewhere_is_still_marked(miniature: Path, tmp_path: Path) -> None:
    target = tmp_path / "copy"
    assert main(["models", "export", str(target), "--model", "mini", "--precision", "int8"]) == 0
    assert find_model(target).is_demo
    assert (miniature / "model.safetensors").is_file()


def test_every_answer_is_marked(miniature: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert find_model("mini").folder == miniature
    command = ["ask", str(CARD), "价格是多少？", "--model", "mini", "--max-tokens", "4"]
    assert main(command) == 0
    written = capsys.readouterr()
    notes = [line for line in written.err.splitlines() if line.startswith("note:")]
    assert f"note: {demo.DEMO_NOTICE}" in notes
    assert "note:" not in written.out
    assert main([*command, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["demo"] is True
    other = Kandong(GOLDEN / "tied", convert=False, keep_features=False)
    assert other.describe(other.ask(CARD, "价格？", max_tokens=4))["demo"] is False
