"""A history as Elle reads it, which is the checker of Jepsen: a second opinion, from other people's code.  Pure.

The text is EDN, one operation map a line, as ``elle-cli`` documents it: ``:index``, ``:type``, ``:process`` (a number),
``:time`` in ns, ``:f :txn`` and ``:value``, a list of ``[:r KEY VALUE]`` and ``[:w KEY VALUE]`` or ``[:append KEY
VALUE]``.  An operation is told twice, when it was begun, with ``nil`` for what it was going to read, and when it ended.

Elle knows no deletions, so the removal at the end is left out; and no fences, so what it is to be asked for is
``--consistency-models snapshot-isolation``: unfenced reads of a healthy cluster may be some milliseconds behind.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal

from zcheck.facts.history import History, Operation
from zcheck.facts.lags import singly

Model = Literal["rw-register", "list-append"]
MODELS: tuple[Model, ...] = ("rw-register", "list-append")

UNKNOWN_FROM = 1_000_000_000
"""The numbers of what was written and is not in the log begin here; nobody reads them, or something is wrong."""


def export(history: History, model: Model) -> str:
    """The history as the text of an ``.edn`` file.

    Elle wants small numbers for what is written, each once and none for nothing: the place of a version in its object's
    log stands for it.  A list holds the numbers of all versions so far.
    """
    operations = [op for op in singly(history).operations if _can_be_told(op)]
    numbers = _numbers(history, operations)
    events = sorted(_events(operations), key=lambda event: event[:2])
    processes = _processes(operations)
    lines = []
    for index, (time, begun, place) in enumerate(events):
        op = operations[place]
        kind = "invoke" if begun else op.outcome
        value = " ".join(_deeds(op, numbers, model, begun=bool(begun) or op.outcome != "ok"))
        common = f":process {processes[place]}, :time {time}, :f :txn, :value [{value}]"
        lines.append(f"{{:index {index}, :type :{kind}, {common}}}\n")
    return "".join(lines)


def _can_be_told(op: Operation) -> bool:
    return op.action not in ("remove", "gone") and bool(op.reads or op.writes)


def _events(operations: Sequence[Operation]) -> Iterator[tuple[int, int, int]]:
    """When, whether it begins (an end comes before a begin of the same moment), and which operation."""
    for place, op in enumerate(operations):
        yield op.invoke_ns, 1, place
        # No operation ends before it has begun, by the order of the lines as well.
        yield max(op.return_ns, op.invoke_ns + 1), 0, place


def _processes(operations: Sequence[Operation]) -> list[int]:
    """A process does one thing at a time, and nothing more after what is not known: a client has several of them."""
    free_at: dict[tuple[str, int], int] = {}
    numbers: dict[tuple[str, int], int] = {}
    found = [0] * len(operations)
    for place, op in sorted(enumerate(operations), key=lambda item: (item[1].invoke_ns, item[1].return_ns)):
        lane = next(n for n in range(len(operations)) if free_at.get((op.session, n), 0) <= op.invoke_ns)
        ended = max(op.return_ns, op.invoke_ns + 1)
        free_at[op.session, lane] = ended if op.outcome != "info" else 2**63
        found[place] = numbers.setdefault((op.session, lane), len(numbers))
    return found


def _numbers(history: History, operations: Iterable[Operation]) -> dict[tuple[str, str], int]:
    """By marker and nonce: the place in the log, or a number of its own."""
    numbers = {
        (marker, version.nonce): place
        for marker, versions in (history.log or {}).items()
        for place, version in enumerate(versions, 1)
        if version.nonce
    }
    for op in operations:
        for written in (*op.writes.items(), *op.reads.items()):
            if written[1] is not None:
                numbers.setdefault(written, UNKNOWN_FROM + len(numbers))  # type: ignore[arg-type]
    return numbers


def _deeds(op: Operation, numbers: Mapping[tuple[str, str], int], model: Model, *, begun: bool) -> Iterator[str]:
    for marker, nonce in op.reads.items():
        number = 0 if nonce is None else numbers[marker, nonce]
        yield f"[:r {json.dumps(marker)} {'nil' if begun else _read(number, model)}]"
    for marker, nonce in op.writes.items():
        yield f"[:{'append' if model == 'list-append' else 'w'} {json.dumps(marker)} {numbers[marker, nonce]}]"


def _read(number: int, model: Model) -> str:
    if model == "rw-register":
        return str(number) if number else "nil"
    versions = [number] if number >= UNKNOWN_FROM else range(1, number + 1)
    return f"[{' '.join(map(str, versions))}]"
