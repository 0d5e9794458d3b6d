"""``kandong read``: lines on stdout, trouble on stderr, one object a file with --json."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from bench.cards.make import make_card
from kandong.cli.main import main
from kandong.reading.images import load_picture

SAMPLE = Path(__file__).resolve().parent.parent.parent / "samples" / "card.png"


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["read", *arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_lines_are_numbered_with_their_confidence(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, str(SAMPLE))
    assert (code, err) == (0, "")
    assert out.splitlines()[1].split() == ["L2", "1.00", "特价：85元"]
    assert run(capsys, str(SAMPLE), "--plain")[1].splitlines()[4] == "满300减50"


def test_a_struck_price_is_told_in_the_table_and_in_json(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    card = make_card("strike_through", 61_000_004)
    card.image.save(tmp_path / "card.png")
    amounts = [n.value for line in card.lines if line.is_struck for n in line.numbers]
    out = run(capsys, str(tmp_path / "card.png"))[1]
    assert out.count("[struck through: ") == len(amounts) > 0
    reading = json.loads(run(capsys, str(tmp_path / "card.png"), "--json")[1])["reading"]
    assert sorted(n["value"] for n in reading["numbers"] if n["is_struck"]) == sorted(amounts)


def test_json_gives_one_object_a_file_and_a_bad_one_does_not_stop_the_rest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.png").write_bytes(b"no")
    shutil.copy(SAMPLE, tmp_path / "b.png")
    code, out, err = run(capsys, str(tmp_path), "--json")
    assert code == 3
    first, second = map(json.loads, out.splitlines())
    assert first["error"]["code"] == "picture_format"
    assert "a.png" in err
    assert len(err.splitlines()) == 1
    reading = second["reading"]
    assert {
        "index",
        "width_px",
        "height_px",
        "sha256",
        "full_text",
        "truncated",
        "lines",
        "codes",
        "numbers",
        "injection",
    } <= set(reading)
    line = reading["lines"][1]
    assert line["text"] == "特价：85元"
    assert len(line["box"]) == 4
    assert [c["text"] for c in line["chars"]] == list(line["text"])


def test_annotate_writes_one_file_or_a_folder_of_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = tmp_path / "out.png"
    assert run(capsys, str(SAMPLE), "--annotate", str(one))[0] == 0
    assert (load_picture(one).width_px, load_picture(one).height_px) == (
        load_picture(SAMPLE).width_px,
        load_picture(SAMPLE).height_px,
    )
    many = tmp_path / "boxes"
    assert run(capsys, str(SAMPLE), str(SAMPLE), "--annotate", str(many))[0] == 0
    assert [path.name for path in sorted(many.iterdir())] == ["0001-card.png", "0002-card.png"]


def test_wrong_use_of_annotate_is_refused_before_any_reading(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capsys, str(SAMPLE), str(SAMPLE), "--annotate", str(tmp_path / "out.png"))
    assert (code, out) == (2, "")
    assert "folder" in err
    own = tmp_path / "own.png"
    shutil.copy(SAMPLE, own)
    code, out, err = run(capsys, str(own), "--annotate", str(own))
    assert (code, out) == (2, "")
    assert "over itself" in err
    assert own.read_bytes() == SAMPLE.read_bytes()


def test_a_picture_without_text_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.new("RGB", (200, 100), "white").save(tmp_path / "blank.png")
    assert run(capsys, str(tmp_path / "blank.png")) == (0, "no text found\n", "")


def test_an_empty_folder_is_wrong_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, str(tmp_path))
    assert (code, out) == (2, "")
    assert "no pictures" in err
    assert json.loads(run(capsys, str(tmp_path), "--json")[1])["error"]["code"] == "invalid_request"
