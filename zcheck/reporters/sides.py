"""Which clients see each other's edits: the sides of a split cluster, for those who tell or draw them."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from zcheck.report import Pair, Report


class Island(msgspec.Struct, frozen=True):
    """Clients that were seen to show each other's edits; ``apart``: somebody outside was seen not to."""

    clients: tuple[str, ...]
    apart: bool

    @property
    def told(self) -> str:
        names = ", ".join(self.clients)
        if not self.apart:
            return f"{names}: not tried"
        return f"{names}: {'alone' if len(self.clients) == 1 else 'see each other'}"


def islands(report: Report) -> list[Island]:
    """The clients in groups that see each other's edits; empty where no pair was tried.

    What the running clients showed goes before what their files make of it.
    """
    levels = [level for level in report.consistency.levels if level.level == "http"] or list(report.consistency.levels)
    return grouped(report.cluster.clients, [pair for level in levels for pair in level.pairs])


def grouped(clients: Iterable[str], pairs: Iterable[Pair]) -> list[Island]:
    """The same of these pairs.  A client of which nothing is known is in a group of its own, apart from nobody."""
    seen: dict[frozenset[str], list[bool | None]] = {}
    for pair in pairs:
        seen.setdefault(frozenset((pair.writer, pair.reader)), []).append(pair.seen)
    if not any(one is not None for tried in seen.values() for one in tried):
        return []
    groups: list[list[str]] = []
    for client in clients:
        home = next((group for group in groups if _belongs(client, group, seen)), None)
        if home is None:
            groups.append([client])
        else:
            home.append(client)
    return [
        Island(tuple(group), any(False in tried for pair, tried in seen.items() if len(pair & set(group)) == 1))
        for group in groups
    ]


def _belongs(client: str, group: list[str], seen: dict[frozenset[str], list[bool | None]]) -> bool:
    between = [one for other in group for one in seen.get(frozenset((client, other)), [])]
    return True in between and False not in between
