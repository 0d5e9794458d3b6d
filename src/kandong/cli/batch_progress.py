"""The progress bar of commands that go through many files.

Owns: the bar on stderr. Must not know: what is done with a file.
"""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn


class BatchProgress:
    """A bar on stderr while files are worked on; silent where stderr is no terminal, or for a single file."""

    def __init__(self, what: str, num_files: int) -> None:
        console = Console(stderr=True)
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        if console.is_terminal and num_files > 1:
            columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
            self._bar = Progress(*columns, TimeRemainingColumn(), console=console, transient=True)
            self._task = self._bar.add_task(what, total=num_files)

    def __enter__(self) -> BatchProgress:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()

    def advance(self, name: str) -> None:
        """Count a file as done, and name it."""
        if self._bar and self._task is not None:
            self._bar.update(self._task, advance=1, description=name[-40:])
