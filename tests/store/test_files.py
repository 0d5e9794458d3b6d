"""Files and their pictures: kept once, gone when nobody names them, never lost by a fault in between."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kandong.errors import InputError, NotFoundError, StorageError
from kandong.store.database import Database
from kandong.store.files import Files, clean_filename
from kandong.store.media import MediaFolder
from kandong.types import Picture
from tests.store.conftest import noise

Paths = Callable[[], list[str]]


def add(files: Files, seed: int = 0, owner: str = "a", name: str = "a.png") -> str:
    return files.add(owner, noise(seed), filename=name, num_bytes=123).id


def test_pixels_come_back_exactly_and_the_form_on_disk_is_our_own(files: Files, tmp_path: Path) -> None:
    file = files.add("a", noise(1), filename="促销.jpg", num_bytes=777, purpose="user_data")
    fresh = MediaFolder(tmp_path / "data" / "media", Database(tmp_path / "data" / "kandong.db"))
    assert np.array_equal(fresh.picture(file.sha).rgb, noise(1).rgb)
    got = files.get("a", file.id)
    assert (got.filename, got.num_bytes, got.width_px, got.height_px, got.purpose) == (
        "促销.jpg",
        777,
        60,
        40,
        "user_data",
    )
    with Image.open(files.media.encoded(file.sha)) as image:
        assert (image.format, image.info) == ("PNG", {})


def test_small_picture_is_at_most_320_px(files: Files) -> None:
    file = files.add("a", noise(0, 900, 1200), filename="", num_bytes=1)
    with Image.open(files.media.encoded(file.sha, is_small=True)) as image:
        assert image.size == (320, 240)
    thin = files.add("a", noise(0, 1, 200), filename="", num_bytes=1)
    with Image.open(files.media.encoded(thin.sha, is_small=True)) as image:
        assert image.size == (200, 1)


def test_same_pixels_are_kept_once_and_until_the_last_name_is_gone(files: Files, stored_paths: Paths) -> None:
    first, second = add(files), add(files, owner="b")
    assert len(stored_paths()) == 2
    files.delete("a", first)
    assert len(files.picture("b", second).rgb) == 40
    files.delete("b", second)
    assert stored_paths() == []
    with pytest.raises(StorageError):
        files.media.picture(noise().digest)


def test_others_do_not_exist(files: Files) -> None:
    mine = add(files, owner="a")
    for forbidden in (files.get, files.delete, files.picture):
        with pytest.raises(NotFoundError):
            forbidden("b", mine)
    with pytest.raises(NotFoundError):
        files.page("b", after=mine)
    assert files.page("b") == ([], False)
    assert files.get("a", mine).id == mine


def test_pages_hold_together(files: Files) -> None:
    ids = [add(files, seed) for seed in range(7)]
    seen: list[str] = []
    has_more, after = True, None
    while has_more:
        page, has_more = files.page("a", after=after, limit=3, order="asc")
        seen += [file.id for file in page]
        after = seen[-1]
    assert seen == ids
    assert [file.id for file in files.page("a", limit=2)[0]] == ids[:-3:-1]
    assert files.page("a", purpose="assistants") == ([], False)
    files.delete("a", ids[-1])
    assert len(files.page("a")[0]) == 6


def test_unknown_purpose_is_named(files: Files, stored_paths: Paths) -> None:
    with pytest.raises(InputError, match="purpose"):
        files.add("a", noise(), filename="a", num_bytes=1, purpose="fine-tune")
    assert stored_paths() == []


@pytest.mark.parametrize(
    ("name", "clean"),
    [
        ("a.png", "a.png"),
        ("../../etc/passwd", "passwd"),
        ("C:\\x\\促销.jpg", "促销.jpg"),
        ("a\x00b\r\nc\u202egnp.exe", "abcgnp.exe"),
        ("...", "picture"),
        ("", "picture"),
        (".bashrc", "bashrc"),
        ("字" * 500, "字" * 200),
    ],
)
def test_filenames_are_only_names(name: str, clean: str) -> None:
    assert clean_filename(name) == clean


def test_quota_refuses_what_is_new_and_takes_what_is_there(database: Database, tmp_path: Path) -> None:
    files = Files(database, MediaFolder(tmp_path / "m", database, quota_bytes=12_000))
    first = add(files, 0)
    with pytest.raises(StorageError, match="limit"):
        add(files, 1)
    add(files, 0, owner="b")
    files.delete("a", first)
    files.delete("b", files.page("b")[0][0].id)
    add(files, 1)
    assert files.media.num_bytes() == sum(path.stat().st_size for path in (tmp_path / "m").rglob("*.*"))


def test_failing_record_leaves_nothing(media: MediaFolder, database: Database, stored_paths: Paths) -> None:
    def fail(sha: str) -> None:
        raise InputError(sha)

    with pytest.raises(InputError):
        media.keep(noise(), fail)
    assert stored_paths() == []
    assert database.rows("SELECT * FROM media") == []


def test_sweep_takes_what_no_row_knows_and_nothing_else(files: Files, tmp_path: Path, stored_paths: Paths) -> None:
    add(files)
    kept = stored_paths()
    orphan = tmp_path / "data" / "media" / "00"
    orphan.mkdir(exist_ok=True)
    for name in ("0" * 64 + ".png", "0" * 64 + ".jpg.part", "notes.txt"):
        (orphan / name).write_bytes(b"x")
    assert files.media.sweep() == 3
    assert stored_paths() == kept


@pytest.mark.parametrize("damage", ["flip", "cut", "gone", "swapped"])
def test_damage_on_disk_is_told_and_never_shown_as_a_picture(files: Files, tmp_path: Path, damage: str) -> None:
    file, other = files.get("a", add(files, 0)), files.get("a", add(files, 1))
    path, data = files.media.encoded(file.sha), files.media.encoded(file.sha).read_bytes()
    if damage == "gone":
        path.unlink()
    elif damage == "swapped":
        path.write_bytes(files.media.encoded(other.sha).read_bytes())
    else:
        flipped = bytearray(data)
        flipped[len(data) // 2] ^= 1
        path.write_bytes(bytes(flipped) if damage == "flip" else data[: len(data) // 2])
    fresh = MediaFolder(tmp_path / "data" / "media", Database(tmp_path / "data" / "kandong.db"))
    with pytest.raises(StorageError, match="missing or damaged") as caught:
        fresh.picture(file.sha)
    assert str(tmp_path) not in caught.value.message
    if damage == "gone":  # uploading again heals it
        assert np.array_equal(files.picture("a", add(files, 0)).rgb, noise(0).rgb)


def test_many_threads_adding_and_deleting_the_same_picture_agree(files: Files, stored_paths: Paths) -> None:
    failures: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(15):
                mine = add(files, 5)
                assert files.picture("a", mine).height_px == 40
                assert files.media.encoded(noise(5).digest).is_file()
                files.delete("a", mine)
        except BaseException as error:  # noqa: BLE001 - shown below
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert stored_paths() == []


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_only_this_user_can_read(files: Files, tmp_path: Path) -> None:
    add(files)
    for path in (tmp_path / "data").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_picture_that_is_asked_for_again_is_not_read_again(files: Files) -> None:
    file = files.get("a", add(files))
    assert files.media.picture(file.sha) is files.media.picture(file.sha)
    assert isinstance(files.media.picture(file.sha), Picture)
