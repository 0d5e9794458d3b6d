"""The private folder: made for its owner alone, found again, and cleared away when its supervisor is long gone."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from kandong.runtime.channel import (
    Keys,
    StateFile,
    make_private_folder,
    read_failure,
    read_state,
    read_worker,
    remove_private_folder,
    write_file,
)

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX modes and process numbers")


@pytest.fixture
def root(monkeypatch: pytest.MonkeyPatch) -> Path:
    # Short, because a socket's path must be.
    folder = Path(tempfile.mkdtemp(dir="/tmp", prefix="k"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    return folder


def left_behind(supervisor_id: int, silence_s: float) -> Path:
    folder = make_private_folder()
    path = folder / "engine.json"
    write_file(path, StateFile("ready", supervisor_id=supervisor_id))
    changed = path.stat().st_mtime - silence_s
    os.utime(path, (changed, changed))
    return folder


def test_folder_is_its_owners_alone_and_state_survives_the_way_through_it(root: Path) -> None:
    folder = make_private_folder()
    assert folder.parent == root
    assert folder.stat().st_mode & 0o777 == 0o700
    state = StateFile("unavailable", 3, "tcp://127.0.0.1:9", Keys.generate(), 7, 2, 9.5, {"code": "x"})
    write_file(folder / "engine.json", state)
    assert (folder / "engine.json").stat().st_mode & 0o777 == 0o600
    assert read_state(folder) == state
    (folder / "engine.json").write_text("{")
    assert read_state(folder) is None
    assert read_worker(folder, 1) is None
    assert read_failure(folder, 1) is None
    remove_private_folder(root)


def test_folders_of_dead_supervisors_are_cleared_away_and_no_others(root: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    kept = [left_behind(os.getpid(), 3600), left_behind(process.pid, 5), left_behind(1, 3600)]
    cleared = [left_behind(process.pid, 3600), left_behind(os.getpid(), 2 * 86_400)]
    new = make_private_folder()
    assert set(root.iterdir()) == {*kept, new}
    assert not any(path.exists() for path in cleared)
    remove_private_folder(root)


def test_without_a_runtime_folder_the_temporary_one_serves(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "gone"))
    folder = make_private_folder()
    assert folder.parent == Path(tempfile.gettempdir())
    folder.rmdir()


def test_path_too_long_for_a_socket_is_not_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100)
    deep.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(deep))
    folder = make_private_folder()
    assert deep not in folder.parents
    assert list(deep.iterdir()) == []
    folder.rmdir()
