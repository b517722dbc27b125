"""A client that was on another database: its hint removes the cache that would show it for ever, by its path."""

from __future__ import annotations

from typing import Any

import pytest

from zcheck.check import Check
from zcheck.checks.consistency.edits_are_seen_everywhere import edits_are_seen_everywhere
from zcheck.checks.identity.database_locations_agree import database_locations_agree
from zcheck.checks.identity.every_database_is_one import every_database_is_one
from zcheck.facts import ControlPanel, DatabasePage, ZopeConf
from zcheck.rules.cache_files import MOST_FILES, UNNAMED, without_caches
from zcheck.testing import facts_of, judge, zope_conf
from zcheck.testing.examples import http_run, identity, server_lists, stored

KEPT = zope_conf(server="10.0.0.9:8100", client="app", var="/srv/var")
PATH = zope_conf("<zodb_db main>\n<clientstorage>\nserver zeo1:8100\ncache-path /srv/c\n</clientstorage>\n</zodb_db>")
NONE = zope_conf(server="10.0.0.9:8100")
VARIABLE = zope_conf(server="zeo1:8100", client="$(NAME)", var="/srv/var")
SOMEWHERE = zope_conf(server="zeo1:8100", client="app")

FILES: dict[str, tuple[ZopeConf, str]] = {
    "client and var": (KEPT, "/srv/var/app-1.zec of app2"),
    "cache-path": (PATH, "/srv/c of app2"),
    "none": (NONE, ""),
    "a variable": (VARIABLE, UNNAMED),
    "the working directory": (SOMEWHERE, UNNAMED),
}


@pytest.mark.parametrize(("conf", "named"), FILES.values(), ids=FILES)
def test_the_file_as_a_hint_names_it(conf: ZopeConf, named: str) -> None:
    said = without_caches(facts_of(app1=NONE, app2=conf), ("app1", "app2"), "main")
    assert named in said
    assert bool(named) == bool(said)


def test_a_client_of_which_no_file_was_read_may_keep_one() -> None:
    assert UNNAMED in without_caches(facts_of(app1=NONE, app2=[]), ("app1", "app2"), "main")


def test_many_files_are_not_all_spelt_out() -> None:
    clients = {f"app{n}": KEPT for n in range(MOST_FILES + 3)}
    assert "and 3 more" in without_caches(facts_of(**clients), clients, "main")


def panel(location: str) -> ControlPanel:
    return ControlPanel((DatabasePage("main", location, True),))


AT, AWAY = panel("[('10.0.0.9', 8100)]"), panel("[('10.0.0.8', 8100)]")
NAMED = zope_conf(server="zeo1:8100", client="app", var="/srv/var", name="storage")
STORAGES = identity(app1="zeo1:8100 1 7", app2="zeo2:8100 1 4")

SPLITS: dict[str, tuple[Check, list[Any], Any, ZopeConf]] = {
    "edits": (edits_are_seen_everywhere, [http_run("app1 > !app2", "app2 > !app1")], AT, KEPT),
    "another location": (database_locations_agree, [], AWAY, KEPT),
    "not in the log": (
        database_locations_agree,
        [stored(http_run("app1 > app2", "app2 > app1"), app1=False, app2=False)],
        panel("storage"),
        NAMED,
    ),
    "two storages": (every_database_is_one, [STORAGES], AT, KEPT),
    "two lists": (every_database_is_one, [STORAGES, server_lists(app1="1 2 3 4 99", app2="1 2 3")], AT, KEPT),
}


@pytest.mark.parametrize(("check", "cluster", "shown", "conf"), SPLITS.values(), ids=SPLITS)
def test_the_hint_of_a_split(check: Check, cluster: list[Any], shown: ControlPanel, conf: ZopeConf) -> None:
    first = panel("storage") if conf is NAMED else AT
    (found,) = judge(check, *cluster, app1=[first, conf], app2=[shown, conf]).findings
    assert "remove" in found.hint
    assert "/srv/var/app-1.zec" in found.hint
    assert "start it" in found.hint


@pytest.mark.parametrize(("check", "cluster", "shown", "conf"), SPLITS.values(), ids=SPLITS)
def test_nothing_is_removed_where_there_is_no_file(
    check: Check, cluster: list[Any], shown: ControlPanel, conf: ZopeConf
) -> None:
    bare = zope_conf(server="zeo1:8100", name="storage") if conf is NAMED else NONE
    first = panel("storage") if conf is NAMED else AT
    (found,) = judge(check, *cluster, app1=[first, bare], app2=[shown, bare]).findings
    assert "cache" not in found.hint
