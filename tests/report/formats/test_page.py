"""A check's page in a terminal: filled to its width, nothing lost, and headings where they were."""

from __future__ import annotations

from offenders import each

from zcheck.check import Check
from zcheck.checks import CATALOGUE
from zcheck.report.formats import page
from zcheck.report.structs import Page

WIDTHS = (60, 80, 200)


@each({check.name: check for check in CATALOGUE})
def test_a_page_is_filled_to_the_width_and_nothing_is_lost(check: Check) -> None:
    own = Page(check.name, check.stage, check.severity.name, check.page)
    whole = page.render(own)
    for width in WIDTHS:
        filled = page.render(own, width=width)
        assert whole.split() == filled.split()
        assert all(len(line) <= width or len(line.split()) == 1 for line in filled.splitlines()[1:])
        for heading in page.HEADINGS:
            assert heading in filled.splitlines()
