"""Where the service listens: the socket, and whether it is safe to open it there.

Owns: binding, and telling loopback from the rest. Must not know: web servers, keys.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import socket

from kandong.errors import SettingError

_BACKLOG = 1024
_LOOPBACK_NAMES = frozenset({"localhost", "localhost.localdomain", "ip6-localhost"})


def is_loopback(host: str) -> bool:
    """Whether an address can be reached from this machine alone; an unknown name counts as reachable by others."""
    name = host.strip("[]").lower()
    if name in _LOOPBACK_NAMES:
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


def check_bind(host: str, *, has_keys: bool) -> None:
    """Refuse an address that others can reach while nobody needs a key. Errors: ``SettingError``."""
    if not is_loopback(host) and not has_keys:
        raise SettingError(
            f"host is {host}: others could use this service without a key.",
            hint="Make a key first (`kandong keys create NAME --scope admin`), or listen on 127.0.0.1.",
            field="host",
        )


def listen(host: str, port: int) -> socket.socket:
    """Open the listening socket; port 0 takes a free one. Errors: ``SettingError`` saying what is in the way."""
    try:
        found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        # IPv4 first where a name has both: what people type is 127.0.0.1.
        family, _, _, _, address = min(found, key=lambda entry: entry[0] != socket.AF_INET)
        listener = socket.socket(family, socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise SettingError(f"host is {host}, which is no address of this machine.", field="host") from None
    try:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise SettingError(
                f"Port {port} is in use.", hint="Choose another with --port, or end what uses it.", field="port"
            ) from None
        if error.errno in (errno.EACCES, errno.EPERM):
            raise SettingError(f"Port {port} needs more rights.", hint="Take one above 1023.", field="port") from None
        raise SettingError(f"{host}:{port} cannot be listened on.", field="host") from None
    return listener


def url_of(listener: socket.socket) -> str:
    """Give the address to open in a browser."""
    host, port = listener.getsockname()[:2]
    if ipaddress.ip_address(host).is_unspecified:
        host = socket.gethostname()
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
