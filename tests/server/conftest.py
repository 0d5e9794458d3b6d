"""A real application on a real engine: the golden checkpoint in a process of its own, shared by these tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from kandong.runtime.reading_child import ReadingChild
from kandong.runtime.supervisor import SupervisorOptions
from kandong.server.app import create_app
from kandong.server.engine_gate import SupervisedEngine
from kandong.server.opening import close_services, open_services
from kandong.server.services import Services
from kandong.settings import Settings
from tests.inspection import GOLDEN
from tests.runtime.engine_processes import QUICK

ENGINE = {"precision": "f32", "convert": False, "keep_features": False}


@pytest.fixture(scope="session")
def engine() -> Iterator[SupervisedEngine]:
    """The golden checkpoint, loaded. Do not stop it; tests that kill engines make their own."""
    gate = SupervisedEngine(str(GOLDEN / "tied"), SupervisorOptions(engine=ENGINE, restart=QUICK, drain_s=5.0)).start()
    gate.wait_ready(120)
    yield gate
    gate.stop()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of a service that keeps its files in the test's own folder; override it to change some."""
    return Settings(data_folder=tmp_path / "data")


@pytest.fixture(scope="session")
def reading() -> Iterator[ReadingChild]:
    """The process that reads pictures; starting it takes seconds, so these tests share it."""
    child = ReadingChild()
    yield child
    child.close()


@pytest.fixture
def services(settings: Settings, engine: SupervisedEngine, reading: ReadingChild) -> Iterator[Services]:
    """All long-lived parts, with a database of the test's own."""
    opened = open_services(settings, engine, reading)
    yield opened
    close_services(opened)


@pytest.fixture
def app(services: Services) -> Flask:
    """The application as ``kandong serve`` runs it."""
    return create_app(services)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """Requests without sockets."""
    return app.test_client()
