"""Who gets in: no route without a key, no foreign host or origin, scopes, rates; and what every answer carries."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from flask import Flask
from flask.testing import FlaskClient

from kandong.errors import RateLimitError, SettingError
from kandong.server.app import all_routes
from kandong.server.listening import check_bind, is_loopback
from kandong.server.rate_limits import RateLimits
from kandong.server.routes import Route
from kandong.server.services import Services
from kandong.settings import Settings
from tests.conftest import Figure

ROUTES = all_routes().all
PUBLIC = {"/healthz", "/readyz", "/", "/<page:path>", "/api/session"}
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def address_of(route: Route) -> str:
    return re.sub(r"<[^>]*>", "x", route.path)


@pytest.fixture
def keys(services: Services) -> dict[str, str]:
    """One key of each scope; from now on keys are needed."""
    return {scope: services.keys.create(f"my-{scope}", scope)[1] for scope in ("read", "submit", "admin")}


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize(
    "header", [None, "Bearer kd-wrong", "Basic eDp5", "Bearer ", "kd-x", "Bearer kd-" + "x" * 9999]
)
def test_no_route_answers_without_a_key_but_the_public_ones(
    client: FlaskClient, header: str | None, figure: Figure
) -> None:
    headers = {} if header is None else {"Authorization": header}
    num_refused = 0
    for route in ROUTES:
        answer = client.open(address_of(route), method=route.method, headers=headers)
        if route.path in PUBLIC:
            assert route.scope == "public"
            assert answer.status_code not in (401, 403)
        else:
            assert answer.status_code == 401, route
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")
            num_refused += 1
        answer.close()
    assert num_refused == len(ROUTES) - len(PUBLIC)
    figure(f"{num_refused} of {len(ROUTES)} routes: 401; the other {len(PUBLIC)} are public")


@pytest.mark.usefixtures("keys")
def test_no_other_method_gets_past_the_key(client: FlaskClient, app: Flask, figure: Figure) -> None:
    num_refused = 0
    known = {(rule.rule, method) for rule in app.url_map.iter_rules() for method in rule.methods or ()}
    for route in ROUTES:
        for method in METHODS:
            if route.path not in PUBLIC and (route.path, method) not in known:
                answer = client.open(address_of(route), method=method)
                assert answer.status_code in (401, 404, 405), (route.path, method)
                answer.close()
                num_refused += 1
    figure(f"{num_refused} pairs of route and foreign method: none answered")


def test_scopes_include_the_lesser_ones(client: FlaskClient, keys: dict[str, str]) -> None:
    order = ["read", "submit", "admin"]
    for route in ROUTES:
        if route.scope == "public":
            continue
        for scope in order[: order.index(route.scope)]:
            headers = {"Authorization": f"Bearer {keys[scope]}"}
            answer = client.open(address_of(route), method=route.method, headers=headers)
            assert answer.status_code == 403, (route.path, scope)
            assert answer.json["error"]["type"] == "permission_error"  # type: ignore[index]
    answer = client.get("/api/system", headers={"Authorization": f"Bearer {keys['read']}"})
    assert answer.status_code == 200


def test_revoked_and_expired_keys_open_nothing_and_the_door_stays_shut(client: FlaskClient, services: Services) -> None:
    _, revoked = services.keys.create("a", "admin")
    _, expired = services.keys.create("b", "admin", days=1e-9)
    services.keys.revoke("a")
    for headers in ({"Authorization": f"Bearer {revoked}"}, {"Authorization": f"Bearer {expired}"}, {}):
        assert client.get("/api/system", headers=headers).status_code == 401
    services.keys.forget_revoked()
    assert client.get("/api/system").status_code == 200


HOSTILE = ["evil.example", "127.0.0.1.evil.example", "localhost@evil.example", "169.254.169.254", "10.0.0.1", "[::2]"]
HOSTILE += [
    "localhost:99999",
    "",
    "evil.example:8765",
    "localhost/..",
    "2130706433",
    "0x7f.1",
    "localhost, evil.example",
]


@pytest.mark.parametrize("host", HOSTILE)
def test_hostile_host_is_refused_on_every_route(client: FlaskClient, host: str, figure: Figure) -> None:
    for route in ROUTES:
        answer = client.open(address_of(route), method=route.method, headers={"Host": host})
        assert answer.status_code == 403, route
        assert answer.json["error"]["code"] == "origin_refused"  # type: ignore[index]
    figure(f"{len(ROUTES)} routes: 403")


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8765", "127.0.0.1:80", "[::1]:8765", "LOCALHOST.", "127.9.9.9"]
)
def test_own_names_are_taken(client: FlaskClient, host: str) -> None:
    assert client.get("/healthz", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:3000"},
        {"Origin": "file://"},
        {"Origin": "http://["},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
def test_foreign_origin_changes_nothing(client: FlaskClient, headers: dict[str, str]) -> None:
    for route in ROUTES:
        if route.method != "GET" or "Origin" in headers:
            answer = client.open(address_of(route), method=route.method, headers=headers)
            assert answer.status_code == 403, route
            assert "Access-Control-Allow-Origin" not in answer.headers


def test_own_origin_is_taken(client: FlaskClient) -> None:
    headers = {"Host": "localhost:8765", "Origin": "http://localhost:8765"}
    assert client.delete("/api/models/pull", headers=headers).status_code == 200


class TestBehindAName:
    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return replace(settings, allowed_hosts=("kandong.example",))

    def test_allowed_host_and_its_origin_are_taken(self, client: FlaskClient) -> None:
        headers = {"Host": "kandong.example", "Origin": "https://kandong.example"}
        assert client.delete("/api/models/pull", headers=headers).status_code == 200
        assert client.get("/healthz", headers={"Host": "other.example"}).status_code == 403


class TestPublicAddress:
    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return replace(settings, host="0.0.0.0")

    def test_key_is_needed_though_there_is_none(self, client: FlaskClient) -> None:
        assert client.get("/api/system").status_code == 401
        assert client.get("/api/system", headers={"Host": "192.168.1.7:8765"}).status_code == 401
        assert client.get("/api/system", headers={"Host": "evil.example"}).status_code == 403


def test_unsafe_bind_is_refused() -> None:
    for host in ("0.0.0.0", "::", "192.168.1.7", "kandong.example", ""):
        with pytest.raises(SettingError, match="without a key"):
            check_bind(host, has_keys=False)
        check_bind(host, has_keys=True)
    for host in ("127.0.0.1", "localhost", "::1", "[::1]", "127.1.2.3", "::ffff:127.0.0.1"):
        assert is_loopback(host)
        check_bind(host, has_keys=False)


def test_every_answer_carries_the_headers(client: FlaskClient) -> None:
    for path in ("/healthz", "/none", "/api/system", "/", "/docs"):
        headers = client.get(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert "Cache-Control" in headers
        assert not [name for name in headers.keys() if name.startswith("Access-Control")]  # noqa: SIM118


def test_rate_of_a_key_is_its_own(client: FlaskClient, services: Services) -> None:
    _, slow = services.keys.create("slow", "read", requests_per_minute=2)
    _, quick = services.keys.create("quick", "read")
    answers = [client.get("/api/system", headers={"Authorization": f"Bearer {slow}"}) for _ in range(3)]
    assert [a.status_code for a in answers] == [200, 200, 429]
    assert 20 <= int(answers[2].headers["Retry-After"]) <= 31
    assert answers[2].json["error"]["type"] == "rate_limit_error"  # type: ignore[index]
    assert client.get("/api/system", headers={"Authorization": f"Bearer {quick}"}).status_code == 200


def test_buckets_fill_evenly() -> None:
    clock = [0.0]
    limits = RateLimits(lambda: clock[0])
    for _ in range(20):
        limits.take("a", 60)
    with pytest.raises(RateLimitError) as caught:
        limits.take("a", 60)
    assert caught.value.retry_after_s == 1
    limits.take("b", 60)
    clock[0] = 2.0
    limits.take("a", 60)
    limits.take("a", 60)
    with pytest.raises(RateLimitError):
        limits.take("a", 60)


def test_requests_are_listed_without_contents(client: FlaskClient, services: Services, keys: dict[str, str]) -> None:
    headers = {"Authorization": f"Bearer {keys['admin']}"}
    client.post("/api/models/use", json={"model": "secret-words"}, headers=headers)
    client.get("/healthz")
    services.audit.flush()
    (entry,) = services.audit.newest()
    assert (entry.method, entry.route, entry.status) == ("POST", "/api/models/use", 400)
    assert entry.key_id == services.keys.list()[2].id
    assert entry.body_sha256
    assert len(entry.body_sha256) == 64
    assert entry.ms > 0
    assert "secret" not in str(services.database.rows("SELECT * FROM audit"))
