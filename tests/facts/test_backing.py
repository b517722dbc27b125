"""What holds a client's database: by the running process's word first, then by its file."""

from __future__ import annotations

from typing import Any

import pytest

from zcheck.facts import ControlPanel, DatabasePage, NotGathered, ZopeConf
from zcheck.facts.backing import all_backings, backing_of
from zcheck.testing import facts_of, zope_conf


def conf_of(*storage: str) -> ZopeConf:
    return zope_conf("\n".join(["<zodb_db main>", "mount-point /", *storage, "</zodb_db>"]))


def panel(location: str, connected: bool | None = None, name: str = "main") -> ControlPanel:
    return ControlPanel((DatabasePage(name, location, connected),))


ZEO = conf_of("<zeoclient>", "server zeo1:8100", "</zeoclient>")
SQL = conf_of("<relstorage>", "<postgresql>", "dsn dbname='site' host='db1'", "</postgresql>", "</relstorage>")
FILE = conf_of("<filestorage>", "path /srv/Data.fs", "</filestorage>")
SAID = "PostgreSQLAdapter(dsn='dbname=site host=db1')"
UNREAD = (ControlPanel, NotGathered("the user lacks the permission"))


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param([ZEO, panel("['zeo1:8100']", True)], "zeo", id="both say ZEO"),
        pytest.param([panel("zeostorage", False)], "zeo", id="disconnected, and no file"),
        pytest.param([SQL, panel("zeostorage", True)], "zeo", id="it was not restarted since its file was changed"),
        pytest.param([ZEO, UNREAD], "zeo", id="the file alone"),
        pytest.param([SQL, panel(SAID)], "sql", id="a relational database"),
        pytest.param([SQL, UNREAD], "sql", id="by its file"),
        pytest.param([panel(SAID)], "unknown", id="neither ZEO nor a file, and nobody says what"),
        pytest.param([FILE, panel("/srv/Data.fs")], "file", id="a file"),
        pytest.param([ZEO, panel("/srv/Data.fs")], "file", id="a file, though its zope.conf names ZEO by now"),
        pytest.param([ZEO, panel("demo")], "unknown", id="not on ZEO, and not what its file says"),
        pytest.param([FILE, panel("/srv/Data.fs", name="Data")], "file", id="the one database by another name"),
        pytest.param([], "unknown", id="nothing was read"),
    ],
)
def test_what_holds_a_database(found: list[Any], expected: str) -> None:
    facts = facts_of(app1=found)
    assert expected == backing_of(facts, "app1", "main")
    assert {expected} >= all_backings(facts, "app1")
