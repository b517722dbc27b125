"""Where a client's address stands in clients.ini."""

from __future__ import annotations

from zcheck.check import Place
from zcheck.facts import HttpAnswer, Inventory


def address_of(inventory: Inventory, client: str) -> Place:
    """The line that says where zcheck connects for this client, with the address as its text."""
    known = inventory.client(client)
    key = "connect" if known.connect is not None else "address"
    place = Place.in_ini(inventory.file, known.section, key)
    return Place(place.file, place.line, f"{key} = {known.dialled}")


# Written by caches and proxies, and by nothing that a Zope client is served with.
_OF_PROXIES = ("via", "age", "x-varnish", "x-cache", "x-cache-hits", "x-served-by", "x-proxy-cache", "cf-ray")


def proxy_headers(answer: HttpAnswer) -> tuple[str, ...]:
    """The headers by which something in front of the client gives itself away.

    Zope's own server writes its name into ``Via`` where the application has set ``Server`` (waitress/task.py).
    """
    found = {name: answer.headers[name] for name in _OF_PROXIES if name in answer.headers}
    via = [one.strip() for one in found.pop("via", "").split(",")]
    proxies = [one for one in via if one and one.lower() != "waitress"]
    told = [f"via: {', '.join(proxies)}"] if proxies else []
    return (*told, *(f"{name}: {value}" for name, value in found.items()))
