"""What is written through one client is known to the others at once.

What it examines
    How long after a write was acknowledged each other connection of the write-and-read test learnt of it by itself,
    without asking: for the worst client that is at most the option ``propagation-is-quick`` of ``[zcheck]``, 1 s.
Why it matters
    ZEO tells clients of writes without waiting for them. Who saves through one client and is sent to another by the
    balancer does not find the edit there for so long: people call it lost, and save it again.
What it does not prove
    That the running clients are as quick, nor under load: the lag through them is in the report beside each pair, and
    only a client that demonstrably was behind for longer is told here.
How to repair it
    Look at the network between that client and the server, at the server's load, and at its log for slow commits.
    Until then let the balancer keep each visitor on one client.

>>> from zcheck.testing.examples import recorded
>>> from zcheck.testing.examples import zeo_run
>>> show(propagation_is_quick, recorded(zeo_run("app1 > app2", "app2 > app1")), app1=[], app2=[])
OK
>>> show(propagation_is_quick, recorded(zeo_run("app1 > app2"), lag_ms=1500), app1=[], app2=[])
WARNING app1, app2: database main, over ZEO: app2 learnt of a write through app1 1.5 s after it was acknowledged,
expected within 1 s (median 1.5 s, 95 % 1.5 s, 99 % 1.5 s, of 1)
>>> show(propagation_is_quick, zeo_run("app1 > app2", "app2 > app1"), app1=[], app2=[])
UNKNOWN app1, app2: database main, over ZEO: no client learnt of a write without asking
"""

from __future__ import annotations

from collections.abc import Iterator

from zcheck.check import Problem, Severity, Skipped, Unknown, check
from zcheck.facts import Facts, Thresholds
from zcheck.facts.history import History, HttpHistories, Lag, ZeoHistories
from zcheck.facts.lags import behind, lags, quantile
from zcheck.rules.isolation import ALONE, connected, members, not_judged, where, zeo_histories


@check(
    "propagation-is-quick",
    stage="consistency",
    needs=[ZeoHistories],
    uses=[HttpHistories, Thresholds],
    severity=Severity.WARNING,
    after=[
        "zeo-server-answers",
        "zeo-commit-lock-is-free",
        "zeo-server-writes-its-own-file",
        "every-database-is-one",
        "zeo-passes-writes-on",
    ],
)
def propagation_is_quick(facts: Facts) -> Iterator[Problem | Unknown | Skipped]:
    """The worst reader counts."""
    limit_s = (facts.maybe(Thresholds) or Thresholds()).propagation_is_quick_s
    taken: set[str] = set()
    for history in zeo_histories(facts):
        found = [lag for lag in lags(history) if lag.reader in facts.clients]
        taken |= set(members(facts, history))
        if connected(history) < 2:
            yield Skipped(members(facts, history), ALONE)
        elif not found:
            yield from not_judged(facts, history, "no client learnt of a write without asking")
        elif (worst := max(found, key=lambda lag: lag.ms)).ms > limit_s * 1000:
            yield _problem(history, worst, f"learnt of a write through {worst.writer}", limit_s, _spread(found))
    yield Skipped(tuple(client for client in facts.clients if client not in taken), ALONE)
    yield from _running_clients(facts, limit_s)


def _running_clients(facts: Facts, limit_s: float) -> Iterator[Problem]:
    """A slow answer is no lag: only what was asked for so late and was not there yet."""
    http = facts.maybe(HttpHistories)
    for history in http.histories if http is not None else ():
        found = [lag for lag in behind(history) if lag.reader in facts.clients]
        worst = max(found, key=lambda lag: lag.ms, default=None)
        if worst is not None and worst.ms > limit_s * 1000:
            yield _problem(history, worst, f"did not show what was saved through {worst.writer}", limit_s, "")


def _problem(history: History, lag: Lag, what: str, limit_s: float, spread: str) -> Problem:
    seen = f"{lag.reader} {what} {_words(lag.ms)} after it was acknowledged, expected within {limit_s:g} s"
    message = f"{where(history)}: {seen}{spread}"
    return Problem((lag.writer, lag.reader), message, hint=f"look at the network between {lag.reader} and its server")


def _spread(found: list[Lag]) -> str:
    values = sorted(lag.ms for lag in found)
    median, most, nearly = (_words(quantile(values, share)) for share in (0.5, 0.95, 0.99))
    return f" (median {median}, 95 % {most}, 99 % {nearly}, of {len(values)})"


def _words(ms: float) -> str:
    return f"{ms / 1000:.1f} s" if ms >= 1000 else f"{ms:.1f} ms"
