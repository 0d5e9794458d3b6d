"""Opens the long-lived parts of the web process, and closes them.

Owns: their order and where their files lie. Must not know: routes, sockets.
"""

from __future__ import annotations

from pathlib import Path

from kandong.server.admission import Admission, AdmissionLimits
from kandong.server.admitted_engine import AdmittedEngine
from kandong.server.engine_gate import SupervisedEngine
from kandong.server.services import Services
from kandong.settings import Settings, home_folder
from kandong.store.database import Database

DATABASE_FILE = "kandong.db"


def data_folder(settings: Settings) -> Path:
    """Give the folder of everything that the service keeps."""
    return settings.data_folder or home_folder() / "data"


def open_services(settings: Settings, host: SupervisedEngine) -> Services:
    """Open database and stores around an engine. Errors: ``StorageError``."""
    database = Database(data_folder(settings) / DATABASE_FILE)
    limits = AdmissionLimits(
        max_wait_s=settings.max_wait_s,
        max_in_flight=settings.max_in_flight,
        max_long_requests=settings.web_threads - settings.reserved_threads,
    )
    admission = Admission(limits)
    return Services(
        settings=settings,
        database=database,
        engine=AdmittedEngine(host, admission),
        host=host,
        admission=admission,
    )


def close_services(services: Services) -> None:
    """Close what ``open_services`` opened; the engine is its owner's to end."""
    services.database.close()
