"""Finds the browser that the page is tested in: ``python -m scripts.chromium``.

Owns: where to look, and installing Debian's where that is possible. Must not know: what is tested.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find_chromium() -> str | None:
    """Give the browser's path: what KANDONG_CHROMIUM names, else the first of the usual names on PATH."""
    named = os.environ.get("KANDONG_CHROMIUM")
    if named:
        return shutil.which(named)
    return next((found for name in _NAMES if (found := shutil.which(name))), None)


def install_chromium() -> None:
    """Install Debian's package with the fonts that Chinese needs, where we may; quietly does nothing elsewhere."""
    if os.name != "posix" or os.geteuid() != 0 or shutil.which("apt-get") is None:
        return
    for command in (["update"], ["install", "-y", "--no-install-recommends", "chromium", "fonts-noto-cjk"]):
        subprocess.run(["apt-get", "-qq", *command], stdout=subprocess.DEVNULL, check=False)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the path; with ``--install`` install it first if it is missing, and say loudly if it stays so."""
    parser = argparse.ArgumentParser(description="Find Chromium.")
    parser.add_argument("--install", action="store_true", help="install it with apt if it is missing")
    options = parser.parse_args(arguments)
    if find_chromium() is None and options.install:
        install_chromium()
    found = find_chromium()
    if found is None:
        print("=== SKIPPED: tests of the page in a browser, because Chromium is not installed ===", file=sys.stderr)
        print("    apt-get install chromium fonts-noto-cjk, or set KANDONG_CHROMIUM to a browser.", file=sys.stderr)
        return 0 if options.install else 1
    print(found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
