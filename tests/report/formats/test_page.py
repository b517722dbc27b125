"""A check's page in a terminal: filled to its width, nothing lost, and headings where they were."""

from __future__ import annotations

import pytest

from zcheck.checks import CATALOGUE
from zcheck.report.formats import page
from zcheck.report.structs import Page

every_check = pytest.mark.parametrize("check", CATALOGUE, ids=lambda check: check.name)


@every_check
@pytest.mark.parametrize("width", [60, 80, 200])
def test_a_page_is_filled_to_the_width_and_nothing_is_lost(check: object, width: int) -> None:
    own = Page(check.name, check.stage, check.severity.name, check.page)  # type: ignore[attr-defined]
    whole, filled = page.render(own), page.render(own, width=width)
    assert whole.split() == filled.split()
    assert all(len(line) <= width or len(line.split()) == 1 for line in filled.splitlines()[1:])
    for heading in page.HEADINGS:
        assert heading in filled.splitlines()
