"""The line of impact: what users notice, and no more than was seen."""

from __future__ import annotations

import pytest

from zcheck.report import verdict
from zcheck.report.structs import Finding

NAMES = ("app1", "app2", "app3")


def finding(check: str, *clients: str, suppressed_by: str | None = None) -> Finding:
    return Finding(
        check=check, stage="reach", severity="CRITICAL", clients=clients, message="", suppressed_by=suppressed_by
    )


CASES = {
    "nobody was seen to save": (
        "nobody can save through app1, app3; pages come from caches",
        [finding("zeo-server-answers", "app1", "app3")],
        (),
    ),
    "one was seen to save all the same": (
        "nobody can save through app1; pages come from caches",
        [finding("zeo-server-answers", "app1", "app3")],
        ("app2", "app3"),
    ),
    "all were seen to save: their files are wrong, not the processes": (
        "as configured, nobody could save through app3",
        [finding("zeo-storage-exists", "app3")],
        NAMES,
    ),
    "what was seen comes before what the files let expect": (
        "edits are not seen by all of app1, app3: users would see different pages, and edits would vanish",
        [finding("zeo-servers-agree", "app1", "app2"), finding("edits-are-seen-everywhere", "app1", "app3")],
        ("app1",),
    ),
    "a write that did not arrive says nothing of where": (
        "writes do not reach all of app1, app2: users would see different pages, and edits would vanish",
        [finding("zeo-passes-writes-on", "app1", "app2")],
        (),
    ),
    "an old page": (
        "app2: pages can show what was replaced long ago, and be saved like that",
        [finding("no-torn-or-stale-reads", "app2")],
        (),
    ),
    "suppressed": ("", [finding("zeo-server-answers", "app1", suppressed_by="later")], ()),
}


@pytest.mark.parametrize(("expected", "findings", "saving"), CASES.values(), ids=CASES)
def test_the_impact(expected: str, findings: list[Finding], saving: tuple[str, ...]) -> None:
    assert expected == verdict.impact(findings, NAMES, saving)


def test_of_very_many_clients_the_first_are_named() -> None:
    names = tuple(f"app{number}" for number in range(1, 51))
    told = verdict.impact([finding("edits-are-seen-everywhere", *names)], names)
    assert told.startswith("edits are not seen by all of app1, app2, app3, app4, app5, app6 and 44 more: users")
