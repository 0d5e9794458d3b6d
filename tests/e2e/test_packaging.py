"""What is installed carries the page: wheel from the sdist, no Node.js on PATH, every asset loads.

The installation is without its dependencies, which are those of this environment; that they suffice is for CI's clean
environment to show. All else is as for a user: the built files only, from a folder of their own.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from scripts.page_build import is_fresh
from tests.e2e.real_server import ROOT

_MIN_ASSETS = 10


def _run(*command: str, cwd: Path, environment: dict[str, str]) -> None:
    run = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


def _get(url: str) -> tuple[int, str, bytes]:
    try:
        with urllib.request.urlopen(url, timeout=10) as reply:
            return reply.status, reply.headers["Content-Type"], reply.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["Content-Type"], error.read()


def _install(tmp_path: Path, environment: dict[str, str]) -> Path:
    """Make an sdist, a wheel of that, and install it; gives the folder of installed packages."""
    hatch = (sys.executable, "-m", "hatchling", "build", "-d", str(tmp_path / "dist"))
    _run(*hatch, "-t", "sdist", cwd=ROOT, environment=environment)
    [sdist] = (tmp_path / "dist").glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path / "source", filter="data")
    [source] = (tmp_path / "source").iterdir()
    _run(*hatch, "-t", "wheel", cwd=source, environment=environment)
    [wheel] = (tmp_path / "dist").glob("*.whl")
    site = tmp_path / "site"
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--disable-pip-version-check", "--no-index")
    _run(*pip, "--target", str(site), str(wheel), cwd=tmp_path, environment=environment)
    return site


@pytest.mark.slow
def test_the_page_comes_with_the_installation(tmp_path: Path) -> None:
    if not is_fresh():
        pytest.skip("THE PACKAGE WAS NOT TESTED: the page is not built; make page")
    empty = tmp_path / "bin"
    empty.mkdir()
    environment = os.environ | {"PATH": str(empty), "KANDONG_HOME": str(tmp_path / "home"), "PYTHONPATH": ""}
    site = _install(tmp_path, environment)
    environment["PYTHONPATH"] = str(site)
    said = [sys.executable, "-c", "import kandong; print(kandong.__file__)"]
    where = subprocess.run(said, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True).stdout
    assert Path(where.strip()).is_relative_to(site)
    command = [sys.executable, "-m", "kandong.cli.main", "serve", "--port", "0", "--model", str(tmp_path / "none")]
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            assert server.stdout is not None
            _check_served(server.stdout.readline().strip(), site)
        finally:
            server.terminate()
            server.wait(30)
            assert server.stdout is not None
            server.stdout.close()


def _check_served(url: str, site: Path) -> None:
    status, kind, index = _get(f"{url}/")
    assert (status, kind.split(";")[0]) == (200, "text/html")
    assert b"__CSP_NONCE__" not in index
    assert b'id="root"' in index
    named = re.findall(rb'(?:src|href)="\./([^"]+)"', index)
    assets = [p.name for p in (site / "kandong" / "server" / "page" / "assets").iterdir()]
    assert len(assets) >= _MIN_ASSETS
    for name in {*(n.decode() for n in named), *(f"assets/{asset}" for asset in assets)}:
        status, kind, content = _get(f"{url}/{name}")
        assert status == 200, name
        assert content, name
        assert "html" not in kind, name
    for path in ("/v1/nothing", "/api/nothing"):
        status, kind, _ = _get(url + path)
        assert (status, kind) == (404, "application/json")
