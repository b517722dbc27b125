"""The documentation names what there is: every command, option, check and format that it shows exists."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest
from offenders import each

from zcheck import cli
from zcheck.checks import CATALOGUE

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(
    path
    for folder in ("docs", "contrib")
    for path in (ROOT / folder).rglob("*")
    if path.suffix in (".rst", ".cfg", ".conf", ".sh", ".yml", ".yaml", ".service")
    and not {"generated", "checks"} & set(path.relative_to(ROOT).parts)
)
PAGES += [ROOT / "README.rst", ROOT / "contrib" / "containers" / "Containerfile"]
of_every_page = each({str(path.relative_to(ROOT)): path for path in PAGES})

# A command as it stands in a line of its own, behind a prompt, or behind the key of some configuration.
_COMMAND = re.compile(
    r"^(?:.*&& |\s*\$ |\s*- run: |\s*- |.*entry: |ExecStart=\S*/|.*command_line\s+(?:\S+ )*\S*/|\s+)?zcheck (\w.*)$"
)


def commands(path: Path) -> list[str]:
    """Every command line of ours in a file, up to what a shell makes of the rest."""
    text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    found = [match[1] for line in text.splitlines() if (match := _COMMAND.match(line)) is not None]
    if path.suffix == ".rst":
        # Prose is filled: what begins a line there is no command.
        found = [one for one in found if f"    zcheck {one}" in text or f"    $ zcheck {one}" in text]
        found += [match[1] for match in re.finditer(r"``zcheck ([a-z][^`]*)``", text)]
    return [re.split(r" && | > |  +", one)[0] for one in found]


def understood(line: str) -> click.Context:
    """The context of the command that this line runs; raises what click raises."""
    words = shlex.split(line.replace("$ARG1$", "clients.ini"))
    group: click.Group = cli.zcheck
    while True:
        context = group.make_context("zcheck", words, resilient_parsing=False) if group is cli.zcheck else None
        name, command, words = group.resolve_command(context or click.Context(group), words)
        assert command is not None, name
        if not isinstance(command, click.Group):
            break
        group = command
        if not words:
            return click.Context(group)
    # ``zcheck preflight`` in prose names the command alone.
    return command.make_context(name or "", words, resilient_parsing=not words)


@of_every_page
def test_every_command_that_is_shown_exists_with_its_options(path: Path) -> None:
    for line in commands(path):
        try:
            understood(line)
        except click.ClickException as error:
            pytest.fail(f"{path}: zcheck {line}: {error.format_message()}")


def test_the_search_for_commands_finds_them() -> None:
    found = [line for path in PAGES for line in commands(path)]
    assert len(found) > 60
    assert "monitor clients.ini" in found
    assert "preflight --offline --output junit:zcheck.xml --output html:zcheck.html clients.ini" in found
    for wrong in (
        "preflihgt clients.ini",
        "preflight --bogus clients.ini",
        "preflight -o pdf clients.ini",
        "haproxy melt x",
    ):
        with pytest.raises(click.ClickException):
            understood(wrong)


@of_every_page
def test_every_check_that_is_named_exists(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    known = {check.name for check in CATALOGUE}
    named = set(re.findall(r"zcheck explain ([a-z]+(?:-[a-z]+)+)", text))
    named |= set(re.findall(r"^\s*check = (\S+)", text, re.MULTILINE))
    assert set() == named - known


def test_every_format_and_every_metric_is_described() -> None:
    text = (ROOT / "docs" / "formats.rst").read_text(encoding="utf-8")
    assert [] == [form for form in cli.FORMATS if f"``{form}``" not in text]
    from cases import split

    names = re.findall(r"^# TYPE (\S+)", cli.rendered(split(), "prometheus"), re.MULTILINE)
    assert [] == [name for name in names if name not in text]


def test_the_page_on_adding_a_check_shows_what_the_readme_shows() -> None:
    readme = (ROOT / "README.rst").read_text(encoding="utf-8")
    page = (ROOT / "docs" / "add-a-check.rst").read_text(encoding="utf-8")
    start, end = (re.search(rf":{mark}: (.*)", page)[1] for mark in ("start-after", "end-before"))  # type: ignore[index]
    part = readme.split(start, 1)[1].split(end, 1)[0]
    assert "Write ``checks/" in part
    assert "Exit codes" not in part


def test_every_picture_that_is_shown_exists_and_is_quickly_fetched() -> None:
    shown = {
        (path.parent / picture).resolve()
        for path in PAGES
        if path.suffix == ".rst"
        for picture in re.findall(r"^\.\. image:: (\S+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert {path.resolve() for path in (ROOT / "docs" / "pictures").iterdir()} == shown
    assert [] == [path for path in shown if path.stat().st_size > 200_000]


def test_a_picture_of_the_terminal_needs_nothing_from_elsewhere() -> None:
    text = (ROOT / "docs" / "pictures" / "terminal.svg").read_text(encoding="utf-8")
    assert ["http://www.w3.org/2000/svg"] == re.findall(r"\w+://[^\s\"')]+", text)
    assert "<script" not in text


def test_every_test_that_a_page_names_exists() -> None:
    files = (ROOT / "tests").rglob("test_*.py")
    known = {name for path in files for name in re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE)}
    pages = {path: set(re.findall(r"``(test_\w+)``", path.read_text(encoding="utf-8"))) for path in PAGES}
    assert len(pages[ROOT / "docs" / "safety.rst"]) > 30
    assert len(pages[ROOT / "docs" / "old-faults.rst"]) >= 10
    for path, named in pages.items():
        assert set() == named - known, path


def test_every_rule_of_safety_has_a_test() -> None:
    rows = (ROOT / "docs" / "safety.rst").read_text(encoding="utf-8").split("\n   * - ")[1:]
    assert [str(number) for number in range(1, 12)] == [row.split("\n")[0].strip() for row in rows]
    assert all("``test_" in row for row in rows)
