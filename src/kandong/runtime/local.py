"""Kandong in this process: the class behind ``import kandong`` and the command line.

Owns: finding and loading a model with checked options, and an answer as plain values. Must not know: terminals, HTTP,
graphs.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterator
from typing import Any

from kandong.errors import CheckpointError, InputError, KandongError
from kandong.models.catalogue import FoundModel, features_folder, find_model
from kandong.runtime.conversation import Chat, PictureSource, PictureSources, last_answer, read_picture
from kandong.runtime.engine_process import EngineProcess
from kandong.runtime.prepared import discard_damaged, prepare_model
from kandong.vlm.device import Compute, Precision
from kandong.vlm.engine import Engine, EngineOptions
from kandong.vlm.request import Answer, Event, HistoryLimits, Progress, TextPiece

__all__ = [
    "Answer",
    "Chat",
    "Event",
    "HistoryLimits",
    "Kandong",
    "PictureSource",
    "Progress",
    "TextPiece",
    "last_answer",
    "read_picture",
]


class Kandong:
    """A loaded model that answers questions about pictures.

    >>> kd = Kandong("path-or-name")                        # doctest: +SKIP
    >>> kd.ask(["card.png"], "价格是多少？").text            # doctest: +SKIP
    """

    def __init__(
        self,
        model: str | os.PathLike[str] | None = None,
        *,
        precision: str = "auto",
        compute: str | None = None,
        num_threads: int | None = None,
        context_tokens: int = 32_768,
        kv_cache_bytes: int | None = None,
        prefix_cache_bytes: int = EngineOptions.prefix_cache_bytes,
        convert: bool = True,
        keep_features: bool = True,
        process: bool = False,
        report: Callable[[str], None] | None = None,
    ) -> None:
        """Load a model folder or a model known by name; ``report`` hears what is being done.

        A checkpoint is converted once, into the cache folder, and mapped from there at later starts; with ``convert``
        False nothing is written, and the weights are quantised in memory each time. With ``keep_features`` what the
        model saw of a picture is kept in the cache folder, so that later starts need not look at it again.

        Keys and values get ``kv_cache_bytes`` (one context, or a quarter of the free memory), of which
        ``prefix_cache_bytes`` may keep what was computed for ended answers: more for many conversations at once.

        With ``process`` the engine runs in a process of its own, which is started again if it dies; see ``close``.

        Errors: ``ModelNotFoundError``, ``CheckpointError``; ``InputError`` for an option out of range.
        """
        arguments = {name: value for name, value in locals().items() if name not in ("self", "report", "process")}
        options = EngineOptions(
            precision=precision_of(precision),
            compute=None if compute is None else _choice(Compute, compute, "compute"),
            num_threads=_at_least(num_threads, 1, "num_threads"),
            context_tokens=_at_least(context_tokens, 64, "context_tokens") or 0,
            kv_cache_bytes=_at_least(kv_cache_bytes, 1, "kv_cache_bytes"),
            prefix_cache_bytes=_at_least(prefix_cache_bytes, 0, "prefix_cache_bytes") or 0,
            feature_folder=features_folder() if keep_features else None,
        )
        say = report or (lambda _: None)
        found = find_model(model)
        self.model_name, self.is_demo = found.name, found.is_demo
        self._engine: Engine | EngineProcess
        if process:
            self._engine = EngineProcess(found.folder, arguments | {"model": str(found.folder)}, say)
        else:
            self._engine = _load(found, options, say) if convert else Engine(found.folder, options, say)

    @property
    def engine(self) -> Engine:
        """The engine, if it runs in this process. Errors: ``KandongError`` if it runs in one of its own."""
        if isinstance(self._engine, EngineProcess):
            raise KandongError("This engine runs in a process of its own.", hint="Use stream, ask and chat.")
        return self._engine

    def close(self) -> None:
        """End the engine's process, if it has one of its own; what is under way there is cancelled. Idempotent."""
        if isinstance(self._engine, EngineProcess):
            self._engine.close()

    def __enter__(self) -> Kandong:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def ask(self, pictures: PictureSources, question: str, **options: Any) -> Answer:
        """Ask one question about pictures (paths, bytes or ``Picture``) and wait for the answer.

        ``options``: ``system``, ``min_image_tokens``, ``max_image_tokens``, the fields of ``SamplingParameters``; what
        the answer must look like, one of ``json_schema``, ``json_object``, ``regex``, ``choices``; and
        ``draft_sources``, texts that it is likely to copy, which make it faster and never different.
        Errors: ``PictureError``, ``InputError``, ``GrammarError``, ``PromptTooLongError``.
        """
        return last_answer(self.stream(pictures, question, **options))

    def stream(self, pictures: PictureSources, question: str, **options: Any) -> Iterator[Event]:
        """Ask one question and receive progress, text and finally the ``Answer``; close it to cancel."""
        return self.chat(pictures, system=options.pop("system", None)).stream(question, **options)

    def chat(
        self, pictures: PictureSources = (), *, system: str | None = None, history: HistoryLimits | None = None
    ) -> Chat:
        """Begin a conversation about pictures; they stand before the first question.

        When it outgrows the context, or the budget of ``history``, the oldest rounds are left out, never a picture.
        """
        return Chat(self._engine, pictures, system, history)

    def describe(self, answer: Answer) -> dict[str, Any]:
        """Give an answer as plain JSON values, with model, precision, token counts, grids and times.

        ``demo`` is true for every answer of the miniature: it is a demonstration, not to be relied on.
        """
        timings = {name.removesuffix("_ms"): round(ms, 1) for name, ms in dataclasses.asdict(answer.timings).items()}
        return {
            "answer": answer.text,
            "finish_reason": answer.finish_reason,
            "stopped_by": answer.stopped_by,
            "model": self.model_name,
            "demo": self.is_demo,
            "precision": str(self._engine.numerics.weights),
            "compute": str(self._engine.numerics.compute),
            "usage": {
                "prompt_tokens": answer.num_prompt_tokens,
                "picture_tokens": answer.num_picture_tokens,
                "completion_tokens": answer.num_generated_tokens,
                "cached_tokens": answer.counts.num_cached_tokens,
            },
            "dropped_rounds": answer.counts.num_dropped_rounds,
            "pictures": [
                {
                    "width_px": picture.width_px,
                    "height_px": picture.height_px,
                    "grid": [picture.grid_rows, picture.grid_columns],
                    "tokens": picture.num_tokens,
                    "cached": picture.is_cached,
                    "origin": picture.origin,
                }
                for picture in answer.pictures
            ],
            "timings_ms": {"load": round(self._engine.load_ms, 1), **timings},
        }


def _load(found: FoundModel, options: EngineOptions, report: Callable[[str], None]) -> Engine:
    """Load the conversion of a model; one that is damaged is made again from the original, once."""
    prepared = prepare_model(found, options.precision, report)
    try:
        return Engine(prepared, options, report)
    except CheckpointError:
        if prepared == found.folder or not discard_damaged(prepared):
            raise
        report("the converted model is damaged: converting again")
        return Engine(prepare_model(found, options.precision, report), options, report)


def precision_of(name: str) -> Precision:
    """Turn a precision's name into the value. Errors: ``InputError`` naming the known ones."""
    precision: Precision = _choice(Precision, name, "precision")
    return precision


def _choice(kind: Any, value: str, name: str) -> Any:
    try:
        return kind(value)
    except ValueError:
        raise InputError(f"{name} is {value!r}, it must be one of {', '.join(kind)}.", field=name) from None


def _at_least(value: int | None, low: int, name: str) -> int | None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < low):
        raise InputError(f"{name} is {value!r}, it must be a whole number of at least {low}.", field=name)
    return value
