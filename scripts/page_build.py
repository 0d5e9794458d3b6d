"""Builds the web page into the package, unless an equal build is there: ``python -m scripts.page_build``.

Owns: when a build is needed, and running npm. Must not know: what is on the page, how wheels are made. Standard library
only, because wheels are built with it too. The stamp is a digest of the page's sources and its lockfile.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MIN_NODE = (20, 19)
STAMP = "build-stamp.txt"
_SOURCES = ("src", "public", "index.html", "package.json", "package-lock.json", "tsconfig.json", "vite.config.ts")


class PageBuildError(Exception):
    """The page cannot be built; the message says what to do."""


def output_folder(root: Path = ROOT) -> Path:
    """Give the folder that the server serves."""
    return root / "src" / "kandong" / "server" / "page"


def source_stamp(root: Path = ROOT) -> str:
    """Give the digest of all that determines the build. Errors: ``PageBuildError`` if the sources are not there."""
    digest = hashlib.sha256()
    for name in _SOURCES:
        path = root / "web" / name
        files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        for file in files:
            if ".test." in file.name:
                continue
            if not file.is_file():
                raise PageBuildError(f"web/{name} is missing.")
            # Line ends may differ between a clone on Windows and one elsewhere; the page does not.
            content = file.read_bytes().replace(b"\r\n", b"\n")
            name_in_web = file.relative_to(root / "web").as_posix()
            digest.update(f"{name_in_web}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def is_fresh(root: Path = ROOT) -> bool:
    """Whether the built page is one of these very sources."""
    folder = output_folder(root)
    stamp = folder / STAMP
    return (folder / "index.html").is_file() and stamp.is_file() and stamp.read_text("utf-8") == source_stamp(root)


def node_problem() -> str | None:
    """Say why Node cannot be used here, or ``None`` if it can."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return "Node.js is not installed"
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.match(r"v(\d+)\.(\d+)", said)
    if found is None or (int(found[1]), int(found[2])) < MIN_NODE:
        return f"Node.js {said.strip()} is older than {MIN_NODE[0]}.{MIN_NODE[1]}"
    return None


def install_packages(root: Path = ROOT) -> None:
    """Run ``npm ci`` unless the installed packages are those of the lockfile. Errors: ``PageBuildError``."""
    web = root / "web"
    wanted = hashlib.sha256((web / "package-lock.json").read_bytes()).hexdigest()
    mark = web / "node_modules" / ".kandong-lock"
    if mark.is_file() and mark.read_text("utf-8") == wanted:
        return
    _npm(web, "ci", "--no-audit", "--no-fund")
    mark.write_text(wanted, "utf-8")


def ensure_page(root: Path = ROOT) -> bool:
    """Build the page if it is not there or not of these sources; gives whether it was built now.

    Errors: ``PageBuildError`` if it would have to be built and cannot be.
    """
    if is_fresh(root):
        return False
    if problem := node_problem():
        raise PageBuildError(
            f"The web page is not built, and {problem}. Install Node.js {MIN_NODE[0]}.{MIN_NODE[1]} or newer and run "
            "`make page`."
        )
    stamp = source_stamp(root)
    install_packages(root)
    _npm(root / "web", "run", "build")
    (output_folder(root) / STAMP).write_text(stamp, "utf-8")
    return True


def check_page(root: Path = ROOT) -> None:
    """Refuse to go on without a page. Errors: ``PageBuildError``: a wheel without it looks whole and serves nothing."""
    folder = output_folder(root)
    if not (folder / "index.html").is_file():
        raise PageBuildError("src/kandong/server/page/index.html is missing.")
    missing = [
        name
        for name in re.findall(r'(?:src|href)="\./([^"]+)"', (folder / "index.html").read_text("utf-8"))
        if not (folder / name).is_file()
    ]
    if missing:
        raise PageBuildError(f"The built page names files that are not there: {', '.join(missing)}.")


def _npm(folder: Path, *arguments: str) -> None:
    npm = shutil.which("npm")
    if npm is None or subprocess.run([npm, *arguments], cwd=folder, check=False).returncode:
        raise PageBuildError(f"`npm {' '.join(arguments)}` failed in web/.")


def main(arguments: Sequence[str] | None = None) -> int:
    """Build; or only install packages, or only say whether it could be built. Gives the exit code."""
    parser = argparse.ArgumentParser(description="Build the web page into the package.")
    parser.add_argument("--packages", action="store_true", help="only install npm packages")
    parser.add_argument("--can-build", action="store_true", help="only say whether Node.js is there")
    parser.add_argument("--if-possible", action="store_true", help="say why and go on where Node.js is not there")
    options = parser.parse_args(arguments)
    if options.can_build:
        return int(node_problem() is not None)
    try:
        if options.packages:
            install_packages()
        else:
            ensure_page()
            check_page()
    except PageBuildError as error:
        print(f"page: {error}", file=sys.stderr)
        return 0 if options.if_possible else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
