"""The cache of converted models: made once, mended when damaged, listed, exported, removed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kandong import Kandong
from kandong.cli.main import main
from kandong.models.catalogue import converted_folder
from kandong.vlm.converted import WEIGHTS
from tests.inspection import GOLDEN

CARD = GOLDEN / "pictures" / "square.png"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KANDONG_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def answer(kd: Kandong) -> tuple[int, ...]:
    return kd.ask(CARD, "价格？", max_tokens=8).token_ids


def only_conversion() -> Path:
    (folder,) = converted_folder().iterdir()
    return folder


def test_second_start_uses_what_the_first_one_made(home: Path) -> None:
    heard: list[str] = []
    expected = answer(Kandong(GOLDEN / "tied", report=heard.append))
    assert any("converting, this once" in text for text in heard)
    folder = only_conversion()
    assert home in folder.parents
    made_at = (folder / WEIGHTS).stat().st_mtime_ns
    heard.clear()
    assert answer(Kandong(GOLDEN / "tied", report=heard.append)) == expected
    assert not any("converting" in text for text in heard)
    assert (only_conversion() / WEIGHTS).stat().st_mtime_ns == made_at
    assert answer(Kandong(GOLDEN / "tied", convert=False)) == expected


@pytest.mark.usefixtures("home")
def test_damaged_conversion_is_made_again() -> None:
    expected = answer(Kandong(GOLDEN / "tied"))
    weights = only_conversion() / WEIGHTS
    whole = weights.read_bytes()
    weights.write_bytes(whole[:5000] + bytes([whole[5000] ^ 1]) + whole[5001:])
    heard: list[str] = []
    assert answer(Kandong(GOLDEN / "tied", report=heard.append)) == expected
    assert any("damaged" in text for text in heard)
    assert (only_conversion() / WEIGHTS).read_bytes() == whole


def test_no_room_converts_in_memory(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = answer(Kandong(GOLDEN / "tied", convert=False))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(1, 1, 0))
    heard: list[str] = []
    assert answer(Kandong(GOLDEN / "tied", report=heard.append)) == expected
    assert any("not enough space" in text for text in heard)
    assert list((home / "converted").iterdir()) == []


def test_folder_that_cannot_be_written_converts_in_memory(home: Path) -> None:
    home.parent.mkdir(exist_ok=True)
    home.write_text("a file where the folder should be", "utf-8")
    heard: list[str] = []
    answer(Kandong(GOLDEN / "tied", report=heard.append))
    assert any("cannot be written" in text for text in heard)


def test_killed_conversion_is_cleaned_up_and_done_again(home: Path) -> None:
    script = (
        "import time\nfrom kandong.vlm import converted\nadd = converted.ConvertedWriter.add_tensor\n"
        "def slow(*a):\n    add(*a)\n    print('written', flush=True)\n    time.sleep(0.05)\n"
        "converted.ConvertedWriter.add_tensor = slow\n"
        "from kandong import Kandong\n"
        f"Kandong({str(GOLDEN / 'tied')!r})"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, env=os.environ | {"X": "1"})
    assert process.stdout is not None
    for _ in range(10):
        assert process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    (leftover,) = (home / "converted").iterdir()
    assert leftover.name.startswith(".unfinished-")
    answer(Kandong(GOLDEN / "tied"))
    assert not only_conversion().name.startswith(".")


def test_converted_model_is_found_by_name_when_its_original_is_gone(home: Path) -> None:
    original = home / "models" / "someone" / "tiny"
    shutil.copytree(GOLDEN / "tied", original, ignore=shutil.ignore_patterns("*.npz"))
    expected = answer(Kandong("someone/tiny"))
    shutil.rmtree(original)
    kd = Kandong("someone/tiny")
    assert (kd.model_name, answer(kd)) == ("someone/tiny", expected)


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(list(arguments))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.mark.usefixtures("home")
def test_models_are_listed_verified_exported_and_removed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "models", "list")
    assert code == 0
    assert "No model" in out
    target = tmp_path / "copy"
    assert run(capsys, "models", "export", str(target), "--model", str(GOLDEN / "tied"))[0] == 0
    listed = json.loads(run(capsys, "models", "list", "--json")[1])["models"]
    assert [(m["name"], m["weights"]) for m in listed] == [("tied", "int8")]
    code, out, _ = run(capsys, "models", "verify", "tied")
    assert (code, "intact" in out) == (0, True)
    code, out, _ = run(capsys, "ask", str(CARD), "价格？", "--model", str(target), "--max-tokens", "3")
    assert (code, bool(out)) == (0, True)
    code, _, err = run(capsys, "models", "export", str(target), "--model", str(GOLDEN / "tied"))
    assert (code, "exists already" in err) == (2, True)
    assert run(capsys, "models", "remove", "tied")[0] == 0
    code, _, err = run(capsys, "models", "verify", "tied")
    assert (code, "No converted model" in err) == (4, True)


@pytest.mark.usefixtures("home")
def test_damage_is_found_by_verify_under_optimised_python_too() -> None:
    Kandong(GOLDEN / "tied")
    weights = only_conversion() / WEIGHTS
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    command = [sys.executable, "-O", "-m", "kandong.cli.main", "models", "verify", "tied"]
    started = time.monotonic()
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, "damaged" in result.stderr) == (4, True)
    assert time.monotonic() - started < 60
