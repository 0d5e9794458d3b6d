"""Routes about the service itself: whether it lives, and whether it can work.

Owns: these addresses. Must not know: how the engine is kept running.
"""

from __future__ import annotations

import msgspec

from kandong.server.routes import Routes


class Health(msgspec.Struct, frozen=True):
    """The process answers."""

    status: str


def add_routes(routes: Routes) -> None:
    """Declare them."""

    @routes.add("GET", "/healthz", scope="public", summary="Whether the process answers", gives=Health)
    def healthz() -> Health:
        return Health("ok")
