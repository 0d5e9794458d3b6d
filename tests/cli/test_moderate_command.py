"""``kandong moderate`` and ``kandong rules``: what they print and how they end."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from kandong.cli.main import main
from kandong.cli.moderate import exit_code

SAMPLES = Path(__file__).resolve().parent.parent.parent / "samples"
POSTER, CARD = str(SAMPLES / "poster.png"), str(SAMPLES / "card.png")


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(list(arguments))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_exit_codes_tell_the_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "moderate", "--text", "今天天气真好")[0] == 0
    assert run(capsys, "moderate", "--text", "加我微信：kd_shop88")[0] == 10
    assert run(capsys, "moderate", "--text", "国家级品质，下单立减20元")[0] == 11


def test_a_block_comes_before_a_failed_picture_before_a_review() -> None:
    assert exit_code({"block", "review"}, has_errors=True) == 11
    assert exit_code({"review"}, has_errors=True) == 3
    assert exit_code({"review", "pass"}, has_errors=False) == 10
    assert exit_code({"pass"}, has_errors=False) == 0
    assert exit_code(set(), has_errors=False) == 0


def test_a_verdict_names_law_place_and_better_words(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "moderate", "--text", "国家级品质，下单立减20元")
    assert "block  AD9-3  「国家级」 at 0-3" in out
    assert "广告法 9(三), penalty 57 [V]" in out
    assert "unchecked" in out


def test_many_pictures_are_many_posts_and_one_bad_one_stops_none(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"nothing")
    out_file = tmp_path / "out.csv"
    folder = tmp_path / "drawn"
    code, out, err = run(
        capsys, "moderate", POSTER, str(broken), CARD, "--json", "--out", str(out_file), "--annotate", str(folder)
    )
    posts = [json.loads(line) for line in out.splitlines()]
    assert code == 11
    assert [post["report"] and post["report"]["suggestion"] for post in posts] == ["block", None, "pass"]
    assert posts[1]["errors"][0]["code"] == "picture_format"
    assert len(err.strip().splitlines()) == 1
    assert len(out_file.read_text("utf-8-sig").splitlines()) == 4
    assert len(list(folder.iterdir())) == 2


def test_hits_are_drawn_where_they_stand(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    target = tmp_path / "drawn.png"
    assert run(capsys, "moderate", POSTER, "--annotate", str(target))[0] == 11
    before, after = Image.open(POSTER).convert("RGB"), Image.open(target).convert("RGB")
    assert after.size == before.size
    changed = [
        (x, y) for x in range(0, 720, 2) for y in range(0, 960, 2) if before.getpixel((x, y)) != after.getpixel((x, y))
    ]
    # The product's name is no hit, the line below it is.
    assert not [y for _, y in changed if y < 140]
    assert [y for _, y in changed if 160 <= y <= 225]


def test_words_from_a_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    words = tmp_path / "post.txt"
    words.write_text("国家级品质，\n下单立减20元", "utf-8-sig")
    assert run(capsys, "moderate", "--text-file", str(words))[0] == 11
    words.write_bytes(b"\xff\xfe\x00")
    assert "is not UTF-8" in run(capsys, "moderate", "--text-file", str(words))[2]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "nothing to judge"),
        (["--text", " "], "text is empty"),
        (["--text", "a", "--text-file", "b"], "both given"),
        (["--text-file", "missing.txt"], "cannot be read"),
        (["--text", "a", "--packs", "missing"], "is not there"),
        (["--text", "a", "--out", "x.docx"], "cannot write this kind"),
        (["--text", "a", "--annotate", "x.png"], "no picture to annotate"),
    ],
)
def test_wrong_usage_is_one_line(capsys: pytest.CaptureFixture[str], arguments: list[str], words: str) -> None:
    code, out, err = run(capsys, "moderate", *arguments)
    assert code == 2
    assert out == ""
    assert words in err
    assert len(err.strip().splitlines()) == 1


def test_a_failure_is_json_too(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "moderate", "--json")
    assert code == 2
    assert json.loads(out)["error"]["field"] == "image"


def test_rules_are_listed_and_shown(capsys: pytest.CaptureFixture[str]) -> None:
    _, listed, _ = run(capsys, "rules", "list")
    assert "AD9-3" in listed
    _, as_json, _ = run(capsys, "rules", "list", "--json")
    described = json.loads(as_json)
    assert len(described["rules_version"]) == 16
    assert f"{len(described['rules'])} rules" in listed
    _, shown, _ = run(capsys, "rules", "show", "ad9-3")
    assert "广告法 9(三), penalty article 57" in shown
    assert "第六条(五)" in shown
    code, _, err = run(capsys, "rules", "show", "NONE")
    assert code == 2
    assert "rules list" in err


def test_the_examples_of_a_users_pack_are_run(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    pack = SHOP.replace("INNOCENT", "新店开张")
    (tmp_path / "shop.toml").write_text(pack, "utf-8")
    assert run(capsys, "rules", "test", "SHOP1", "--packs", str(tmp_path))[0] == 0
    (tmp_path / "shop.toml").write_text(SHOP.replace("INNOCENT", "老王烤鸭开张"), "utf-8")
    code, out, _ = run(capsys, "rules", "test", "SHOP1", "--packs", str(tmp_path))
    assert code == 1
    assert "SHOP1: is found: 老王烤鸭开张" in out


def test_explain_shows_how_a_text_is_read(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "rules", "explain", "蕞·佳面膜，券后59元，荣获2023年某某展最佳设计奖")
    assert "joined   最佳面膜" in out
    assert "zui jia mian mo" in out
    assert "「蕞·佳」 (meant: 最佳) at 0-3" in out
    assert "exempt  AD9-3  「最佳」" in out


def test_words_alone_need_no_ocr() -> None:
    script = "import sys; from kandong.cli.main import main; main(['moderate','--text','全网最低价']); "
    script += "sys.exit('rapidocr' in sys.modules)"
    command = [sys.executable, "-c", script]
    assert subprocess.run(command, capture_output=True, check=False, timeout=60).returncode == 0


SHOP = """
title = "本店"
version = "1"
[[rule]]
id = "SHOP1"
title = "不提旧店名"
label = "Ad"
sub_label = "old_name"
law = "本店规定"
article = "1"
certainty = "M"
severity = "low"
max_suggest = "review"
reword = "写新店名。"
violating = ["老王烤鸭店"]
innocent = ["INNOCENT"]
[[rule.match]]
terms = ["老王烤鸭"]
reason = "旧店名"
"""
