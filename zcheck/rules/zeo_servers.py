"""What the checks of ZEO servers share: answers by server, so that one dead server is one finding, and examples."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import msgspec

from zcheck.check import Place
from zcheck.facts import Facts, ZeoAnswer, ZeoAnswers, addresses


class Asked(msgspec.Struct, frozen=True):
    """One server, as dialled from here, and every client's line that names it."""

    answers: tuple[tuple[str, ZeoAnswer], ...]

    @property
    def clients(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(client for client, _ in self.answers))

    @property
    def first(self) -> ZeoAnswer:
        return self.answers[0][1]

    @property
    def name(self) -> str:
        """As the files write it; with what was dialled, where that is something else."""
        spellings = list(dict.fromkeys(answer.server for _, answer in self.answers))
        shown = " or ".join(spellings)
        return shown if self.first.dialled in spellings else f"{shown} (dialled {self.first.dialled})"

    @property
    def places(self) -> tuple[Place, ...]:
        return tuple(
            Place(answer.file, answer.line, f"server {answer.server}", client) for client, answer in self.answers
        )

    def only(self, clients: Iterable[str]) -> Asked:
        """The same for some of its clients."""
        kept = set(clients)
        return Asked(tuple((client, answer) for client, answer in self.answers if client in kept))


def by_server(facts: Facts) -> Iterator[Asked]:
    """The answers of all clients to be judged, one group a server."""
    yield from _grouped(facts, lambda answer: (_one_spelling(answer.dialled), answer.outcome))


def by_storage(facts: Facts) -> Iterator[Asked]:
    """The answers of servers that list their storages, one group a server and storage."""
    for asked in _grouped(facts, lambda answer: (_one_spelling(answer.dialled), answer.storage, _start(answer))):
        if asked.first.outcome == "answers":
            yield asked


def _one_spelling(dialled: str) -> str:
    """The same for every way to write a port of the machine on which zcheck runs."""
    host, colon, port = dialled.rpartition(":")
    return f"localhost:{port}" if colon and addresses.is_loopback(host.strip("[]")) else dialled


def _start(answer: ZeoAnswer) -> str:
    """When the server opened the storage, by its own clock: two servers on one port of two addresses differ in it."""
    storage = answer.storages.get(answer.storage)
    return storage.start if storage is not None else ""


def _grouped(facts: Facts, key: Callable[[ZeoAnswer], tuple[str, ...]]) -> Iterator[Asked]:
    groups: dict[tuple[str, ...], list[tuple[str, ZeoAnswer]]] = {}
    for client, found in facts.each(ZeoAnswers).items():
        for answer in found.answers:
            groups.setdefault(key(answer), []).append((client, answer))
    return (Asked(tuple(group)) for group in groups.values())


def unanswered(facts: Facts) -> tuple[str, ...]:
    """The clients none of whose servers answered as a ZEO server that lists its storages."""
    found = facts.each(ZeoAnswers)
    return tuple(c for c, answers in found.items() if not any(a.outcome == "answers" for a in answers.answers))
