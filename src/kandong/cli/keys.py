"""``kandong keys``: who may use the service from elsewhere.

Owns: the subcommands and how they print. Must not know: how keys are stored.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from kandong.cli import options as o
from kandong.cli.output import write_json, write_out
from kandong.settings import data_folder, load_settings
from kandong.store.database import DATABASE_FILE, Database
from kandong.store.keys import ApiKey, KeyStore

keys = typer.Typer(help="Make, list and revoke API keys of `kandong serve`.", no_args_is_help=True)

Folder = Annotated[
    Path | None, typer.Option("--data-folder", metavar="PATH", help="As for `kandong serve`; default: by its settings.")
]


@contextmanager
def _store(folder: Path | None) -> Iterator[KeyStore]:
    settings = load_settings({"data_folder": folder})
    database = Database(data_folder(settings) / DATABASE_FILE)
    try:
        yield KeyStore(database)
    finally:
        database.close()


@keys.command()
def create(
    name: Annotated[str, typer.Argument(help="What the key is called.")],
    scope: Annotated[
        str, typer.Option(metavar="read|submit|admin", help="read looks, submit also asks, admin also changes models.")
    ] = "submit",
    owner: Annotated[
        str | None, typer.Option(help="Whose files and conversations it sees; default: the key's name.")
    ] = None,
    days: Annotated[float | None, typer.Option(help="Days until it expires; default: never.")] = None,
    requests_per_minute: Annotated[int | None, typer.Option(help="Its own limit; default: the service's.")] = None,
    max_in_flight: Annotated[
        int | None, typer.Option(help="Answers it may have under way; default: the service's limit.")
    ] = None,
    folder: Folder = None,
    as_json: o.AsJson = False,
) -> None:
    """Make a key and print it: this once, as only its sum is kept. A running service knows it within a second."""
    with _store(folder) as store:
        key, secret = store.create(
            name,
            scope,
            owner=owner,
            days=days,
            requests_per_minute=requests_per_minute,
            max_in_flight=max_in_flight,
        )
    if as_json:
        write_json(_plain(key) | {"key": secret})
    else:
        print("Keep it safe: it is shown only now.", file=sys.stderr)
        write_out(f"{secret}\n")


@keys.command("list")
def list_keys(folder: Folder = None, as_json: o.AsJson = False) -> None:
    """List keys with what they may do; the keys themselves are not kept."""
    with _store(folder) as store:
        listed = store.list()
    if as_json:
        write_json({"keys": [_plain(key) for key in listed]})
    elif not listed:
        write_out("There is no key: only this machine can use the service, and without one. `kandong keys create`\n")
    else:
        for key in listed:
            state = "live" if key.is_live() else "revoked" if key.revoked_s else "expired"
            used = _time(key.last_used_s) or "never"
            write_out(f"{key.name:20} {key.scope:7} {state:8} owner {key.owner}, last used {used}  {key.id}\n")


@keys.command()
def revoke(
    name: Annotated[str, typer.Argument(help="Name or id of the key.")],
    folder: Folder = None,
) -> None:
    """Make a key useless, within a second also in a running service."""
    with _store(folder) as store:
        key = store.revoke(name)
    write_out(f"{key.name}: revoked\n")


@keys.command()
def forget(folder: Folder = None) -> None:
    """Remove revoked and expired keys from the list; with none left, this machine needs no key again."""
    with _store(folder) as store:
        write_out(f"{store.forget_revoked()} forgotten\n")


def _plain(key: ApiKey) -> dict[str, object]:
    times = {name: _time(value) for name, value in asdict(key).items() if name.endswith("_s")}
    return {name: value for name, value in asdict(key).items() if not name.endswith("_s")} | {
        name.removesuffix("_s") + "_at": text for name, text in times.items()
    }


def _time(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
