"""Conversations over HTTP: rows, limits, owners; answers are in test_generations.py."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from kandong.server.app import all_routes
from kandong.server.engine_gate import SupervisedEngine
from kandong.server.opening import close_services, open_services
from kandong.settings import Settings
from tests.conftest import Figure
from tests.server.follow import ask, finish, upload_picture

AT = "/api/conversations"
SHORT = {"max_tokens": 4, "assist": False}


def create(client: FlaskClient, **body: Any) -> str:
    answer = client.post(AT, json={"settings": SHORT} | body)
    assert answer.status_code == 201, answer.json
    assert answer.json is not None
    return str(answer.json["id"])


def get(client: FlaskClient, address: str) -> Any:
    answer = client.get(address)
    assert answer.status_code == 200, answer.json
    return answer.json


def test_conversation_is_what_was_said(client: FlaskClient) -> None:
    conversation_id = create(client)
    picture = upload_picture(client)
    begun = ask(client, conversation_id, "价格是多少？", picture["id"])
    assert begun["user_message"]["files"] == [
        {name: picture["kandong"].get(name, picture.get(name)) for name in ("id", "width_px", "height_px", "filename")}
    ]
    assert begun["assistant_message"]["status"] == "running"
    last = finish(client, begun["generation_id"])
    shown = get(client, f"{AT}/{conversation_id}")
    assert (shown["title"], shown["running_generation_id"]) == ("价格是多少？", None)
    assert [message["role"] for message in shown["messages"]] == ["user", "assistant"]
    assert shown["messages"][1] == last["message"]
    assert shown["messages"][0] == begun["user_message"]
    assert shown["settings"]["max_tokens"] == 4
    assert shown["created_at"].endswith("Z")
    line = get(client, AT)["data"][0]
    assert (line["id"], line["num_messages"], line["thumbnail_file_id"]) == (conversation_id, 2, picture["id"])


def test_rename_settings_delete_restore(client: FlaskClient) -> None:
    conversation_id = create(client, title=" 旧 ")
    at = f"{AT}/{conversation_id}"
    changed = client.patch(at, json={"title": "新", "settings": {"temperature": 0, "system": "短"}}).json
    assert changed is not None
    assert changed["title"] == "新"
    assert changed["settings"] == {
        "max_tokens": None,
        "temperature": 0.0,
        "max_image_tokens": None,
        "min_rounds": None,
        "system": "短",
        "assist": None,
        "post_text": None,
    }
    gone = client.delete(at).json
    assert gone is not None
    assert gone["deleted"] is True
    assert gone["undo_until"] > changed["updated_at"]
    assert client.get(at).status_code == client.delete(at).status_code == 404
    assert get(client, AT)["data"] == []
    back = client.post(f"{at}/restore")
    assert back.json == changed
    assert client.post(f"{AT}/conv_none/restore").status_code == 404


@pytest.mark.parametrize("is_assisted", [True, False])
def test_a_posts_words_are_shown_to_the_model(client: FlaskClient, *, is_assisted: bool) -> None:
    tokens = []
    for more in ({}, {"post_text": "原价199元，现价89元"}):
        conversation_id = create(client, settings={"max_tokens": 4, "assist": is_assisted} | more)
        begun = ask(client, conversation_id, "便宜了多少？")
        message = finish(client, begun["generation_id"])["message"]
        tokens.append(message["usage"]["prompt_tokens"])
        assert (message["evidence"] is not None) == is_assisted
        assert begun["user_message"]["text"] == "便宜了多少？"
    assert tokens[1] > tokens[0] + 8


def test_search_and_pages(client: FlaskClient) -> None:
    ids = [create(client, title=title) for title in ("奶茶", "火锅", "奶酪")]
    assert [line["id"] for line in get(client, f"{AT}?query=奶")["data"]] == [ids[2], ids[0]]
    page = get(client, f"{AT}?limit=2")
    assert [line["id"] for line in page["data"]] == [ids[2], ids[1]]
    rest = get(client, f"{AT}?limit=2&cursor={page['next_cursor']}")
    assert ([line["id"] for line in rest["data"]], rest["next_cursor"]) == ([ids[0]], None)


@pytest.mark.parametrize(
    ("method", "tail", "body", "param"),
    [
        ("POST", "", {"title": "x" * 201}, "title"),
        ("POST", "", {"settings": {"temperature": 3}}, "settings.temperature"),
        ("POST", "", {"settings": {"max_tokens": 0}}, "settings.max_tokens"),
        ("POST", "", {"settings": 5}, "settings"),
        ("PATCH", "/{id}", {"title": "  "}, "title"),
        ("PATCH", "/{id}", {"title": 5}, "title"),
        ("PATCH", "/{id}", {"settings": {"max_image_tokens": 1}}, "settings.max_image_tokens"),
        ("PATCH", "/{id}", {"settings": {"post_text": "x" * 20_001}}, "settings.post_text"),
        ("POST", "/{id}/messages", {"text": " "}, "text"),
        ("POST", "/{id}/messages", {"text": "x" * 300_000}, "text"),
        ("POST", "/{id}/messages", {"text": 7}, "text"),
        ("POST", "/{id}/messages", {"text": "x", "file_ids": ["a"] * 17}, "file_ids"),
        ("POST", "/{id}/messages", {"text": "x", "file_ids": ["file-none"]}, "file_ids[0]"),
        ("POST", "/{id}/messages", {"text": "x", "file_ids": "file-none"}, "file_ids"),
        ("POST", "/{id}/messages", {"text": "x", "replace_from": "msg_none"}, "replace_from"),
        ("POST", "/{id}/messages", [], None),
        ("GET", "?limit=0", None, "limit"),
        ("GET", "?cursor=zzz", None, "cursor"),
        ("GET", "?query=" + "x" * 501, None, "query"),
    ],
)
def test_what_is_wrong_is_named_and_changes_nothing(
    client: FlaskClient, method: str, tail: str, body: Any, param: str | None
) -> None:
    conversation_id = create(client)
    before = get(client, f"{AT}/{conversation_id}")
    answer = client.open(AT + tail.format(id=conversation_id), method=method, json=body)
    assert answer.status_code in (400, 404), answer.json
    assert answer.json is not None
    assert answer.json["error"]["param"] == param
    assert get(client, f"{AT}/{conversation_id}") == before


def test_nothing_to_undo_or_answer_anew_is_a_conflict(client: FlaskClient) -> None:
    conversation_id = create(client)
    for tail in ("undo", "regenerate"):
        answer = client.post(f"{AT}/{conversation_id}/{tail}")
        assert answer.status_code == 409
        assert answer.json is not None
        assert answer.json["error"]["code"] == "conflict"


def test_setting_that_the_model_cannot_do_is_told_before_anything_is_stored(client: FlaskClient) -> None:
    conversation_id = create(client, settings={"max_image_tokens": 16_384})
    answer = client.post(f"{AT}/{conversation_id}/messages", json={"text": "x"})
    assert answer.status_code == 400
    assert get(client, f"{AT}/{conversation_id}")["messages"] == []


def test_without_a_model_the_question_is_refused_and_the_rest_works(tmp_path: Path) -> None:
    from kandong.server.app import create_app

    gate = SupervisedEngine(str(tmp_path / "none")).start()
    services = open_services(Settings(data_folder=tmp_path / "data"), gate)
    client = create_app(services).test_client()
    conversation_id = create(client)
    answer = client.post(f"{AT}/{conversation_id}/messages", json={"text": "在吗？"})
    assert answer.status_code == 503
    assert "Retry-After" in answer.headers
    assert get(client, f"{AT}/{conversation_id}")["messages"] == []
    assert upload_picture(client)["kandong"]["num_tokens"] is None
    gate.stop()
    close_services(services)


def addresses_of(conversation_id: str, generation_id: str, file_id: str) -> list[tuple[str, str]]:
    """Give every method and address that names a row, with these ids in it."""
    values = {"<conversation_id>": conversation_id, "<generation_id>": generation_id, "<file_id>": file_id}
    found: list[tuple[str, str]] = []
    for route in all_routes().all:
        for name, value in values.items():
            if name in route.path:
                found.append((route.method, route.path.replace(name, value)))
    assert not [address for _, address in found if "<" in address]
    return found


def test_two_owners_see_nothing_of_each_other(client: FlaskClient, services: Any, figure: Figure) -> None:
    secrets = {name: services.keys.create(name, scope="submit")[1] for name in ("anna", "bert")}
    anna, bert = ({"Authorization": f"Bearer {secret}"} for secret in secrets.values())
    form = {"file": (io.BytesIO((Path(__file__).parents[1] / "golden/pictures/square.png").read_bytes()), "a.png")}
    file_id = client.post("/v1/files?warm=0", data=form, headers=anna).json["id"]  # type: ignore[index]
    made = client.post(AT, json={"settings": SHORT}, headers=anna).json
    assert made is not None
    at = f"{AT}/{made['id']}"
    begun = client.post(f"{at}/messages", json={"text": "q", "file_ids": [file_id]}, headers=anna).json
    assert begun is not None
    finish(client, begun["generation_id"], headers=anna)
    own = client.post(AT, json={}, headers=bert).json
    assert own is not None
    refused = [
        client.open(address, method=method, json={"text": "q"}, headers=bert)
        for method, address in addresses_of(made["id"], begun["generation_id"], file_id)
    ]
    assert len(refused) >= 13
    refused += [
        client.post("/v1/chat/completions", json={"image": file_id, "query": "q"}, headers=bert),
        client.get(f"/v1/files?after={file_id}", headers=bert),
        client.post(f"{AT}/{own['id']}/messages", json={"text": "q", "file_ids": [file_id]}, headers=bert),
        client.post(
            f"{AT}/{own['id']}/messages",
            json={"text": "q", "replace_from": begun["user_message"]["id"]},
            headers=bert,
        ),
    ]
    assert [answer.status_code for answer in refused] == [404] * len(refused)
    figure(f"{len(refused)} requests for another's rows: 404")
    listed = [client.get(address, headers=bert).json for address in (AT, f"{AT}?query=q", "/v1/files")]
    assert [len(page["data"]) for page in listed if page] == [1, 0, 0]
    assert client.get(at, headers=anna).status_code == 200
