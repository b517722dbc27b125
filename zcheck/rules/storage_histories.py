"""What the check of writes over ZEO needs beside its judgement, and examples for its page."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from zcheck.facts.history import ClientState, History, Operation, ZeoHistories
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


def zeo_run(*seen: str, stopped: str = "", **states: ClientState) -> ZeoHistories:
    """A history for an example: ``"app1 > app2 !app3"`` says that app2 read what was written through app1.

    And that app3 did not.  ``states`` gives what else is known of a client.
    """
    operations = []
    clients: dict[str, ClientState] = {}
    for number, line in enumerate(seen):
        writer, _, readers = line.partition(" >")
        at = number * 10
        clients.setdefault(writer, ClientState(writer, joined=True))
        operations.append(Operation(writer, "add", 1, at, at + 1, "ok", True, writes={writer: f"nonce-{number}"}))
        for reader in readers.split():
            name = reader.removeprefix("!")
            clients.setdefault(name, ClientState(name, joined=True))
            nonce = None if reader.startswith("!") else f"nonce-{number}"
            operations.append(Operation(name, "read", 1, at + 2, at + 3, "ok", True, reads={writer: nonce}))
    clients |= states
    if len(clients) == 1:
        clients["app2"] = ClientState("app2", joined=True)
    history = History("zeo", "main", "example", tuple(operations), tuple(clients.values()), 1, stopped=stopped)
    return ZeoHistories((history,))


def with_blobs(run: ZeoHistories, **refused: str) -> ZeoHistories:
    """The same run, and the same again with blobs, which some clients' server does not take."""
    (history,) = run.histories
    states = tuple(
        msgspec.structs.replace(state, refused="no-blobs", detail=refused[state.client])
        if state.client in refused
        else state
        for state in history.clients
    )
    operations = tuple(op for op in history.operations if op.session not in refused and not refused.keys() & op.reads)
    blobs = msgspec.structs.replace(history, blobs=True, clients=states, operations=operations)
    return ZeoHistories((history,), (blobs,))
