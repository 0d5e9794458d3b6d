"""What every test gets: a cache folder of its own, so that nothing is written into the user's."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def own_cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    before = os.environ.get("KANDONG_HOME")
    os.environ["KANDONG_HOME"] = str(tmp_path_factory.mktemp("kandong"))
    yield
    if before is None:
        del os.environ["KANDONG_HOME"]
    else:
        os.environ["KANDONG_HOME"] = before
