"""What the clients' own machines told, side by side; and examples of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from zcheck.check import Skipped, Unknown
from zcheck.facts import Facts, SeenThere


def unknown(facts: Facts, reason_of: Callable[[SeenThere], str]) -> Iterator[Unknown]:
    """One UNKNOWN a reason, with all clients that it is about."""
    reasons: dict[str, list[str]] = {}
    for client, seen in facts.each(SeenThere).items():
        reason = reason_of(seen)
        if reason:
            reasons.setdefault(reason, []).append(client)
    for reason, clients in reasons.items():
        yield Unknown(tuple(clients), reason)


def alone(clients: Iterable[str]) -> Iterator[Skipped]:
    """With one client there is nobody to compare it with."""
    names = tuple(clients)
    if len(names) == 1:
        yield Skipped(names, "nothing to examine: no other client was looked at from its own machine")


def told(facts: Facts, clients: Iterable[str]) -> str:
    """Clients by name, those that are not balanced with their role."""
    roles = {client.name: client.role for client in facts.inventory.clients}
    return ", ".join(name if roles[name] == "balanced" else f"{name} ({roles[name]})" for name in clients)


def groups(members: Iterable[str], alike: Callable[[str, str], bool]) -> list[list[str]]:
    """The members in groups: who is like one of a group belongs to it."""
    found: list[list[str]] = []
    for member in members:
        near = [group for group in found if any(alike(member, other) for other in group)]
        merged = [other for group in near for other in group]
        found = [group for group in found if group not in near] + [[*merged, member]]
    return found
