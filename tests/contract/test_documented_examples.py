"""The examples of docs/api.md, run as they stand but for address, key and a shorter answer."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.contract.conftest import Endpoint
from tests.server.asking import SQUARE

ROOT = Path(__file__).resolve().parent.parent.parent
LANGUAGES = {"python": 2, "bash": 2}
SHORTER = (
    ('model="default",', 'model="default", max_tokens=4,'),
    ('["card.png"])', '["card.png"], max_tokens=4)'),
    ('"你好"}])', '"你好"}], max_tokens=4)'),
)


def examples(language: str, endpoint: Endpoint) -> list[str]:
    text = (ROOT / "docs" / "api.md").read_text("utf-8")
    found = re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
    assert len(found) == LANGUAGES[language]
    replacements = (("http://127.0.0.1:8765", endpoint.service.url), ("kd-…", endpoint.key), *SHORTER)
    for old, new in replacements:
        found = [block.replace(old, new) for block in found]
    return found


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files that the examples name, where they run."""
    (tmp_path / "samples").mkdir()
    for name in ("card.png", "samples/card.png"):
        (tmp_path / name).write_bytes(SQUARE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("folder")
def test_python(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KANDONG_BASE_URL", endpoint.service.url)
    monkeypatch.setenv("KANDONG_API_KEY", endpoint.key)
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))
    for block in examples("python", endpoint):
        done = subprocess.run([sys.executable, "-c", block], capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip()


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
@pytest.mark.usefixtures("folder")
def test_curl(endpoint: Endpoint) -> None:
    command, _ = examples("bash", endpoint)
    key = f"-H 'Authorization: Bearer {endpoint.key}' -F max_tokens=4"
    done = subprocess.run(f"{command.strip()} -s {key}", shell=True, capture_output=True, timeout=60, check=True)
    assert set(json.loads(done.stdout)) == {"object", "response", "model", "finish_reason", "usage", "kandong"}


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
def test_curl_of_reports_and_their_excel_file(
    endpoint: Endpoint, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, commands = examples("bash", endpoint)
    (folder / ".curlrc").write_text(f'header = "Authorization: Bearer {endpoint.key}"\n', "utf-8")
    monkeypatch.setenv("CURL_HOME", str(folder))
    subprocess.run(f"set -e; {commands}", shell=True, capture_output=True, timeout=120, check=True)
    assert json.loads((folder / "reports.json").read_text("utf-8"))["reports"]["moderate"]["status"] in (
        "ok",
        "partial",
    )
    with zipfile.ZipFile(folder / "reports.xlsx") as book:
        assert "xl/workbook.xml" in book.namelist()
