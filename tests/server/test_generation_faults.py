"""Answers whose engine dies, whose conversation outgrows the context, and whose disk is full."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from kandong.runtime.supervisor import SupervisorOptions
from kandong.server.app import create_app
from kandong.server.asking import Asked, LoadPicture, Prepared, prepare_plain
from kandong.server.engine_gate import SupervisedEngine
from kandong.server.opening import close_services, open_services
from kandong.server.services import Services
from kandong.settings import Settings
from tests.inspection import GOLDEN
from tests.runtime.engine_processes import QUICK, await_true
from tests.server.conftest import ENGINE
from tests.server.follow import ask, finish, follow, upload_picture
from tests.store.test_power import tiny_disk

AT = "/api/conversations"


@pytest.fixture(scope="module")
def own_engine() -> Iterator[SupervisedEngine]:
    """An engine that may be killed, with room for 400 tokens."""
    options = SupervisorOptions(engine=ENGINE | {"context_tokens": 400}, restart=QUICK, drain_s=5.0)
    gate = SupervisedEngine(str(GOLDEN / "tied"), options).start()
    gate.wait_ready(120)
    yield gate
    gate.stop()


@pytest.fixture
def services(tmp_path: Path, own_engine: SupervisedEngine) -> Iterator[Services]:
    own_engine.wait_ready(120)
    opened = open_services(Settings(data_folder=tmp_path / "data"), own_engine)
    yield opened
    close_services(opened)


@pytest.fixture
def client(services: Services) -> FlaskClient:
    return create_app(services).test_client()


def create(client: FlaskClient, **settings: Any) -> str:
    made = client.post(AT, json={"settings": {"max_tokens": 8, "temperature": 0, "assist": False} | settings}).json
    assert made is not None
    return str(made["id"])


def shown(client: FlaskClient, conversation_id: str) -> list[dict[str, Any]]:
    body = client.get(f"{AT}/{conversation_id}").json
    assert body is not None
    return list(body["messages"])


@pytest.mark.skipif(os.name != "posix", reason="kills by signals")
def test_engine_that_dies_leaves_what_was_written_and_the_next_answer_is_given(
    client: FlaskClient, services: Services, own_engine: SupervisedEngine
) -> None:
    def endless(asked: Asked, load: LoadPicture) -> Prepared:
        request = prepare_plain(asked, load).request
        sampling = replace(request.sampling, max_tokens=300, ignore_eos=True)
        return Prepared(replace(request, sampling=sampling, stop_loops=False))

    services.generations._prepare = endless
    conversation_id = create(client)
    events = follow(client, ask(client, conversation_id, "q")["generation_id"])
    while next(events)[1] != "text":
        pass
    assert own_engine.process_id is not None
    os.kill(own_engine.process_id, signal.SIGKILL)
    name, data = list(events)[-1][1:]
    message = data["message"]
    assert (name, message["status"]) == ("failed", "failed")
    assert (message["error"]["code"], message["error"]["retryable"]) == ("engine_lost", True)
    assert message["text"]
    assert shown(client, conversation_id)[-1] == message
    services.generations._prepare = prepare_plain
    again = client.post(f"{AT}/{conversation_id}/regenerate").json
    assert again is not None
    assert finish(client, again["generation_id"])["message"]["status"] == "complete"


def test_conversation_that_outgrows_the_context_loses_old_rounds_and_says_so(client: FlaskClient) -> None:
    conversation_id = create(client, min_rounds=1)
    picture = upload_picture(client)["id"]
    dropped, pictures = [], []
    for i in range(6):
        last = finish(client, ask(client, conversation_id, "问" * 30, *([picture] if i == 0 else []))["generation_id"])
        assert last["message"]["status"] == "complete", last["message"]["error"]
        dropped.append(last["message"]["dropped_rounds"])
        pictures.append(last["message"]["usage"]["picture_tokens"])
    assert dropped[0] == 0 < dropped[-1]
    assert len(set(pictures)) == 1  # a picture is never left out
    assert len(shown(client, conversation_id)) == 12


def test_question_that_can_never_fit_fails_with_its_reason(client: FlaskClient) -> None:
    conversation_id = create(client)
    message = finish(client, ask(client, conversation_id, "问" * 5_000)["generation_id"])["message"]
    assert (message["status"], message["error"]["code"]) == ("failed", "context_length_exceeded")


def test_picture_that_was_lost_fails_with_its_reason(client: FlaskClient, services: Services) -> None:
    conversation_id = create(client)
    file = upload_picture(client)
    services.files.media._kept.clear()
    services.files.media.encoded(file["kandong"]["sha256"]).unlink()
    message = finish(client, ask(client, conversation_id, "q", file["id"])["generation_id"])["message"]
    assert (message["status"], message["error"]["code"]) == ("failed", "storage_failed")


def fill(path: Path) -> None:
    """Write until the disk is full to the last page."""
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as file:
        for _ in range(10_000):
            file.write(bytes(4096))


def test_full_disk_is_507_and_the_service_goes_on(tmp_path: Path, own_engine: SupervisedEngine) -> None:
    with tiny_disk(tmp_path / "disk", 3 * 2**20) as disk:
        services = open_services(Settings(data_folder=disk / "data"), own_engine)
        client = create_app(services).test_client()
        conversation_id = create(client)
        ballast = disk / "ballast"
        fill(ballast)
        refused = client.post(AT, json={"title": "字" * 200, "settings": {"system": "字" * 20_000}})
        assert refused.status_code == 507
        assert refused.json is not None
        assert refused.json["error"]["retryable"] is True
        assert client.get(f"{AT}/{conversation_id}").status_code == 200
        assert client.get("/healthz").status_code == 200
        ballast.unlink()
        assert finish(client, ask(client, conversation_id, "q")["generation_id"])["message"]["status"] == "complete"
        await_true(lambda: shown(client, conversation_id)[-1]["status"] == "complete", 10)
        close_services(services)
