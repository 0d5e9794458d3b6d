"""How a measuring process talks with the bench: JSON lines on stdin and stdout.

Owns: the lines and what their numbers mean. Must not know: Kandong, any peer, how numbers are compared. It runs in
every peer's own environment, so it needs the standard library alone.

The first line that comes out is ``{"event": "ready", "versions": {…}, "about": TEXT}``, when a question may come.
Each line in is a question about a new picture, ``{"picture": PATH, "prompt": TEXT, "max_tokens": N}``; it is answered
greedily with exactly N tokens, and the line out is ``Reply`` as an object, or ``{"error": TEXT}``. A process that does
workloads takes ``{"task": NAME, …}`` instead; the other fields and the reply are the task's own. The end of the
input ends the process. Nothing else may write to stdout: it is moved aside, and what libraries print goes to stderr.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TextIO


@dataclass(frozen=True)
class Question:
    """What is asked; the picture is a file of RGB pixels whose sides are multiples of 32."""

    picture: Path
    prompt: str
    max_tokens: int


@dataclass(frozen=True)
class Reply:
    """Times of one answer, all by the clock of the process that gave it, pictures already decoded to RGB.

    ``vision_ms`` is everything from RGB pixels to features for the language model: resizing, patches and the tower.
    ``prefill_ms`` is the language model over the whole prompt. ``first_token_ms`` counts from the question to the
    first token, tokenising included. ``token_ms`` is the mean of the tokens after the first, None if there is none.
    """

    vision_ms: float
    prefill_ms: float
    first_token_ms: float
    token_ms: float | None
    num_prompt_tokens: int
    num_generated_tokens: int


Ask = Callable[[Question], Reply]
Fields = Mapping[str, Any]
Task = Callable[[Fields], Mapping[str, object]]


def serve(load: Callable[[], tuple[Ask, Mapping[str, str], str]]) -> None:
    """Load the peer, say that it is ready, and answer line by line until the input ends.

    ``load`` gives the function that answers, the versions of what is measured, and a line about its settings.
    """

    def load_answer() -> tuple[Task, Mapping[str, str], str]:
        ask, versions, about = load()

        def answer(fields: Fields) -> Mapping[str, object]:
            question = Question(Path(fields["picture"]), str(fields["prompt"]), int(fields["max_tokens"]))
            return asdict(ask(question))

        return answer, versions, about

    _serve_lines(load_answer)


def serve_tasks(load: Callable[[], tuple[Mapping[str, Task], Mapping[str, str], str]]) -> None:
    """Do the same for workloads: ``load`` gives the tasks by name."""

    def load_answer() -> tuple[Task, Mapping[str, str], str]:
        tasks, versions, about = load()
        return lambda fields: tasks[fields["task"]](fields), versions, about

    _serve_lines(load_answer)


def _serve_lines(load: Callable[[], tuple[Task, Mapping[str, str], str]]) -> None:
    replies = take_stdout()
    answer, versions, about = load()
    _write(replies, {"event": "ready", "versions": dict(versions), "about": about})
    for line in sys.stdin:
        try:
            reply = answer(json.loads(line))
        except Exception as error:  # noqa: BLE001 (the bench reports whatever a peer raises, and goes on)
            reply = {"error": f"{type(error).__name__}: {error}"}
        _write(replies, reply)


def take_stdout() -> TextIO:
    """Keep the real stdout for the lines and let everything else, C++ included, write to stderr."""
    kept = os.dup(1)
    os.dup2(2, 1)
    return os.fdopen(kept, "w", encoding="utf-8", newline="\n")


def _write(replies: TextIO, reply: Mapping[str, object]) -> None:
    replies.write(json.dumps(reply, ensure_ascii=False) + "\n")
    replies.flush()
