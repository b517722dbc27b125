"""Where a client's address stands in clients.ini."""

from __future__ import annotations

from zcheck.check import Place
from zcheck.facts import Inventory


def address_of(inventory: Inventory, client: str) -> Place:
    """The line that says where zcheck connects for this client, with the address as its text."""
    known = inventory.client(client)
    key = "connect" if known.connect is not None else "address"
    place = Place.in_ini(inventory.file, known.section, key)
    return Place(place.file, place.line, f"{key} = {known.dialled}")
