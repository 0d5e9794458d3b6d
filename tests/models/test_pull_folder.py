"""Pulls from a folder of this machine, and what pulls do with the disk."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from kandong.errors import CheckpointError, DiskSpaceError, DownloadError, InputError
from kandong.models import transfer
from kandong.models.catalogue import find_model
from kandong.models.folder import only_pull, read_manifest
from kandong.models.pull import pull
from kandong.models.transfer import PartFile
from tests.models.hub_server import HubServer, model_files
from tests.models.test_pull import FIRST, model_in, needed


@pytest.fixture
def origin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a folder with a model, and no network."""
    monkeypatch.setenv("KANDONG_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(socket, "socket", None)
    folder = tmp_path / "Qwen3-VL-4B-Instruct"
    folder.mkdir()
    for name, content in model_files().items():
        (folder / name).write_bytes(content)
    (folder / "my notes.json").write_text("{}", "utf-8")
    return folder


def wanted_in(folder: Path) -> dict[str, bytes]:
    left_out = {"README.md", ".gitattributes", "my notes.json"}
    return {name: content for name, content in model_in(folder).items() if name not in left_out}


def test_a_folder_is_taken_without_the_network_and_without_a_second_copy(origin: Path) -> None:
    pulled = pull(None, str(origin))
    assert pulled.model == "Qwen/Qwen3-VL-4B-Instruct"
    assert pulled.source == "folder"
    assert model_in(pulled.folder) == wanted_in(origin)
    assert (pulled.folder / FIRST).samefile(origin / FIRST)
    assert find_model("4b").folder == pulled.folder
    assert pull(None, str(origin)).num_fetched_bytes == 0
    assert pull("4b").num_fetched_bytes == 0


def test_a_folder_on_another_disk_is_copied(origin: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EXDEV, "another disk")

    monkeypatch.setattr(os, "link", refuse)
    pulled = pull("4b", str(origin))
    assert model_in(pulled.folder) == wanted_in(origin)
    assert not (pulled.folder / FIRST).samefile(origin / FIRST)


def test_links_of_a_cache_are_followed_to_the_files(origin: Path, tmp_path: Path) -> None:
    snapshot = tmp_path / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    for path in origin.iterdir():
        (snapshot / path.name).symlink_to(path)
    pulled = pull("4b", str(snapshot))
    shutil.rmtree(snapshot)
    shutil.rmtree(origin)
    assert model_in(pulled.folder).keys() >= {"config.json", FIRST}
    assert not any(p.is_symlink() for p in pulled.folder.iterdir())


def test_the_models_own_folder_is_registered_where_it_lies(origin: Path, tmp_path: Path) -> None:
    home = tmp_path / "home" / "models" / "Qwen" / "Qwen3-VL-4B-Instruct"
    home.parent.mkdir(parents=True)
    origin.rename(home)
    pulled = pull("4b", str(home))
    assert pulled.folder == home
    manifest = read_manifest(home)
    assert manifest is not None
    assert manifest.is_complete


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("config.json", None, "no config.json"),
        ("config.json", b"[]", "no JSON object"),
        ("config.json", b'{"model_type": "qwen3_vl_moe"}', "not a dense"),
        (FIRST, None, FIRST),
        (FIRST, model_files()[FIRST][:-1], "cut or damaged"),
        (FIRST, b"version https://git-lfs.github.com/spec/v1\n", "cut or damaged"),
        ("model.safetensors.index.json", b"{", "cannot be read"),
        ("model.safetensors.index.json", b'{"weight_map": {"a": "../x.safetensors"}}', "names no weights"),
    ],
)
def test_a_folder_that_is_no_whole_model_is_refused(origin: Path, name: str, content: bytes | None, says: str) -> None:
    (origin / name).unlink()
    if content is not None:
        (origin / name).write_bytes(content)
    with pytest.raises(CheckpointError, match=says):
        pull("4b", str(origin))


def test_a_carried_model_is_compared_with_its_record(hub: HubServer, tmp_path: Path) -> None:
    carried = tmp_path / "stick"
    shutil.copytree(pull("2b", "hf").folder, carried)
    assert pull("4b", str(carried)).revision == pull("2b").revision
    changed = bytearray((carried / FIRST).read_bytes())
    changed[-1] ^= 1
    (carried / FIRST).write_bytes(changed)
    with pytest.raises(CheckpointError, match=FIRST):
        pull("8b", str(carried))
    assert hub.requested("safetensors")


def test_a_folder_has_no_revisions_and_may_need_a_name(origin: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no revisions"):
        pull("4b", str(origin), "main")
    origin.rename(tmp_path / "model")
    with pytest.raises(InputError, match="Which model"):
        pull(None, str(tmp_path / "model"))


class Usage(NamedTuple):
    total: int
    used: int
    free: int


def test_too_little_room_is_told_before_the_first_byte(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**9, 0, 200_000_000))
    with pytest.raises(DiskSpaceError, match=r"0\.2 GB free; the model needs 0\.3 GB more"):
        pull("2b", "hf")
    assert not hub.requested("/resolve/")


def test_a_disk_that_fills_up_meanwhile_keeps_what_came(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    write = PartFile.write

    def fill_up(part: PartFile, piece: bytes) -> None:
        if part.have_bytes > 100_000:
            raise OSError(errno.ENOSPC, "full")
        write(part, piece)

    monkeypatch.setattr(transfer.PartFile, "write", fill_up)
    with pytest.raises(DiskSpaceError, match="disk is full"):
        pull("2b", "hf")
    monkeypatch.setattr(transfer.PartFile, "write", write)
    assert model_in(pull("2b", "hf").folder) == needed(hub)
    assert [h for h in hub.requested("safetensors") if "range" in h]


@pytest.mark.usefixtures("hub")
def test_a_second_pull_of_the_same_model_is_told_of_the_first() -> None:
    folder = pull("2b", "hf").folder
    with only_pull(folder, "Qwen/Qwen3-VL-2B-Instruct"), pytest.raises(DownloadError, match="Another") as caught:
        pull("2b", "hf")
    assert caught.value.retryable
    assert pull("2b", "hf").num_fetched_bytes == 0


def test_sums_are_checked_by_optimised_python_too(hub: HubServer) -> None:
    hub.behaviour.num_wrong = {FIRST: 2}
    command = [sys.executable, "-O", "-m", "kandong.cli.main", "pull", "2b", "--source", "hf"]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert result.returncode == 6
    assert f"{FIRST} came from 127.0.0.1 with a wrong sum" in result.stderr
