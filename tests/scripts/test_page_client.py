"""The page's types are those of the server's routes."""

from __future__ import annotations

import pytest

from scripts.page_build import ROOT, node_problem
from scripts.page_client import SCHEMA, page_types


def test_the_types_of_the_page_are_fresh() -> None:
    if node_problem() or not (ROOT / "web" / "node_modules" / "openapi-typescript").is_dir():
        pytest.skip("THE PAGE'S TYPES WERE NOT COMPARED: Node.js or the page's packages are missing; make page-check")
    assert SCHEMA.read_text("utf-8") == page_types(), "run `make client`"
