"""The longer test of isolation: what of a run belongs to it, and what is kept of it."""

from __future__ import annotations

import difflib
import random
from collections.abc import Sequence

from zcheck.checks import CATALOGUE
from zcheck.commands import recheck
from zcheck.commands.preflight import Examination
from zcheck.consistency.recording import writer
from zcheck.consistency.storage.workloads import WORKLOADS
from zcheck.gather.settings import Isolation

# What has to hold before anything is written, what is judged, and what is left.
ALWAYS = frozenset(
    {
        "zope-conf-parses",
        "zeo-server-answers",
        "zeo-storage-exists",
        "zeo-commit-lock-is-free",
        "every-database-is-one",
        "zeo-passes-writes-on",
        "no-torn-or-stale-reads",
        "conflicts-are-detected",
        "propagation-is-quick",
        "nothing-is-left-behind",
    }
)
OVER_HTTP = frozenset(
    {
        "client-port-answers",
        "client-serves-http",
        "client-is-connected-to-zeo",
        "client-accepts-writes",
        "edits-are-seen-everywhere",
    }
)


def plan(
    workloads: Sequence[str], level: str, duration_s: float, seed: int | None, history: str | None = None
) -> Isolation:
    """What is to be done; without a seed a new one is drawn.  ValueError for a workload that does not exist.

    ``history``: the file to which all that happens is written.
    """
    for name in workloads:
        if name not in WORKLOADS:
            near = difflib.get_close_matches(name, WORKLOADS, 1)
            known = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(WORKLOADS)}"
            raise ValueError(f"there is no workload {name!r}; {known}")
    drawn = random.SystemRandom().randrange(2**32) if seed is None else seed
    chosen = tuple(name for name in WORKLOADS if not workloads or name in workloads)
    return Isolation(duration_s, chosen, drawn, level != "http", level != "zeo", history)


def left_out(chosen: Isolation) -> tuple[str, ...]:
    """The checks that are no part of this test."""
    wanted = ALWAYS | (OVER_HTTP if chosen.http else frozenset())
    return tuple(check.name for check in CATALOGUE if check.name not in wanted)


def finish(found: Examination, done: Isolation) -> None:
    """Complete the history's file.  Raises :exc:`OSError`."""
    if done.history is not None:
        origin = writer.origin(found.report.cluster.name, found.report.run.id, done.seed)
        writer.end(done.history, recheck.histories(found), origin)
