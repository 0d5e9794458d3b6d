"""Paths in the short form: only plain files below the media folder, by no trick anything else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from kandong.errors import InputError, NotFoundError, PictureLimitError
from kandong.server.media_paths import read_media
from kandong.settings import Settings
from tests.server.asking import SQUARE, URL

QUERY = {"query": "？", "max_tokens": 2, "temperature": 0}


@pytest.fixture
def media(tmp_path: Path) -> Path:
    folder = tmp_path / "media"
    (folder / "posts").mkdir(parents=True)
    (folder / "posts" / "卡片.png").write_bytes(SQUARE)
    (tmp_path / "secret.png").write_bytes(SQUARE)
    (folder / "link.png").symlink_to(tmp_path / "secret.png")
    (folder / "inner.png").symlink_to(folder / "posts" / "卡片.png")
    (folder / "out").symlink_to(tmp_path)
    os.mkfifo(folder / "pipe.png")
    return folder


@pytest.fixture
def settings(tmp_path: Path, media: Path) -> Settings:
    return Settings(data_folder=tmp_path / "data", media_folder=media)


def test_plain_files_below_the_folder_are_read(media: Path) -> None:
    for path in ("posts/卡片.png", "./posts//卡片.png", str(media / "posts" / "卡片.png")):
        assert read_media(media, path, 10**6) == SQUARE


@pytest.mark.parametrize(
    "path",
    [
        *(
            "../secret.png",
            "posts/../../secret.png",
            "/etc/passwd",
            "//etc/passwd",
            "posts/\0.png",
            "a\nb",
            "..",
            "out/..",
        ),
        *("link.png", "inner.png", "out/secret.png", "pipe.png", "posts", "", ".", "none.png", "posts/卡片.png/x"),
        *("a/" * 40, "x" * 300, "\udcff.png", "~/x.png", "%2e%2e/secret.png"),
    ],
)
def test_everything_else_is_refused(media: Path, path: str) -> None:
    with pytest.raises((InputError, NotFoundError)) as caught:
        read_media(media, path, 10**6)
    assert str(media) not in caught.value.message


def test_sibling_that_begins_alike_is_outside(media: Path) -> None:
    sibling = media.with_name("media2")
    sibling.mkdir()
    (sibling / "a.png").write_bytes(SQUARE)
    with pytest.raises(InputError, match="leads out"):
        read_media(media, str(sibling / "a.png"), 10**6)


def test_file_over_the_cap_is_not_read(media: Path) -> None:
    with pytest.raises(PictureLimitError):
        read_media(media, "posts/卡片.png", 10)


def test_short_form_takes_paths_where_a_folder_is_open(client: FlaskClient) -> None:
    answer = client.post(URL, json=QUERY | {"image": "posts/卡片.png"})
    assert answer.status_code == 200, answer.text
    for path in ("/etc/passwd", "../secret.png", "link.png", "file:///etc/passwd"):
        answer = client.post(URL, json=QUERY | {"image": path})
        assert answer.status_code in (400, 404)
        assert answer.json is not None
        assert answer.json["error"]["param"] == "image"


def test_messages_take_no_paths(client: FlaskClient) -> None:
    part = {"type": "image_url", "image_url": {"url": "posts/卡片.png"}}
    answer = client.post(URL, json={"messages": [{"role": "user", "content": [part]}]})
    assert answer.status_code == 400
