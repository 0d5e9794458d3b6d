"""Who may come in: host, origin, key, scope, rate; and the headers that every answer carries.

Owns: the checks before any handler runs, and the security headers. Must not know: what routes do, how keys are stored.
"""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit

from flask import Request as HttpRequest
from flask import Response, g

from kandong.errors import ForeignOriginError, MissingKeyError, ScopeError
from kandong.server.listening import is_loopback
from kandong.server.routes import Route
from kandong.server.services import Caller, Services
from kandong.settings import Settings
from kandong.store.keys import ApiKey

LOCAL_OWNER = "local"
_ALL_SCOPES = frozenset({"read", "submit", "admin"})
_DATA_POLICY = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


def add_headers(response: Response) -> Response:
    """Put the security headers on an answer, leaving what its handler has set."""
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers.setdefault("Content-Security-Policy", _DATA_POLICY)
    response.headers.setdefault("Cache-Control", "no-store")
    return response


class HostCheck:
    """Which names this server goes by. Names that somebody else may point at it (DNS rebinding) are not among them."""

    def __init__(self, settings: Settings) -> None:
        self._configured = {host.lower().strip("[]") for host in settings.allowed_hosts}
        self._is_public = not is_loopback(settings.host)
        self._own = {settings.host.lower().strip("[]")}
        if self._is_public:
            self._own.add(socket.gethostname().lower())

    def check(self, request: HttpRequest) -> None:
        """Refuse a foreign ``Host`` or ``Origin``. Errors: ``ForeignOriginError``."""
        host = request.headers.get("Host", "")
        name = _host_name(host)
        if name is None or not self._is_ours(name):
            raise ForeignOriginError(
                "The request names a host that this server is not.",
                hint="Use the address that it printed, or start it with --allowed-host NAME.",
                field="Host",
            )
        origin = request.headers.get("Origin")
        if origin is not None and not self._is_same(origin, host):
            raise ForeignOriginError("The request comes from another site's page.", field="Origin")
        # Browsers that send no Origin along say here where a request comes from.
        if request.method not in ("GET", "HEAD") and request.headers.get("Sec-Fetch-Site") == "cross-site":
            raise ForeignOriginError("The request comes from another site's page.", field="Sec-Fetch-Site")

    def _is_ours(self, name: str) -> bool:
        if name in self._own or name in self._configured or is_loopback(name):
            return True
        # A literal address cannot be pointed elsewhere: whoever names it has reached it.
        return self._is_public and _is_address(name)

    def _is_same(self, origin: str, host: str) -> bool:
        try:
            parts = urlsplit(origin)
            name = parts.hostname
        except ValueError:
            return False
        if parts.scheme not in ("http", "https") or not name:
            return False
        return parts.netloc.lower() == host.lower() or name in self._configured


def _host_name(host: str) -> str | None:
    """Give the name in a ``Host`` header; ``None`` if there is none, or more than a name and a port."""
    if not host or any(c in host for c in "/\\@?#, \t") or not host.isascii():
        return None
    try:
        parts = urlsplit(f"//{host}")
        _ = parts.port
    except ValueError:
        return None
    return parts.hostname.rstrip(".").lower() if parts.hostname else None


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def identify(services: Services, request: HttpRequest) -> Caller | None:
    """Give who is asking; ``None`` for nobody known where keys are needed."""
    if not services.needs_key():
        return Caller(LOCAL_OWNER, _ALL_SCOPES)
    key = _key_of(services, request)
    if key is None:
        return None
    g.api_key = key
    return Caller(key.owner, key.scopes, key.id)


def _key_of(services: Services, request: HttpRequest) -> ApiKey | None:
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    return services.keys.find(secret.strip()) if scheme.lower() == "bearer" else None


def authorise(services: Services, route: Route, request: HttpRequest) -> Caller:
    """Give who is asking, if they may ask this. Errors: ``MissingKeyError``, ``ScopeError``, ``RateLimitError``."""
    caller = identify(services, request)
    if route.scope == "public":
        return caller or Caller("", frozenset())
    if caller is None:
        raise MissingKeyError(
            "An API key is needed, and none that is valid was given.",
            hint="Send the header Authorization: Bearer kd-…; `kandong keys create NAME` makes a key.",
        )
    if route.scope not in caller.scopes:
        raise ScopeError(f"This key may not do this: it needs the scope {route.scope}.")
    key: ApiKey | None = g.get("api_key")
    per_minute = (key.requests_per_minute if key else None) or services.settings.requests_per_minute
    services.rates.take(caller.key_id or caller.owner, per_minute)
    return caller
