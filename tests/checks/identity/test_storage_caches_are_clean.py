"""What is said of a client's cache file, and what its hint says of a client that still runs elsewhere."""

from __future__ import annotations

from typing import Any

import pytest

from zcheck.checks.identity.storage_caches_are_clean import storage_caches_are_clean
from zcheck.facts import CacheThere, LeftOut, NotGathered, StorageCaches
from zcheck.testing import judge
from zcheck.testing.examples import http_run, stored

PATH = "/srv/var/app1-1.zec"


def kept(*caches: dict[str, Any]) -> StorageCaches:
    return StorageCaches(tuple(CacheThere("main", PATH, "zope.conf", 5, **one) for one in caches))


CASES: dict[str, tuple[Any, list[str], str]] = {
    "clean": (kept({"current": 9, "compared": 9}), [], "pass"),
    "an empty cache": (kept({}), [], "pass"),
    "wrong": (kept({"current": 9, "compared": 9, "wrong": 1}), ["WARNING"], "problem"),
    "one of two": (kept({"compared": 9}, {"compared": 9, "wrong": 9}), ["WARNING"], "problem"),
    "not read": (kept({"why_not": "Permission denied"}), [], "skipped"),
    "no cache": (kept(), [], "skipped"),
    "no via": (LeftOut("not checked: clients.ini gives no via for it"), [], "skipped"),
    "not gathered": (NotGathered("zcheck failed"), ["UNKNOWN"], "unknown"),
}


@pytest.mark.parametrize(("fact", "severities", "outcome"), CASES.values(), ids=CASES)
def test_the_outcome(fact: Any, severities: list[str], outcome: str) -> None:
    found = judge(storage_caches_are_clean, app1=fact)
    assert severities == [one.severity for one in found.findings]
    assert [outcome] == [one.outcome for one in found.results]


def hint(*cluster: Any) -> str:
    (found,) = judge(storage_caches_are_clean, *cluster, app1=kept({"compared": 9, "wrong": 1}), app2=kept()).findings
    return found.hint


def test_the_hint() -> None:
    assert f"stop app1, remove {PATH}, and start it" == hint()
    away = hint(stored(http_run("app1 > app2", "app2 > app1"), app1=False, app2=True))
    assert away.startswith("find out which storage holds the newest edits")
    assert away.endswith(f"stop app1, remove {PATH}, and start it")
