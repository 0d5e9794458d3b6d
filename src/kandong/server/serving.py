"""``kandong serve``: from settings to a web server that runs.

Owns: what must hold before anything is opened, and which web server carries the application. Must not know: either.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from kandong.errors import SettingError
from kandong.server.listening import check_bind, listen, url_of
from kandong.settings import Settings, data_folder
from kandong.store.database import DATABASE_FILE, Database
from kandong.store.keys import KeyStore


def serve(settings: Settings, say: Callable[[str], None], announce: Callable[[str], None]) -> None:
    """Serve until told to stop. ``announce`` hears the address; it can be reached from then on.

    Errors: ``SettingError`` for an address that is taken, or not safe; ``StorageError``.
    """
    server = settings.server
    if server == "auto":
        server = "waitress" if os.name == "nt" else "gunicorn"
    if server == "gunicorn" and os.name == "nt":
        raise SettingError("gunicorn does not run on Windows.", hint="Use --server waitress.", field="server")
    _check_data(settings)
    listener = listen(settings.host, settings.port)
    announce(url_of(listener))
    sys.stdout.flush()
    if server == "gunicorn":
        from kandong.server.gunicorn_server import run_gunicorn

        run_gunicorn(settings, listener, say)
    else:
        from kandong.server.waitress_server import run_waitress

        run_waitress(settings, listener, say)


def _check_data(settings: Settings) -> None:
    """Open the database once before anything is started, so that what is wrong with it is told in one line."""
    database = Database(data_folder(settings) / DATABASE_FILE)
    try:
        check_bind(settings.host, has_keys=KeyStore(database).has_live())
    finally:
        database.close()
