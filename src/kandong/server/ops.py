"""Routes about the service itself: whether it lives and can work, what it is made of, what a page needs to begin.

Owns: these addresses. Must not know: how the engine is kept running.
"""

from __future__ import annotations

import sys
import time
from importlib.metadata import version
from typing import Any, Literal

import msgspec
from flask import Response, request

from kandong import __version__
from kandong.errors import EngineUnavailableError, NotFoundError
from kandong.machine import process_memory_bytes, read_memory
from kandong.models.samples import sample_picture_bytes
from kandong.server.check_up import DoctorReport
from kandong.server.guard import identify
from kandong.server.metrics import CONTENT_TYPE, metrics_page
from kandong.server.readiness import disk_free_bytes, why_not_ready
from kandong.server.routes import Routes
from kandong.server.samples import Sample, samples_for
from kandong.server.sampling_defaults import DEFAULT_TEMPERATURE
from kandong.server.services import Services, query, services
from kandong.vlm.pixels import DEFAULT_MAX_IMAGE_TOKENS

_PACKAGES = ("openvino", "tokenizers", "llguidance", "pillow", "rapidocr", "flask", "gunicorn", "apsw", "pyzmq")


class Health(msgspec.Struct, frozen=True):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Readiness(msgspec.Struct, frozen=True):
    """A request would be carried out now."""

    status: Literal["ready"] = "ready"


class SessionModel(msgspec.Struct, frozen=True, omit_defaults=True):
    """The model; ``state`` is ready, starting, restarting, missing, downloading, failed or unavailable."""

    name: str | None
    state: str
    is_demo: bool = False


class SessionLimits(msgspec.Struct, frozen=True):
    """What one message may hold."""

    max_upload_bytes: int
    max_pictures_per_message: int
    max_text_chars: int
    max_tokens: int


class SessionDefaults(msgspec.Struct, frozen=True):
    """What holds where a conversation sets nothing."""

    max_tokens: int = 1024
    temperature: float = DEFAULT_TEMPERATURE
    max_image_tokens: int | None = DEFAULT_MAX_IMAGE_TOKENS
    min_rounds: int = 2


class Session(msgspec.Struct, frozen=True):
    """What a page needs to begin. ``owner`` is ``None`` where a key is needed and none was given."""

    auth_required: bool
    owner: str | None
    scopes: list[str]
    version: str
    model: SessionModel
    demo_available: bool
    limits: SessionLimits
    defaults: SessionDefaults
    samples: list[Sample]


class SystemReport(msgspec.Struct, frozen=True):
    """What runs here, and how it is."""

    version: str
    versions: dict[str, str]
    model: dict[str, Any]
    engine: dict[str, Any]
    memory: dict[str, int | None]
    queue: dict[str, int]
    caches: dict[str, dict[str, int] | None]
    uptime_s: float
    disk_free_bytes: int


def readyz() -> Readiness:
    """Say whether a request would be carried out. Errors: ``EngineUnavailableError`` with the reasons."""
    if reasons := why_not_ready(services()):
        raise EngineUnavailableError(f"Not ready: {', '.join(reasons)}.", hint="GET /api/system tells more.")
    return Readiness()


def session() -> Session:
    """Tell a page what it needs to begin; without a valid key, no more than that one is needed."""
    here = services()
    settings, host = here.settings, here.host
    caller = identify(here, request)
    return Session(
        auth_required=here.needs_key(),
        owner=caller.owner if caller else None,
        scopes=sorted(caller.scopes) if caller else [],
        version=__version__,
        model=SessionModel(host.model_name, host.state, is_demo=host.is_demo),
        demo_available=host.has_demo,
        limits=SessionLimits(
            settings.max_upload_bytes, settings.max_pictures, settings.max_text_chars, settings.max_tokens
        ),
        defaults=SessionDefaults(),
        samples=samples_for(is_demo=host.is_demo),
    )


def system() -> SystemReport:
    """Tell what runs here."""
    here = services()
    host, metrics = here.host, here.host.metrics()
    status, memory, error = host.status, read_memory(), host.error
    about = status.about if status else {}
    return SystemReport(
        version=__version__,
        versions={name: _version(name) for name in _PACKAGES} | {"python": sys.version.split()[0]},
        model={
            "name": host.model_name,
            "state": host.state,
            "precision": about.get("weights"),
            "compute": about.get("compute"),
            "context_tokens": int(about["context_tokens"]) if about else None,
            "load_ms": round(float(about["load_ms"])) if about else None,
            "error": error.to_dict() if error else None,
            "is_demo": host.is_demo,
        },
        engine={
            "state": host.state,
            "restarts": int(metrics.get("engine_restarts", 0)),
            "loading": status.loading if status else None,
        },
        memory={
            "total_bytes": memory.total_bytes if memory else None,
            "available_bytes": memory.available_bytes if memory else None,
            "engine_bytes": process_memory_bytes(host.process_id) if host.process_id else None,
        },
        queue={
            "running": int(metrics.get("engine_num_running", 0)),
            "waiting": int(metrics.get("engine_num_waiting", 0) + metrics.get("engine_waiting", 0)),
        },
        caches=_caches(metrics),
        uptime_s=round(time.time() - here.started_s, 1),
        disk_free_bytes=disk_free_bytes(here),
    )


def _caches(metrics: dict[str, float]) -> dict[str, dict[str, int] | None]:
    """Give hits, misses and bytes of both caches; ``None`` while no engine has told any."""
    if "engine_num_feature_misses" not in metrics:
        return {"prefix": None, "features": None}
    hits = metrics["engine_num_feature_memory_hits"] + metrics["engine_num_feature_disk_hits"]
    blocks_bytes = metrics["engine_num_kv_blocks_findable"] * metrics["engine_kv_block_bytes"]
    return {
        "prefix": {
            "hits": int(metrics["engine_num_prefix_hits"]),
            "misses": int(metrics["engine_num_prefix_misses"]),
            "bytes": int(blocks_bytes),
        },
        "features": {
            "hits": int(hits),
            "misses": int(metrics["engine_num_feature_misses"]),
            "bytes": int(metrics["engine_feature_memory_bytes"]),
        },
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except ImportError:
        return "absent"


def doctor() -> DoctorReport:
    """Examine this machine. Errors: ``KandongError``."""
    check_up = services().check_up
    return check_up.thorough() if query("thorough", False) else check_up.quick()


def metrics() -> Response:
    """Give the metrics page."""
    here = services()
    values = here.host.metrics() | {
        "admission_in_flight": float(here.admission.num_in_flight),
        "long_requests_running": float(here.admission.num_long_requests),
        "disk_free_bytes": float(disk_free_bytes(here)),
    }
    page = metrics_page(here.requests, values, is_ready=_is_ready(here), started_s=here.started_s)
    return Response(page, content_type=CONTENT_TYPE)


def _is_ready(here: Services) -> bool:
    return not why_not_ready(here)


def sample(name: str) -> Response:
    """Give a sample picture. Errors: ``NotFoundError``."""
    data = sample_picture_bytes(name)
    if data is None:
        raise NotFoundError("There is no such sample.", hint="GET /api/session lists them.", field="name")
    response = Response(data, mimetype="image/png")
    response.headers["Cache-Control"] = "private, max-age=86400"
    return response


def add_routes(routes: Routes) -> None:
    """Declare them."""

    @routes.add("GET", "/healthz", scope="public", summary="Whether the process answers", gives=Health)
    def healthz() -> Health:
        return Health()

    for path, handler, scope, summary, gives, media, errors in (
        ("/readyz", readyz, "public", "Whether a request would be carried out", Readiness, None, (503,)),
        ("/metrics", metrics, "read", "Numbers for Prometheus", str, "text/plain", ()),
        ("/api/session", session, "public", "What a page needs to begin", Session, None, ()),
        ("/api/system", system, "read", "What runs here", SystemReport, None, ()),
        ("/api/samples/<name>", sample, "read", "A sample picture", bytes, "image/png", (404,)),
    ):
        fields: dict[str, Any] = {"scope": scope, "summary": summary, "gives": gives, "errors": errors}
        routes.add("GET", path, **fields, **({"media": media} if media else {}))(handler)
    routes.add(
        "GET",
        "/api/system/doctor",
        scope="read",
        summary="What stands in the way of answers",
        gives=DoctorReport,
        errors=(400,),
        query=(("thorough", bool, "also read every byte of converted weights, and a card with OCR; takes seconds"),),
    )(doctor)
