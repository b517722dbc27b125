"""The report for a person: findings as a compiler prints them, what was proven, the impact, the verdict last."""

from __future__ import annotations

from collections.abc import Iterable

from zcheck.report import CheckResult, Finding, Level, Report

_COLOURS = {"CRITICAL": "1;31", "UNKNOWN": "1;35", "WARNING": "1;33", "ADVICE": "36", "OK": "1;32"}
_LARGEST_TABLE = 12


def render(report: Report, *, colour: bool = False, verbose: bool = False, quiet: bool = False) -> str:
    """The whole report as lines of plain text, or with ANSI colours that carry no meaning of their own."""
    paint = _Paint(colour)
    lines: list[str] = []
    if not quiet:
        for finding in report.findings:
            lines += [*_finding(finding, paint), ""]
        if verbose:
            lines += [*_checks(report.checks), ""]
        lines += [f"note: {clean(remark.message)}" for remark in report.remarks]
        if report.remarks:
            lines.append("")
        for level in report.consistency.levels:
            lines += _table(level, report.cluster.clients, paint)
    # The verdict stays the last line, whatever else was asked for.
    if report.timings:
        lines += [*(f"{timing.seconds:8.3f} s  {timing.what}" for timing in report.timings), ""]
    if report.verdict.impact and not quiet:
        lines += [clean(report.verdict.impact)]
    lines.append(_last_line(report, paint))
    return "\n".join(lines) + "\n"


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


def _finding(finding: Finding, paint: _Paint) -> Iterable[str]:
    severity = paint(finding.severity.lower(), finding.severity)
    if finding.suppressed_by:
        severity = f"{finding.severity.lower()} (suppressed by {finding.suppressed_by})"
    head, *others = finding.places or (None,)
    where = f"{_where(head.file, head.line)}: " if head is not None else ""
    yield f"{where}{severity}: {finding.check}: {clean(finding.message)}"
    if head is not None and head.note:
        yield f"  {_where(head.file, head.line)}: note: {clean(head.note)}"
    for place in others:
        if place is not None:
            yield f"  {_where(place.file, place.line)}: note: {clean(place.note or place.text)}"
    if finding.hint:
        yield f"  help: {clean(finding.hint)}"
    yield f"  page: zcheck explain {finding.check}"


def _where(file: str, line: int | None) -> str:
    return clean(file) if line is None else f"{clean(file)}:{line}"


def _checks(checks: Iterable[CheckResult]) -> Iterable[str]:
    for result in checks:
        because = f" ({clean(result.because)})" if result.because else ""
        if not because and result.skipped_for:
            skipped = "; ".join(f"{one.client}: {clean(one.because)}" for one in result.skipped_for)
            because = f" (not judged for {skipped})"
        yield f"{result.outcome:>10}  {result.stage}: {result.check}{because}"


def _table(level: Level, clients: tuple[str, ...], paint: _Paint) -> Iterable[str]:
    """Who saw whose write: a row for each writer, a column for each reader; large clusters get the gaps alone."""
    by = {(pair.writer, pair.reader): pair for pair in level.pairs}
    how = "through the running clients" if level.level == "http" else "over ZEO"
    proven = sum(pair.seen is True for pair in level.pairs)
    yield f"database {clean(level.database)}, {how}: {proven} of {len(level.pairs)} pairs proven"
    if len(clients) > _LARGEST_TABLE or not level.pairs:
        missing = [pair for pair in level.pairs if pair.seen is False]
        yield from (f"  not seen: {pair.writer} -> {pair.reader}" for pair in missing[:20])
        yield ""
        return
    width = max(len(name) for name in (*clients, "written on"))
    yield "  " + "written on".ljust(width) + "".join(f"  {name:>8}" for name in clients) + "   <- read on"
    for writer in clients:
        cells = []
        for reader in clients:
            pair = by.get((writer, reader))
            cell, severity = _cell(pair.seen, pair.lag_ms) if pair is not None else ("-", "")
            cells.append("  " + paint(f"{cell:>{max(8, len(reader))}}", severity))
        yield "  " + writer.ljust(width) + "".join(cells)
    yield ""


def _cell(seen: bool | None, lag_ms: float | None) -> tuple[str, str]:
    if seen is None:
        return "?", "UNKNOWN"
    if not seen:
        return "NOT SEEN", "CRITICAL"
    return (f"{lag_ms:.1f} ms" if lag_ms is not None else "seen"), ""


def _last_line(report: Report, paint: _Paint) -> str:
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
    reasons: dict[str, int] = {}
    for result in checks:
        if result.outcome in ("skipped", "unknown"):
            reason = result.because or "unknown"
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
