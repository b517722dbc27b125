"""zeo-sees-every-client: where it fires, and beside it where it must not."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from zcheck.checks.reach.zeo_sees_every_client import zeo_sees_every_client
from zcheck.facts import (
    ControlPanel,
    DatabasePage,
    HttpAnswer,
    ZeoAnswers,
    ZopeConf,
)
from zcheck.report.structs import Judgement
from zcheck.testing import judge, zope_conf
from zcheck.testing.examples import zeo_answer


def severities(judgement: Judgement) -> list[str]:
    return [finding.severity for finding in judgement.findings]


def named(judgement: Judgement) -> list[tuple[str, ...]]:
    return [finding.clients for finding in judgement.findings]


SERVES = HttpAnswer("http", status=200)
CONNECTED = ControlPanel((DatabasePage("main", "zeostorage", True),))
LOST = ControlPanel((DatabasePage("main", "zeostorage", False),))


def registered(count: int, *more: Any, conf: ZopeConf | None = None) -> list[Any]:
    return [zeo_answer(connections=count), *(more or (SERVES,)), conf or zope_conf(server="zeo1:8100")]


def two_servers(count: int) -> list[Any]:
    first, second = zeo_answer(connections=count), zeo_answer(server="zeo2:8100", connections=count)
    both = ZeoAnswers((*first.answers, *second.answers))
    return [both, SERVES, zope_conf(server="zeo1:8100 zeo2:8100")]


ARCHIVE = "<zodb_db archive>\n<zeoclient>\nserver zeo1:8100\n</zeoclient>\nmount-point /archive\n</zodb_db>\n"
AS_ARCHIVE = ZeoAnswers(
    tuple(msgspec.structs.replace(answer, database="archive") for answer in zeo_answer(connections=0).answers)
)
REGISTERED: dict[str, tuple[dict[str, Any], list[tuple[str, ...]]]] = {
    "as many as there are": ({"app1": registered(2), "app2": registered(2)}, []),
    "a script is connected as well": ({"app1": registered(3), "app2": registered(3)}, []),
    "one is missing": ({"app1": registered(1), "app2": registered(1)}, [("app1", "app2")]),
    "none is there": ({"app1": registered(0)}, [("app1",)]),
    "the missing one does not run": (
        {"app1": registered(1), "app2": registered(1, HttpAnswer("silent", "said nothing"))},
        [],
    ),
    "the missing one says itself that it is": (
        {"app1": registered(1, SERVES, CONNECTED), "app2": registered(1, SERVES, LOST)},
        [],
    ),
    "they may be on another of their servers": ({"app1": two_servers(0), "app2": two_servers(0)}, []),
    "a database that nobody has looked into": ({"app1": [AS_ARCHIVE, SERVES, zope_conf(ARCHIVE)]}, []),
    "a server that does not answer": ({"app1": [zeo_answer("refused"), SERVES, zope_conf()]}, []),
}


@pytest.mark.parametrize(("clients", "expected"), REGISTERED.values(), ids=REGISTERED)
def test_zeo_sees_every_client(clients: dict[str, Any], expected: list[tuple[str, ...]]) -> None:
    judgement = judge(zeo_sees_every_client, **clients)
    assert expected == named(judgement)
    assert ["WARNING"] * len(expected) == severities(judgement)
