"""How long writes took to arrive over the time of a run: a point for each, and lines for the quantiles."""

from __future__ import annotations

import math

import msgspec

from zcheck.report.formats.html.matrix import milliseconds
from zcheck.report.structs import Lags, LagWindow

_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 470, 14, 210
WIDTH, HEIGHT = 600, 250
_LABEL_GAP = 16
_QUANTILES = (("median", "median_ms"), ("95 %", "p95_ms"), ("99 %", "p99_ms"))


class Tick(msgspec.Struct, frozen=True):
    at: float
    text: str


class Quantile(msgspec.Struct, frozen=True):
    """One of the lines: over each window a piece of it."""

    name: str
    number: int
    path: str
    label_y: float
    text: str


class Chart(msgspec.Struct, frozen=True, kw_only=True):
    lags: Lags
    told: str
    points: str
    """The path of all points."""
    across: tuple[Tick, ...]
    upward: tuple[Tick, ...]
    quantiles: tuple[Quantile, ...]
    limit_y: float | None
    """Where the limit is drawn; None where all is far below it."""
    windows: tuple[tuple[str, LagWindow], ...]
    """The table: which part of the time, and its figures."""
    left: int = _LEFT
    right: int = _RIGHT
    top: int = _TOP
    bottom: int = _BOTTOM
    width: int = WIDTH
    height: int = HEIGHT


def draw(lags: Lags) -> Chart:
    """The chart of one history's lags."""
    whole = lags.whole
    show_limit = whole.max_ms >= lags.limit_ms / 10
    values = [point.ms for point in lags.points] + ([lags.limit_ms] if show_limit else [])
    up = _Upward(values or [whole.max_ms])
    across = _Across(whole.end_s)
    windows = lags.windows or (whole,)
    return Chart(
        lags=lags,
        told=f"{whole.count} times a write was awaited: half took at most {milliseconds(whole.median_ms)}, "
        f"95 % at most {milliseconds(whole.p95_ms)}, 99 % at most {milliseconds(whole.p99_ms)}, "
        f"the slowest {milliseconds(whole.max_ms)}; all are expected within {milliseconds(lags.limit_ms)}"
        + (f" (figures of {lags.sampled} of them, evenly taken)" if lags.sampled is not None else ""),
        points="".join(f"M{across(point.at_s):.0f},{up(point.ms):.0f}h0" for point in lags.points),
        across=across.ticks(),
        upward=up.ticks(),
        quantiles=tuple(_lines(whole, windows, up, across)),
        limit_y=round(up(lags.limit_ms), 1) if show_limit else None,
        windows=tuple((f"{across.words(one.begin_s)} to {across.words(one.end_s)}", one) for one in windows),
    )


class _Upward:
    """Milliseconds to heights, by decades."""

    def __init__(self, values: list[float]) -> None:
        # Below a hundredth of a millisecond all is one.
        self.low = math.floor(math.log10(max(min(values), 0.01)))
        self.high = max(math.ceil(math.log10(max(*values, 0.02))), self.low + 1)

    def __call__(self, ms: float) -> float:
        share = (math.log10(max(ms, 10.0**self.low)) - self.low) / (self.high - self.low)
        return _BOTTOM - share * (_BOTTOM - _TOP)

    def ticks(self) -> tuple[Tick, ...]:
        powers = range(self.low, self.high + 1)
        return tuple(Tick(round(self(10.0**power), 1), _decade(power)) for power in powers)


def _decade(power: int) -> str:
    ms = 10.0**power
    return f"{ms / 1000:g} s" if ms >= 1000 else f"{ms:g} ms"


class _Across:
    """Seconds of the run to places."""

    def __init__(self, end_s: float) -> None:
        self.end_s = end_s
        self.in_ms = end_s < 1

    def __call__(self, at_s: float) -> float:
        share = at_s / self.end_s if self.end_s else 0.5
        return _LEFT + 6 + share * (_RIGHT - _LEFT - 12)

    def words(self, at_s: float) -> str:
        return f"{at_s * 1000:.0f} ms" if self.in_ms else f"{at_s:.1f} s"

    def ticks(self) -> tuple[Tick, ...]:
        """At round times, three to eight of them."""
        if not self.end_s:
            return (Tick(self(0), self.words(0)),)
        step = 10.0 ** math.floor(math.log10(self.end_s))
        step = next(step * share for share in (1, 0.5, 0.2, 0.1) if self.end_s / (step * share) >= 2.5)
        return tuple(
            Tick(round(self(n * step), 1), f"{n * step * 1000:g} ms" if self.in_ms else f"{n * step:g} s")
            for n in range(int(self.end_s / step + 1e-9) + 1)
        )


def _lines(whole: LagWindow, windows: tuple[LagWindow, ...], up: _Upward, across: _Across) -> list[Quantile]:
    """The quantiles, their labels never one over the other."""
    found: list[Quantile] = []
    free = float(_BOTTOM)
    for number, (name, field) in enumerate(_QUANTILES):
        value: float = getattr(whole, field)
        label = min(up(value) + 4, free)
        free = label - _LABEL_GAP
        pieces = [
            f"M{across(one.begin_s):.0f},{up(getattr(one, field)):.1f}H{across(one.end_s) + 4:.0f}" for one in windows
        ]
        path = "".join(pieces) if whole.end_s else f"M{_LEFT},{up(value):.1f}H{_RIGHT}"
        found.append(Quantile(name, number, path, round(label, 1), f"{name} {milliseconds(value)}"))
    return found
