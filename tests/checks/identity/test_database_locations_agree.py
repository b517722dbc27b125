"""database-locations-agree: where it fires, and beside it where it must not."""

from __future__ import annotations

from typing import Any

import pytest

from zcheck.checks.identity.database_locations_agree import database_locations_agree
from zcheck.facts import (
    ControlPanel,
    DatabasePage,
    Names,
    ZopeConf,
)
from zcheck.testing import judge, zope_conf


def panel(*pages: tuple[str, str, bool | None]) -> ControlPanel:
    return ControlPanel(tuple(DatabasePage(*page) for page in pages))


def at(label: str, connected: bool | None = True) -> ControlPanel:
    return panel(("main", label, connected))


def conf(**keys: str) -> ZopeConf:
    return zope_conf(**keys)


NINE = "[('10.0.0.9', 8100)]"
LOCAL = "[('127.0.0.1', 8100)]"
NAMED = Names({"zeo1": ("10.0.0.9",), "zeo2": ("10.0.0.8",)})
# By what the two clients show and have on disk: severity and clients of each finding.
LOCATIONS: dict[str, tuple[list[Any], Any, Any, list[tuple[str, tuple[str, ...]]]]] = {
    "the same": ([], [at(NINE), conf(server="10.0.0.9:8100")], [at(NINE), conf(server="10.0.0.9:8100")], []),
    "localhost, 127.0.0.1 and a bare port": (
        [],
        [at("[('localhost', 8100)]"), conf(server="localhost:8100")],
        [at(LOCAL), conf(server="8100")],
        [],
    ),
    "the file was edited to another spelling": (
        [NAMED],
        [at("[('zeo1', 8100)]"), conf(server="10.0.0.9:8100")],
        [at(NINE), conf(server="zeo1:8100")],
        [],
    ),
    "the file was edited to another server": (
        [],
        [at(NINE), conf(server="10.0.0.9:8100")],
        [at("[('10.0.0.8', 8100)]"), conf(server="10.0.0.9:8100")],
        [("WARNING", ("app2",))],
    ),
    "to another port": ([], [at(NINE), conf(server="10.0.0.9:8101")], [at(NINE)], [("WARNING", ("app1",))]),
    "to a name that nothing resolves": ([], [at(NINE), conf(server="zeo7:8100")], [at(NINE)], [("UNKNOWN", ("app1",))]),
    "to a name of another server": (
        [NAMED],
        [at(NINE), conf(server="zeo2:8100")],
        [at(NINE), conf(server="zeo1:8100")],
        [("WARNING", ("app1",))],
    ),
    "several servers, in another order": (
        [],
        [at("[('10.0.0.9', 8100), ('10.0.0.8', 8100)]"), conf(server="10.0.0.8:8100 10.0.0.9:8100")],
        [at("[('10.0.0.9', 8100), ('10.0.0.8', 8100)]"), conf(server="10.0.0.9:8100 10.0.0.8:8100")],
        [],
    ),
    "one of several left out": (
        [],
        [at(NINE), conf(server="10.0.0.8:8100 10.0.0.9:8100")],
        [at(NINE), conf(server="10.0.0.9:8100")],
        [("WARNING", ("app1",))],
    ),
    "a name for the storage": (
        [],
        [at("zeostorage"), conf(server="10.0.0.9:8100", name="zeostorage")],
        [at(NINE), conf(server="10.0.0.9:8100")],
        [],
    ),
    "a name that was added since": (
        [],
        [at(NINE), conf(server="10.0.0.9:8100", name="zeostorage")],
        [at(NINE), conf(server="10.0.0.9:8100")],
        [],
    ),
    "a name that was changed since": (
        [],
        [at("old"), conf(server="10.0.0.9:8100", name="zeostorage")],
        [at("zeostorage"), conf(server="10.0.0.9:8100", name="zeostorage")],
        [("WARNING", ("app1",))],
    ),
    "a name that was removed since": (
        [],
        [at("zeostorage"), conf(server="10.0.0.9:8100")],
        [at(NINE), conf(server="10.0.0.9:8100")],
        [("UNKNOWN", ("app1",))],
    ),
    "different names": ([], at("zeostorage"), at("other"), [("WARNING", ("app1", "app2"))]),
    "equal names": ([], at("zeostorage"), at("zeostorage"), []),
    "a name and an address": ([], at("zeostorage"), at(NINE), []),
    "a file where the conf says ZEO": (
        [],
        [at("/srv/Data.fs", None), conf(server="10.0.0.9:8100")],
        [at(NINE), conf(server="10.0.0.9:8100")],
        [("WARNING", ("app1",))],
    ),
    "a file beside ZEO, no conf at hand": ([], at("/srv/Data.fs", None), at(NINE), [("WARNING", ("app1", "app2"))]),
    "two servers, no conf at hand": ([], at(NINE), at("[('10.0.0.8', 8100)]"), [("WARNING", ("app1", "app2"))]),
    "two names that nothing resolves": ([], at("[('a', 8100)]"), at("[('b', 8100)]"), []),
    "each its own localhost, no conf at hand": ([], at(LOCAL), at(LOCAL), [("WARNING", ("app1", "app2"))]),
    "confs that disagree, and clients that run with them": (
        [],
        [at(NINE), conf(server="10.0.0.9:8100")],
        [at("[('10.0.0.8', 8100)]"), conf(server="10.0.0.8:8100")],
        [],
    ),
    "IPv6": ([], [at("[('::1', 8100)]"), conf(server="[::1]:8100")], at("[('10.0.0.1', 8100)]"), []),
    "a unix socket on each of two machines": (
        [],
        [at("['/run/zeo.sock']"), conf(server="/run/zeo.sock")],
        at("['/run/zeo.sock']"),
        [("WARNING", ("app1", "app2"))],
    ),
    "what looks like a list and is none": ([], at("[('10.0.0.9', 8100), __import__('os')]"), at(NINE), []),
    "a list of nonsense": ([], at("[" * 5000), at(NINE), []),
    "another database": ([], panel(("main", NINE, True)), panel(("archive", "/x", None)), []),
}


@pytest.mark.parametrize(("cluster", "app1", "app2", "expected"), LOCATIONS.values(), ids=LOCATIONS)
def test_database_locations_agree(
    cluster: list[Any], app1: Any, app2: Any, expected: list[tuple[str, tuple[str, ...]]]
) -> None:
    findings = judge(database_locations_agree, *cluster, app1=app1, app2=app2).findings
    assert expected == [(finding.severity, finding.clients) for finding in findings]
    assert all(finding.hint for finding in findings)


def test_a_wrapper_around_the_storage_is_not_guessed_at() -> None:
    storage = "<zlibstorage>\n<zeoclient>\nserver 10.0.0.9:8100\n</zeoclient>\n</zlibstorage>\n"
    wrapped = zope_conf(f"%import zc.zlibstorage\n<zodb_db main>\n{storage}mount-point /\n</zodb_db>")
    assert () == judge(database_locations_agree, app1=[at("whatever"), wrapped]).findings


def test_a_value_that_the_inventory_does_not_give_is_not_held_against_a_client() -> None:
    unresolved = conf(server="$(ZEO_ADDRESS)")
    assert () == judge(database_locations_agree, app1=[at(NINE), unresolved], app2=[at(NINE), unresolved]).findings


def test_both_lines_are_shown() -> None:
    found = judge(database_locations_agree, app1=[at("[('10.0.0.8', 8100)]"), conf(server="10.0.0.9:8100")])
    assert ["server 10.0.0.9:8100"] == [place.text for place in found.findings[0].places]
