"""Opens the long-lived parts of the web process, and closes them.

Owns: their order and where their files lie. Must not know: routes, sockets.
"""

from __future__ import annotations

from pathlib import Path

from kandong.server.services import EngineGate, Services
from kandong.settings import Settings, home_folder
from kandong.store.database import Database

DATABASE_FILE = "kandong.db"


def data_folder(settings: Settings) -> Path:
    """Give the folder of everything that the service keeps."""
    return settings.data_folder or home_folder() / "data"


def open_services(settings: Settings, engine: EngineGate) -> Services:
    """Open database and stores around an engine. Errors: ``StorageError``."""
    database = Database(data_folder(settings) / DATABASE_FILE)
    return Services(settings=settings, database=database, engine=engine)


def close_services(services: Services) -> None:
    """Close what ``open_services`` opened; the engine is its owner's to end."""
    services.database.close()
