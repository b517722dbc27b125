"""The report for a person: findings as a compiler prints them, what was proven, the impact, the verdict last.

Findings of one check stand together, the worst first, with the page that explains them named once; what is the same for
many clients is told once.  Lines are wrapped only where a width is given: at a terminal.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Protocol

import msgspec

from zcheck.report.ages import age_note
from zcheck.report.formats.sides import grouped
from zcheck.report.structs import CheckResult, Finding, Level, Pair, Place, Report

_COLOURS = {
    "CRITICAL": "1;38;5;196",
    "UNKNOWN": "1;38;5;164",
    "WARNING": "1;38;5;130",
    "ADVICE": "38;5;31",
    "OK": "1;38;5;28",
}
"""Of the fixed part of the palette, halfway between black and white: legible on both."""
_LARGEST_TABLE = 12
_MOST_GAPS = 12
_MOST_PLACES = 24
"""Of one finding: a thousand lines that say the same are read by nobody."""
_FEW = 3
"""So many findings are seen at a glance; of more their number is told as well."""


def render(
    report: Report, *, colour: bool = False, verbose: bool = False, quiet: bool = False, width: int | None = None
) -> str:
    """The whole report as lines of plain text, or with ANSI colours that carry no meaning of their own.

    ``width``: the columns of the terminal; None leaves every line whole.
    """
    paint = _Paint(colour)
    lines: list[str] = []
    if not quiet:
        for group in _groups(report.findings):
            lines += [*_group(group, paint, verbose=verbose), ""]
        if verbose:
            lines += [*_checks(report.checks), ""]
        lines += [f"note: {clean(remark.message)}" for remark in report.remarks]
        if report.remarks:
            lines.append("")
        for level in report.consistency.levels:
            lines += _table(level, report.cluster.clients, paint, width)
    # The verdict stays the last line, whatever else was asked for.
    if report.timings:
        lines += [*(f"{timing.seconds:8.3f} s  {timing.what}" for timing in report.timings), ""]
    if not quiet:
        lines += _counted(report.findings)
        aged = age_note(report.run)
        lines += [f"note: {aged}"] if aged else []
    if report.verdict.impact and not quiet:
        lines += [clean(report.verdict.impact)]
    lines.append(last_line(report, paint))
    return "\n".join(lines if width is None else wrapped(lines, width)) + "\n"


def clean(text: str) -> str:
    """The text with control characters and lone surrogates made visible: nothing of a conf reaches the terminal raw.

    Bidirectional overrides are made visible too, since they change what a person reads.
    """
    return "".join(char if char.isprintable() and char not in _OVERRIDES else _visible(char) for char in text)


_OVERRIDES = frozenset(map(chr, [*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F]))


def _visible(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")


class _Paint:
    def __init__(self, colour: bool) -> None:
        self.colour = colour

    def __call__(self, text: str, severity: str) -> str:
        return f"\033[{_COLOURS[severity]}m{text}\033[0m" if self.colour and severity in _COLOURS else text


def lines_of(finding: Finding, paint: _Paint | None = None) -> Iterator[str]:
    """One finding: the line that a compiler would print, the other places, and the hint."""
    severity = (paint or _Paint(False))(finding.severity.lower(), finding.severity)
    if finding.suppressed_by:
        severity = f"{finding.severity.lower()} (suppressed by {clean(finding.suppressed_by)})"
    head, *others = finding.places or (None,)
    begin = f"{where(head)}: " if head is not None else ""
    yield f"{begin}{severity}: {finding.check}: {clean(finding.message)}{_of_whom(finding)}"
    if head is not None and head.note:
        yield f"  {where(head)}: note: {clean(head.note)}"
    shown = others if len(others) <= _MOST_PLACES + 1 else others[:_MOST_PLACES]
    for place in shown:
        if place is not None:
            yield f"  {where(place)}: note: {clean(place.note or place.text)}"
    if len(shown) < len(others):
        yield f"  note: and {len(others) - len(shown)} more places, all of them in -o json"
    if finding.hint:
        yield f"  help: {clean(finding.hint)}"


def _groups(findings: Iterable[Finding]) -> Iterator[list[Finding]]:
    """The findings of each check and severity, at the place of the first of them."""
    found: dict[tuple[str, str, bool], list[Finding]] = {}
    for finding in findings:
        found.setdefault((finding.check, finding.severity, finding.suppressed_by is not None), []).append(finding)
    yield from found.values()


def _group(findings: list[Finding], paint: _Paint, *, verbose: bool) -> Iterator[str]:
    hints = {finding.hint for finding in findings}
    for same in _told_once(findings):
        told = same[0]
        if len(hints) == 1 and len(findings) > 1:
            told = msgspec.structs.replace(told, hint="")
        *lines, last = lines_of(told, paint)
        has_hint = bool(told.hint)
        yield from lines if has_hint else [*lines, last]
        yield from _the_same(same[1:])
        if has_hint:
            yield last
        if verbose:
            yield f"  fingerprint: {', '.join(finding.fingerprint for finding in same)}"
    hint = next(iter(hints))
    if len(hints) == 1 and len(findings) > 1 and hint:
        yield f"  help: {clean(hint)}"
    yield f"  page: zcheck explain {findings[0].check}"


def _told_once(findings: list[Finding]) -> list[list[Finding]]:
    """The findings, those together that differ in nothing but the name of their one client."""
    alike: dict[object, list[Finding]] = {}
    for number, finding in enumerate(findings):
        alike.setdefault(_shape(finding) or number, []).append(finding)
    return list(alike.values())


def _shape(finding: Finding) -> tuple[str, ...] | None:
    """A finding of one client with the client's name taken out; None for one of several clients."""
    if len(finding.clients) != 1:
        return None
    name = re.compile(rf"(?<![\w-]){re.escape(finding.clients[0])}(?![\w-])")
    places = (part for place in finding.places for part in (place.file, str(place.line), place.text, place.note))
    return tuple(name.sub("\0", text) for text in (finding.message, finding.hint, *places))


def _the_same(others: list[Finding]) -> Iterator[str]:
    if len(others) > _FEW:
        names = [clean(finding.clients[0]) for finding in others]
        more = f" and {len(names) - _MOST_PLACES} more" if len(names) > _MOST_PLACES + 1 else ""
        yield f"  note: the same for {', '.join(names[:_MOST_PLACES] if more else names)}{more}"
        return
    for finding in others:
        place = finding.places[0] if finding.places else None
        begin = f"{where(place)}: " if place is not None else ""
        yield f"  {begin}note: the same for {clean(finding.clients[0])}"


def _counted(findings: Iterable[Finding]) -> Iterator[str]:
    live = [finding.severity for finding in findings if finding.suppressed_by is None]
    if len(live) > _FEW:
        each = ", ".join(
            f"{live.count(severity)} {severity.lower()}"
            for severity in ("CRITICAL", "UNKNOWN", "WARNING", "ADVICE")
            if severity in live
        )
        yield f"{len(live)} findings: {each}"


def _of_whom(finding: Finding) -> str:
    """The clients, where neither the message nor a place tells any of them."""
    if finding.places or any(name in finding.message for name in finding.clients):
        return ""
    more = f" and {len(finding.clients) - _MOST_NAMED} more" if len(finding.clients) > _MOST_NAMED else ""
    return f" ({', '.join(map(clean, finding.clients[:_MOST_NAMED]))}{more})" if finding.clients else ""


_MOST_NAMED = 12


def where(place: Place) -> str:
    """``FILE:LINE``, or the file alone."""
    return clean(place.file) if place.line is None else f"{clean(place.file)}:{place.line}"


def _checks(checks: Iterable[CheckResult]) -> Iterable[str]:
    for result in checks:
        because = f" ({clean(result.because)})" if result.because else ""
        if not because and result.skipped_for:
            skipped = "; ".join(f"{one.client}: {clean(one.because)}" for one in result.skipped_for)
            because = f" (not judged for {skipped})"
        yield f"{result.outcome:>10}  {result.stage}: {result.check}{because}"


class Tested(Protocol):
    """What belongs to one database, tried at one level."""

    @property
    def level(self) -> str: ...
    @property
    def database(self) -> str: ...


def tested(one: Tested) -> str:
    """What was tried, and through what: ``database main, over ZEO``."""
    what = "inside" if one.database.startswith("/") else "database"
    how = "through the running clients" if one.level == "http" else "over ZEO"
    return f"{what} {clean(one.database)}, {how}"


def proven(level: Level) -> str:
    """How much of what was tried was seen, in a line."""
    seen = sum(pair.seen is True for pair in level.pairs)
    stood = len({*level.same_way.values()})
    standing = f"; {stood} connections stood for {stood + len(level.same_way)} clients" if stood else ""
    return f"{tested(level)}: {seen} of {len(level.pairs)} pairs proven{standing}"


_NOT_THE_PROCESSES = " (zcheck's own connections, as the clients' files say)"
"""A client that is down, or that was started from another file, is proven as well as any at this level."""


def _table(level: Level, clients: tuple[str, ...], paint: _Paint, width: int | None) -> Iterator[str]:
    """Who saw whose write: a row for each writer, a column for each reader; large clusters get the gaps alone."""
    by = {(pair.writer, pair.reader): pair for pair in level.pairs}
    yield proven(level) + (_NOT_THE_PROCESSES if level.level == "zeo" else "")
    clients = tuple(client for client in clients if client not in level.same_way)
    if len(clients) > _LARGEST_TABLE or not level.pairs:
        yield from _gaps(level.pairs, clients)
        yield ""
        return
    first = max(map(_cells, (*clients, "written on")))
    for readers in _columns(clients, None if width is None else width - first - 2):
        head = "".join(f"  {_right(name, 8)}" for name in readers)
        yield f"  {'written on'.ljust(first)}{head}   <- read on"
        for writer in clients:
            row = "".join("  " + _shown(by.get((writer, reader)), reader, paint) for reader in readers)
            yield f"  {writer}{' ' * (first - _cells(writer))}{row}"
        yield ""


def _gaps(pairs: tuple[Pair, ...], clients: tuple[str, ...]) -> Iterator[str]:
    """What was not seen: pair by pair, or the sides where there are many."""
    missing = [pair for pair in pairs if pair.seen is False]
    if len(missing) > _MOST_GAPS:
        yield f"  not seen: {len(missing)} pairs"
        yield from (f"  side {number}: {clean(side.told)}" for number, side in enumerate(grouped(clients, pairs), 1))
        return
    yield from (f"  not seen: {clean(pair.writer)} -> {clean(pair.reader)}" for pair in missing)


def _columns(clients: tuple[str, ...], room: int | None) -> Iterator[tuple[str, ...]]:
    """The clients in as many blocks as the terminal's width makes necessary."""
    room = None if room is None else room - len("   <- read on")
    block: list[str] = []
    for name in clients:
        taken = sum(max(8, _cells(other)) + 2 for other in (*block, name))
        if block and room is not None and taken > room:
            yield tuple(block)
            block = []
        block.append(name)
    yield tuple(block)


def _shown(pair: Pair | None, reader: str, paint: _Paint) -> str:
    cell, severity = _cell(pair.seen, pair.lag_ms) if pair is not None else ("-", "")
    return paint(f"{cell:>{max(8, _cells(reader))}}", severity)


def _right(text: str, width: int) -> str:
    return " " * (width - _cells(text)) + text


def _cell(seen: bool | None, lag_ms: float | None) -> tuple[str, str]:
    if seen is None:
        return "?", "UNKNOWN"
    if not seen:
        return "NOT SEEN", "CRITICAL"
    return (f"{lag_ms:.1f} ms" if lag_ms is not None else "seen"), ""


def last_line(report: Report, paint: _Paint | None = None) -> str:
    """The verdict with its coverage."""
    paint = paint or _Paint(False)
    coverage = report.coverage
    parts = [
        f"{coverage.checks_run} of {coverage.checks_total} checks",
        f"{coverage.clients_seen} of {coverage.clients_total} clients",
    ]
    if report.consistency.levels:
        parts.append(
            f"{coverage.pairs_proven} of {coverage.pairs_total} pairs proven through the running clients, "
            f"{coverage.zeo_pairs_proven} of {coverage.pairs_total} over ZEO"
        )
    else:
        parts.append("no pair proven")
    suppressed = sum(finding.suppressed_by is not None for finding in report.findings)
    if suppressed:
        parts.append(f"{suppressed} suppressed")
    parts += not_proven(report.checks)
    parts.append(f"{report.run.duration_s:.1f} s")
    return f"{paint(report.verdict.status, report.verdict.status)}: {'; '.join(parts)}"


def not_proven(checks: Iterable[CheckResult]) -> list[str]:
    """``not proven: 4 (3 no balancer section, 1 --read-only)``, or nothing; the most frequent reason first."""
    checks = tuple(checks)
    names = {result.check for result in checks}
    reasons: dict[str, int] = {}
    for result in checks:
        if result.outcome in ("skipped", "unknown"):
            parts = (result.because or "could not be learnt").split("; ")
            reason = "; ".join(f"because of {part}" if part in names else part for part in parts)
            reasons[reason] = reasons.get(reason, 0) + 1
    if not reasons:
        return []
    total = sum(reasons.values())
    if len(reasons) == 1:
        return [f"not proven: {total} ({clean(next(iter(reasons)))})"]
    told = sorted(reasons.items(), key=lambda item: -item[1])
    shown = ", ".join(f"{count} {clean(reason)}" for reason, count in told[:3])
    more = f", {sum(count for _, count in told[3:])} for other reasons" if len(told) > 3 else ""
    return [f"not proven: {total} ({shown}{more})"]


_ESCAPE = re.compile(r"\033\[[0-9;]*m")


def _cells(text: str) -> int:
    """How many columns of a terminal a text takes."""
    plain = _ESCAPE.sub("", text)
    return sum(0 if unicodedata.combining(char) else 1 + (unicodedata.east_asian_width(char) in "WF") for char in plain)


def wrapped(lines: Iterable[str], width: int) -> Iterator[str]:
    """Lines broken at blanks, what follows indented; a path or a command is never broken, and a table never is."""
    for line in lines:
        if _cells(line) <= width or "<- read on" in line:
            yield line
            continue
        indent = " " * (len(line) - len(line.lstrip(" ")) + 4)
        current = ""
        for word in re.findall(r"\s*\S+", line):
            if current.strip() and _cells(current + word) > width:
                yield current
                current = indent + word.lstrip(" ")
            else:
                current += word
        yield current
