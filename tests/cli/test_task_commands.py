"""``kandong describe | sentiment | extract``, and what the model adds to ``read``, ``ask``, ``moderate``; all real."""

from __future__ import annotations

import csv
import json
import shutil
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from kandong.cli.main import main

ROOT = Path(__file__).resolve().parent.parent.parent
CARD = ROOT / "samples" / "card.png"
POSTER = ROOT / "samples" / "poster.png"
MODEL = str(ROOT / "tests" / "golden" / "tied")


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(list(arguments))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_extract_without_a_model_gives_what_is_labelled_and_says_what_is_not_done(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, out, err = run(capsys, "extract", str(CARD), "--no-model")
    assert (code, err) == (0, "")
    assert "offers[0].price  85  single" in out
    assert "unchecked" in out
    code, out, _ = run(capsys, "extract", str(CARD), "--no-model", "--json")
    report = json.loads(out)
    assert (code, report["task"], report["result"]["offers"][0]["price"]) == (0, "extract", "85")


def test_a_model_that_is_not_installed_is_done_without_unless_it_was_named(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "sentiment", "--text", "没有收到梳子，太失望了", "--json")
    assert code == 0
    assert "no model is installed" in err
    assert json.loads(out)["result"]["overall"]["polarity"] == "negative"
    assert run(capsys, "describe", str(CARD), "--model", "no-such-model")[0] in (2, 4)


def test_a_folder_becomes_a_table_and_a_bad_picture_does_not_stop_the_rest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "posts"
    folder.mkdir()
    (folder / "a.png").write_bytes(b"no")
    shutil.copy(CARD, folder / "b.png")
    table = tmp_path / "out.csv"
    code, out, err = run(capsys, "extract", str(folder), "--no-model", "--out", str(table), "--json")
    assert code == 3
    assert "a.png" in err
    first, second = map(json.loads, out.splitlines())
    assert first["error"]["code"] == "picture_format"
    assert second["status"] == "partial"
    with table.open(encoding="utf-8-sig", newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["price"], row["status"]) == ("85", "partial")
    for name in ("out.xlsx", "out.jsonl"):
        assert run(capsys, "extract", str(folder), "--no-model", "--out", str(tmp_path / name))[0] == 3
    with zipfile.ZipFile(tmp_path / "out.xlsx") as book:
        assert len([name for name in book.namelist() if "worksheets/sheet" in name]) == 3
    assert len((tmp_path / "out.jsonl").read_text("utf-8").splitlines()) == 2


def test_since_last_tells_only_what_is_new_or_changed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("extract", str(tmp_path), "--no-model", "--since", "last", "--json")
    shutil.copy(CARD, tmp_path / "shop.png")
    _, out, _ = run(capsys, *arguments)
    assert [json.loads(line)["kind"] for line in out.splitlines()] == ["new"]
    assert run(capsys, *arguments)[1] == ""
    with Image.open(CARD) as card:
        card.crop((0, 0, card.width, card.height // 6)).save(tmp_path / "shop.png")
    shutil.copy(POSTER, tmp_path / "other.png")
    _, out, _ = run(capsys, *arguments)
    changes = [json.loads(line) for line in out.splitlines()]
    assert {(one["post"], one["kind"], one["field"]) for one in changes} >= {
        ("other.png", "new", None),
        ("shop.png", "unverified", "price"),
    }
    assert next(one for one in changes if one["field"] == "price")["old"] == "85"
    (tmp_path / "other.png").unlink()
    _, out, _ = run(capsys, *arguments)
    assert [(one["post"], one["kind"]) for one in map(json.loads, out.splitlines())] == [("other.png", "gone")]
    assert run(capsys, "extract", str(CARD), "--since", "last")[0] == 2
    assert run(capsys, "extract", str(tmp_path), "--since", "monday")[0] == 2


def test_the_shops_own_facts_are_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    facts = tmp_path / "product.json"
    facts.write_text(json.dumps({"price": 188, "gifts": []}), "utf-8")
    code, out, _ = run(capsys, "moderate", str(POSTER), "--product", str(facts))
    assert code == 11
    assert "FACT-PRICE" in out
    assert "188元" in out
    facts.write_text(json.dumps({"price": "viel"}), "utf-8")
    code, _, err = run(capsys, "moderate", str(POSTER), "--product", str(facts))
    assert code == 2
    assert "product.price" in err


@pytest.mark.parametrize(
    "arguments",
    [
        ("describe", str(CARD)),
        ("moderate", str(POSTER)),
        ("read", str(CARD), "--mode", "auto"),
        ("extract", str(CARD), "--text", "现价85元"),
    ],
)
def test_commands_run_on_the_real_engine(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]) -> None:
    code, out, _ = run(capsys, *arguments, "--model", MODEL, "--json")
    assert code == (11 if arguments[0] == "moderate" else 0)
    report = json.loads(out)
    assert report["model"]["id"]
    assert report["prompt_version"]


def test_ask_with_assist_lists_the_numbers_of_the_answer(capsys: pytest.CaptureFixture[str]) -> None:
    asked = (
        "ask",
        str(CARD),
        "价格是多少？",
        "--assist",
        "--model",
        MODEL,
        "--max-tokens",
        "12",
        "--choice",
        "特价85元",
    )
    code, out, _ = run(capsys, *asked)
    assert code == 0
    assert out.splitlines()[0] == "特价85元"
    assert "verified: both" in out
    assert "✓ 85元  found: picture 1 L2" in out
    code, out, _ = run(capsys, *asked[:-2], "--choice", "特价89元", "--json")
    assist = json.loads(out)["assist"]
    assert (assist["verified"], assist["marks"][0]["state"]) == ("vlm", "unverified")


def test_wrong_arguments_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (
        ("describe",),
        ("read", str(CARD), "--mode", "slow"),
        ("extract", str(CARD), "--out", str(tmp_path / "x.docx")),
        ("extract", str(CARD), "--no-model", "--schema", str(CARD)),
        ("moderate", str(CARD), "--product", str(tmp_path / "none.json")),
        ("sentiment", "--text", "好", "--prompts", str(tmp_path / "none")),
    ):
        code, _, err = run(capsys, *arguments)
        assert code == 2, arguments
        assert err
