"""The names that clients may call the model by, and what they are told of it.

Owns: names, aliases, and the refusal of others. Must not know: how the model is run.
"""

from __future__ import annotations

import time
from typing import Literal

import msgspec

from kandong.errors import KandongError, ModelNotFoundError
from kandong.server.engine_gate import EngineGate

DEFAULT_NAME = "default"
_STARTED_S = int(time.time())
_MAX_SHOWN = 100


class ModelFacts(msgspec.Struct, frozen=True):
    """Whether it can answer now, and the other names that it goes by."""

    state: str
    aliases: list[str]


class ModelObject(msgspec.Struct, frozen=True):
    """A model that can be asked; ``created`` is when this service began."""

    id: str
    kandong: ModelFacts
    created: int
    owned_by: str = "kandong"
    object: Literal["model"] = "model"


class ModelList(msgspec.Struct, frozen=True):
    """All models that can be asked: one, or none while none is loaded."""

    data: list[ModelObject]
    object: Literal["list"] = "list"


def aliases_of(name: str) -> list[str]:
    """Give the other names of a model: without its organisation, in small letters, and ``default``."""
    base = name.rstrip("/").rpartition("/")[2] or name
    return [alias for alias in dict.fromkeys((base, base.lower(), name.lower(), DEFAULT_NAME)) if alias != name]


def model_objects(engine: EngineGate) -> list[ModelObject]:
    """Give what there is."""
    name = engine.model_name
    return [] if name is None else [ModelObject(name, ModelFacts(engine.state, aliases_of(name)), _STARTED_S)]


def checked_model(engine: EngineGate, asked: str | None) -> str:
    """Give the name of the model that is meant; without a name it is the one there is.

    Errors: ``ModelNotFoundError`` for another name; why there is none, if there is none.
    """
    _ = engine.config
    name = engine.model_name
    if name is None:
        raise KandongError("The model has no name.")
    if asked is not None and asked != name and asked not in aliases_of(name):
        raise ModelNotFoundError(
            f"There is no model {asked[:_MAX_SHOWN]!r} here; there is {name!r}.",
            hint=f"It may also be called {', '.join(aliases_of(name))}.",
            field="model",
        )
    return name
