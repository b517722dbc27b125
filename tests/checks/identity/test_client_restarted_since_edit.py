"""client-restarted-since-edit: where it fires, and beside it where it must not."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from zcheck.checks.identity.client_restarted_since_edit import client_restarted_since_edit
from zcheck.facts import (
    ControlPanel,
)
from zcheck.report.structs import Judgement
from zcheck.testing import inventory, judge, zope_conf

NOW = 1_700_000_000.0


def severities(judgement: Judgement) -> list[str]:
    return [finding.severity for finding in judgement.findings]


HERE = "[client:app1]\naddress = 127.0.0.1:8081\n"
ELSEWHERE = "[client:app1]\naddress = 192.0.2.1:8081\n"


def edited(before_now_s: float | None, since: str | None, *, home: str = "", shown: str | None = None) -> list[Any]:
    conf = zope_conf(f"instancehome {home}\n" if home else "<zodb_db main>\n</zodb_db>\n", file="etc/zope.conf")
    written = None if before_now_s is None else NOW - before_now_s
    running = ControlPanel((), running_for=since, read_at=NOW, instance_home=shown)
    return [running, msgspec.structs.replace(conf, mtime=written)]


EDITED: dict[str, tuple[str, list[Any], bool]] = {
    "started after it": (HERE, edited(3600, "10 min 0 sec"), False),
    "written and started at once": (HERE, edited(62, "1 min 0 sec"), False),
    "within what the page can show": (HERE, edited(58, "1 min 0 sec"), False),
    "written since": (HERE, edited(30, "1 min 0 sec"), True),
    "written since, by a page that shows minutes": (HERE, edited(3600 + 30, "1 hour 1 min"), False),
    "written since, days ago": (HERE, edited(3600, "3 days 1 hour 5 min 2 sec"), True),
    "a copy of another machine's": (ELSEWHERE, edited(30, "1 min 0 sec"), False),
    "not the file that it runs with": (HERE, edited(30, "1 min 0 sec", home="/srv/a", shown="/srv/b"), False),
    "the file that it runs with": (HERE, edited(30, "1 min 0 sec", home="/srv/a/", shown="/srv/a"), True),
    "no time": (HERE, edited(None, "1 min 0 sec"), False),
    "no age": (HERE, edited(30, None), False),
}


@pytest.mark.parametrize(("ini", "client", "fires"), EDITED.values(), ids=EDITED)
def test_client_restarted_since_edit(ini: str, client: list[Any], fires: bool) -> None:
    judgement = judge(client_restarted_since_edit, inventory(ini), app1=client)
    assert (["WARNING"] if fires else []) == severities(judgement)
