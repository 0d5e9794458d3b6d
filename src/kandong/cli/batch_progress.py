"""The progress bar of commands that go through many files.

Owns: the bar on stderr. Must not know: what is done with a file.
"""

from __future__ import annotations

from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

from kandong.cli.bar import StderrBar


class BatchProgress(StderrBar):
    """A bar on stderr while files are worked on; silent where stderr is no terminal, or for a single file."""

    def __init__(self, what: str, num_files: int) -> None:
        text = TextColumn("{task.description}", markup=False)
        super().__init__(text, BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), is_wanted=num_files > 1)
        if self._bar:
            self._task = self._bar.add_task(what, total=num_files)

    def advance(self, name: str) -> None:
        """Count a file as done, and name it."""
        if self._bar and self._task is not None:
            self._bar.update(self._task, advance=1, description=name[-40:])
