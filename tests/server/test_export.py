"""Conversations out as a file and in again: nothing lost, nothing believed, nothing twice."""

from __future__ import annotations

import base64
import copy
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from PIL import Image

from kandong.server.app import create_app
from kandong.server.engine_gate import SupervisedEngine
from kandong.server.opening import close_services, open_services
from kandong.server.services import Services
from kandong.settings import Settings
from kandong.types import Picture

OWNER = "local"


def noise(seed: int) -> Picture:
    return Picture(np.random.default_rng(seed).integers(0, 256, (30, 50, 3), np.uint8), "PNG")


@pytest.fixture
def filled(services: Services) -> list[str]:
    """Two conversations with pictures, an edit, a failure and an answer under way."""
    here = services
    ids = []
    for i in range(2):
        conversation = here.conversations.create(OWNER, settings={"max_tokens": 7, "system": "短", "assist": False})
        ids.append(conversation.id)
        files = [here.files.add(OWNER, noise(i + k), filename=f"图{k}.png", num_bytes=9).id for k in range(2)]
        turn = here.messages.ask(OWNER, conversation, "旧的", files[:1])
        here.generations._stored.end(turn.generation_id, "complete", "旧答", {"model": "m"}, 3)
        turn = here.messages.ask(OWNER, conversation, "价格？", files, turn.question.id)
        usage = {"prompt_tokens": 5, "completion_tokens": 2, "cached_tokens": 1, "picture_tokens": 4}
        outcome = {"finish_reason": "stop", "usage": usage, "model": "m", "timings_ms": {"total": 1.5}}
        here.generations._stored.end(turn.generation_id, "complete", "199元", outcome, 3)
        turn = here.messages.ask(OWNER, conversation, "再问", [])
        if i == 0:
            here.generations._stored.save_text(turn.generation_id, "写到")
    return ids


def shown(client: FlaskClient, conversation_id: str) -> dict[str, Any]:
    body = client.get(f"/api/conversations/{conversation_id}").json
    assert body is not None
    return dict(body)


def without_ids(conversation: dict[str, Any]) -> dict[str, Any]:
    plain = copy.deepcopy(conversation)
    for part in (plain, *plain["messages"], *(f for m in plain["messages"] for f in m["files"])):
        for name in ("id", "generation_id", "running_generation_id"):
            part.pop(name, None)
        if part.get("status") == "running":
            part["status"] = "interrupted"
    return plain


@pytest.fixture
def elsewhere(tmp_path: Path, engine: SupervisedEngine) -> Any:
    """Another service, with nothing in it."""
    services = open_services(Settings(data_folder=tmp_path / "elsewhere"), engine)
    yield create_app(services).test_client()
    close_services(services)


def test_all_comes_back_elsewhere_and_once(client: FlaskClient, elsewhere: FlaskClient, filled: list[str]) -> None:
    file = client.get("/api/export")
    assert "attachment" in file.headers["Content-Disposition"]
    archive = json.loads(file.data)
    assert archive["kandong_export"] == 1
    assert len(archive["files"]) == 4
    result = elsewhere.post("/api/import", data=file.data, content_type="application/json").json
    assert result is not None
    assert (result["num_conversations"], result["num_skipped"]) == (2, 0)
    for old, new in zip(filled, result["conversation_ids"], strict=True):
        before, after = shown(client, old), shown(elsewhere, new)
        assert without_ids(after) == without_ids(before)
        ids = [[f["id"] for m in whole["messages"] for f in m["files"]] for whole in (before, after)]
        for mine, theirs in zip(*ids, strict=True):
            assert mine != theirs
            pixels = [
                np.asarray(Image.open(io.BytesIO(one.get(f"/v1/files/{name}/content", buffered=True).data)))
                for one, name in ((client, mine), (elsewhere, theirs))
            ]
            assert np.array_equal(pixels[0], pixels[1])
    again = elsewhere.post("/api/import", data=file.data, content_type="application/json").json
    assert again == {"num_conversations": 0, "num_skipped": 2, "conversation_ids": []}
    second = json.loads(elsewhere.get("/api/export").data)
    once_more = elsewhere.post("/api/import", json=second).json
    assert once_more is not None
    assert once_more["num_skipped"] == 2


def test_one_is_exported_and_what_is_here_is_skipped(client: FlaskClient, filled: list[str]) -> None:
    archive = json.loads(client.get(f"/api/conversations/{filled[0]}/export").data)
    assert [one["id"] for one in archive["conversations"]] == [filled[0]]
    assert client.post("/api/import", json=archive).json == {
        "num_conversations": 0,
        "num_skipped": 1,
        "conversation_ids": [],
    }
    client.delete(f"/api/conversations/{filled[0]}")
    back = client.post("/api/import", json=archive).json
    assert back is not None
    assert back["num_conversations"] == 1
    assert client.get("/api/conversations/conv_none/export").status_code == 404


@pytest.mark.usefixtures("filled")
def test_import_is_found_by_search_and_can_be_continued(elsewhere: FlaskClient, client: FlaskClient) -> None:
    result = elsewhere.post("/api/import", json=json.loads(client.get("/api/export").data)).json
    assert result is not None
    assert len(elsewhere.get("/api/conversations?query=199").json["data"]) == 2  # type: ignore[index]
    begun = elsewhere.post(f"/api/conversations/{result['conversation_ids'][0]}/messages", json={"text": "继续"})
    assert begun.status_code == 202


@pytest.mark.usefixtures("filled")
def test_lost_picture_does_not_stop_the_export(client: FlaskClient, services: Services) -> None:
    lost = services.files.media.encoded(noise(0).digest)
    lost.unlink()
    archive = json.loads(client.get("/api/export").data)
    missing = [file for file in archive["files"] if file["data_base64"] is None]
    assert [file["sha256"] for file in missing] == [noise(0).digest]


def archive_of(**changes: Any) -> dict[str, Any]:
    out = io.BytesIO()
    Image.fromarray(noise(5).rgb).save(out, "PNG")
    time = "2026-11-23T01:02:03.004Z"
    return {
        "kandong_export": 1,
        "conversations": [
            {
                "id": "conv_x",
                "title": "t",
                "created_at": time,
                "updated_at": time,
                "messages": [
                    {"role": "user", "text": "q", "created_at": time, "files": [{"id": "file-1"}]},
                    {"role": "assistant", "text": "a", "created_at": time},
                ],
            }
        ],
        "files": [
            {
                "id": "file-1",
                "filename": "../../etc/passwd",
                "sha256": noise(5).digest,
                "data_base64": base64.b64encode(out.getvalue()).decode(),
            }
        ],
    } | changes


def changed(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    *places, last = path.split("/")

    def change(archive: dict[str, Any]) -> None:
        here: Any = archive
        for place in places:
            here = here[int(place) if place.isdigit() else place]
        here[int(last) if last.isdigit() else last] = value

    return change


def one(archive: dict[str, Any]) -> Any:
    return archive["conversations"][0]


MESSAGE = {"role": "user", "text": "q", "created_at": "2026-11-23T01:02:03Z"}
HOSTILE: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
    "newer version": (changed("kandong_export", 2), "kandong_export"),
    "no version": (changed("kandong_export", None), "kandong_export"),
    "version as text": (changed("kandong_export", "1"), "kandong_export"),
    "100,000 messages": (changed("conversations/0/messages", [MESSAGE] * 100_000), "conversations[0].messages"),
    "many conversations": (lambda archive: archive["conversations"].extend([one(archive)] * 20_000), "conversations"),
    "broken base64": (changed("files/0/data_base64", "@@@@"), "files[0].data_base64"),
    "base64 of a web page": (changed("files/0/data_base64", "PGh0bWw+"), "files[0].data_base64"),
    "other pixels": (changed("files/0/sha256", "0" * 64), "files[0].sha256"),
    "sha like a path": (changed("files/0/sha256", "../../x"), "files[0].sha256"),
    "file not there": (
        changed("conversations/0/messages/0/files", [{"id": "file-2"}]),
        "conversations[0].messages[0].files[0].id",
    ),
    "same id twice": (lambda archive: archive["files"].append(archive["files"][0]), "files"),
    "role": (changed("conversations/0/messages/0/role", "system"), "conversations[0].messages[0].role"),
    "status": (changed("conversations/0/messages/0/status", "done"), "conversations[0].messages[0].status"),
    "text": (changed("conversations/0/messages/0/text", ["q"]), "conversations[0].messages[0].text"),
    "time": (changed("conversations/0/created_at", "yesterday"), "conversations[0].created_at"),
    "time without zone": (changed("conversations/0/created_at", "2026-01-01T00:00:00"), "conversations[0].created_at"),
    "settings": (changed("conversations/0/settings", {"temperature": 99}), "conversations[0].settings.temperature"),
    "title": (changed("conversations/0/title", "x" * 500), "conversations[0].title"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_import_is_refused_whole(client: FlaskClient, services: Services, name: str) -> None:
    archive = archive_of()
    change, param = HOSTILE[name]
    change(archive)
    answer = client.post("/api/import", json=archive)
    assert answer.status_code in (400, 415), answer.json
    assert answer.json is not None
    assert answer.json["error"]["param"] == param
    assert services.conversations.page(OWNER) == ([], None)
    assert services.files.page(OWNER) == ([], False)
    assert services.files.media.num_bytes() == 0


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"[" * 100_000, b"\xff\xfe", b'{"kandong_export": 1}'])
def test_what_is_no_export_is_refused(client: FlaskClient, body: bytes) -> None:
    answer = client.post("/api/import", data=body, content_type="application/json")
    assert answer.status_code == 400


def test_names_and_ids_of_a_file_count_for_nothing(client: FlaskClient, services: Services) -> None:
    theirs = services.conversations.create("somebody else", "geheim")
    archive = archive_of()
    archive["conversations"][0]["id"] = theirs.id
    result = client.post("/api/import", json=archive).json
    assert result is not None
    assert result["num_conversations"] == 1
    assert result["conversation_ids"] != [theirs.id]
    assert services.conversations.get("somebody else", theirs.id).title == "geheim"
    (file,) = services.files.page(OWNER)[0]
    assert file.filename == "passwd"
    assert file.id != "file-1"


def test_running_answer_comes_in_as_interrupted_and_times_out_of_range_do_no_harm(client: FlaskClient) -> None:
    archive = archive_of()
    archive["conversations"][0]["messages"][1]["status"] = "running"
    archive["conversations"][0]["created_at"] = "0001-01-01T00:00:00Z"
    archive["conversations"][0]["updated_at"] = "9999-12-31T23:59:59Z"
    result = client.post("/api/import", json=archive).json
    assert result is not None
    message = shown(client, result["conversation_ids"][0])["messages"][1]
    assert message["status"] == "interrupted"
    assert client.get("/api/conversations").status_code == 200
