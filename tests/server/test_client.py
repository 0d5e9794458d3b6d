"""Our own Python client against the real application."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from flask import Flask

from kandong import Client
from kandong.client import user_message
from kandong.errors import InputError
from tests.server.asking import SQUARE


@pytest.fixture
def connected(app: Flask) -> Iterator[Client]:
    with Client("http://localhost", transport=httpx.WSGITransport(app)) as client:
        yield client


def test_real_application(connected: Client) -> None:
    fields = {"max_tokens": 8, "temperature": 0}
    file = connected.upload(SQUARE, filename="a.png", warm=False)
    assert [one["id"] for one in connected.files()] == [file["id"]]
    text = connected.ask("图里写了什么？", [file["id"]], **fields)
    assert text == connected.ask("图里写了什么？", SQUARE, **fields)
    assert text == "".join(connected.stream([user_message("图里写了什么？", [SQUARE])], **fields))
    assert connected.chat([user_message("x")], key="k", **fields) == connected.chat(
        [user_message("x")], key="k", **fields
    )
    assert connected.models()[0]["id"] == "tied"
    connected.delete_file(file["id"])
    assert connected.files() == []
    with pytest.raises(InputError):
        connected.ask("？", temperature=9)
