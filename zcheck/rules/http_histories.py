"""What the checks of the HTTP level share: who was tried, who sees whom, and examples for their pages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from zcheck.check import Note
from zcheck.facts import Facts, PortAnswer
from zcheck.facts.history import History, HttpHistories, Refusal
from zcheck.facts.pairs import SeenPair, pairs

# What may as well be zcheck's own lack of rights: it is the client's fault only where others took the same user.
OURS: frozenset[Refusal] = frozenset({"wrong-password", "no-permission", "redirected", "no-form", "mapped"})


def histories(facts: Facts) -> tuple[History, ...]:
    """Those in which there was something to be tried."""
    found = facts.the(HttpHistories)
    return tuple(history for history in (*found.histories, *found.blobs) if not history.nothing)


def not_in_the_tree(facts: Facts) -> Iterator[Note]:
    """What was not tried because there was nothing to be tried: told beside a pass, which says nothing of it."""
    found = facts.the(HttpHistories)
    for history in (*found.histories, *found.blobs):
        if history.nothing:
            what = f"what blobs hold in {history.database} is" if history.blobs else f"database {history.database} is"
            yield Note(facts.clients, f"{what} not proven through the running clients: {history.nothing}")


def unnamed(facts: Facts, clients: Iterable[str]) -> tuple[str, ...]:
    """Those whose name nothing here resolves: client-port-answers tells so, and nothing else can be known of them."""
    answers = facts.each(PortAnswer)
    return tuple(c for c in clients if c in answers and answers[c].outcome == "unknown-name")


def inside(history: History) -> str:
    """Where it was, as the beginning of a message; empty for the root."""
    if history.place:
        return f"at {history.place} (database {history.database}), "
    inside_a_site = f"inside {history.database}, " if history.database.startswith("/") else ""
    return f"with a file {inside_a_site}" if history.blobs else inside_a_site


def writers(facts: Facts, history: History) -> tuple[str, ...]:
    """The clients to be judged that are expected to accept edits and were part of this history."""
    expected = facts.inventory.writers
    return tuple(client for client in readers(facts, history) if client in expected)


def readers(facts: Facts, history: History) -> tuple[str, ...]:
    """The clients to be judged that were part of this history."""
    return tuple(client for client in facts.clients if history.state(client) is not None)


def judged_pairs(facts: Facts, history: History) -> tuple[SeenPair, ...]:
    return pairs(history, writers(facts, history), readers(facts, history))


def wrote(history: History, client: str) -> bool:
    """Whether a write through this client was accepted and saved."""
    return any(
        operation.session == client and operation.outcome == "ok" and client in operation.writes
        for operation in history.operations
    )
