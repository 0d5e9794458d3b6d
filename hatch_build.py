"""Makes sdist and wheel carry the built web page.

Owns: calling ``scripts/page_build.py`` at the right moments. An sdist brings page, sources and stamp, so a wheel made
of it needs no Node.js. Editable installs are left alone: they serve whatever ``make page`` built.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


def _page_build(root: Path) -> Any:
    spec = importlib.util.spec_from_file_location("kandong_page_build", root / "scripts" / "page_build.py")
    if spec is None or spec.loader is None:
        raise RuntimeError("scripts/page_build.py is missing.")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class PageBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Builds the page before a distribution is made, and refuses to make one without it."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called before a target is built; ``version`` is "editable" for ``pip install -e``."""
        del build_data
        if version == "editable":
            return
        root = Path(self.root)
        page_build = _page_build(root)
        page_build.ensure_page(root)
        page_build.check_page(root)
