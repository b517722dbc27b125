"""Who saw whose write, as a drawing: a square for each pair; shade and size tell the lag, a mark what was not seen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from zcheck.report.formats.html.drawing import short
from zcheck.report.formats.sides import grouped
from zcheck.report.formats.text import clean, proven
from zcheck.report.structs import Level, Pair

MOST_CLIENTS = 100
"""Of larger clusters nothing is drawn: the table tells each client's own figures."""
MOST_FIGURES = 12
"""Of so many clients each square has its figure in it, and the table is of pairs."""
MOST_GAPS = 12
SHADES = (1.0, 10.0, 100.0, 1000.0)
"""Milliseconds below which a lag has the first, second ... shade; the same in every report, so that two compare."""

_FIGURE_WIDTH, _FIGURE_HEIGHT, _SQUARE, _SMALL_SQUARE = 88, 34, 14, 9
_LABEL_WIDTH, _LEAST_LABEL = 18, 52
_LETTER = 7.2
_PAD = 8


class Cell(msgspec.Struct, frozen=True):
    """A square with its figure."""

    x: int
    y: int
    kind: str
    text: str


class Name(msgspec.Struct, frozen=True):
    """A client's name beside its row, or above its column."""

    x: int
    y: int
    text: str
    upright: bool = False


class Row(msgspec.Struct, frozen=True):
    """One client's own figures, for the table."""

    client: str
    shown_by: str
    slowest_reader: str
    shows: str
    slowest_writer: str


class Matrix(msgspec.Struct, frozen=True, kw_only=True):
    level: str
    database: str
    proven: str
    """How much of what was tried was seen."""
    clients: tuple[str, ...]
    """In the order of the rows: those that see each other stand together."""
    told: str
    """The drawing in words."""
    gaps: tuple[str, ...]
    """What was not seen; of very much the first, and how many more."""
    sides: tuple[str, ...]
    """Of a split cluster: which clients see each other's edits."""
    rows: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    """For a small cluster: by writer, the state and the words of each pair."""
    figures: tuple[Row, ...]
    """For a large one: each client's own."""
    drawn: bool
    width: int = 0
    height: int = 0
    left: int = 0
    top: int = 0
    right: int = 0
    bottom: int = 0
    cell_width: int = 0
    cell_height: int = 0
    cells: tuple[Cell, ...] = ()
    squares: tuple[tuple[str, str], ...] = ()
    """Without figures: by kind, the path of all its squares."""
    names: tuple[Name, ...] = ()
    borders: tuple[int, ...] = ()
    """Before which rows and columns another side begins."""


def draw(level: Level, clients: tuple[str, ...]) -> Matrix:
    """The matrix of one level; those for whom another's connection stood have no row."""
    clients = tuple(client for client in clients if client not in level.same_way)
    sides = grouped(clients, level.pairs)
    apart = any(side.apart for side in sides)
    order = tuple(client for side in sides for client in side.clients) if apart else clients
    by = {(pair.writer, pair.reader): pair for pair in level.pairs}
    gaps = [(pair.writer, pair.reader) for pair in level.pairs if pair.seen is False]
    small = len(clients) <= MOST_FIGURES
    matrix = Matrix(
        level=level.level,
        database=level.database,
        proven=proven(level),
        clients=order,
        told=_told(level, gaps),
        gaps=tuple(_gaps(gaps, MOST_GAPS)),
        sides=tuple(side.told for side in sides) if apart else (),
        rows=tuple((writer, tuple(_state(by, writer, reader) for reader in order)) for writer in order)
        if small
        else (),
        figures=() if small else tuple(_rows(order, level.pairs)),
        drawn=len(clients) <= MOST_CLIENTS and bool(level.pairs),
    )
    borders: list[int] = []
    for side in sides[:-1] if apart else ():
        borders.append((borders[-1] if borders else 0) + len(side.clients))
    return _placed(matrix, by, tuple(borders)) if matrix.drawn else matrix


def _placed(matrix: Matrix, by: Mapping[tuple[str, str], Pair], borders: tuple[int, ...]) -> Matrix:
    """The matrix with the place of everything in its drawing."""
    clients = matrix.clients
    figures = len(clients) <= MOST_FIGURES
    square = _SQUARE if len(clients) <= MOST_CLIENTS // 2 else _SMALL_SQUARE
    width, height = (_FIGURE_WIDTH, _FIGURE_HEIGHT) if figures else (square, square)
    label = int(max(len(short(client, _LABEL_WIDTH)) for client in clients) * _LETTER) + _PAD
    left, top = max(label, _LEAST_LABEL) + _PAD, (28 if figures else label) + 24
    right, bottom = left + width * len(clients), top + height * len(clients)
    cells, squares = [], dict.fromkeys(("none", *(f"shade{n}" for n in range(len(SHADES) + 1)), "unknown", "bad"), "")
    for n, writer in enumerate(clients):
        for m, reader in enumerate(clients):
            state, words = _state(by, writer, reader)
            x, y = left + m * width, top + n * height
            if figures:
                cells.append(Cell(x, y, state, {"bad": "not seen", "none": ""}.get(state, words)))
            elif state != "none":
                squares[state] += _square(x, y, square, state)
    return msgspec.structs.replace(
        matrix,
        width=right + 12,
        height=bottom + 12,
        left=left,
        top=top,
        right=right,
        bottom=bottom,
        cell_width=width,
        cell_height=height,
        cells=tuple(cells),
        squares=tuple((kind, path) for kind, path in squares.items() if path),
        names=tuple(_names(clients, left, top, width, height, upright=not figures)),
        borders=borders,
    )


def _names(clients: Sequence[str], left: int, top: int, width: int, height: int, *, upright: bool) -> list[Name]:
    across = 9 if not upright else _LABEL_WIDTH
    return [
        Name(left - _PAD, top + n * height + height // 2, short(one, _LABEL_WIDTH)) for n, one in enumerate(clients)
    ] + [Name(left + n * width + width // 2, top - _PAD, short(one, across), upright) for n, one in enumerate(clients)]


def _square(x: int, y: int, size: int, kind: str) -> str:
    """The part of a path that draws one square: the slower, the larger; a cross where nothing was seen."""
    if kind == "bad":
        return f"M{x + 2},{y + 2}l{size - 4},{size - 4}m0,{4 - size}l{4 - size},{size - 4}"
    if kind == "unknown":
        middle = size // 2
        return f"M{x + middle - 1},{y + middle}h2"
    gap = max(1, (size - 2) // 2 - 1 - int(kind[-1]) * (size - 2) // 10)
    side = size - 2 * gap
    return f"M{x + gap},{y + gap}h{side}v{side}h-{side}z"


def shade(lag_ms: float) -> int:
    """Which of the shades a lag has."""
    return sum(lag_ms >= limit for limit in SHADES)


def milliseconds(ms: float) -> str:
    """A time for a person."""
    if ms < 0.05:
        return "<0.1 ms"
    return f"{ms / 1000:.1f} s" if ms >= 1000 else f"{ms:.1f} ms"


def _state(by: Mapping[tuple[str, str], Pair], writer: str, reader: str) -> tuple[str, str]:
    """The kind of a square, and what it says."""
    pair = by.get((writer, reader))
    if pair is None:
        return "none", "-" if writer == reader else "not asked"
    if pair.seen is None:
        return "unknown", "not tried"
    if not pair.seen:
        return "bad", "not seen"
    return f"shade{shade(pair.lag_ms or 0)}", "seen" if pair.lag_ms is None else milliseconds(pair.lag_ms)


def _rows(clients: Sequence[str], pairs: Sequence[Pair]) -> Iterator[Row]:
    written: dict[str, list[Pair]] = {client: [] for client in clients}
    read: dict[str, list[Pair]] = {client: [] for client in clients}
    for pair in pairs:
        written[pair.writer].append(pair)
        read[pair.reader].append(pair)
    for client in clients:
        own, others = written[client], read[client]
        yield Row(client, _of(own), _slowest(own, "reader"), _of(others), _slowest(others, "writer"))


def _of(pairs: Sequence[Pair]) -> str:
    unknown = sum(pair.seen is None for pair in pairs)
    told = f"{sum(pair.seen is True for pair in pairs)} of {len(pairs)}"
    return f"{told}, {unknown} not tried" if unknown else told


def _slowest(pairs: Sequence[Pair], whom: str) -> str:
    slowest = max((pair for pair in pairs if pair.seen and pair.lag_ms is not None), key=_lag, default=None)
    return f"{milliseconds(_lag(slowest))} ({getattr(slowest, whom)})" if slowest is not None else "-"


def _lag(pair: Pair) -> float:
    return pair.lag_ms or 0.0


def _told(level: Level, gaps: Sequence[tuple[str, str]]) -> str:
    told = [proven(level)]
    slowest = max((pair for pair in level.pairs if pair.seen and pair.lag_ms is not None), key=_lag, default=None)
    if slowest is not None:
        told.append(f"the slowest {slowest.writer} to {slowest.reader} in {milliseconds(_lag(slowest))}")
    if gaps:
        told.append(f"not seen: {', '.join(_gaps(gaps, MOST_GAPS))}")
    return clean("; ".join(told))


def _gaps(gaps: Sequence[tuple[str, str]], most: int) -> list[str]:
    shown = [f"{writer} by {reader}" for writer, reader in gaps[:most]]
    return [*shown, f"{len(gaps) - most} more"] if len(gaps) > most else shown
