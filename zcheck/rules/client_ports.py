"""What the checks of the clients' ports share: where an address stands, and one finding for many clients."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from zcheck.check import Place, Problem
from zcheck.facts import HttpAnswer, Inventory


def address_of(inventory: Inventory, client: str) -> Place:
    """The line that says where zcheck connects for this client, with the address as its text."""
    known = inventory.client(client)
    key = "connect" if known.connect is not None else "address"
    place = Place.in_ini(inventory.file, known.section, key)
    return Place(place.file, place.line, f"{key} = {known.dialled}")


class Trouble(msgspec.Struct, frozen=True):
    """What is wrong with one client: ``words`` go on from where it is."""

    client: str
    where: str
    words: str
    place: Place
    hint: str


def told_once(troubles: list[Trouble]) -> Iterator[Problem]:
    """The same trouble of many clients as one finding that names them all."""
    for words, hint in dict.fromkeys((trouble.words, trouble.hint) for trouble in troubles):
        alike = [trouble for trouble in troubles if (trouble.words, trouble.hint) == (words, hint)]
        where = ", ".join(trouble.where for trouble in alike)
        message = f"{where}: each {words}" if len(alike) > 1 else f"{where} {words}"
        yield Problem(tuple(t.client for t in alike), message, tuple(t.place for t in alike), hint)


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
