"""versions-agree: where it fires, and beside it where it must not."""

from __future__ import annotations

from typing import Any

import pytest

from zcheck.checks.identity.versions_agree import versions_agree
from zcheck.facts import (
    ControlPanel,
    HttpAnswer,
)
from zcheck.facts.versions import versions
from zcheck.testing import judge


def panel(zope: str | None = "6.3", python: str | None = "3.11.7 (main, Nov 11 2023) [GCC 12]", **more: Any) -> Any:
    return ControlPanel((), zope_version=zope, python_version=python, **more)


VERSIONS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "equal": ({"app1": panel(), "app2": panel()}, []),
    "another build": ({"app1": panel(), "app2": panel(python="3.11.7 (main, Jan 1 2024) [Clang 15]")}, []),
    "another Zope": ({"app1": panel(), "app2": panel("5.13")}, ["Zope is 6.3 on app1; 5.13 on app2"]),
    "another Python": (
        {"app1": panel(), "app2": panel(python="3.12.1 (x)")},
        ["Python is 3.11.7 on app1; 3.12.1 on app2"],
    ),
    "both": ({"app1": panel(), "app2": panel("5.13", "3.10.1")}, ["Zope is", "Python is"]),
    "an alpha": ({"app1": panel("6.0a1"), "app2": panel("6.0")}, ["Zope is 6.0a1 on app1; 6.0 on app2"]),
    "Plone": ({"app1": panel(plone_version="6.1.1"), "app2": panel(plone_version="6.2.2")}, ["Plone is"]),
    "one of them tells nothing": ({"app1": panel(), "app2": panel(None, None)}, []),
    "one is not told on one": ({"app1": panel(plone_version="6.1.1"), "app2": panel()}, []),
}


@pytest.mark.parametrize(("clients", "expected"), VERSIONS.values(), ids=VERSIONS)
def test_versions_agree(clients: dict[str, Any], expected: list[str]) -> None:
    findings = judge(versions_agree, **clients).findings
    assert len(expected) == len(findings)
    assert all(finding.message.startswith(words) for finding, words in zip(findings, expected, strict=True))


def test_versions_in_a_header() -> None:
    header = "Zope/(2.13.30, python 2.7.18, linux2) ZServer/1.1 Plone/5.1.7"
    answer = HttpAnswer("http", headers={"server": header})
    assert {"Zope": "2.13.30", "Python": "2.7.18", "Plone": "5.1.7"} == versions(None, answer)
    assert {} == versions(None, HttpAnswer("http", headers={"server": "waitress"}))
    assert {"Zope": "4.8.9"} == versions(panel("(4.8.9, Python 3)", None), None)
