"""A check's page for a terminal, with what one cluster's facts make of the check."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from zcheck.report.ages import age_note
from zcheck.report.formats.text import clean, lines_of, wrapped
from zcheck.report.structs import Connection, Page, Report

HEADINGS = ("What it examines", "Why it matters", "What it does not prove", "How to repair it")


def render(
    page: Page,
    report: Report | None = None,
    *,
    colour: bool = False,
    width: int | None = None,
    examples: bool = False,
) -> str:
    """The page; with a report, the check's outcome on that cluster and the cluster's own values after it.

    ``examples``: also those by which the check is tested.
    """
    lines = [_bold(f"{page.check}  ({page.stage} stage, {page.severity})", colour), ""]
    for line in _filled(page.prose, width):
        lines.append(_bold(line, colour) if line in HEADINGS else line)
    if report is not None:
        lines += ["", *_on_this_cluster(page, report, colour, width)]
    tested = page.text[len(page.prose) :].strip("\n")
    if examples and tested:
        lines += ["", _bold("Examples", colour), *textwrap.indent(tested, "    ").split("\n")]
    return "\n".join(lines) + "\n"


def _bold(text: str, colour: bool) -> str:
    return f"\033[1m{text}\033[0m" if colour else text


def _filled(prose: str, width: int | None) -> Iterator[str]:
    """Each paragraph filled anew to the terminal's width, as it stands where there is none."""
    if width is None:
        yield from prose.split("\n")
        return
    paragraph: list[str] = []
    for line in [*prose.split("\n"), ""]:
        indent = line[: len(line) - len(line.lstrip())]
        if paragraph and (not line.strip() or line in HEADINGS or indent != _indent(paragraph[0])):
            yield from _paragraph(paragraph, width)
            paragraph = []
        if line in HEADINGS or not line.strip():
            yield line
        else:
            paragraph.append(line)


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def _paragraph(lines: list[str], width: int) -> list[str]:
    indent = _indent(lines[0])
    text = " ".join(line.strip() for line in lines)
    return textwrap.wrap(
        text, width, initial_indent=indent, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def _on_this_cluster(page: Page, report: Report, colour: bool, width: int | None) -> Iterator[str]:
    result = next((result for result in report.checks if result.check == page.check), None)
    outcome = result.outcome if result is not None else "not judged"
    because = f" ({result.because})" if result is not None and result.because else ""
    yield _bold(f"On {clean(report.cluster.name)}, {report.run.started}: {outcome}{clean(because)}", colour)
    aged = age_note(report.run)
    told: list[str] = [f"    note: {aged}"] if aged else []
    for finding in report.findings:
        if finding.check == page.check:
            told += [f"    {line}" for line in lines_of(finding)]
    told += [f"    note: {clean(remark.message)}" for remark in report.remarks if remark.check == page.check]
    if result is not None and not result.because:
        told += [f"    not judged for {clean(one.client)}: {clean(one.because)}" for one in result.skipped_for]
    yield from told if width is None else wrapped(told, width)
    if report.topology.connections:
        yield ""
        yield _bold("Its clients' databases", colour)
        own = [f"    {_told(one, report)}" for one in report.topology.connections]
        yield from own if width is None else wrapped(own, width)


def _told(one: Connection, report: Report) -> str:
    labels = {node.id: node.label for node in report.topology.storages}
    where = " and ".join(labels[target] for target in one.targets) or "not known"
    storage = f", storage {one.storage}" if one.storage else ""
    mounts = f", mounted on {' '.join(one.mounts)}" if one.mounts else ""
    detail = f" ({one.detail})" if one.detail else ""
    return clean(f"{one.client}: {one.database} at {where}{storage}{mounts}{detail}")
