"""What the files alone would call two servers, and the same run proves to be one: a note, by either kind of proof."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from zcheck.checks.config.zeo_server_is_the_pinned_one import zeo_server_is_the_pinned_one
from zcheck.checks.config.zeo_servers_agree import zeo_servers_agree
from zcheck.facts import ControlPanel, DatabasePage
from zcheck.report.structs import Judgement
from zcheck.testing import inventory, judge, zope_conf
from zcheck.testing.examples import http_run, identity

HERE = "[client:app1]\naddress = 127.0.0.1:8081\n[client:app2]\naddress = 127.0.0.1:8082\n"
AWAY = "[client:app1]\naddress = 192.0.2.1:8080\n[client:app2]\naddress = 192.0.2.2:8080\n"
PORTS = {"app1": 8100, "app2": 9100}
NOW = 2_000_000_000.0
ONE = identity(app1="localhost:8100 1 7", app2="localhost:9100 4 10", rose="app1 app1=7 app2=7")
TWO = identity(app1="localhost:8100 1 7", app2="localhost:9100 1 4", rose="app1 app1=7 app2=0")
SEEN = http_run("app1 > app2", "app2 > app1")
HALF = http_run("app1 > app2", "app2 > !app1")


def client(name: str, *, label: str = "", age_s: int = 60, edited_s: float = 3600) -> list[Any]:
    """One client on the ZEO server that its file names; ``label``: what its Control Panel shows in place of that."""
    shown = label or f"[('localhost', {PORTS[name]})]"
    conf = zope_conf(server=f"localhost:{PORTS[name]}")
    panel = ControlPanel((DatabasePage("main", shown, True),), running_for=f"{age_s} sec", read_at=NOW)
    return [msgspec.structs.replace(conf, mtime=NOW - edited_s), panel]


def told(judgement: Judgement) -> list[str]:
    return [finding.severity for finding in judgement.findings] + ["note" for _ in judgement.remarks]


CASES: dict[str, tuple[str, list[Any], dict[str, Any], list[str]]] = {
    "nothing proven": (HERE, [], {}, ["CRITICAL"]),
    "identity, on this machine": (HERE, [ONE], {}, ["note"]),
    "identity tells two": (HERE, [TWO], {}, ["CRITICAL"]),
    "identity, of other machines' localhost": (AWAY, [ONE], {}, ["CRITICAL"]),
    "edits through the clients": (HERE, [SEEN], {}, ["note"]),
    "edits that are seen in one direction": (HERE, [HALF], {}, ["CRITICAL"]),
    "edits, and a name is shown": (HERE, [SEEN], {"label": "zeostorage"}, ["CRITICAL"]),
    "edits, and another server is shown": (HERE, [SEEN], {"label": "[('localhost', 7100)]"}, ["CRITICAL"]),
    "edits, and the file is newer": (HERE, [SEEN], {"edited_s": 10}, ["CRITICAL"]),
    "edits, and the files are of other machines": (AWAY, [SEEN], {}, ["CRITICAL"]),
}


@pytest.mark.parametrize(("ini", "proofs", "second", "expected"), CASES.values(), ids=CASES)
def test_two_addresses_of_one_server(ini: str, proofs: list[Any], second: dict[str, Any], expected: list[str]) -> None:
    found = judge(zeo_servers_agree, inventory(ini), *proofs, app1=client("app1"), app2=client("app2", **second))
    assert expected == told(found)


@pytest.mark.parametrize(("proofs", "expected"), [([ONE], ["note"]), ([TWO], ["CRITICAL"]), ([], ["CRITICAL"])])
def test_another_address_of_the_pinned_server(proofs: list[Any], expected: list[str]) -> None:
    ini = inventory("[cluster]\nzeo = localhost:8100\n" + HERE)
    found = judge(zeo_server_is_the_pinned_one, ini, *proofs, app1=client("app1"), app2=client("app2"))
    assert expected == told(found)
