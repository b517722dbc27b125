"""Which clients see each other's edits: the sides of a split cluster, for those who tell or draw them."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from zcheck.report.structs import Pair, Report


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
    seen: dict[tuple[str, str], bool] = {}
    for pair in pairs:
        if pair.seen is not None:
            # What arrived one way alone, or at one level alone, did not arrive.
            both = pair.seen and seen.get((pair.writer, pair.reader), True)
            seen[pair.writer, pair.reader] = seen[pair.reader, pair.writer] = both
    if not seen:
        return []
    groups: list[list[str]] = []
    homes: dict[str, int] = {}
    for client in clients:
        home = next((n for n, group in enumerate(groups) if _belongs(client, group, seen)), len(groups))
        if home == len(groups):
            groups.append([])
        groups[home].append(client)
        homes[client] = home
    apart = {homes[one] for (one, other), arrived in seen.items() if not arrived and homes.get(one) != homes.get(other)}
    return [Island(tuple(group), number in apart) for number, group in enumerate(groups)]


def _belongs(client: str, group: list[str], seen: dict[tuple[str, str], bool]) -> bool:
    """Whether some of a group and this client show each other's edits, and none does not."""
    between = [found for other in group if (found := seen.get((client, other))) is not None]
    return bool(between) and all(between)
