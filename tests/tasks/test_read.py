"""Files one after the other; drawn boxes."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from kandong.errors import InputError
from kandong.reading.images import load_picture
from kandong.tasks.annotate import annotated, save_annotated
from kandong.tasks.read import picture_files, read_files

SAMPLE = Path(__file__).resolve().parent.parent.parent / "samples" / "card.png"


def test_folders_are_searched_deeply_and_in_order(tmp_path: Path) -> None:
    for name in ("b.PNG", "a.jpg", "notes.txt", "deep/c.webp", "deep/.hidden.gif.part"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    files = picture_files([str(tmp_path), "x.png", "-"])
    assert [Path(name).name for name in files] == ["a.jpg", "b.PNG", "c.webp", "x.png", "-"]


def test_a_folder_without_pictures_and_stdin_twice_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no pictures"):
        picture_files([str(tmp_path)])
    with pytest.raises(InputError, match="given once"):
        picture_files(["-", "-"])


def test_a_bad_file_is_reported_and_the_others_go_on(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.png", tmp_path / "bad.png"
    shutil.copy(SAMPLE, good)
    bad.write_bytes(b"not a picture")
    results = list(read_files([str(bad), str(tmp_path / "none.png"), str(good), "-"], SAMPLE.read_bytes()))
    assert [result.error.code if result.error else None for result in results] == [
        "picture_format",
        "picture_invalid",
        None,
        None,
    ]
    assert [result.reading.index for result in results if result.reading] == [2, 3]
    assert results[2].reading is not None
    assert results[3].reading is not None
    assert results[2].reading.lines == results[3].reading.lines
    assert results[0].to_dict()["error"]["hint"]
    assert results[2].to_dict()["reading"]["full_text"].startswith("夏日火锅套餐")


def test_drawn_boxes_stand_where_they_should(tmp_path: Path) -> None:
    picture = load_picture(SAMPLE)
    corners = ((50, 60), (150, 60), (150, 90), (50, 90))
    image = annotated(picture, [("1", corners, False), ("2", ((0, 0), (9, 0), (9, 9), (0, 9)), True)])
    changed = np.argwhere((np.asarray(image) != picture.rgb).any(axis=2))
    assert image.size == (picture.width_px, picture.height_px)
    assert [60, 100] in changed.tolist()
    assert changed[:, 0].max() <= 92
    save_annotated(image, tmp_path / "out.png")
    assert np.array_equal(load_picture(tmp_path / "out.png").rgb, np.asarray(image))
    for path in (tmp_path / "out.xyz", tmp_path / "none" / "out.png"):
        with pytest.raises(InputError):
            save_annotated(image, path)
