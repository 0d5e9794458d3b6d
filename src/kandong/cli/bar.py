"""A progress bar on stderr that is not there where nobody would see it.

Owns: when there is a bar, and its beginning and end. Must not know: what is counted.
"""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import Progress, ProgressColumn, TaskID


class StderrBar:
    """Something to be entered; ``_bar`` is ``None`` where stderr is no terminal or no bar is wanted."""

    def __init__(self, *columns: ProgressColumn, is_wanted: bool = True) -> None:
        console = Console(stderr=True)
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        if console.is_terminal and is_wanted:
            self._bar = Progress(*columns, console=console, transient=True)

    def __enter__(self) -> Self:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()
