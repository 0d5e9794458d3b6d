"""Answers written by the real engine: followed, left, resumed, stopped, edited, and survived."""

from __future__ import annotations

import io
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from flask.testing import FlaskClient

from kandong.errors import EngineLostError, StorageError
from kandong.runtime.conversation import Chat
from kandong.server.asking import Asked, LoadPicture, Prepared, prepare_plain
from kandong.server.engine_gate import SupervisedEngine
from kandong.server.generation_events import EVENTS
from kandong.server.opening import close_services, open_services
from kandong.server.readings import Readings
from kandong.server.services import Services
from kandong.settings import Settings
from tests.inspection import GOLDEN, golden_engine
from tests.runtime.engine_processes import await_true
from tests.server.follow import ask, await_status, finish, follow, upload_picture

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
AT = "/api/conversations"
PLAIN = {"max_tokens": 24, "temperature": 0, "assist": False}


def create(client: FlaskClient, **settings: Any) -> str:
    made = client.post(AT, json={"settings": PLAIN | settings}).json
    assert made is not None
    return str(made["id"])


def shown(client: FlaskClient, conversation_id: str) -> list[dict[str, Any]]:
    body = client.get(f"{AT}/{conversation_id}").json
    assert body is not None
    return list(body["messages"])


@pytest.fixture
def endless(services: Services) -> None:
    """Let answers go on for thousands of tokens, whatever the model would do."""

    def prepare(asked: Asked, load: LoadPicture) -> Prepared:
        request = prepare_plain(asked, load).request
        sampling = replace(request.sampling, max_tokens=20_000, ignore_eos=True)
        return Prepared(replace(request, sampling=sampling, stop_loops=False))

    services.generations._prepare = prepare


def texts_of(events: list[tuple[int, str, Any]]) -> str:
    return "".join(data["text"] for _, name, data in events if name == "text")


def test_events_tell_the_whole_story_in_order(client: FlaskClient) -> None:
    conversation_id = create(client)
    picture = upload_picture(client, "wide.png")
    begun = ask(client, conversation_id, "价格？", picture["id"])
    events = list(follow(client, begun["generation_id"]))
    numbers = [number for number, _, _ in events]
    assert numbers == sorted(set(numbers))
    names = [name for _, name, _ in events]
    assert names[-1] == "done"
    assert set(names) <= {"queued", "progress", "text", "done"}
    message = events[-1][2]["message"]
    assert texts_of(events) == message["text"]
    assert message["id"] == begun["assistant_message"]["id"]
    assert (message["status"], message["error"]) == ("complete", None)
    assert message["usage"]["completion_tokens"] == 24 or message["finish_reason"] == "stop"
    assert message["usage"]["picture_tokens"] == message["pictures"][0]["tokens"] > 0
    assert message["timings_ms"]["total"] > 0
    assert message["model"]
    stages = [data for _, name, data in events if name == "progress"]
    assert all(data["num_pictures"] == 1 for data in stages)
    num_tokens = sum(data["num_tokens"] for _, name, data in events if name == "text")
    # The last tokens may have given no text: the end token, or half a character.
    assert 0 <= message["usage"]["completion_tokens"] - num_tokens <= 4
    kinds = dict(EVENTS)
    for _, name, data in events:
        assert msgspec.to_builtins(msgspec.convert(data, kinds[name])) == data


def test_late_reader_learns_how_many_tokens_came_before(client: FlaskClient) -> None:
    begun = ask(client, create(client), "价格？")
    message = finish(client, begun["generation_id"])["message"]
    assert message["text"]
    [text] = [data for _, name, data in follow(client, begun["generation_id"]) if name == "text"]
    assert text["text"] == message["text"]
    assert 0 < text["num_tokens"] <= message["usage"]["completion_tokens"]


def test_description_names_what_every_event_carries(client: FlaskClient) -> None:
    document: Any = client.get("/openapi.json").json
    reply = document["paths"]["/api/generations/{generation_id}/events"]["get"]["responses"]["200"]
    events = reply["content"]["text/event-stream"]["x-events"]
    assert set(events) == {"queued", "progress", "text", "done", "stopped", "failed"}
    for reference in events.values():
        assert reference["$ref"].rpartition("/")[2] in document["components"]["schemas"]


def test_questions_find_the_prefix_and_answers_are_those_of_a_chat(client: FlaskClient) -> None:
    conversation_id = create(client, system="简短回答。")
    files = [upload_picture(client, name) for name in ("square.png", "tall.png")]
    chat = Chat(golden_engine("tied"), [GOLDEN / "pictures" / "square.png"], "简短回答。")
    questions = ["价格是多少？", "还有呢？", "两张图？"]
    num_known = 0
    for i, question in enumerate(questions):
        shown_now = [files[0]["id"]] if i == 0 else [files[1]["id"]] if i == 2 else []
        if i == 2:
            chat.add_pictures(GOLDEN / "pictures" / "tall.png")
        last = finish(client, ask(client, conversation_id, question, *shown_now)["generation_id"])["message"]
        twin = chat.ask(question, max_tokens=24)
        assert last["text"] == twin.text
        assert last["usage"]["prompt_tokens"] == twin.num_prompt_tokens
        assert last["usage"]["cached_tokens"] >= num_known - 32  # all blocks of 32 tokens but the last
        num_known = last["usage"]["prompt_tokens"]


def test_by_default_what_was_read_goes_beside_the_pictures_and_answers_are_checked(
    client: FlaskClient, services: Services
) -> None:
    plain_id, conversation_id = create(client), create(client, assist=None)
    card = (SAMPLES / "card.png").read_bytes()
    upload = {"file": (io.BytesIO(card), "card.png")}
    file_id = client.post("/v1/files?warm=assist", data=upload).get_json()["id"]
    plain = finish(client, ask(client, plain_id, "价格是多少？", file_id)["generation_id"])["message"]
    first = finish(client, ask(client, conversation_id, "价格是多少？", file_id)["generation_id"])["message"]
    second = finish(client, ask(client, conversation_id, "那原价呢？")["generation_id"])["message"]
    assert plain["evidence"] is None
    assert first["usage"]["prompt_tokens"] > plain["usage"]["prompt_tokens"]
    assert set(first["evidence"]) >= {"verified", "marks", "num_unverified", "prompt_version"}
    assert second["usage"]["cached_tokens"] >= first["usage"]["prompt_tokens"] - 32
    assert services.readings.num_misses == 1


def test_a_question_is_answered_though_its_picture_cannot_be_read(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise EngineLostError("The process that reads pictures died.")

    monkeypatch.setattr(Readings, "read", refuse)
    file_id = upload_picture(client, "square.png")["id"]
    asked = ask(client, create(client, assist=None), "价格是多少？", file_id)
    message = finish(client, asked["generation_id"])["message"]
    assert message["status"] == "complete"


def test_question_that_was_never_answered_lends_its_pictures_to_the_next(services: Services) -> None:
    from kandong.server.conversation_shapes import ConversationSettings
    from kandong.vlm.prompt import PicturePart, TextPart
    from tests.store.conftest import noise

    owner = "local"
    ids = [services.files.add(owner, noise(i), filename="x", num_bytes=1).id for i in range(3)]
    conversation = services.conversations.create(owner)
    for text, file_id, answer in (("q1", ids[0], "a1"), ("q2", ids[1], ""), ("q3", ids[2], None)):
        turn = services.messages.ask(owner, conversation, text, [file_id])
        if answer is not None:
            services.generations._stored.end(turn.generation_id, "stopped", answer, {}, 1)
    messages = [message for message in services.messages.of(conversation) if message.status != "running"]
    asked = Asked(owner, messages, ConversationSettings(), 100, 60)
    request = prepare_plain(asked, services.generations._load).request
    assert [message.role for message in request.messages] == ["user", "assistant", "user"]
    assert request.messages[-1].parts == (PicturePart(1), PicturePart(2), TextPart("q3"))
    assert [picture.digest for picture in request.pictures] == [noise(i).digest for i in range(3)]


@pytest.mark.usefixtures("endless")
def test_reader_may_leave_and_go_on_anywhere(client: FlaskClient) -> None:
    begun = ask(client, create(client), "q")
    generation_id = begun["generation_id"]
    first = follow(client, generation_id)
    seen = [event for event, _ in zip(first, range(6), strict=False)]
    first.close()  # the answer goes on
    time.sleep(0.3)
    late = follow(client, generation_id)
    joined = next(event for event in late if event[1] == "text")
    assert joined[2]["text"].startswith(texts_of(seen))
    late.close()
    resumed = follow(client, generation_id, after=seen[-1][0])
    piece = next(event for event in resumed if event[1] == "text")
    resumed.close()
    client.post(f"/api/generations/{generation_id}/stop")
    whole = finish(client, generation_id)["message"]["text"]
    assert whole.startswith(texts_of(seen) + piece[2]["text"])
    header = {"Last-Event-ID": str(piece[0])}
    rest = list(follow(client, generation_id, headers=header))
    assert texts_of(seen) + piece[2]["text"] + texts_of(rest) == whole
    again = list(follow(client, generation_id, after=rest[-1][0]))
    assert [name for _, name, _ in again] == ["stopped"]  # said again, so that nobody waits
    assert [name for _, name, _ in follow(client, generation_id, after=10**9)] == ["stopped"]


def test_answer_is_written_though_nobody_ever_listens(client: FlaskClient, services: Services) -> None:
    conversation_id = create(client)
    begun = ask(client, conversation_id, "q")
    await_status(client, conversation_id, "complete")
    services.generations._writings.clear()  # as after a restart
    events = list(follow(client, begun["generation_id"]))
    text = shown(client, conversation_id)[-1]["text"]
    assert [name for _, name, _ in events] == ["text", "done"]
    assert texts_of(events) == text
    assert [name for _, name, _ in follow(client, begun["generation_id"], after=3)] == ["done"]


@pytest.mark.usefixtures("endless")
def test_stop_keeps_what_was_written_and_frees_the_conversation(client: FlaskClient) -> None:
    conversation_id = create(client)
    begun = ask(client, conversation_id, "q")
    events = follow(client, begun["generation_id"])
    while next(events)[1] != "text":
        pass
    for tail, body in (("messages", {"text": "again"}), ("regenerate", None), ("undo", None)):
        busy = client.post(f"{AT}/{conversation_id}/{tail}", json=body)
        assert busy.status_code == 409
        assert busy.json is not None
        assert busy.json["error"]["code"] == "conversation_busy"
    started = time.monotonic()
    assert client.post(f"/api/generations/{begun['generation_id']}/stop").status_code == 202
    last = list(events)[-1]
    assert time.monotonic() - started < 2
    assert last[1] == "stopped"
    assert last[2]["message"]["status"] == "stopped"
    assert last[2]["message"]["text"] == shown(client, conversation_id)[-1]["text"] != ""
    assert client.post(f"/api/generations/{begun['generation_id']}/stop").status_code == 202
    assert client.post("/api/generations/gen_none/stop").status_code == 404
    assert client.get("/api/generations/gen_none/events").status_code == 404
    assert client.get(f"/api/generations/{begun['generation_id']}/events?after=-1").status_code == 400


@pytest.mark.usefixtures("endless")
def test_text_so_far_is_on_the_disk_while_it_is_written(client: FlaskClient, services: Services) -> None:
    begun = ask(client, create(client), "q")
    sql = "SELECT text, status FROM messages WHERE generation_id = ?"
    await_true(lambda: len(services.database.row(sql, (begun["generation_id"],))[0]) > 0, 10)  # type: ignore[index]
    first = services.database.row(sql, (begun["generation_id"],))
    await_true(lambda: services.database.row(sql, (begun["generation_id"],)) != first, 10)
    client.post(f"/api/generations/{begun['generation_id']}/stop")
    finish(client, begun["generation_id"])


def test_answer_anew_edit_and_undo(client: FlaskClient) -> None:
    conversation_id = create(client, temperature=1.5)
    first = ask(client, conversation_id, "一")
    finish(client, first["generation_id"])
    before = shown(client, conversation_id)
    again = client.post(f"{AT}/{conversation_id}/regenerate").json
    assert again is not None
    assert again["user_message"]["id"] == first["user_message"]["id"]
    finish(client, again["generation_id"])
    middle = shown(client, conversation_id)
    assert [message["id"] for message in middle] == [before[0]["id"], again["assistant_message"]["id"]]
    edited = ask(client, conversation_id, "二", replace_from=first["user_message"]["id"])
    finish(client, edited["generation_id"])
    assert shown(client, conversation_id)[0]["text"] == "二"
    for expected in (middle, before):
        undone = client.post(f"{AT}/{conversation_id}/undo").json
        assert undone is not None
        assert undone["messages"] == expected
    assert client.post(f"{AT}/{conversation_id}/undo").status_code == 409


@pytest.mark.usefixtures("endless")
def test_deleting_a_conversation_stops_its_answer(client: FlaskClient, services: Services) -> None:
    conversation_id = create(client)
    begun = ask(client, conversation_id, "q")
    client.delete(f"{AT}/{conversation_id}")
    await_true(lambda: services.admission.num_in_flight == 0, 10)
    assert client.get(f"/api/generations/{begun['generation_id']}/events").status_code == 404
    client.post(f"{AT}/{conversation_id}/restore")
    await_status(client, conversation_id, "stopped")


def test_many_conversations_at_once_each_get_their_own_answer(client: FlaskClient) -> None:
    questions = [f"第{i}个问题" for i in range(6)]
    begun = [ask(client, create(client), question) for question in questions]
    at_once = [finish(client, one["generation_id"])["message"]["text"] for one in begun]
    alone = [finish(client, ask(client, create(client), q)["generation_id"])["message"]["text"] for q in questions[:2]]
    assert at_once[:2] == alone


def test_failing_disk_at_the_end_is_made_good_later(
    client: FlaskClient, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    conversation_id = create(client)
    stored = services.generations._stored
    real, failing = stored.end, threading.Event()
    failing.set()

    def end(*arguments: Any) -> None:
        if failing.is_set():
            raise StorageError("The disk is full.")
        real(*arguments)

    monkeypatch.setattr(stored, "end", end)
    last = finish(client, ask(client, conversation_id, "q")["generation_id"])["message"]
    assert last["status"] == "complete"
    assert shown(client, conversation_id)[-1]["status"] == "running"
    failing.clear()
    await_status(client, conversation_id, "complete")
    assert shown(client, conversation_id)[-1] == last


@pytest.mark.usefixtures("endless")
def test_service_that_ends_saves_and_the_next_one_shows_it(
    client: FlaskClient, services: Services, engine: SupervisedEngine
) -> None:
    from kandong.server.app import create_app

    conversation_id = create(client)
    begun = ask(client, conversation_id, "q")
    await_true(lambda: services.generations._writings[begun["generation_id"]].live.text, 10)
    close_services(services)
    reopened = open_services(services.settings, engine)
    again = create_app(reopened).test_client()
    message = shown(again, conversation_id)[-1]
    assert message["status"] == "interrupted"
    assert message["text"]
    events = list(follow(again, begun["generation_id"]))
    assert [name for _, name, _ in events] == ["text", "stopped"]
    finish(again, ask(again, conversation_id, "goes on")["generation_id"])
    close_services(reopened)


def test_service_that_was_killed_calls_its_answers_interrupted(
    services: Services, engine: SupervisedEngine, settings: Settings
) -> None:
    conversation = services.conversations.create("local")
    turn = services.messages.ask("local", conversation, "q")  # and nobody writes it any more
    services.generations._stored.save_text(turn.generation_id, "写到一半")
    reopened = open_services(settings, engine)
    answer = reopened.messages.of(conversation)[-1]
    assert (answer.status, answer.text) == ("interrupted", "写到一半")
    close_services(reopened)
