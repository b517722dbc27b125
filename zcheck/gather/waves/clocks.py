"""Transaction ids as times: the ZEO servers' clocks beside ours."""

from __future__ import annotations

from zcheck.facts import OwnClock, ZeoAnswers, ZeoClocks
from zcheck.facts.history import ZeoHistories
from zcheck.gather.run import Run


def look_at_our_own(run: Run) -> None:
    """Whether somebody has set this machine's clock meanwhile."""
    from zcheck.system import clock

    run.keep("", OwnClock(clock.set_by_s()))


def compare(run: Run) -> None:
    """Transaction ids as times: the newest of each storage, and those of our own commits."""
    from zcheck.probes import clocks

    facts = run.facts
    answers = [
        (client.name, answer)
        for client in run.inventory.clients
        if isinstance(found := facts.raw(ZeoAnswers, client.name), ZeoAnswers)
        for answer in found.answers
    ]
    histories = facts.raw(ZeoHistories)
    servers = {(way.client, way.database): way.servers[0] for way in run.ways if len(way.servers) == 1}
    ours = clocks.of_histories(histories.histories if isinstance(histories, ZeoHistories) else (), servers)
    run.keep("", ZeoClocks((*clocks.of_answers(answers), *ours)))
