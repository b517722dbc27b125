"""What lists tell of two storages: where a replica may be behind it none of both causes is named for sure."""

from __future__ import annotations

from typing import Any

import pytest

from zcheck.checks.identity.every_database_is_one import every_database_is_one
from zcheck.facts import ControlPanel, DatabasePage, ZeoIdentity, ZopeConf
from zcheck.report.structs import Finding
from zcheck.testing import judge, zope_conf
from zcheck.testing.examples import server_lists

NO_ZEO = ZeoIdentity(why_not="no client is on ZEO")


def in_sql(*keys: str) -> list[Any]:
    adapter = ("<postgresql>", "dsn dbname='site' host='db1'", "</postgresql>")
    lines = ["<zodb_db main>", "mount-point /", "<relstorage>", *keys, *adapter, "</relstorage>", "</zodb_db>"]
    conf: ZopeConf = zope_conf("\n".join(lines))
    return [conf, ControlPanel((DatabasePage("main", "PostgreSQLAdapter(dbname=site)", None),))]


def finding_of(lists: dict[str, str], **clients: Any) -> Finding:
    (finding,) = (
        one
        for one in judge(every_database_is_one, NO_ZEO, server_lists(**lists), **clients).findings
        if one.severity == "CRITICAL"
    )
    return finding


REPLICA = in_sql("ro-replica-conf /etc/replicas")


def test_of_a_replica_that_may_be_paused_no_cause_is_named() -> None:
    finding = finding_of({"app1": "1 2 3 9", "app2": "1 2 3"}, app1=REPLICA, app2=REPLICA)
    assert finding.message.endswith(
        "app2's server lists nothing after 2026-01-01 00:03:00, and lacks what app1's had before and after it: it is "
        "another storage, or a replica that does not follow, which the clients' zope.conf lets them read from"
    )


@pytest.mark.parametrize(
    ("lists", "behind"),
    [
        pytest.param({"app1": "1 2 3 9", "app2": "1 2 3 5"}, REPLICA, id="it has what the other lacks"),
        pytest.param({"app1": "1 2 3 9", "app2": "1 2 3"}, in_sql(), id="it reads where it writes"),
    ],
)
def test_two_storages_are_called_so(lists: dict[str, str], behind: list[Any]) -> None:
    finding = finding_of(lists, app1=REPLICA, app2=behind)
    assert finding.message.startswith("database main is two storages")


def test_a_cache_file_of_zeo_is_named_only_where_there_can_be_one() -> None:
    lists = {"app1": "1 2 3 9", "app2": "1 2 3 5"}
    on_zeo = ControlPanel((DatabasePage("main", "zeostorage", True),))
    assert "ZEO" not in finding_of(lists, app1=in_sql(), app2=in_sql()).hint
    assert "ZEO" not in finding_of(lists, app1=in_sql()[1:], app2=in_sql()[1:]).hint
    assert "ZEO cache file" in finding_of(lists, app1=[on_zeo], app2=[on_zeo]).hint
    assert "ZEO cache file" in finding_of(lists, app1=in_sql(), app2=[on_zeo]).hint
