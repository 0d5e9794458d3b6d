"""What handlers work with: one object of the long-lived parts, and who is asking.

Owns: nothing but the way there. Must not know: routes.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from flask import current_app, g

from kandong.runtime.decoder import SafeDecoder
from kandong.server.admission import Admission
from kandong.server.archive import Archives
from kandong.server.assisting import Assistant
from kandong.server.check_up import CheckUp
from kandong.server.engine_gate import EngineGate, SupervisedEngine
from kandong.server.generations import Generations
from kandong.server.housekeeping import Housekeeping
from kandong.server.listening import is_loopback
from kandong.server.metrics import RequestMetrics
from kandong.server.page_files import PageFiles
from kandong.server.pulls import Pulls
from kandong.server.rate_limits import RateLimits
from kandong.server.readings import Readings
from kandong.server.warming import Warmings
from kandong.settings import Settings
from kandong.store.audit import AuditLog
from kandong.store.conversations import Conversations
from kandong.store.database import Database
from kandong.store.files import Files
from kandong.store.keys import KeyStore
from kandong.store.messages import Messages
from kandong.tasks.report_cache import MemoryReports, ReportCache

EXTENSION = "kandong"


@dataclass(frozen=True)
class Services:
    """The long-lived parts of one web process. ``engine`` is what handlers ask; ``host`` runs it."""

    settings: Settings
    database: Database
    engine: EngineGate
    host: SupervisedEngine
    admission: Admission
    keys: KeyStore
    rates: RateLimits
    audit: AuditLog
    files: Files
    decoder: SafeDecoder
    warmings: Warmings
    conversations: Conversations
    messages: Messages
    generations: Generations
    archives: Archives
    housekeeping: Housekeeping
    readings: Readings
    assistant: Assistant
    pulls: Pulls
    check_up: CheckUp
    reports: ReportCache = field(default_factory=MemoryReports)
    page: PageFiles = field(default_factory=PageFiles)
    requests: RequestMetrics = field(default_factory=RequestMetrics)
    started_s: float = field(default_factory=time.time)

    def needs_key(self) -> bool:
        """Whether callers must show an API key: once there was one, or where others can reach this address."""
        return not is_loopback(self.settings.host) or self.keys.has_any()


@dataclass(frozen=True)
class Caller:
    """Who is asking: ``owner`` is on every row; ``key_id`` is ``None`` for the local user without keys."""

    owner: str
    scopes: frozenset[str]
    key_id: str | None = None


def services() -> Services:
    """Give the services of the application that handles this request."""
    found: Services = current_app.extensions[EXTENSION]
    return found


def caller() -> Caller:
    """Give who sent this request; set before any handler runs."""
    found: Caller = g.caller
    return found


def query(name: str, default: Any = None) -> Any:
    """Give a value of the query that the route declares, of its declared type, or the default."""
    return g.query.get(name, default)
