"""What earlier runs found, and nothing has disproven since."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from zcheck.check import Problem
from zcheck.facts import Facts, KnownApart, KnownBroken
from zcheck.facts.history import HttpHistories
from zcheck.facts.pairs import pairs


def known_apart(facts: Facts, told: Sequence[Collection[str]]) -> Iterator[Problem]:
    """One problem a database, for the clients that were seen apart; ``told``: those that this run itself saw apart."""
    known = facts.maybe(KnownBroken)
    by_database: dict[str, list[KnownApart]] = {}
    for one in known.apart if known is not None else ():
        again = any(set(one.clients) <= set(clients) for clients in told)
        if set(one.clients) <= set(facts.clients) and not again and not _tried_again(facts, one):
            by_database.setdefault(one.database, []).append(one)
    for database, some in by_database.items():
        clients = tuple(name for name in facts.clients if any(name in one.clients for one in some))
        split = "; ".join(f"{' and '.join(one.clients)} ({one.since})" for one in some)
        yield Problem(
            clients,
            f"database {database}: an earlier run saw that what is saved through one is not shown by the other: "
            f"{split}; they are still the same processes, and nothing has proven the contrary since",
            hint="run zcheck preflight: it proves or disproves it by writing",
            about=database,
        )


def _tried_again(facts: Facts, one: KnownApart) -> bool:
    """Whether this run saw itself what each of them shows of what is saved through the other, where both may write.

    Where it does not show it still, that is edits-are-seen-everywhere, of this run.
    """
    tried = facts.maybe(HttpHistories)
    wanted = {name for name in one.clients if name in facts.inventory.writers}
    for history in tried.histories if tried is not None else ():
        if history.database == one.database:
            found = pairs(history, wanted, one.clients)
            seen = [pair.seen for pair in found]
            if False in seen or (found and all(seen)):
                return True
    return False
