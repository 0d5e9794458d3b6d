"""Routes about the service itself, its description, its models and its page."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from flask.testing import FlaskClient

from kandong import errors
from kandong.models.catalogue import models_folder
from kandong.runtime.supervisor import SupervisorOptions
from kandong.server.app import all_routes, create_app
from kandong.server.check_up import CheckUp
from kandong.server.engine_gate import SupervisedEngine
from kandong.server.openapi import error_statuses, openapi_document
from kandong.server.opening import close_services, open_services
from kandong.server.page_files import PageFiles
from kandong.server.services import Services
from kandong.settings import Settings
from tests.inspection import GOLDEN
from tests.runtime.engine_processes import await_true
from tests.server.conftest import ENGINE

ROUTES = all_routes().all


def test_readiness_has_reasons(client: FlaskClient, services: Services) -> None:
    assert client.get("/readyz").json == {"status": "ready"}
    services.admission.begin_drain()
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert "stopping" in answer.json["error"]["message"]  # type: ignore[index]
    assert "Retry-After" in answer.headers


class TestFullDisk:
    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return replace(settings, min_free_bytes=2**60)

    def test_service_is_not_ready_and_says_why(self, client: FlaskClient) -> None:
        assert "disk" in client.get("/readyz").json["error"]["message"]  # type: ignore[index]
        assert client.get("/healthz").status_code == 200


class TestFullDatabase:
    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return replace(settings, requests_per_minute=1_000_000)

    def test_writing_is_refused_and_recovers(self, client: FlaskClient, services: Services) -> None:
        pages = services.database.row("PRAGMA page_count")
        assert pages is not None
        services.database.rows(f"PRAGMA max_page_count = {pages[0]}")
        statuses = [client.post("/api/conversations", json={"title": "字" * 200}).status_code for _ in range(200)]
        assert statuses[-1] == 507
        assert client.get("/healthz").status_code == 200
        assert client.get("/api/conversations").status_code == 200
        services.database.rows("PRAGMA max_page_count = 1000000")
        assert client.post("/api/conversations", json={"title": "好"}).status_code == 201
        assert services.database.row("PRAGMA integrity_check") == ("ok",)


def test_session_is_what_a_page_needs(client: FlaskClient) -> None:
    session: Any = client.get("/api/session").json
    assert session["owner"] == "local"
    assert session["scopes"] == ["admin", "read", "submit"]
    assert session["model"]["state"] == "ready"
    assert session["demo_available"] in (True, False)
    assert session["limits"]["max_pictures_per_message"] == 16
    for sample in session["samples"]:
        picture = client.get(sample["url"])
        assert picture.data.startswith(b"\x89PNG")
        assert "max-age" in picture.headers["Cache-Control"]
    assert client.get("/api/samples/../../etc/passwd").status_code == 404
    assert client.get("/api/samples/none").status_code == 404


def test_samples_are_those_of_the_repository() -> None:
    root = Path(__file__).resolve().parents[2]
    for name in ("card.png", "poster.png"):
        packaged = root / "src" / "kandong" / "samples" / name
        assert packaged.read_bytes() == (root / "samples" / name).read_bytes()


def test_metrics_are_prometheus_text(client: FlaskClient) -> None:
    client.get("/api/session")
    client.get("/none.js")
    answer = client.get("/metrics")
    assert answer.content_type.startswith("text/plain; version=0.0.4")
    lines = answer.text.splitlines()
    assert "kandong_ready 1" in lines
    assert 'kandong_http_requests_total{method="GET",route="/<page:path>",status="404"} 1' in lines
    values = [line for line in lines if not line.startswith("#")]
    assert all(float(line.rpartition(" ")[2]) >= 0 for line in values)
    assert len({line.rpartition(" ")[0] for line in values}) == len(values)
    assert any(line.startswith("kandong_engine_") for line in values)


def test_doctor_speaks_of_this_installation(client: FlaskClient) -> None:
    quick: Any = client.get("/api/system/doctor").json
    started = time.perf_counter()
    assert all(client.get("/api/system/doctor").json == quick for _ in range(5))
    assert time.perf_counter() - started < 1.0  # five requests cost one examination
    thorough: Any = client.get("/api/system/doctor?thorough=true").json
    assert (quick["is_thorough"], thorough["is_thorough"]) == (False, True)
    for report in (quick, thorough):
        checks = {check["name"]: check for check in report["checks"]}
        assert checks["openvino"]["status"] == "ok"
        assert set(checks["model"]) == {"name", "status", "message", "hint"}
    found = [next(c["message"] for c in r["checks"] if c["name"] == "ocr") for r in (quick, thorough)]
    assert "--verify reads a card" in found[0]
    assert "39元" in found[1]
    assert client.get("/api/system/doctor?thorough=perhaps").status_code == 400


def test_one_thorough_check_up_at_a_time(client: FlaskClient, services: Services) -> None:
    with services.check_up._thorough_lock:
        answer = client.get("/api/system/doctor?thorough=true")
        assert client.get("/api/system/doctor").status_code == 200
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "10")


def test_quick_check_up_takes_less_than_a_second(services: Services) -> None:
    services.check_up.quick()  # the first imports what nobody needed before
    started = time.perf_counter()
    CheckUp(str(GOLDEN / "tied")).quick()
    assert time.perf_counter() - started < 1.0


def test_description_holds_every_route_and_status(client: FlaskClient) -> None:
    document: Any = client.get("/openapi.json").json
    assert document == json.loads(json.dumps(openapi_document(ROUTES)))
    assert document["openapi"].startswith("3.1")
    described = {(m.upper(), p) for p, operations in document["paths"].items() for m in operations}
    shown = [route for route in ROUTES if "<page:" not in route.path and route.path != "/"]
    assert len(described) == len(shown)
    for route in shown:
        assert {401, 403, 429} <= error_statuses(route) or route.scope == "public"
    identifiers = [o["operationId"] for operations in document["paths"].values() for o in operations.values()]
    assert len(set(identifiers)) == len(identifiers)
    for schema in document["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)
    text = json.dumps(document)
    for reference in {r.split('"')[0] for r in text.split("#/components/schemas/")[1:]}:
        assert reference in document["components"]["schemas"]


def test_every_status_of_an_error_is_in_the_documentation() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "api.md").read_text("utf-8")
    rows = re.findall(r"^\| ([\d, ]+) \|", text, re.MULTILINE)
    documented = {int(status) for row in rows for status in row.split(",")}
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.KandongError)]
    assert {kind.http_status for kind in kinds} == documented


def test_docs_need_neither_script_nor_network(client: FlaskClient) -> None:
    answer = client.get("/docs")
    assert answer.mimetype == "text/html"
    assert "<script" not in answer.text
    assert "http://" not in answer.text
    assert "https://" not in answer.text
    nonce = answer.headers["Content-Security-Policy"].split("'nonce-")[1].split("'")[0]
    assert f'<style nonce="{nonce}">' in answer.text
    assert "/v1/chat/completions" in answer.text


@pytest.fixture
def page(tmp_path: Path) -> PageFiles:
    folder = tmp_path / "page"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text('<meta name="nonce" content="__CSP_NONCE__">', "utf-8")
    (folder / "assets" / "main-B1xY_z90.js").write_text("let x = 1;" * 500, "utf-8")
    (folder / "favicon.svg").write_text("<svg/>", "utf-8")
    return PageFiles(folder)


def test_page_is_served_with_its_nonce_and_caching(services: Services, page: PageFiles) -> None:
    client = create_app(replace(services, page=page)).test_client()
    first, second = client.get("/"), client.get("/chat/conv_1")
    nonces = [a.headers["Content-Security-Policy"].split("'nonce-")[1].split("'")[0] for a in (first, second)]
    assert nonces[0] != nonces[1]
    assert nonces[0] in first.text
    assert nonces[1] in second.text
    assert first.headers["Cache-Control"] == "no-cache"
    asset = client.get("/assets/main-B1xY_z90.js", headers={"Accept-Encoding": "gzip"})
    assert "immutable" in asset.headers["Cache-Control"]
    assert asset.headers["Content-Encoding"] == "gzip"
    assert asset.mimetype == "text/javascript"
    assert len(client.get("/assets/main-B1xY_z90.js").data) == 5000
    assert client.get("/favicon.svg").headers["Cache-Control"] == "no-cache"
    for path in ("/assets/none-12345678.js", "/v1/none", "/api/none", "/../settings.py", "/assets/../../x.py"):
        answer = client.get(path)
        assert (answer.status_code, answer.mimetype) == (404, "application/json"), path


def test_without_a_build_the_page_says_how_to_make_one(services: Services, tmp_path: Path) -> None:
    client = create_app(replace(services, page=PageFiles(tmp_path))).test_client()
    answer = client.get("/")
    assert answer.status_code == 200
    assert "make page" in answer.text
    assert client.get("/chat/x").status_code == 200


@pytest.fixture
def weightless(settings: Settings) -> Iterator[Services]:
    """A service whose model is not on this machine."""
    host = SupervisedEngine("example/tied", SupervisorOptions(engine=ENGINE)).start()
    opened = open_services(settings, host)
    yield opened
    close_services(opened)
    host.stop()
    shutil.rmtree(models_folder() / "example", ignore_errors=True)


def test_download_ends_in_a_running_engine(weightless: Services) -> None:
    client = create_app(weightless).test_client()
    assert client.get("/api/session").json["model"]["state"] == "missing"  # type: ignore[index]
    # A folder is what a hub would be; over HTTP only hubs may be named.
    weightless.pulls.start("example/tied", str(GOLDEN / "tied"))
    await_true(lambda: client.get("/api/models/pull").json["state"] != "running")  # type: ignore[index]
    state: Any = client.get("/api/models/pull").json
    assert (state["state"], state["model"]) == ("done", "example/tied")
    assert state["done_bytes"] == state["total_bytes"] > 10_000
    await_true(lambda: client.get("/readyz").status_code == 200)
    models: Any = client.get("/api/models").json["data"]  # type: ignore[index]
    (entry,) = [model for model in models if model["is_current"]]
    assert (entry["name"], entry["state"]) == ("example/tied", "installed")
    assert entry["bytes"] > 10_000


def test_download_of_what_cannot_run_is_a_failure_with_its_reason(weightless: Services, tmp_path: Path) -> None:
    folder = tmp_path / "foreign"
    shutil.copytree(GOLDEN / "tied", folder, ignore=shutil.ignore_patterns("*.npz"))
    config = json.loads((folder / "config.json").read_text("utf-8"))
    del config["text_config"]["num_hidden_layers"]
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    client = create_app(weightless).test_client()
    weightless.pulls.start("example/tied", str(folder))
    await_true(lambda: client.get("/api/models/pull").json["state"] != "running")  # type: ignore[index]
    state: Any = client.get("/api/models/pull").json
    assert (state["state"], state["error"]["code"]) == ("failed", "checkpoint_invalid")
    assert "num_hidden_layers" in state["error"]["message"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "param"),
    [
        ("POST", "/api/models/pull", {"source": "http://169.254.169.254/"}, 400, "source"),
        ("POST", "/api/models/pull", {"source": "/etc"}, 400, "source"),
        ("POST", "/api/models/pull", {"model": "../../etc"}, 400, "model"),
        ("POST", "/api/models/pull", {"model": 5}, 400, "model"),
        ("POST", "/api/models/use", {}, 400, "model"),
        ("POST", "/api/models/use", {"model": "/etc"}, 400, "model"),
        ("POST", "/api/models/use", {"model": "example/none"}, 404, "model"),
    ],
)
def test_wrong_models_are_refused(
    client: FlaskClient, method: str, path: str, body: dict[str, Any], status: int, param: str
) -> None:
    answer = client.open(path, method=method, json=body)
    assert answer.status_code == status
    assert answer.json["error"]["param"] == param  # type: ignore[index]
