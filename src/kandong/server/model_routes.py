"""Routes about models on this machine: listing, downloading, choosing.

Owns: these addresses. Must not know: hubs, how an engine is started.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from kandong.errors import InputError, ModelNotFoundError
from kandong.models.catalogue import DEFAULT_MODEL, find_model, full_name, models_folder
from kandong.models.demo import DEMO_MODEL
from kandong.server.pulls import PullState
from kandong.server.routes import Routes
from kandong.server.services import services

KNOWN_MODELS = (DEFAULT_MODEL, "Qwen/Qwen3-VL-4B-Instruct", "Qwen/Qwen3-VL-8B-Instruct")
_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class ModelEntry(msgspec.Struct, frozen=True):
    """A model: installed, partial (its download was interrupted) or available. ``bytes`` lie on this machine."""

    name: str
    state: Literal["installed", "partial", "available"]
    bytes: int
    is_current: bool
    is_demo: bool


class ModelList(msgspec.Struct, frozen=True):
    """Models that are here or can be had."""

    data: list[ModelEntry]


class PullBody(msgspec.Struct, frozen=True):
    """What to download: by default Qwen3-VL-2B-Instruct, from whichever hub answers first."""

    model: _Name | None = None
    source: _Name | None = None


class UseBody(msgspec.Struct, frozen=True):
    """Which model to run from now on."""

    model: _Name


class UseReply(msgspec.Struct, frozen=True):
    """The model that is being started."""

    model: str
    state: str


def list_models() -> ModelList:
    """List the known models, the demonstration model if it is here, and the one that runs."""
    current = services().host.model_name
    names = [*KNOWN_MODELS, *([DEMO_MODEL] if services().host.has_demo else [])]
    if current is not None and current not in names:
        names.append(current)
    return ModelList([_entry(name, current) for name in names])


def _entry(name: str, current: str | None) -> ModelEntry:
    folder, is_demo = models_folder() / name, False
    state: Literal["installed", "partial", "available"] = "installed"
    try:
        found = find_model(name)
        folder, is_demo = found.folder, found.is_demo
    except ModelNotFoundError:
        state = "partial" if folder.is_dir() and any(folder.iterdir()) else "available"
    if name == current:
        state, is_demo = "installed", services().host.is_demo
    num_bytes = sum(p.stat().st_size for p in folder.iterdir() if p.is_file()) if folder.is_dir() else 0
    return ModelEntry(name, state, num_bytes, name == current, is_demo)


def use_model(body: UseBody) -> UseReply:
    """Run another model; what is under way ends with a failure that may be retried. Errors: as ``find_model``."""
    if body.model != DEMO_MODEL and full_name(body.model) is None:
        # A path would let a caller feel about in the file system.
        raise InputError(
            f"{body.model} is no model's name.", hint="Use 2b, 4b, 8b, owner/model or mini.", field="model"
        )
    services().host.use(body.model)
    return UseReply(services().host.model_name or body.model, services().host.state)


def start_pull(body: PullBody) -> PullState:
    """Begin a download. Errors: ``ConflictError``, ``InputError``."""
    if body.source is not None and body.source not in ("auto", "modelscope", "hf"):
        raise InputError(
            "source must be auto, modelscope or hf.",
            hint="Addresses and folders are taken by `kandong pull --source` on the machine itself.",
            field="source",
        )
    if body.model is not None and full_name(body.model) is None:
        raise InputError(f"{body.model} is no model's name.", hint="Use 2b, 4b, 8b or owner/model.", field="model")
    return services().pulls.start(body.model, body.source)


def add_routes(routes: Routes) -> None:
    """Declare them."""
    routes.add("GET", "/api/models", scope="read", summary="Models that are here or can be had", gives=ModelList)(
        list_models
    )
    routes.add(
        "POST",
        "/api/models/use",
        scope="admin",
        summary="Run another model",
        takes=UseBody,
        gives=UseReply,
        status=202,
        errors=(400, 404),
    )(use_model)
    routes.add(
        "POST",
        "/api/models/pull",
        scope="admin",
        summary="Download a model",
        takes=PullBody,
        gives=PullState,
        status=202,
        errors=(400, 409),
    )(start_pull)

    @routes.add("GET", "/api/models/pull", scope="read", summary="How the download is", gives=PullState)
    def pull_state() -> PullState:
        return services().pulls.state

    @routes.add("DELETE", "/api/models/pull", scope="admin", summary="Cancel the download", gives=PullState)
    def cancel_pull() -> PullState:
        return services().pulls.cancel()
