"""The real page in a real browser on the real server with random weights: web/e2e/*.spec.ts, run by Playwright.

Needs Node.js with the page's packages (``make page-check``), a built page, and Chromium; without them it is skipped and
says why. Each spec also fails on an error in the console and on any request that leaves the origin.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.chromium import find_chromium
from scripts.page_build import is_fresh, node_problem
from tests.e2e.real_server import RANDOM_WEIGHTS, ROOT, running_server
from tests.models.hub_server import HubServer

_PLAYWRIGHT = ROOT / "web" / "node_modules" / ".bin" / "playwright"


def _why_not() -> str | None:
    if problem := node_problem():
        return problem
    if not _PLAYWRIGHT.exists():
        return "the page's packages are not installed: make page-check"
    if find_chromium() is None:
        return "Chromium is not installed: apt-get install chromium, or set KANDONG_CHROMIUM"
    return None if is_fresh() else "the built page is not of these sources: make page"


def _run_specs(url: str, log: Path, *arguments: str, **variables: str) -> None:
    environment = os.environ | {"KANDONG_URL": url, "KANDONG_CHROMIUM": str(find_chromium())} | variables
    run = subprocess.run(
        [str(_PLAYWRIGHT), "test", *arguments],
        cwd=ROOT / "web",
        env=environment,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-8000:] + run.stderr[-2000:] + log.read_text("utf-8")


@pytest.fixture(autouse=True)
def _browser() -> None:
    if reason := _why_not():
        pytest.skip(f"THE PAGE WAS NOT TESTED IN A BROWSER: {reason}")


@pytest.mark.slow
def test_people_can_do_with_the_page_what_it_offers(tmp_path: Path) -> None:
    with running_server(tmp_path) as url:
        _run_specs(url, tmp_path / "server.log", "--grep-invert", "@key|@missing")


@pytest.mark.slow
def test_without_weights_the_page_offers_and_follows_their_download(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server on this machine stands in for both hubs, and takes its time."""
    for variable in ("HF_HUB_CACHE", "MODELSCOPE_CACHE"):
        monkeypatch.setenv(variable, str(tmp_path / "nothing"))
    for variable in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "HF_TOKEN", "MODELSCOPE_API_TOKEN", "KANDONG_MODEL"):
        monkeypatch.delenv(variable, raising=False)
        monkeypatch.delenv(variable.lower(), raising=False)
    files = {file.name: file.read_bytes() for file in RANDOM_WEIGHTS.iterdir() if file.suffix != ".npz"}
    with HubServer(files) as hub:
        hub.behaviour.pause_s = 0.06  # seven seconds for the weights
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        monkeypatch.setenv("MODELSCOPE_ENDPOINT", hub.url)
        with running_server(tmp_path, None) as url:
            _run_specs(url, tmp_path / "server.log", "--grep", "@missing")


@pytest.mark.slow
def test_a_server_with_keys_is_used_by_key_alone(tmp_path: Path) -> None:
    create = [sys.executable, "-m", "kandong.cli.main", "keys", "create", "page", "--scope", "admin"]
    environment = os.environ | {"KANDONG_HOME": str(tmp_path), "PYTHONPATH": str(ROOT / "src")}
    key = subprocess.run(create, env=environment, capture_output=True, text=True, check=True).stdout.strip()
    assert key.startswith("kd-")
    with running_server(tmp_path) as url:
        _run_specs(url, tmp_path / "server.log", "--grep", "@key", KANDONG_TEST_KEY=key)
