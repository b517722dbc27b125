"""The waves of a run, in order: what each asks for follows from what those before it found.

Only what depends on another waits for it.  What depends on something that failed is not tried, and its place is
taken by a :class:`~zcheck.facts.NotGathered` that says why.
"""

from __future__ import annotations

from zcheck.facts import (
    AnsweringProcesses,
    HealthAnswers,
    KnownBroken,
    OwnClock,
    PortAnswer,
    Remains,
    RunningBalancers,
    SeenThere,
    ServerLists,
    SharedBlobs,
    StorageCaches,
    WsgiConf,
    ZeoAnswers,
    ZeoClocks,
    ZeoIdentity,
    ZopeConf,
)
from zcheck.facts.history import HttpHistories, ZeoHistories
from zcheck.gather import permission
from zcheck.gather.run import Wave
from zcheck.gather.waves import (
    balancers,
    caches,
    clocks,
    files,
    http_writes,
    identity,
    machines,
    names,
    peers,
    remains,
    server_lists,
    storage_writes,
    verdicts,
)

WAVES = (
    Wave("look from the clients' own machines", machines.look, (ZopeConf, WsgiConf, SeenThere), live=True),
    Wave("read the configuration files", files.read),
    Wave("look names up", names.look_up),
    # Importing ZODB and ZEO takes longer than asking every peer: the child does it meanwhile.
    Wave(
        "start the process that holds the ZEO connections", identity.start_child, (ZeoIdentity, ZeoHistories), live=True
    ),
    Wave("ask every client and server", peers.reach, (PortAnswer, ZeoAnswers, SeenThere), live=True),
    Wave("recall what earlier runs found broken", permission.recall, (KnownBroken,), live=True),
    Wave("see which processes answer", peers.see_who_answers, (AnsweringProcesses,), live=True),
    Wave("see whether shared blobs are in one folder", machines.mark_blobs, (SharedBlobs,), live=True),
    Wave("ask what the balancer will ask", balancers.ask_health, (HealthAnswers,), live=True),
    Wave("see what the balancers do", balancers.see_what_runs, (RunningBalancers,)),
    Wave("prove identity over ZEO", identity.prove, (ZeoIdentity, ZeoHistories), live=True),
    Wave("hold the clients' caches against their servers", caches.look, (StorageCaches,), live=True),
    Wave("write and read over ZEO", storage_writes.write, (ZeoHistories,), live=True),
    Wave("write and read through the clients", http_writes.write, (HttpHistories,), live=True),
    Wave("ask what each client's server lists", server_lists.ask, (ServerLists,), live=True),
    Wave("judge what was recorded", verdicts.judge, (ZeoHistories, HttpHistories), live=True),
    Wave("see what is left", remains.look_back, (Remains,), live=True),
    Wave("hold the ZEO servers' clocks against ours", clocks.compare, (ZeoClocks,), live=True),
    Wave("see whether our own clock was set", clocks.look_at_our_own, (OwnClock,), live=True),
)
"""Every wave there is; a run takes those whose kinds it wants, and offline none that asks anybody."""
