"""At a terminal lines fit its width, findings are told by cause, and nothing is lost by either."""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec
import pytest
from cases import CLIENTS, hostile, made, split, thirty

from zcheck.check import Place
from zcheck.report.formats import text
from zcheck.report.structs import Finding, Level, Pair, Report

CASES = {"split": split, "thirty": thirty, "hostile": hostile}


def words(shown: str) -> list[str]:
    return re.sub(r"\033\[[0-9;]*m", "", shown).split()


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
@pytest.mark.parametrize("width", [40, 80, 200])
@pytest.mark.parametrize("colour", [False, True], ids=["plain", "coloured"])
def test_lines_fit_and_no_word_is_lost(case: Callable[[], Report], width: int, colour: bool) -> None:
    shown = text.render(case(), width=width, colour=colour)
    whole = text.render(case())
    if width >= 80:
        assert words(whole) == words(shown)
    for line in shown.splitlines():
        plain = re.sub(r"\033\[[0-9;]*m", "", line)
        # What is one word, such as a path, is longer than any terminal if it must be.
        assert len(plain) <= width or len(plain.split()) == 1 or "<- read on" in plain


def test_wide_characters_count_twice() -> None:
    finding = Finding(check="x", stage="config", severity="CRITICAL", clients=("app1",), message="編集 " * 30)
    assert all(len(line) <= 60 for line in text.render(made(finding), width=80).splitlines() if "編集" in line)


def test_a_table_too_wide_for_the_terminal_is_told_in_blocks() -> None:
    names = tuple(f"application-server-{number}" for number in range(1, 9))
    pairs = tuple(Pair(w, r, True, 1.0) for w in names for r in names if w != r)
    report = made(levels=(Level("http", "main", pairs),), clients=names)
    shown = text.render(report, width=80)
    heads = [line for line in shown.splitlines() if "<- read on" in line]
    assert len(heads) == 4
    assert all(len(line) <= 80 for line in shown.splitlines() if "1.0 ms" in line or "<- read on" in line)
    assert 1 == text.render(report).count("<- read on")
    assert len(pairs) == shown.count("1.0 ms")


def alike(number: int, name: str, **changes: object) -> Finding:
    finding = Finding(
        check="zope-conf-parses",
        stage="config",
        severity="UNKNOWN",
        clients=(name,),
        message=f"{name}: cannot be read",
        hint=f"ask {name}",
        fingerprint=str(number),
        places=(Place(f"{name}/zope.conf", 1),),
    )
    return msgspec.structs.replace(finding, **changes)


def test_the_same_finding_of_many_clients_is_told_once() -> None:
    shown = text.render(made(*(alike(n, name) for n, name in enumerate(CLIENTS))))
    assert 1 == shown.count("cannot be read")
    assert "  app2/zope.conf:1: note: the same for app2\n  app3/zope.conf:1: note: the same for app3\n" in shown
    assert 1 == shown.count("page: ")


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(alike(1, "app2", message="app2: is empty"), id="another message"),
        pytest.param(alike(1, "app2", places=(Place("app2/zope.conf", 7),)), id="another line"),
        pytest.param(alike(1, "app12", message="app1: cannot be read"), id="another client's name in it"),
        pytest.param(alike(1, "app2", clients=("app2", "app3")), id="several clients"),
    ],
)
def test_what_differs_is_told_apart(other: Finding) -> None:
    shown = text.render(made(alike(0, "app1"), other))
    assert "the same for" not in shown
    assert "app1: cannot be read" in shown
    assert text.clean(other.message) in shown


def test_each_severity_and_what_is_suppressed_stand_apart() -> None:
    shown = text.render(
        made(alike(0, "app1"), alike(1, "app2", severity="CRITICAL"), alike(2, "app3", suppressed_by="known"))
    )
    assert 3 == shown.count("page: zcheck explain zope-conf-parses")
    assert shown.index("critical:") < shown.index("unknown:")


def test_many_findings_are_counted_and_few_are_not() -> None:
    assert "30 findings: 6 critical, 12 unknown, 12 warning\n" in text.render(thirty())
    assert "findings:" not in text.render(made(alike(0, "app1")))
