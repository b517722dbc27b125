"""Which processes answered for a client in this run, and which of them proved to be part of one system."""

from __future__ import annotations

from zcheck.facts import AnsweringProcesses, Facts, Process
from zcheck.facts.history import History, HttpHistories, Operation
from zcheck.facts.pairs import shown_by_process
from zcheck.facts.processes import at_one_time, distinct, named


def behind(facts: Facts, client: str) -> tuple[Process, ...]:
    """The processes that answer at this client's address by turns, or its only one; empty where none is known."""
    asked = facts.each(AnsweringProcesses).get(client)
    before = asked.processes if asked is not None else ()
    answers = [process for op in _answers(facts, client) if (process := named(op.answered_by)) is not None]
    by_turns = at_one_time(answers) if answers else ()
    if len(before) < 2 and len(by_turns) < 2:
        # The client may have been restarted between the two: the last one counts.
        return by_turns or before
    # What answered requests for pages is told exactly, so it comes first.
    return tuple(sorted(distinct((*by_turns, *before)), key=lambda process: process.process_id))


def exactly(facts: Facts, client: str) -> frozenset[str]:
    """The processes by which answers were given, named so that no other process has the same name."""
    return frozenset(op.answered_by for op in _answers(facts, client))


def are_one_system(facts: Facts, client: str) -> bool:
    """Whether each of the client's processes showed all that was saved through every client."""
    found = facts.maybe(HttpHistories)
    tried = [history for history in found.histories if not history.nothing] if found is not None else []
    every = behind(facts, client)
    return bool(tried) and all(_shown_by_all(history, client, every) for history in tried)


def _shown_by_all(history: History, client: str, every: tuple[Process, ...]) -> bool:
    writes = [op for op in history.operations if op.action in ("add", "write") and op.outcome == "ok" and op.writes]
    reads = [op for op in history.operations if op.session == client and op.action == "read" and op.outcome == "ok"]
    last = {marker: write for write in sorted(writes, key=lambda op: op.return_ns) for marker in write.writes}
    for write in last.values():
        shown = [(named(name), it_is) for name, it_is in shown_by_process(write, reads).items()]
        for process in every:
            if not any(it_is and one is not None and one.may_be(process) for one, it_is in shown):
                return False
    return bool(last)


def _answers(facts: Facts, client: str) -> list[Operation]:
    """Its answers that say which process gave them, in the order in which they were asked for."""
    found = facts.maybe(HttpHistories)
    every = [op for history in found.histories for op in history.operations] if found is not None else []
    return sorted((op for op in every if op.session == client and op.answered_by), key=lambda op: op.invoke_ns)
