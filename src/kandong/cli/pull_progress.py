"""What a person sees while a model is fetched.

Owns: the bar on a terminal, and one line for each finished file elsewhere. Must not know: where the bytes come from.
"""

from __future__ import annotations

import sys

from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from kandong.cli.bar import StderrBar
from kandong.models.pull import Watcher
from kandong.models.sources import RemoteFile


class PullProgress(StderrBar, Watcher):
    """Shows a pull on stderr."""

    def __init__(self) -> None:
        text = TextColumn("{task.description}", markup=False)
        super().__init__(text, BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())

    def tell(self, text: str) -> None:
        """Show a line, above the bar if there is one."""
        if self._bar:
            self._bar.console.print(text, markup=False, highlight=False)
        else:
            print(text, file=sys.stderr)

    def begin(self, what: str, total_bytes: int) -> None:
        """Begin a new bar."""
        if self._bar:
            if self._task is not None:
                self._bar.remove_task(self._task)
            self._task = self._bar.add_task(what, total=total_bytes)

    def advance(self, num_bytes: int) -> None:
        """Move the bar."""
        if self._bar and self._task is not None:
            self._bar.advance(self._task, num_bytes)

    def finished(self, file: RemoteFile) -> None:
        """Name a file that is done, where there is no bar to see."""
        if self._bar:
            return
        checked = "" if file.sha256 or file.git_sha1 else "; size only: the source gives no sum"
        print(f"{file.name}: {file.size_bytes:,} bytes{checked}", file=sys.stderr)
