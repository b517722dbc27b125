"""Every check is held to what ARCHITECTURE.rst says of one check; its page's examples run."""

from __future__ import annotations

import doctest
import importlib
import inspect
import textwrap
from inspect import ismodule
from pathlib import Path

import pytest
from offenders import each

import zcheck.checks
import zcheck.facts
import zcheck.facts.history
import zcheck.testing
from zcheck.check import STAGES, Check, Severity
from zcheck.checks import CATALOGUE
from zcheck.facts import Inventory

ROOT = Path(__file__).resolve().parents[1]
HEADINGS = ("What it examines", "Why it matters", "What it does not prove", "How to repair it")
LONGEST_BODY = 20
"""Lines of a check's function, its docstring, comments and blank lines left out."""

of_every_check = each({check.name: check for check in CATALOGUE})


def files_of(root: Path) -> set[str]:
    """``stage/module`` of every file that is a check."""
    found = (path for stage in STAGES for path in (root / "checks" / stage).glob("*.py"))
    return {f"{path.parent.name}/{path.stem}" for path in found if not path.stem.startswith("_")}


def test_every_file_is_listed_and_every_entry_has_a_file() -> None:
    listed = {"/".join(check.__module__.split(".")[-2:]) for check in CATALOGUE}
    assert files_of(ROOT) == listed


def test_no_folder_but_the_stages() -> None:
    folders = {path.name for path in (ROOT / "checks").iterdir() if path.is_dir() and not path.name.startswith("__")}
    assert set(STAGES) == folders


def test_names_are_unique() -> None:
    names = [check.name for check in CATALOGUE]
    assert sorted(set(names)) == sorted(names)


def test_the_catalogue_is_in_the_order_of_the_stages() -> None:
    stages = [check.stage for check in CATALOGUE]
    assert sorted(stages, key=STAGES.index) == stages


@of_every_check
def test_name_file_function_and_folder_agree(check: Check) -> None:
    module = f"zcheck.checks.{check.stage}.{check.name.replace('-', '_')}"
    assert (module, check.name.replace("-", "_")) == (check.__module__, check.__name__)
    assert getattr(importlib.import_module(module), check.__name__) is check


@of_every_check
def test_the_name_is_lower_case_words(check: Check) -> None:
    assert all(word.isalnum() and word == word.lower() for word in check.name.split("-"))


@of_every_check
def test_severity_is_one_that_a_problem_can_have(check: Check) -> None:
    """One check never finds a problem: what it cannot know it cannot blame."""
    if check.name == "unknown-storages-agree":
        assert check.severity is Severity.UNKNOWN
        return
    assert check.severity in (Severity.ADVICE, Severity.WARNING, Severity.CRITICAL)


@of_every_check
def test_after_names_earlier_checks(check: Check) -> None:
    earlier = [other.name for other in CATALOGUE[: CATALOGUE.index(check)]]
    assert [] == [name for name in check.after if name not in earlier]


@of_every_check
def test_kinds_are_declared_once_and_have_a_scope(check: Check) -> None:
    kinds = (*check.needs, *check.uses)
    assert len(set(kinds)) == len(kinds)
    assert {getattr(kind, "scope", None) for kind in kinds} <= {"client", "cluster"}


@of_every_check
def test_the_page_has_a_true_sentence_and_the_four_headings(check: Check) -> None:
    title, blank, *rest = check.page.splitlines()
    assert title.endswith(".") and not blank, "the first line is the sentence that holds for a healthy cluster"
    body = rest[: next((n for n, line in enumerate(rest) if line.startswith(">>>")), len(rest))]
    assert HEADINGS == tuple(line for line in body if line and not line.startswith(" "))
    for heading in HEADINGS:
        assert _text_below(heading, body), f"nothing is said under {heading!r}"


def _text_below(heading: str, lines: list[str]) -> str:
    after = lines[lines.index(heading) + 1 :]
    below = []
    for line in after:
        if line and not line.startswith("    "):
            break
        below.append(line)
    return textwrap.dedent("\n".join(below)).strip()


def examples(check: Check) -> list[doctest.Example]:
    return doctest.DocTestParser().get_examples(check.page, check.name)


def shown(check: Check) -> list[str]:
    """The first word of every line that the page's examples print."""
    return [line.split()[0] for example in examples(check) for line in example.want.splitlines() if line.strip()]


def can_be_unknown(check: Check) -> bool:
    """Whether a fact that the check reads can be missing: clients.ini is always there, or nothing is judged at all.

    Advice that needs nothing else is given or not given.
    """
    advice = check.severity is Severity.ADVICE and not check.needs
    return bool({*check.needs, *check.uses} - {Inventory}) and not advice


@of_every_check
def test_the_examples_show_a_pass_a_problem_and_an_unknown(check: Check) -> None:
    words = shown(check)
    assert "OK" in words, "no example of a healthy cluster"
    assert check.severity.name in words, "no example of the problem"
    if can_be_unknown(check):
        assert "UNKNOWN" in words, "no example of what could not be learnt"


@of_every_check
def test_the_examples_are_true(check: Check) -> None:
    names = {name: getattr(zcheck.testing, name) for name in zcheck.testing.__all__}
    for module in (zcheck.facts.history, zcheck.facts):
        # A module of the package is no fact: `inventory` is what makes one.
        known = vars(module).items()
        names = {name: value for name, value in known if not name.startswith("_") and not ismodule(value)} | names
    names[check.__name__] = check
    module = importlib.import_module(check.__module__)
    test = doctest.DocTestParser().get_doctest(module.__doc__ or "", names, check.name, module.__file__, 0)
    report: list[str] = []
    result = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(test, out=report.append)
    assert result.failed == 0, "".join(report)
    assert result.attempted > 0


@of_every_check
def test_the_body_is_short(check: Check) -> None:
    lines, _ = inspect.getsourcelines(check.body)
    code = [line for line in lines if line.strip() and not line.strip().startswith("#")]
    start = next(number for number, line in enumerate(code) if line.lstrip().startswith("def "))
    assert len(code) - start - 1 <= LONGEST_BODY


# The rules themselves are tested on pages that break them.

PAGE = """Every client is there.

What it examines
    Clients.
Why it matters
    Much.
What it does not prove
    Little.
How to repair it
    Well.

>>> 1
1
"""


class Planted(Check):
    """A check with a page that stands in no file."""

    page = ""


def check_with(page: str) -> Check:
    planted = Planted("a-check", "config", Severity.WARNING, (), (), (), lambda facts: ())
    planted.page = page
    return planted


BROKEN_PAGES = {
    "no full stop": PAGE.replace("there.", "there", 1),
    "no blank line after the title": PAGE.replace("\n\n", "\n", 1),
    "a heading left out": PAGE.replace("Why it matters\n    Much.\n", ""),
    "headings in another order": PAGE.replace("Why it", "What it does not prove\n    x\nWhy it", 1),
    "nothing under a heading": PAGE.replace("    Little.\n", ""),
    "text that is not indented": PAGE.replace("    Much.", "Much."),
}


def test_a_sound_page_passes() -> None:
    test_the_page_has_a_true_sentence_and_the_four_headings.rule(check_with(PAGE))


@pytest.mark.parametrize("page", BROKEN_PAGES.values(), ids=BROKEN_PAGES)
def test_a_broken_page_fails(page: str) -> None:
    with pytest.raises((AssertionError, ValueError)):
        test_the_page_has_a_true_sentence_and_the_four_headings.rule(check_with(page))
