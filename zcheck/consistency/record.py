"""A history as text that can be judged again, and what tells that it is whole.  Pure.

JSON Lines, a section a history: a header, one operation a line (with Jepsen's names of the fields that Jepsen has), the
storage's own log by marker, and a trailer with a digest of the lines before it.  A section that was cut or edited, or
one that is missing, is told: such a file is never judged OK.  The digest is no signature; it finds accidents and
honest edits.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from zcheck.consistency.history import ClientState, History, Operation, Version

FORMAT = "zcheck-history/1"


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Where a history comes from; the same for every section of a file."""

    cluster: str
    run_id: str
    seed: int | None = None
    versions: dict[str, str] = {}


class Header(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The first line of a section."""

    format: str
    origin: Origin
    section: int
    """Counted from 1."""
    sections: int
    level: str
    database: str
    clients: tuple[ClientState, ...] = ()
    rounds: int = 0
    transactions: int = 0
    bytes: int = 0
    left: tuple[str, ...] = ()
    authority: str = ""
    """What the log is; empty where there is none, and then ``why_no_log`` says why."""
    why_no_log: str = ""
    values: dict[str, int] = {}


class Trailer(msgspec.Struct, frozen=True):
    """The last line of a section."""

    operations: int
    ended: str
    digest: str


class NoHistory(ValueError):
    """This text is no history of ours at all."""


class Recorded(msgspec.Struct, frozen=True):
    """A file's histories, and what is wrong with the file, in words; empty where it is whole."""

    histories: tuple[History, ...]
    origin: Origin
    faults: tuple[str, ...] = ()


def dumps(histories: Sequence[History], origin: Origin) -> str:
    """The histories of one run as the text of a file."""
    return "".join(
        "".join(f"{line}\n" for line in _section(history, origin, number, len(histories)))
        for number, history in enumerate(histories, 1)
    )


def _section(history: History, origin: Origin, number: int, count: int) -> Iterator[str]:
    header = Header(
        format=FORMAT,
        origin=origin,
        section=number,
        sections=count,
        level=history.level,
        database=history.database,
        clients=history.clients,
        rounds=history.rounds,
        transactions=history.transactions,
        bytes=history.bytes,
        left=history.left,
        authority="" if history.log is None else "the storage's own log, by its iterator",
        why_no_log=history.why_no_log,
        values=history.values,
    )
    lines = [_text({"header": header})]
    lines += [_text({"index": n, **msgspec.to_builtins(op)}) for n, op in enumerate(history.operations)]
    lines += [_text({"log": marker, "versions": versions}) for marker, versions in (history.log or {}).items()]
    yield from lines
    ended = history.stopped or "completed"
    yield _text({"trailer": Trailer(len(history.operations), ended, _digest(lines))})


def _text(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _digest(lines: Iterable[str]) -> str:
    found = hashlib.sha256()
    for line in lines:
        found.update(line.encode() + b"\n")
    return found.hexdigest()


def loads(text: str) -> Recorded:
    """A file's histories.  Raises :exc:`NoHistory` where it is none; whatever else is wrong is told in ``faults``."""
    lines = text.split("\n")
    whole = lines[-1] == ""
    sections = list(_sections(line for line in lines if line))
    if not sections:
        raise NoHistory("it holds no history of zcheck")
    faults = [] if whole else ["its last line is cut"]
    found = [_read_section(section, faults) for section in sections]
    headers = [header for header, _ in found]
    numbers = [header.section for header in headers]
    wanted = headers[0].sections
    if numbers != list(range(1, wanted + 1)):
        faults.append(f"it has the sections {numbers} of {wanted}")
    if any(header.origin != headers[0].origin for header in headers):
        faults.append("its sections are of different runs")
    return Recorded(tuple(history for _, history in found), headers[0].origin, tuple(dict.fromkeys(faults)))


def _sections(lines: Iterable[str]) -> Iterator[list[str]]:
    section: list[str] = []
    for line in lines:
        if line.startswith('{"header"'):
            if section:
                yield section
            section = []
        elif not section:
            raise NoHistory("it does not begin with a header of zcheck")
        section.append(line)
    if section:
        yield section


def _read_section(lines: list[str], faults: list[str]) -> tuple[Header, History]:
    """One section; what cannot be read is left out and told."""
    try:
        header = msgspec.json.decode(lines[0], type=dict[str, Header])["header"]
    except (msgspec.DecodeError, KeyError):
        raise NoHistory("its header cannot be read") from None
    if header.format != FORMAT:
        raise NoHistory(f"it has the format {header.format}, and this zcheck reads {FORMAT}")
    operations: list[Operation] = []
    log: dict[str, tuple[Version, ...]] = {}
    ended = _trailer(lines, faults)
    for number, line in enumerate(lines[1 : len(lines) - bool(ended)], 2):
        try:
            if line.startswith('{"log"'):
                entry = msgspec.json.decode(line, type=_Log)
                log[entry.log] = entry.versions
            else:
                operations.append(msgspec.json.decode(line, type=Operation))
        except msgspec.DecodeError:
            faults.append(f"line {number} of section {header.section} cannot be read")
    if ended and ended.operations != len(operations):
        faults.append(f"section {header.section} has {len(operations)} operations and says {ended.operations}")
    stopped = ended.ended if ended and ended.ended != "completed" else ""
    history = History(
        level="http" if header.level == "http" else "zeo",
        database=header.database,
        run_id=header.origin.run_id,
        operations=tuple(operations),
        clients=header.clients,
        rounds=header.rounds,
        transactions=header.transactions,
        bytes=header.bytes,
        left=header.left,
        stopped=stopped,
        log=log if header.authority else None,
        why_no_log=header.why_no_log,
        values=header.values,
    )
    return header, history


class _Log(msgspec.Struct, frozen=True):
    log: str
    versions: tuple[Version, ...]


def _trailer(lines: list[str], faults: list[str]) -> Trailer | None:
    """The section's last line, held against the others."""
    try:
        ended = msgspec.json.decode(lines[-1], type=dict[str, Trailer])["trailer"]
    except (msgspec.DecodeError, KeyError):
        faults.append("it has no trailer: it was cut, or the run that wrote it was killed")
        return None
    if ended.digest != _digest(lines[:-1]):
        faults.append("its digest is not that of its lines: it was edited, or lines are missing")
    return ended


def elle(history: History, model: str) -> str:
    """The history for elle-cli, as JSON; ``model`` is ``rw-register`` or ``list-append``.

    Elle wants small numbers for what is written, each once and none for nothing: a version's number stands for it.  A
    marker's list holds the numbers of all its versions so far.
    """
    numbers = {
        (marker, version.nonce): place
        for marker, versions in (history.log or {}).items()
        for place, version in enumerate(versions, 1)
    }
    told: list[dict[str, Any]] = []
    for op in history.operations:
        value = [*_elle_reads(op, numbers, model), *_elle_writes(op, numbers, model)]
        if value:
            common = {"process": op.session, "f": "txn", "value": value}
            told.append({"type": "invoke", "time": op.invoke_ns, **common})
            told.append({"type": op.outcome, "time": op.return_ns, **common})
    told.sort(key=lambda entry: (entry["time"], entry["type"] == "invoke"))
    return _text([{"index": place, **entry} for place, entry in enumerate(told)])


def _elle_reads(op: Operation, numbers: dict[tuple[str, str], int], model: str) -> Iterator[list[Any]]:
    for marker, nonce in op.reads.items():
        number = numbers.get((marker, nonce)) if nonce is not None else None
        yield ["r", marker, list(range(1, (number or 0) + 1)) if model == "list-append" else number]


def _elle_writes(op: Operation, numbers: dict[tuple[str, str], int], model: str) -> Iterator[list[Any]]:
    for place, (marker, nonce) in enumerate(op.writes.items()):
        # What is not in the log has a number that nobody reads.
        number = numbers.get((marker, nonce), 1_000_000_000 + op.invoke_ns % 1_000_000_000 + place)
        yield ["append" if model == "list-append" else "w", marker, number]
