"""Opens the long-lived parts of the web process, and closes them.

Owns: their order and where their files lie. Must not know: routes, sockets.
"""

from __future__ import annotations

from kandong.server.admission import Admission, AdmissionLimits
from kandong.server.admitted_engine import AdmittedEngine
from kandong.server.engine_gate import SupervisedEngine
from kandong.server.pulls import Pulls
from kandong.server.rate_limits import RateLimits
from kandong.server.readings import Readings
from kandong.server.services import Services
from kandong.settings import Settings, data_folder
from kandong.store.audit import AuditLog
from kandong.store.database import DATABASE_FILE, Database
from kandong.store.keys import KeyStore
from kandong.store.readings import KeptReadings


def open_services(settings: Settings, host: SupervisedEngine) -> Services:
    """Open database and stores around an engine. Errors: ``StorageError``."""
    database = Database(data_folder(settings) / DATABASE_FILE)
    limits = AdmissionLimits(
        max_wait_s=settings.max_wait_s,
        max_in_flight=settings.max_in_flight,
        max_long_requests=settings.web_threads - settings.reserved_threads,
    )
    keys = KeyStore(database)
    admission = Admission(limits, keys.max_in_flight)
    return Services(
        settings=settings,
        database=database,
        engine=AdmittedEngine(host, admission),
        host=host,
        admission=admission,
        keys=keys,
        rates=RateLimits(),
        audit=AuditLog(database, settings.audit_days),
        readings=Readings(KeptReadings(database)),
        pulls=Pulls(host),
    )


def close_services(services: Services) -> None:
    """Close what ``open_services`` opened; the engine is its owner's to end."""
    services.pulls.cancel()
    services.readings.close()
    services.audit.close()
    services.database.close()
