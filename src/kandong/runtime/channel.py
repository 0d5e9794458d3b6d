"""Where the engine's process is met: a private folder, a state file in it, and sockets that only its owner can reach.

Owns: the folder's layout, how a socket is bound or connected, and who may connect. Must not know: messages.

On POSIX the socket is a file in a folder that only this user may enter. Elsewhere, or with ``transport="tcp"``, it is a
port of the loopback interface that speaks CURVE: the keys lie in the folder, and only the one client key is let in.

    engine.json           state of the engine, written by the supervisor; its time of change is the supervisor's pulse
    worker-<n>.json       endpoint of the n-th process, written by it once it can be reached
    failure-<n>.json      why it could not load its engine
    engine-<n>.ipc        its socket
    journal, suspects.json  see quarantine.py
"""

from __future__ import annotations

import contextlib
import hmac
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any, Literal

import msgspec
import zmq
from zmq.utils import z85

from kandong.errors import EngineUnavailableError, InputError
from kandong.runtime.messages import MAX_PIXELS_BYTES
from kandong.typed_values import from_json

Transport = Literal["ipc", "tcp"]
EngineState = Literal["starting", "ready", "restarting", "unavailable", "failed", "stopped"]
_MAX_IPC_PATH_BYTES = 100  # sockaddr_un holds 108 on Linux, 104 on macOS
_FOLDER_PREFIX = "kandong-engine-"
_STALE_AFTER_S = 24 * 3600
_SILENT_AFTER_S = 60
_ZAP_ENDPOINT = "inproc://zeromq.zap.01"


class Keys(msgspec.Struct, frozen=True):
    """CURVE keys (Z85) of the loopback transport: the process's pair and the pair that clients share."""

    server_public: str
    server_secret: str
    client_public: str
    client_secret: str

    @classmethod
    def generate(cls) -> Keys:
        """Make fresh keys."""
        server, client = zmq.curve_keypair(), zmq.curve_keypair()
        return cls(server[0].decode(), server[1].decode(), client[0].decode(), client[1].decode())


class StateFile(msgspec.Struct, frozen=True):
    """What ``engine.json`` holds. ``retry_at_s`` is wall-clock time."""

    state: EngineState
    generation: int = 0
    endpoint: str | None = None
    keys: Keys | None = None
    supervisor_id: int | None = None
    num_restarts: int = 0
    retry_at_s: float | None = None
    error: dict[str, Any] | None = None


class WorkerFile(msgspec.Struct, frozen=True):
    """What ``worker-<n>.json`` holds."""

    endpoint: str
    process_id: int


def default_transport() -> Transport:
    """Give the transport of this platform."""
    return "ipc" if os.name == "posix" and zmq.has("ipc") else "tcp"


def make_private_folder() -> Path:
    """Make a new folder that only this user may enter. Errors: ``EngineUnavailableError`` if there is no place."""
    for root in (os.environ.get("XDG_RUNTIME_DIR"), tempfile.gettempdir(), "/tmp"):
        if not root or not Path(root).is_dir():
            continue
        _remove_stale_folders(Path(root))
        with contextlib.suppress(OSError):
            folder = Path(tempfile.mkdtemp(prefix=_FOLDER_PREFIX, dir=root))
            if len(os.fsencode(folder / "engine-99999.ipc")) <= _MAX_IPC_PATH_BYTES or os.name != "posix":
                return folder
            folder.rmdir()
    raise EngineUnavailableError("No folder for the engine's socket can be made.", hint="Make room in the temp folder.")


def _remove_stale_folders(root: Path) -> None:
    """Remove folders of supervisors that were killed: no pulse, and no such process, or for a day no pulse."""
    for path in root.glob(f"{_FOLDER_PREFIX}*/engine.json"):
        with contextlib.suppress(OSError):
            silence_s = time.time() - path.stat().st_mtime
            # A process of another container is not seen, but has a pulse.
            if silence_s > _STALE_AFTER_S or (silence_s > _SILENT_AFTER_S and _is_dead(read_state(path.parent))):
                shutil.rmtree(path.parent, ignore_errors=True)


def _is_dead(state: StateFile | None) -> bool:
    """Whether the supervisor is surely gone."""
    if os.name != "posix" or state is None or state.supervisor_id is None:
        return False
    try:
        os.kill(state.supervisor_id, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def check_private_folder(folder: Path) -> None:
    """Refuse a folder that others may enter. Errors: ``InputError``."""
    if os.name != "posix" or not folder.is_dir():
        return
    status = folder.stat()
    if status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise InputError(
            "The engine's folder is open to other users.",
            hint="Let only its owner enter it (mode 0700).",
            field="folder",
        )


def remove_private_folder(folder: Path) -> None:
    """Remove the folder with all that is in it."""
    shutil.rmtree(folder, ignore_errors=True)


def write_file(path: Path, value: msgspec.Struct | dict[str, Any]) -> None:
    """Write JSON so that a reader sees the old or the new text, never half of one."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.encode(value))
    for num_tries in range(50):
        try:
            draft.replace(path)
            break
        except PermissionError:  # Windows, while a reader has it open
            if num_tries == 49:
                raise
            time.sleep(0.01)


def read_state(folder: Path) -> StateFile | None:
    """Read ``engine.json``; ``None`` if it is not there or is being replaced."""
    told: StateFile | None = _read(folder / "engine.json", StateFile)
    return told


def read_worker(folder: Path, generation: int) -> WorkerFile | None:
    """Read ``worker-<n>.json``; ``None`` before the process can be reached."""
    told: WorkerFile | None = _read(folder / f"worker-{generation}.json", WorkerFile)
    return told


def read_failure(folder: Path, generation: int) -> dict[str, Any] | None:
    """Read why a process could not load its engine; ``None`` if it did not say."""
    told: dict[str, Any] | None = _read(folder / f"failure-{generation}.json", dict[str, Any])
    return told


def _read(path: Path, kind: Any) -> Any:
    try:
        return from_json(path.read_bytes(), kind)
    except (OSError, msgspec.MsgspecError):
        return None


def bind_server(
    context: zmq.Context[zmq.Socket[bytes]], folder: Path, generation: int, keys: Keys | None
) -> tuple[zmq.Socket[bytes], zmq.Socket[bytes], str]:
    """Bind the process's ROUTER: to a file, or with ``keys`` to a free loopback port.

    Gives it, its monitor, whose messages tell that some client is gone, and the endpoint.
    """
    socket = context.socket(zmq.ROUTER)
    socket.setsockopt(zmq.LINGER, 1000)
    socket.setsockopt(zmq.MAXMSGSIZE, MAX_PIXELS_BYTES)
    socket.setsockopt(zmq.ROUTER_MANDATORY, 1)  # an unreachable client is an error, not a silent loss
    socket.setsockopt(zmq.RCVHWM, 64)
    socket.setsockopt(zmq.SNDHWM, 10_000)
    socket.setsockopt(zmq.HANDSHAKE_IVL, 5000)
    monitor: zmq.Socket[bytes] = socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
    if keys is None:
        endpoint = f"ipc://{folder / f'engine-{generation}.ipc'}"
        socket.bind(endpoint)
        return socket, monitor, endpoint
    socket.setsockopt(zmq.CURVE_SERVER, 1)
    socket.setsockopt(zmq.CURVE_SECRETKEY, keys.server_secret.encode())
    socket.setsockopt(zmq.ZAP_DOMAIN, b"kandong")
    socket.bind("tcp://127.0.0.1:*")
    return socket, monitor, socket.getsockopt(zmq.LAST_ENDPOINT).decode().rstrip("\0")  # type: ignore[union-attr]


def connect_client(
    context: zmq.Context[zmq.Socket[bytes]], endpoint: str, keys: Keys | None
) -> tuple[zmq.Socket[bytes], zmq.Socket[bytes]]:
    """Connect a DEALER to one process; gives it and its monitor, whose first message tells that the process is gone."""
    socket = context.socket(zmq.DEALER)
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.MAXMSGSIZE, MAX_PIXELS_BYTES)
    # A socket belongs to one life of the process: what was meant for a dead one must not reach the next.
    socket.setsockopt(zmq.RECONNECT_IVL, -1)
    if keys is not None:
        socket.setsockopt(zmq.CURVE_SERVERKEY, keys.server_public.encode())
        socket.setsockopt(zmq.CURVE_PUBLICKEY, keys.client_public.encode())
        socket.setsockopt(zmq.CURVE_SECRETKEY, keys.client_secret.encode())
    ends = (
        zmq.EVENT_DISCONNECTED
        | zmq.EVENT_CLOSED
        | zmq.EVENT_CONNECT_RETRIED
        | zmq.EVENT_HANDSHAKE_FAILED_AUTH
        | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
        | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
    )
    monitor: zmq.Socket[bytes] = socket.get_monitor_socket(ends)
    socket.connect(endpoint)
    return socket, monitor


def close_socket(socket: zmq.Socket[bytes], monitor: zmq.Socket[bytes], linger_ms: int) -> None:
    """Close a socket with its monitor."""
    socket.disable_monitor()
    monitor.close(linger=0)
    socket.close(linger=linger_ms)


class DoorKeeper:
    """Answers ZeroMQ's question whether a CURVE client may come in (ZAP, RFC 27): only with the one known key."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], keys: Keys) -> None:
        """Bind before the ROUTER does, in the thread that will call ``answer``."""
        self.socket = context.socket(zmq.REP)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.bind(_ZAP_ENDPOINT)
        self._known = z85.decode(keys.client_public)

    def answer(self) -> None:
        """Answer one question."""
        version, sequence, *rest = self.socket.recv_multipart()
        # domain, address, identity, mechanism, credentials
        mechanism, credentials = (rest[3], rest[4:]) if len(rest) > 3 else (b"", [])
        is_known = mechanism == b"CURVE" and len(credentials) == 1 and hmac.compare_digest(credentials[0], self._known)
        verdict = (b"200", b"OK", b"client") if is_known else (b"400", b"unknown key", b"")
        self.socket.send_multipart([version, sequence, *verdict, b""])
