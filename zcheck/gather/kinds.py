"""Which kinds of fact the chosen checks want, and what has to be gathered before each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from zcheck.check import Check
from zcheck.facts import (
    AnsweringProcesses,
    Balancers,
    ControlPanel,
    HealthAnswers,
    HttpAnswer,
    KnownBroken,
    Names,
    PortAnswer,
    Remains,
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

NEEDS: dict[type[Any], tuple[type[Any], ...]] = {
    WsgiConf: (ZopeConf,),
    Names: (ZopeConf,),
    PortAnswer: (Names,),
    HttpAnswer: (PortAnswer,),
    HealthAnswers: (HttpAnswer, Balancers),
    ControlPanel: (HttpAnswer,),
    AnsweringProcesses: (ControlPanel,),
    ZeoAnswers: (ZopeConf, Names),
    ZeoClocks: (ZeoAnswers,),
    KnownBroken: (ControlPanel,),
    ServerLists: (ControlPanel, KnownBroken, WsgiConf),
    SeenThere: (ZopeConf,),
    SharedBlobs: (SeenThere,),
    ZeoIdentity: (ZeoAnswers,),
    StorageCaches: (SeenThere, ZeoIdentity),
    ZeoHistories: (ZeoAnswers,),
    # What was just committed over ZEO is what a client's own server must list before it is written to.
    HttpHistories: (ControlPanel, AnsweringProcesses, KnownBroken, WsgiConf, ZeoHistories),
}
"""Which kinds have to be gathered before a kind can be.  What a run left is looked for after whatever it did."""

WRITES: tuple[type[Any], ...] = (ZeoHistories, HttpHistories, Remains)
"""The kinds that only a run that writes can have."""


def wanted_kinds(checks: Iterable[Check]) -> frozenset[type[Any]]:
    """Every kind that these checks need or use, and what has to be gathered before it.

    Nothing is written for the sake of a kind that is merely used: who leaves out the checks that write wants no writes.
    """
    checks = tuple(checks)
    needed = {kind for check in checks for kind in check.needs}
    used = {kind for check in checks for kind in check.uses}
    return with_what_they_need(needed | (used - set(WRITES)))


def with_what_they_need(kinds: Iterable[type[Any]]) -> frozenset[type[Any]]:
    """These kinds, and every kind that has to be gathered before one of them can be."""
    wanted: set[type[Any]] = set()
    stack = list(kinds)
    while stack:
        kind = stack.pop()
        if kind not in wanted:
            wanted.add(kind)
            stack += NEEDS.get(kind, ())
    return frozenset(wanted)
