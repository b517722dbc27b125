"""zeo-server-writes-its-own-file: where it fires, and beside it where it must not."""

from __future__ import annotations

from typing import Literal

import pytest

from zcheck.checks.identity.zeo_server_writes_its_own_file import zeo_server_writes_its_own_file
from zcheck.facts import StorageFile, ZeoIdentity
from zcheck.facts.history import History, ZeoHistories
from zcheck.testing import judge
from zcheck.testing.examples import identity

Outcome = Literal["own", "replaced", "unknown"]


def file(outcome: Outcome, server: str = "zeo1:8100") -> StorageFile:
    return StorageFile("main", server, "1", "/srv/Data.fs", outcome)


@pytest.mark.parametrize(
    ("before", "later", "expected"),
    [
        ("own", (), []),
        ("unknown", (), ["UNKNOWN"]),
        ("unknown", ("unknown", "own"), []),
        ("own", ("own", "replaced"), ["CRITICAL"]),
        ("replaced", ("unknown",), ["CRITICAL"]),
        ("own", ("unknown",), []),
    ],
)
def test_what_was_learnt_last_counts(before: Outcome, later: tuple[Outcome, ...], expected: list[str]) -> None:
    found = ZeoIdentity(files=(file(before),))
    written = ZeoHistories((History("zeo", "main", "run", files=tuple(map(file, later))),))
    judgement = judge(zeo_server_writes_its_own_file, found, written, app1=[], app2=[])
    assert expected == [finding.severity for finding in judgement.findings]


def test_only_the_clients_of_that_server_are_named() -> None:
    proofs = identity(app1="zeo1:8100 1 7", app2="zeo2:8100 1 7")
    found = ZeoIdentity(proofs.databases, proofs.loads, files=(file("own"), file("replaced", "zeo2:8100")))
    (finding,) = judge(zeo_server_writes_its_own_file, found, app1=[], app2=[]).findings
    assert ("app2",) == finding.clients
