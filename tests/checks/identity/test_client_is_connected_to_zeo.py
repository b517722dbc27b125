"""client-is-connected-to-zeo: where it fires, and beside it where it must not."""

from __future__ import annotations

from typing import Any

import pytest

from zcheck.checks.identity.client_is_connected_to_zeo import client_is_connected_to_zeo
from zcheck.facts import (
    ControlPanel,
    DatabasePage,
    HttpAnswer,
    KnownBroken,
    LeftOut,
    NotGathered,
)
from zcheck.facts.history import ClientState, History, HttpHistories
from zcheck.report.structs import Judgement
from zcheck.testing import judge, zope_conf

Told = list[tuple[str, tuple[str, ...], str]]


def told(judgement: Judgement) -> Told:
    return [(finding.severity, finding.clients, finding.message) for finding in judgement.findings]


def outcome(judgement: Judgement) -> str:
    return judgement.results[0].outcome


def panel(*pages: tuple[str, str, bool | None]) -> ControlPanel:
    return ControlPanel(tuple(DatabasePage(*page) for page in pages))


def running(found: ControlPanel | NotGathered | LeftOut) -> list[Any]:
    return [HttpAnswer("http", status=200), (ControlPanel, found)]


def hung(*clients: str) -> HttpHistories:
    return HttpHistories((History("http", "main", "1", clients=tuple(ClientState(c, hung=True) for c in clients)),))


ON_ZEO = "<zodb_db main>\nmount-point /\n<zeoclient>\nserver zeo1:8100\n</zeoclient>\n</zodb_db>"
IN_SQL = (
    "<zodb_db main>\nmount-point /\n<relstorage>\n<postgresql>\ndsn dbname='site' host='db1'\n</postgresql>\n"
    "</relstorage>\n</zodb_db>"
)
UP = panel(("main", "zeo", True))
DOWN = panel(("main", "zeo", False))
CONNECTED: dict[str, tuple[list[Any], Any, str, Told]] = {
    "connected": ([], running(UP), "pass", []),
    "disconnected": (
        [],
        running(DOWN),
        "problem",
        [("CRITICAL", ("app1",), "app1 has lost its ZEO server: database main says (disconnected)")],
    ),
    "one of two mounts": (
        [],
        running(panel(("main", "zeo", True), ("archive", "zeo", False))),
        "problem",
        [("CRITICAL", ("app1",), "app1 has lost its ZEO server: database archive says (disconnected)")],
    ),
    "both mounts": (
        [],
        running(panel(("main", "zeo", False), ("archive", "zeo", False))),
        "problem",
        [("CRITICAL", ("app1",), "app1 has lost its ZEO server: databases main, archive say (disconnected)")],
    ),
    "a temporary mount beside it": ([], running(panel(("main", "zeo", True), ("temp", "t", None))), "pass", []),
    "no ZEO at all": ([], running(panel(("main", "/Data.fs", None))), "skipped", []),
    "it hangs and says it is connected": (
        [hung("app1")],
        running(UP),
        "problem",
        [("CRITICAL", ("app1",), "app1 says it is connected to its ZEO server, and hangs as soon as it has to ask it")],
    ),
    "another one hangs": ([hung("app2")], running(UP), "pass", []),
    "it hangs, its Control Panel as well": (
        [hung("app1")],
        running(NotGathered("said nothing for 5 s")),
        "problem",
        [("CRITICAL", ("app1",), "app1 answers, and hangs as soon as it has to ask its storage")],
    ),
    "it hangs, its Control Panel as well, and its file names a ZEO server": (
        [hung("app1")],
        [*running(NotGathered("said nothing for 5 s")), zope_conf(ON_ZEO)],
        "problem",
        [("CRITICAL", ("app1",), "app1 answers, and hangs as soon as it has to ask its ZEO server")],
    ),
    "it hangs, and its database is in a relational one": (
        [hung("app1")],
        [*running(panel(("main", "RelStorage: dbname='site' host='db1'", None))), zope_conf(IN_SQL)],
        "problem",
        [("CRITICAL", ("app1",), "app1 answers, and hangs as soon as it has to ask its relational database")],
    ),
    "it runs on no ZEO server, whatever its file names": (
        [hung("app1")],
        [*running(panel(("main", "elsewhere", None))), zope_conf(ON_ZEO)],
        "problem",
        [("CRITICAL", ("app1",), "app1 answers, and hangs as soon as it has to ask its storage")],
    ),
    "it hung in an earlier run, and its database is in a relational one": (
        [KnownBroken({"app1": "2026-12-01 12:00:00 UTC"})],
        [*running(panel(("main", "RelStorage: dbname='site' host='db1'", None))), zope_conf(IN_SQL)],
        "problem",
        [
            (
                "CRITICAL",
                ("app1",),
                "app1 answers, and hung when it had to ask its relational database (2026-12-01 12:00:00 UTC); it is"
                " still the same process, and has shown no answer to that since",
            )
        ],
    ),
    "it hangs, and its server answers nobody": (
        [
            HttpHistories(
                (History("http", "main", "1", clients=(ClientState("app1", hung=True, because="zeo-server-answers"),)),)
            )
        ],
        running(NotGathered("said nothing for 5 s")),
        "skipped",
        [],
    ),
    "the Control Panel was refused": (
        [],
        running(NotGathered("the user lacks the permission")),
        "unknown",
        [("UNKNOWN", ("app1",), "the Control Panel of app1 cannot be read: the user lacks the permission")],
    ),
    "no credentials": ([], running(LeftOut("clients.ini gives no user and password")), "skipped", []),
    "nothing was gathered": (
        [],
        [HttpAnswer("http")],
        "unknown",
        [("UNKNOWN", ("app1",), "the Control Panel of app1 cannot be read: it was not asked for")],
    ),
}


@pytest.mark.parametrize(("cluster", "client", "expected", "findings"), CONNECTED.values(), ids=CONNECTED)
def test_client_is_connected_to_zeo(cluster: list[Any], client: Any, expected: str, findings: Told) -> None:
    judgement = judge(client_is_connected_to_zeo, *cluster, app1=client)
    assert (expected, findings) == (outcome(judgement), told(judgement))
