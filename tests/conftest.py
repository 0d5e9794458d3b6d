"""What every test gets: a cache folder of its own, so that nothing is written into the user's; a place for figures."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest

Figure = Callable[[str], None]
_FIGURES = pytest.StashKey[list[str]]()


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> Figure:
    """Note what a test measured; ``KANDONG_TEST_FIGURES=1`` shows all of it at the end (docs/reliability.md)."""
    figures = request.config.stash.setdefault(_FIGURES, [])
    return lambda text: figures.append(f"{request.node.name}: {text}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if os.environ.get("KANDONG_TEST_FIGURES"):
        terminalreporter.section("measured")
        for line in config.stash.get(_FIGURES, []):
            terminalreporter.write_line(line)


@pytest.fixture(scope="session", autouse=True)
def own_cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    before = os.environ.get("KANDONG_HOME")
    os.environ["KANDONG_HOME"] = str(tmp_path_factory.mktemp("kandong"))
    yield
    if before is None:
        del os.environ["KANDONG_HOME"]
    else:
        os.environ["KANDONG_HOME"] = before
