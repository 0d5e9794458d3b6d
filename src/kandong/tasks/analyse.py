"""The one entry to judging a post: several tasks at once, everything they share computed once, a report for each.

Owns: the order (read, ask the model side by side, conclude), the envelope of a report, progress. Must not know: what a
task does, HTTP, files. Without an engine every task does what OCR, codes and rules allow, and says what it left out.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, get_args

from kandong.errors import CancelledError, InputError, KandongError
from kandong.reading.reader import pipeline_digest, read_picture
from kandong.reading.report import ImageReading
from kandong.rules.packs import load_rules
from kandong.rules.rule import RuleBook
from kandong.runtime.conversation import AnsweringEngine
from kandong.tasks.answering import ask_jobs, conclude_ask
from kandong.tasks.case import Answers, Case, Conclusion, Mode, Options
from kandong.tasks.describe import blind_jobs, conclude_describe
from kandong.tasks.extraction import conclude_extract, extract_jobs
from kandong.tasks.moderation import conclude_moderate
from kandong.tasks.own_schema import check_schema
from kandong.tasks.post import Post, check_post
from kandong.tasks.prompt_files import Prompts, load_prompts
from kandong.tasks.report_cache import ReportCache, report_key
from kandong.tasks.reread import conclude_read, reread_jobs, reread_texts
from kandong.tasks.running import Job, JobProgress, run_jobs
from kandong.tasks.sentiment import conclude_sentiment, sentiment_jobs
from kandong.types import Picture
from kandong.vlm.request import Answer, Priority

Reader = Callable[[Picture, int], ImageReading]


@dataclass(frozen=True)
class TaskEvent:
    """How far a task is. ``stage``: reading, vision, prefill, writing, checking, done; ``num_total`` where known."""

    task: str
    stage: str
    num_done: int = 0
    num_total: int | None = None


@dataclass(frozen=True)
class _Task:
    jobs: tuple[Callable[[Case], dict[str, Job]], ...]
    conclude: Callable[[Case, Answers], Conclusion]


_TASKS: Final[Mapping[str, _Task]] = {
    "read": _Task((reread_jobs,), conclude_read),
    "ask": _Task((ask_jobs,), conclude_ask),
    "describe": _Task((blind_jobs,), conclude_describe),
    "moderate": _Task((blind_jobs,), conclude_moderate),
    "sentiment": _Task((blind_jobs, sentiment_jobs), conclude_sentiment),
    "extract": _Task((extract_jobs,), conclude_extract),
}
TASKS: Final = tuple(_TASKS)


def analyse(
    post: Post,
    tasks: Sequence[str] = TASKS,
    engine: AnsweringEngine | None = None,
    reader: Reader | None = read_picture,
    *,
    question: str | None = None,
    schema: Mapping[str, Any] | None = None,
    mode: Mode = "auto",
    rules: RuleBook | None = None,
    prompts: Prompts | None = None,
    model: Mapping[str, Any] | None = None,
    priority: Priority = Priority.INTERACTIVE,
    listener: Callable[[TaskEvent], None] = lambda _: None,
    cancel: threading.Event | None = None,
    cache: ReportCache | None = None,
) -> dict[str, dict[str, Any]]:
    """Judge a post by several tasks; gives a report in JSON values for each, in the order asked.

    ``engine`` answers requests (``None``: no model), ``reader`` reads a picture (``None``: no OCR). ``question`` is of
    ``ask`` (without one it analyses the post in 200 characters), ``schema`` of ``extract``, ``mode`` of ``read``.
    ``model`` (``{id, quant, sha256}``) goes into the reports. ``listener`` hears progress, from one thread at a time;
    ``cancel`` ends the work. With ``cache`` a report made before of the same content is given at once.
    Errors: ``InputError`` for an empty post, an unknown task or an empty question, ``GrammarError`` for a schema
    that cannot be enforced; ``CancelledError``. What fails within a task is in its report.
    """
    _check(post, tasks, question, mode)
    if schema is not None:
        check_schema(schema)
    start = time.perf_counter()
    options = Options(question, schema, mode)
    config = None if engine is None else engine.config
    case = Case(post, (), config, prompts or load_prompts(), rules or load_rules(), options)
    keys = {task: report_key(task, case, model, has_reader=reader is not None) for task in tasks}
    known = {} if cache is None else {task: report for task in tasks if (report := cache.get(keys[task]))}
    wanted = [task for task in dict.fromkeys(tasks) if task not in known]
    if wanted:
        readings, warnings = _read(post, reader, wanted, listener, cancel)
        case = replace(case, readings=readings)
        answers = _ask(case, wanted, engine, priority, listener, cancel)
        case = replace(case, reread=reread_texts(case, answers))
    reports: dict[str, dict[str, Any]] = {}
    for task in dict.fromkeys(tasks):
        if task in known:
            reports[task] = {**known[task], "cached": True}
        else:
            listener(TaskEvent(task, "checking"))
            conclusion = _TASKS[task].conclude(case, answers)
            took_ms = 1e3 * (time.perf_counter() - start)
            reports[task] = _envelope(task, case, conclusion, warnings, model, took_ms)
            if cache is not None and reports[task]["status"] == "ok":
                cache.put(keys[task], reports[task])
        listener(TaskEvent(task, "done"))
    return reports


def _check(post: Post, tasks: Sequence[str], question: str | None, mode: str) -> None:
    check_post(post)
    if not tasks:
        raise InputError("No task is asked for.", hint=f"Choose of {', '.join(TASKS)}.", field="tasks")
    for i, task in enumerate(tasks):
        if task not in _TASKS:
            raise InputError(f"There is no task {task!r}.", hint=f"Choose of {', '.join(TASKS)}.", field=f"tasks[{i}]")
    if question is not None and not question.strip():
        raise InputError("The question is empty.", hint="Ask something, for example 价格是多少？", field="question")
    if mode not in get_args(Mode):
        raise InputError(f"There is no mode {mode!r}.", hint="Use fast, auto or model.", field="mode")


def _read(
    post: Post,
    reader: Reader | None,
    tasks: Sequence[str],
    listener: Callable[[TaskEvent], None],
    cancel: threading.Event | None,
) -> tuple[tuple[ImageReading | None, ...], tuple[str, ...]]:
    """Read each picture; one that fails is ``None`` and named in a warning."""
    readings: list[ImageReading | None] = []
    warnings = []
    for index, picture in enumerate(post.pictures):
        if cancel is not None and cancel.is_set():
            raise CancelledError("The analysis was cancelled.")
        for task in tasks:
            listener(TaskEvent(task, "reading", index, len(post.pictures)))
        try:
            readings.append(None if reader is None else reader(picture, index))
        except KandongError as error:
            readings.append(None)
            warnings.append(f"图{index + 1}没有读成（{error.code}）")
    return tuple(readings), tuple(warnings)


def _ask(
    case: Case,
    tasks: Sequence[str],
    engine: AnsweringEngine | None,
    priority: Priority,
    listener: Callable[[TaskEvent], None],
    cancel: threading.Event | None,
) -> dict[str, Answer | KandongError]:
    """Run what the tasks want of the model, each request once, whoever wants it."""
    if engine is None:
        return {}
    jobs: dict[str, Job] = {}
    owners: dict[str, list[str]] = {}
    for task in tasks:
        for plan in _TASKS[task].jobs:
            for name, job in plan(case).items():
                jobs.setdefault(name, job)
                owners.setdefault(name, []).append(task)

    def hear(progress: JobProgress) -> None:
        stage = "writing" if progress.stage == "done" else progress.stage
        for task in owners.get(progress.name, tasks):
            listener(TaskEvent(task, stage, progress.num_done, progress.num_total))

    answers = run_jobs(engine, jobs, beginning=case.beginning(), priority=priority, listener=hear, cancel=cancel)
    if cancel is not None and cancel.is_set():
        raise CancelledError("The analysis was cancelled.")
    return answers


def _envelope(
    task: str,
    case: Case,
    conclusion: Conclusion,
    warnings: Sequence[str],
    model: Mapping[str, Any] | None,
    took_ms: float,
) -> dict[str, Any]:
    is_partial = bool(conclusion.unchecked or warnings) and task != "moderate"
    is_asked = case.has_model and bool(conclusion.prompts)
    failed_reading = any(reading is None for reading in case.readings)
    status = "failed" if conclusion.is_failed else ("partial" if is_partial or failed_reading else "ok")
    return {
        "post_id": case.post.id,
        "platform": case.post.platform,
        "task": task,
        "status": status,
        "result": conclusion.result,
        "warnings": [*warnings, *conclusion.warnings],
        "unchecked": list(conclusion.unchecked),
        "model": dict(model) if model is not None and is_asked else None,
        "engines": {"reading": pipeline_digest()} if case.known_readings else {},
        "rules_version": case.rules.version if task == "moderate" else None,
        "prompt_version": case.prompts.version(*conclusion.prompts) if is_asked else None,
        "input_sha256": [picture.digest for picture in case.post.pictures],
        "took_ms": round(took_ms, 1),
        "cached": False,
    }
