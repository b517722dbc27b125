"""What host names mean here: DNS and this machine's own ``/etc/hosts``."""

from __future__ import annotations

import socket


def resolve(name: str) -> tuple[str, ...]:
    """The addresses of ``name``, IPv4 and IPv6, in the resolver's order; empty where nothing knows it.

    The resolver has a time limit of its own and no other can be set, so whoever calls this bounds the wait.
    """
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return ()
    return tuple(dict.fromkeys(str(address[0]) for *_, address in found))


def own_addresses() -> tuple[str, ...]:
    """The addresses by which this machine is known: those of its own name, and the one it reaches others from."""
    found = [*resolve(socket.gethostname())]
    for family, elsewhere in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        # Connecting a datagram socket sends nothing; it only asks the routing table for our own address.
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as sock:
                sock.connect((elsewhere, 9))
                found.append(str(sock.getsockname()[0]))
        except OSError:
            continue
    return tuple(dict.fromkeys(found))
