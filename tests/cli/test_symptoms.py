"""A symptom leads to checks that are there."""

from __future__ import annotations

import pytest

from zcheck import cli
from zcheck.checks import CATALOGUE
from zcheck.cli.symptoms import SYMPTOMS, nearest


@pytest.mark.parametrize("symptom", SYMPTOMS, ids=lambda symptom: symptom.name)
def test_a_symptom_names_checks(symptom: object) -> None:
    known = {check.name for check in CATALOGUE}
    assert symptom in SYMPTOMS
    assert len(known & set(symptom.checks)) >= 2  # type: ignore[attr-defined]
    assert len(set(symptom.checks)) == len(symptom.checks)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("expected", "text"),
    [
        ("editors lose changes", "editors lose changes"),
        ("editors lose changes", "edits vanish"),
        ("users are logged out", "my users are logged out"),
        ("pages differ on reload", "the page differs on reload"),
        ("saving takes minutes", "saving hangs"),
        (None, "the moon is full"),
        (None, ""),
    ],
)
def test_a_complaint_is_understood(expected: str | None, text: str) -> None:
    found = nearest(text)
    assert expected == (found.name if found else None)


def test_explain_shows_the_checks_of_a_symptom(capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == cli.main(["explain", "editors lose changes"])
    assert capsys.readouterr().out.startswith("editors lose changes\n  edits-are-seen-everywhere ")
    assert 0 == cli.main(["explain"])
    assert "\nby symptom\n  editors lose changes: edits-are-seen-everywhere, " in capsys.readouterr().out
    assert 3 == cli.main(["explain", "the moon is full"])
