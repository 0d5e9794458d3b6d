"""What a person sees while an answer is on its way.

Owns: the progress line on stderr, and streaming text to stdout. Must not know: commands, models.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from types import TracebackType

from rich.console import Console
from rich.status import Status

from kandong.cli.output import write_out
from kandong.runtime.local import Answer, Event, Progress, TextPiece

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_STAGES = {"vision": "looking at the picture", "prefill": "reading the prompt"}


class ProgressLine:
    """A line on stderr that says what is being done; silent where stderr is no terminal."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._status: Status | None = None

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.clear()

    def say(self, text: str) -> None:
        """Show a text in place of the last one."""
        if not self._console.is_terminal:
            return
        if self._status is None:
            self._status = self._console.status(text)
            self._status.start()
        else:
            self._status.update(text)

    def show(self, progress: Progress) -> None:
        """Show how far a stage has come."""
        self.say(f"{_STAGES[progress.stage]} {100 * progress.num_done // max(progress.num_total, 1)} %")

    def clear(self) -> None:
        """Take the line away."""
        if self._status is not None:
            self._status.stop()
            self._status = None


def without_controls(text: str) -> str:
    """Replace control characters, except line ends and tabs: a picture must not steer the reader's terminal."""
    return _CONTROLS.sub("\ufffd", text)


def stream_to_stdout(events: Iterator[Event], line: ProgressLine, *, quiet: bool = False) -> Answer:
    """Print text as it comes, unless ``quiet``, with progress before it; gives the answer."""
    answer: Answer | None = None
    for event in events:
        if isinstance(event, Progress):
            line.show(event)
        elif isinstance(event, TextPiece):
            line.clear()
            if not quiet:
                write_out(without_controls(event.text) if sys.stdout.isatty() else event.text)
        elif isinstance(event, Answer):
            answer = event
    line.clear()
    assert answer is not None, "a stream ended without an answer"
    if not quiet:
        write_out("\n")
    return answer
