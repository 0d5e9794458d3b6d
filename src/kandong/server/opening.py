"""Opens the long-lived parts of the web process, and closes them.

Owns: their order and where their files lie. Must not know: routes, sockets.
"""

from __future__ import annotations

from kandong.runtime.decoder import MAX_FILE_BYTES, DecoderOptions, SafeDecoder
from kandong.runtime.reading_child import ReadingChild
from kandong.server.admission import Admission, AdmissionLimits
from kandong.server.admitted_engine import AdmittedEngine
from kandong.server.archive import Archives
from kandong.server.assisting import Assistant
from kandong.server.check_up import CheckUp
from kandong.server.engine_gate import SupervisedEngine
from kandong.server.generations import Generations
from kandong.server.housekeeping import Housekeeping
from kandong.server.pulls import Pulls
from kandong.server.rate_limits import RateLimits
from kandong.server.readings import Readings
from kandong.server.services import Services
from kandong.server.warming import Warmings
from kandong.settings import Settings, data_folder
from kandong.store.audit import AuditLog
from kandong.store.conversations import Conversations
from kandong.store.database import DATABASE_FILE, Database
from kandong.store.files import Files
from kandong.store.generations import StoredGenerations
from kandong.store.idempotency import IdempotentAnswers
from kandong.store.keys import KeyStore
from kandong.store.media import MediaFolder
from kandong.store.messages import Messages
from kandong.store.readings import KeptReadings

MEDIA_FOLDER = "media"


def open_services(settings: Settings, host: SupervisedEngine, reading: ReadingChild | None = None) -> Services:
    """Open database and stores around an engine; ``reading`` is a process to share. Errors: ``StorageError``."""
    database = Database(data_folder(settings) / DATABASE_FILE)
    files = Files(database, MediaFolder(data_folder(settings) / MEDIA_FOLDER, database, settings.max_media_bytes))
    IdempotentAnswers(database).forget_unfinished()
    conversations, messages = Conversations(database, files), Messages(database, files)
    limits = AdmissionLimits(
        max_wait_s=settings.max_wait_s,
        max_in_flight=settings.max_in_flight,
        max_long_requests=settings.web_threads - settings.reserved_threads,
    )
    keys = KeyStore(database)
    admission = Admission(limits, keys.max_in_flight)
    engine = AdmittedEngine(host, admission)
    stored = StoredGenerations(database)
    stored.interrupt_all()  # what an earlier life of the service did not end
    readings = Readings(KeptReadings(database), reading)
    assistant = Assistant(readings, host)
    generations = Generations(
        stored,
        messages,
        files.media,
        engine,
        max_running=settings.web_threads,
        is_draining=lambda: admission.is_draining,
        prepare=assistant.prepare,
    )
    decoder = SafeDecoder(DecoderOptions(max_bytes=MAX_FILE_BYTES))  # uploads have their own, smaller cap
    return Services(
        settings=settings,
        database=database,
        engine=engine,
        host=host,
        admission=admission,
        files=files,
        decoder=decoder,
        warmings=Warmings(engine),
        conversations=conversations,
        messages=messages,
        generations=generations,
        archives=Archives(conversations, messages, files, decoder),
        housekeeping=Housekeeping(conversations, files, generations).start(),
        keys=keys,
        rates=RateLimits(),
        audit=AuditLog(database, settings.audit_days),
        readings=readings,
        assistant=assistant,
        pulls=Pulls(host),
        check_up=CheckUp(settings.model),
    )


def close_services(services: Services) -> None:
    """Close what ``open_services`` opened; the engine is its owner's to end."""
    services.pulls.cancel()
    services.generations.close()
    services.housekeeping.close()
    services.audit.close()
    services.decoder.close()
    services.readings.close()
    services.database.close()
