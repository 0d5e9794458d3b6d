"""What peers need is made once, made again when what it was made from changes, and never found half made."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import setup_peers
from bench.home import bench_home, environment_python
from bench.peers.environments import ensure_environment, ensure_result, fingerprint


def test_a_result_is_made_once_and_again_when_its_mark_differs(tmp_path: Path) -> None:
    made: list[str] = []

    def make(folder: Path) -> None:
        made.append(folder.name)
        (folder / "content").write_text(str(len(made)), "ascii")

    for version in (1, 1, 2):
        folder = ensure_result(tmp_path / "result", {"version": version}, make)
    assert len(made) == 2
    assert (folder / "content").read_text("ascii") == "2"


def test_a_result_that_could_not_be_made_is_not_there(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        (folder / "half").touch()
        raise OSError

    with pytest.raises(OSError):  # noqa: PT011 (any)
        ensure_result(tmp_path / "result", {}, fail)
    assert not (tmp_path / "result").exists()


def test_an_environment_is_found_again_by_its_pins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    finished: list[Path] = []
    # Nothing to install: pip is called with no requirement at all, which it refuses.
    monkeypatch.setattr("bench.peers.environments.run", lambda *_, **__: None)
    for _ in range(2):
        python = ensure_environment(tmp_path / "env", (), finished.append)
    assert finished == [python]
    assert python == environment_python(tmp_path / "env")
    assert python.exists()


def test_a_fingerprint_follows_the_files(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        fingerprint(tmp_path)
    (tmp_path / "config.json").write_text("{}", "ascii")
    before = fingerprint(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    assert fingerprint(tmp_path) != before


def test_one_peer_that_cannot_be_set_up_does_not_stop_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from subprocess import CalledProcessError

    done: list[str] = []

    def fail(_home: Path, _checkpoint: Path) -> None:
        raise CalledProcessError(2, [Path("pip")])

    monkeypatch.setenv("KANDONG_BENCH_HOME", str(tmp_path))
    monkeypatch.setattr(setup_peers, "ensure_checkpoint", lambda folder: folder)
    monkeypatch.setattr(setup_peers, "SETUPS", {"broken": fail, "good": lambda *_: done.append("good")})
    assert setup_peers.main(["all"]) == 1
    assert done == ["good"]
    assert "broken: failed, pip ended with code 2" in capsys.readouterr().err


def test_the_home_is_named_by_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KANDONG_BENCH_HOME", str(tmp_path))
    assert bench_home() == tmp_path
    monkeypatch.delenv("KANDONG_BENCH_HOME")
    assert bench_home() == Path.home() / ".cache" / "kandong-bench"
