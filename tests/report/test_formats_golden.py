"""Whole reports, in every format, as they were when somebody last looked at them: ``golden/CASE.EXIT.FORMAT``.

A file is a test.  ``--update-golden`` rewrites those that are there; to begin a new one, create it empty.  A case is
judged by the few checks of ``CHECKS``, so that a check that is added later rewrites nothing, and what differs from run
to run (an id, times) is fixed before it is rendered.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from cases import hostile, split, thirty

from zcheck import cli
from zcheck.checks import CATALOGUE
from zcheck.commands import preflight
from zcheck.facts import NotGathered
from zcheck.gather.settings import Settings
from zcheck.parsers import clients_ini
from zcheck.report.structs import Page, Report, Run, Tool

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "golden"
FILES = sorted(path.name for path in GOLDEN.iterdir() if path.name.count(".") >= 2)

CHECKS = (
    "at-least-two-clients",
    "clients-on-several-machines",
    "zope-conf-parses",
    "mount-points-agree",
    "zeo-servers-agree",
    "settings-agree",
    "client-port-answers",
    "edits-are-seen-everywhere",
)


PAGES = (
    Page("mount-points-agree", "config", "CRITICAL", "All mount the same.\n\nHow to repair it\n    Edit.\n\n>>> 1\n1"),
)


def sample(folder: str) -> Report:
    """An offline run on a folder of ``sample-confs``, by its few checks."""
    checks = [check for check in CATALOGUE if check.name in CHECKS]
    file = f"sample-confs/{folder}/clients.ini"
    cluster = clients_ini.parse((ROOT / file).read_text(encoding="utf-8"), file)
    return preflight.run(
        cluster,
        checks,
        Settings(run_id="0", offline=True),
        command="preflight",
        reasons=preflight.left_out(checks, (), (), offline=True, read_only=False),
        secret=NotGathered("no password is needed"),
    )


CASES: dict[str, Callable[[], Report]] = {
    "healthy": lambda: sample("healthy"),
    "mounts": lambda: sample("mount-points-differ"),
    "settings": lambda: sample("settings-differ"),
    "unknown": lambda: sample("zeo-servers-cannot-be-told"),
    "split": split,
    "hostile": hostile,
    "thirty": thirty,
}


def fixed(report: Report) -> Report:
    """The report without what differs from run to run and from version to version."""
    return msgspec.structs.replace(
        report,
        tool=Tool("zcheck", "0"),
        run=Run(
            id="0", command="preflight", started="2026-11-20T12:00:00Z", duration_s=2.1, offline=report.run.offline
        ),
        checks=tuple(msgspec.structs.replace(result, duration_s=0.0) for result in report.checks),
    )


@pytest.mark.parametrize("name", FILES)
def test_a_report_is_as_it_was(name: str, update_golden: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    case, exit_code, form = name.split(".")
    report = fixed(CASES[case]())
    shown = cli.rendered(report, form, pages=PAGES)
    path = GOLDEN / name
    if update_golden:
        path.unlink()
        path = GOLDEN / f"{case}.{report.verdict.exit_code}.{form}"
        path.write_text(shown, encoding="utf-8")
        return
    assert exit_code == str(report.verdict.exit_code)
    assert path.read_text(encoding="utf-8") == shown


def test_every_format_and_every_case_has_a_file() -> None:
    told = [name.split(".") for name in FILES]
    assert set(CASES) == {case for case, _, _ in told}
    assert set(cli.FORMATS) == {form for _, _, form in told}
    assert {"0", "1", "2", "3"} == {code for _, code, _ in told}
