"""Sphinx: what is written by hand, and beside it what is generated from the code itself.

Generated are a page for every check (its own docstring), the index by symptom, the commands with their options, and the
schema of the report: what stands there cannot differ from what the program does.
"""

from __future__ import annotations

import re
from pathlib import Path

import click
from sphinx.application import Sphinx

import zcheck
from zcheck.check import STAGES
from zcheck.checks import CATALOGUE
from zcheck.cli import zcheck as command_line
from zcheck.cli.symptoms import SYMPTOMS
from zcheck.report.formats import json

project = "zcheck"
author = "the zcheck developers"
copyright = author
version = release = zcheck.__version__
html_theme = "furo"
html_title = f"zcheck {version}"
exclude_patterns = ["generated/commands.rst"]
man_pages = [("man", "zcheck", "prove that Zope clients can be load balanced", [author], 1)]
nitpicky = True
HERE = Path(__file__).parent
CHECKS = HERE / "checks"
GENERATED = HERE / "generated"


def generate(app: Sphinx) -> None:
    """Write everything that comes from the code."""
    for folder in (CHECKS, GENERATED):
        folder.mkdir(exist_ok=True)
        # A check that is gone must not leave its page behind.
        for old in folder.glob("*.rst"):
            old.unlink()
    write_pages()
    write(GENERATED / "symptoms.rst", symptoms())
    write(GENERATED / "commands.rst", commands())
    (GENERATED / "report.schema.json").write_text(json.schema(), encoding="utf-8")


def write(path: Path, lines: list[str]) -> None:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def title(text: str, line: str) -> list[str]:
    return [text, line * len(text), ""]


def write_pages() -> None:
    """Write ``checks/NAME.rst`` for every check, and ``checks/index.rst``."""
    index = [
        *title("The catalogue", "="),
        f"Each of the {len(CATALOGUE)} checks is a sentence that is true of a healthy cluster.",
        "``zcheck explain`` shows the same pages in the terminal.",
        "",
    ]
    for stage in STAGES:
        checks = [check for check in CATALOGUE if check.stage == stage]
        if checks:
            index += [*title(stage, "-"), ".. list-table::", "   :widths: 30 12 58", ""]
        for check in checks:
            index += [f"   * - :doc:`{check.name}`", f"     - {check.severity.name}", f"     - {check.title}"]
            page = [*title(check.name, "="), f"*{check.stage} stage, {check.severity.name}*", "", check.page]
            write(CHECKS / f"{check.name}.rst", page)
        index.append("")
    index += [".. toctree::", "   :hidden:", "", *(f"   {check.name}" for check in CATALOGUE)]
    write(CHECKS / "index.rst", index)


def symptoms() -> list[str]:
    known = {check.name: check for check in CATALOGUE}
    lines = [
        *title("By symptom", "="),
        "What people complain about, and the checks that find the cause;",
        '``zcheck explain "editors lose changes"`` shows the same in the terminal.',
        "",
    ]
    for symptom in SYMPTOMS:
        lines += title(symptom.name.capitalize(), "-")
        lines += [f"- :doc:`/checks/{name}`: {known[name].title}" for name in symptom.checks if name in known]
        lines.append("")
    return lines


def commands() -> list[str]:
    """Every command with its help and its options, as click knows them."""
    lines: list[str] = []
    for path, command in walk("zcheck", command_line):
        context = click.Context(command, info_name=path)
        pieces = " ".join(command.collect_usage_pieces(context))
        lines += [*title(path, "-"), f"``{path} {pieces}``", ""]
        lines += [*(plain(line.strip()) for line in (command.help or "").splitlines()), ""]
        for parameter in command.params:
            record = parameter.get_help_record(context)
            if record is not None:
                lines += [f"``{record[0]}``", f"    {plain(record[1])}", ""]
    return lines


def plain(text: str) -> str:
    """A text for a terminal, so that nothing in it is taken for markup."""
    return re.sub(r"([*`|\\])", r"\\\1", text)


def walk(path: str, command: click.Command) -> list[tuple[str, click.Command]]:
    if not isinstance(command, click.Group):
        return [(path, command)]
    return [found for name, inner in command.commands.items() for found in walk(f"{path} {name}", inner)]


def setup(app: Sphinx) -> None:
    app.connect("builder-inited", generate)
