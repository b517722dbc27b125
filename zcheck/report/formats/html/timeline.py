"""What went on around an anomaly: a lane for each session, a bar for each operation, the witnesses marked and joined.

Operations take milliseconds and the waits between them may take seconds, so the axis keeps the order of all that began
and ended, and shortens the waits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import msgspec

from zcheck.report.formats.html.drawing import short
from zcheck.report.formats.html.matrix import milliseconds
from zcheck.report.formats.text import clean, tested
from zcheck.report.structs import Anomaly, Step

_LEFT, _TOP, _BAR, _GAP, _LANE_PAD = 120, 34, 16, 6, 9
_NARROWEST, _WIDEST = 560, 860
_TICK_GAP = 84
_MOST_DEEP = 8
"""Operations of one session at one time are drawn below each other; of more the last ones share a row."""

_MARKS = {"fail": "✗", "info": "?"}


class Bar(msgspec.Struct, frozen=True):
    x: float
    y: int
    width: float
    kind: str
    """``write``, ``read`` or ``other``."""
    outcome: str
    mark: str
    """What stands in the bar where there is room, or below it where its outcome is not ``ok``."""
    witness: int | None

    @property
    def middle(self) -> float:
        return self.x + self.width / 2


class Lane(msgspec.Struct, frozen=True):
    name: str
    y: int
    height: int
    witness: bool


class Tick(msgspec.Struct, frozen=True):
    x: float
    text: str


class Timeline(msgspec.Struct, frozen=True, kw_only=True):
    anomaly: Anomaly
    title: str
    witnesses: tuple[str, ...]
    """What each of them did, in words."""
    rows: tuple[tuple[str, str, str, str, str], ...]
    """The table: when, by whom, what, how it ended, and its number as a witness."""
    lanes: tuple[Lane, ...] = ()
    bars: tuple[Bar, ...] = ()
    ticks: tuple[Tick, ...] = ()
    path: str = ""
    """From witness to witness."""
    left: int = _LEFT
    width: int = 0
    height: int = 0


def draw(anomaly: Anomaly, clients: Sequence[str]) -> Timeline:
    """The timeline of one anomaly; without steps there are words alone."""
    timeline = Timeline(
        anomaly=anomaly,
        title=f"{anomaly.kind}, {tested(anomaly)}",
        witnesses=tuple(_told(step) for step in sorted(anomaly.steps, key=_number) if step.witness is not None),
        rows=tuple(_row(step) for step in anomaly.steps),
    )
    return _placed(timeline, clients) if anomaly.steps else timeline


def _number(step: Step) -> int:
    return step.witness or 0


def _placed(timeline: Timeline, clients: Sequence[str]) -> Timeline:
    steps = timeline.anomaly.steps
    at = _axis(steps)
    width = max(at.values())
    sessions = list(dict.fromkeys(step.session for step in steps))
    sessions.sort(key=lambda name: clients.index(name) if name in clients else len(clients))
    y, lanes, bars = _TOP, [], []
    for name in sessions:
        own = [step for step in steps if step.session == name]
        rows = _rows(own, at)
        deep = max(rows) + 1
        height = 2 * _LANE_PAD + deep * _BAR + (deep - 1) * _GAP
        lanes.append(Lane(short(name, 14), y, height, any(step.witness for step in own)))
        bars += [_bar(step, at, y + _LANE_PAD + row * (_BAR + _GAP)) for step, row in zip(own, rows, strict=True)]
        y += height
    marked = sorted((bar for bar in bars if bar.witness is not None), key=lambda bar: bar.witness or 0)
    return msgspec.structs.replace(
        timeline,
        lanes=tuple(lanes),
        bars=tuple(bars),
        ticks=tuple(_ticks(steps, at)),
        path="M" + "L".join(f"{bar.middle:.1f},{bar.y + _BAR // 2}" for bar in marked) if len(marked) > 1 else "",
        width=max(int(width) + 30, _NARROWEST),
        height=y + 28,
    )


def _axis(steps: Sequence[Step]) -> dict[float, float]:
    """The place of every time at which something began or ended."""
    times = sorted({time for step in steps for time in (step.begin_ms, step.end_ms)})
    waits = [7 + 7 * math.log10(1 + (later - sooner) * 100) for sooner, later in pairwise(times)]
    room = min(max(sum(waits), _NARROWEST - _LEFT), _WIDEST - _LEFT)
    scale = room / sum(waits) if waits else 0
    at, x = {times[0]: float(_LEFT + 8)}, float(_LEFT + 8)
    for time, wait in zip(times[1:], waits, strict=True):
        x += wait * scale
        at[time] = round(x, 1)
    return at


def _rows(own: Sequence[Step], at: dict[float, float]) -> list[int]:
    """Below which others each of a session's operations is drawn: beside what it overlaps in time."""
    ends: list[float] = []
    rows = []
    for step in own:
        free = next((row for row, end in enumerate(ends) if end <= step.begin_ms), len(ends))
        row = min(free, _MOST_DEEP - 1)
        ends[row : row + 1] = [step.end_ms]
        rows.append(row)
    return rows


def _bar(step: Step, at: dict[float, float], y: int) -> Bar:
    kind = "write" if step.action in ("write", "add", "remove", "dry", "conflict") else "read"
    x = at[step.begin_ms]
    width = max(at[step.end_ms] - x, 4.0)
    letter = ("W" if kind == "write" else "R") if width >= 14 else ""
    return Bar(x, y, round(width, 1), kind, step.outcome, _MARKS.get(step.outcome, letter), step.witness)


def _ticks(steps: Sequence[Step], at: dict[float, float]) -> list[Tick]:
    """The times of the witnesses, and of others where there is room beside them."""
    first = [step.begin_ms for step in steps if step.witness is not None]
    found: list[Tick] = []
    for time in (*first, *sorted(at)):
        if all(abs(at[time] - tick.x) >= _TICK_GAP for tick in found):
            found.append(Tick(at[time], _at(time)))
    return found


def _told(step: Step) -> str:
    end = {"ok": "", "fail": ", which failed", "info": ", and no answer came"}[step.outcome]
    fence = ", after it had asked the server for news" if step.fenced and step.action == "read" else ""
    return clean(f"{step.session} {step.what}{end}, {_when(step)}{fence}")


def _when(step: Step) -> str:
    return f"at {_at(step.begin_ms)}, for {milliseconds(step.end_ms - step.begin_ms)}"


def _at(ms: float) -> str:
    """A moment, as fine as what happens between two of them."""
    return f"{ms / 1000:.3f} s" if ms >= 1000 else f"{ms:.1f} ms"


def _row(step: Step) -> tuple[str, str, str, str, str]:
    what = f"{step.what}, after a fence" if step.fenced else step.what
    return _when(step), step.session, what, step.outcome, str(step.witness or "")
