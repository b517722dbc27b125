"""What the check of writes over ZEO needs beside its judgement, and examples for its page."""

from __future__ import annotations

from collections.abc import Iterable

from zcheck.facts.history import History
from zcheck.facts.pairs import SeenPair


def may_not_write(history: History, client: str) -> str:
    """Why nothing may be written through this client, who is connected all the same; empty where something may."""
    state = history.state(client)
    tried = any(operation.session == client and operation.writes for operation in history.operations)
    if state is None or tried or state.hung or not state.joined or state.refused == "error":
        return ""
    return state.detail


def sides(split: Iterable[SeenPair]) -> str:
    """Who does not read whose writes, those with the same blind spot together; no culprit is elected."""
    missed: dict[str, list[str]] = {}
    for pair in split:
        missed.setdefault(pair.reader, []).append(pair.writer)
    readers: dict[tuple[str, ...], list[str]] = {}
    for reader, writers in missed.items():
        others = tuple(writers)
        readers.setdefault(others, []).append(reader)
    told = []
    for writers_, names in sorted(readers.items(), key=lambda item: item[1]):
        do = "does" if len(names) == 1 else "do"
        told.append(f"{', '.join(names)} {do} not read what is written through {', '.join(writers_)}")
    return "; ".join(told)
