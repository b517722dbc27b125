"""What is saved through one running client is shown by every other.

What it examines
    A document is added and edited through each client, and every client is asked for all of them until it shows what
    was saved or the time is over. Then it is asked once by as many requests at one time as it has threads, at most 16,
    each of which lasts a tenth of a second, so that they meet its threads' database connections; where fewer were met
    than there are, that is told. Each process that answers at an address is judged for itself. This is the proof
    through the running processes, with their caches and the databases that they really use, whatever their files say.
    The same is done in every other database that is mounted in the tree; one that is mounted in zope.conf alone is told
    and not proven, and what a process has to itself (``<temporarystorage>``) is left alone.
Why it matters
    This is what "can be load balanced" means. Where it does not hold, two visitors see two sites, and what one of them
    saves is gone for the other: the damage grows with every edit, and is not repaired by putting the files right.
What it does not prove
    That it always was so, or that it will be after a restart from files that disagree: see the config checks. Nor
    anything about isolation under load: see ``zcheck isolation``.
How to repair it
    Let the balancer send users to one side only, until both are one. Which side that is no tool can tell: it is the one
    with the edits that you cannot do without. Compare "Database Location" on the clients' Control Panels and their
    zope.conf files. Then stop the clients of the other side, remove their ZEO cache files (``client`` and ``var`` in
    zope.conf), and start them: a cache shows what it has of the other database for ever. What was saved there since
    the split is in the other database: export it before that one is deleted.

>>> from zcheck.testing.examples import http_run
>>> show(edits_are_seen_everywhere, http_run("app1 > app2", "app2 > app1"), app1=[], app2=[])
OK
>>> run = http_run("app1 > app2 !app3", "app2 > app1 !app3", "app3 > !app1 !app2")
>>> show(edits_are_seen_everywhere, run, app1=[], app2=[], app3=[])
CRITICAL app1, app2, app3: app1, app2 do not show what is saved through app3;
app3 does not show what is saved through app1, app2
>>> apart = ClientState("app3", joined=False, detail="its storage does not list it")
>>> show(edits_are_seen_everywhere, http_run("app1 > app2", "app2 > app1", app3=apart), app1=[], app2=[], app3=[])
CRITICAL app1, app2, app3: app3 does not show what is saved through app1, app2
(app3: its storage does not list it)
>>> tried = {"app1": ClientState("app1", joined=True), "app2": ClientState("app2")}
>>> show(edits_are_seen_everywhere, http_run(stopped="the commit lock is held", **tried), app1=[], app2=[])
UNKNOWN app1, app2: what is saved through app1, app2 was not proven to be seen: the commit lock is held
>>> show(edits_are_seen_everywhere, NotGathered("clients.ini gives no user and password"), app1=[], app2=[])
UNKNOWN app1, app2: clients.ini gives no user and password
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from zcheck.check import Note, Problem, Severity, Skipped, Unknown, check
from zcheck.facts import ControlPanel, Facts, Names, PortAnswer, ZopeConf
from zcheck.facts.addresses import labelled, same_servers
from zcheck.facts.history import History, HttpHistories
from zcheck.facts.pairs import SeenPair
from zcheck.rules.cache_files import without_caches
from zcheck.rules.http_histories import histories, inside, judged_pairs, not_in_the_tree, unnamed, writers, wrote


@check(
    "edits-are-seen-everywhere",
    stage="consistency",
    needs=[HttpHistories],
    uses=[ControlPanel, Names, PortAnswer, ZopeConf],
    severity=Severity.CRITICAL,
    after=[
        "client-port-answers",
        "client-serves-http",
        "client-is-connected-to-zeo",
        "zeo-server-writes-its-own-file",
    ],
)
def edits_are_seen_everywhere(facts: Facts) -> Iterator[Problem | Unknown | Skipped | Note]:
    """A pair that was not tried is told, and is never a pass."""
    tried = {state.client for history in histories(facts) for state in history.clients}
    told = unnamed(facts, facts.clients)
    yield Skipped(told, "client-port-answers")
    untried = tuple(client for client in facts.clients if client not in tried and client not in told)
    if untried:
        yield Unknown(untried, f"nothing was tried through {', '.join(untried)}")
    yield from not_in_the_tree(facts)
    for history in histories(facts):
        found = judged_pairs(facts, history)
        unseen = [pair for pair in found if pair.seen is False]
        split = {name for pair in unseen for name in (pair.writer, pair.reader)}
        if unseen:
            yield _split(history, found, unseen, facts)
        yield from _threads_met(history, facts)
        rest = [pair for pair in found if not {pair.writer, pair.reader} <= split]
        yield from _not_proven(history, rest, writers(facts, history))
        if not found:
            yield Skipped(tuple(tried & set(facts.clients)), "there is no second client to prove it against")


def _threads_met(history: History, facts: Facts) -> Iterator[Note]:
    """The clients some of whose threads were not met: of their database connections nothing was proven."""
    for state in history.clients:
        if state.client in facts.clients and state.threads_met < state.threads:
            met = f"{state.threads_met} of {state.threads} threads met"
            yield Note((state.client,), f"{inside(history)}{state.client}: {met}; the others serve what was not proven")


def _split(history: History, found: Sequence[SeenPair], unseen: Sequence[SeenPair], facts: Facts) -> Problem:
    """One finding that names every side: by what each client does not show."""
    missed: dict[str, list[str]] = {}
    for pair in unseen:
        missed.setdefault(pair.reader, []).append(pair.writer)
    readers: dict[tuple[str, ...], list[str]] = {}
    for reader, unseen_writers in missed.items():
        readers.setdefault(tuple(unseen_writers), []).append(reader)
    told = [
        f"{', '.join(names)} do{'es' * (len(names) == 1)} not show what is saved through {', '.join(others)}"
        for others, names in sorted(readers.items(), key=lambda item: item[1])
    ]
    known = {s.client: s.behind or (s.detail if s.joined is False else "") for s in history.clients}
    details = [f"{client}: {why}" for client, why in known.items() if client in missed and why]
    message = inside(history) + "; ".join(told) + (f" ({'; '.join(details)})" if any(details) else "")
    apart = [
        n for n in missed if (state := history.state(n)) and state.joined is False and n in writers(facts, history)
    ]
    if len(apart) > 1:
        message += f"; nothing was written through {', '.join(apart)}, so what they see of each other is not known"
    named = [pair for pair in found if pair.seen is not None]
    clients = tuple(n for n in facts.clients if any(n in (pair.writer, pair.reader) for pair in named))
    return Problem(clients, message, hint=_hint(history, clients, facts), about=history.database)


def _hint(history: History, clients: Sequence[str], facts: Facts) -> str:
    """What the clients themselves say that they use, where they do not all say the same."""
    panels = facts.each(ControlPanel)
    pages = {name: panels[name].database(history.database) for name in clients if name in panels}
    locations: dict[str, list[str]] = {}
    for name, page in pages.items():
        if page is not None:
            locations.setdefault(page.location, []).append(name)
    what = "balance one side only, the one whose edits you need, until the other is mended and restarted"
    what += without_caches(facts, clients, history.database)
    if len(locations) < 2 or _all_one_server(locations, facts):
        return what
    shown = ", ".join(f"{location} on {', '.join(names)}" for location, names in locations.items())
    return f"{what}; their Control Panels say: {shown}"


def _all_one_server(locations: Mapping[str, Sequence[str]], facts: Facts) -> bool:
    """Whether these are spellings of one server, by their clients' own machines."""
    servers = [
        labelled(location, facts.inventory.client(name)) for location, names in locations.items() for name in names
    ]
    return all(one and same_servers(one, servers[0], facts.inventory, facts.maybe(Names)) for one in servers)


def _not_proven(history: History, found: Sequence[SeenPair], writers: Sequence[str]) -> Iterator[Unknown | Skipped]:
    """Why a pair was not tried; what client-accepts-writes tells of the client is not told again."""
    reasons: dict[str, list[str]] = {}
    told: dict[str, list[str]] = {}
    for pair in found:
        if pair.seen is None:
            subject = pair.reader if wrote(history, pair.writer) else pair.writer
            state = history.state(subject)
            if state is not None and state.refused and subject in writers and state.joined is not False:
                told.setdefault("client-accepts-writes", []).append(subject)
            elif state is not None and state.because:
                told.setdefault(state.because, []).append(subject)
            else:
                why = (state.detail if state else "") or history.stopped or "it gave no usable answer"
                reasons.setdefault(why, []).append(subject)
    for check_that_tells, subjects in told.items():
        yield Skipped(tuple(dict.fromkeys(subjects)), check_that_tells)
    for why, subjects in reasons.items():
        names = tuple(dict.fromkeys(subjects))
        message = f"{inside(history)}what is saved through {', '.join(names)} was not proven to be seen: {why}"
        yield Unknown(names, message)
