"""What `make serve` runs: builds the web page where that is needed and possible, then serves page and API.

Owns: when the page is built. Must not know: how it is built, the service.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from kandong.cli.main import main

ROOT = Path(__file__).resolve().parent.parent
WEB = ROOT / "web"
INDEX = ROOT / "src" / "kandong" / "server" / "page" / "index.html"
_SKIPPED = {"node_modules", "test-results", "playwright-report"}


def is_stale() -> bool:
    """Whether there is no built page, or one older than its sources."""
    if not INDEX.is_file():
        return True
    built = INDEX.stat().st_mtime
    sources = (path for path in WEB.rglob("*") if path.is_file() and not _SKIPPED & set(path.parts))
    return any(path.stat().st_mtime > built for path in sources)


def build_page() -> bool:
    """Build the page with Node.js; False if that is not here, or the build failed."""
    npm = shutil.which("npm")
    if npm is None or not (WEB / "package.json").is_file():
        return False
    steps = [[npm, "run", "build"]]
    if not (WEB / "node_modules").is_dir():
        steps.insert(0, [npm, "ci", "--no-audit", "--no-fund"])
    print("building the page", file=sys.stderr)
    return all(subprocess.run(step, cwd=WEB, stdout=sys.stderr, check=False).returncode == 0 for step in steps)


def run() -> int:
    """Serve, with the newest page that can be had."""
    if is_stale() and not build_page():
        told = "with the page as it was built before" if INDEX.is_file() else "the API alone"
        print(f"The page was not built (Node.js 20 or newer does it): serving {told}.", file=sys.stderr)
    print("Open the address below and choose a sample picture; Ctrl-C ends it.", file=sys.stderr)
    return main(["serve", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(run())
