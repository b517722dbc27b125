"""A history as text that can be judged again, and what tells that it is whole.  Pure.

JSON Lines, written while the work goes on.  A section a history: a header, one operation a line (with Jepsen's names
of the fields that Jepsen has), the storage's own log by marker, whole or as it grows, and a trailer with what is known
only at the end and a digest of the lines before it.  Last comes a line with the number of sections.  What was cut or
edited, or is missing, is told: such a file is never judged OK.  The digest is no signature; it finds accidents and
honest edits.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from zcheck.facts.history import ClientState, History, Operation, Version

FORMAT = "zcheck-history/1"
COMPLETED = "completed"
AUTHORITY = "the storage's own log, by its iterator"


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
    authority: str
    """By what it is judged; the trailer says whether that could be had."""
    level: str
    database: str
    place: str = ""


class Trailer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The last line of a section: what was known at the end."""

    operations: int
    ended: str
    digest: str
    clients: tuple[ClientState, ...] = ()
    rounds: int = 0
    transactions: int = 0
    bytes: int = 0
    left: tuple[str, ...] = ()
    has_log: bool = False
    why_no_log: str = ""
    nothing: str = ""


class NoHistory(ValueError):
    """This text is no history of ours at all."""


class Recorded(msgspec.Struct, frozen=True):
    """A file's histories, and what is wrong with the file, in words; empty where it is whole."""

    histories: tuple[History, ...]
    origin: Origin
    faults: tuple[str, ...] = ()


class Section:
    """The lines of one history, made one after the other; each ends with a newline."""

    def __init__(self, header: Header) -> None:
        self._header = header
        self._digest = hashlib.sha256()
        self._operations = 0

    def begin(self) -> str:
        """The header."""
        return self._told({"header": self._header})

    def operation(self, op: Operation) -> str:
        self._operations += 1
        return self._told({"index": self._operations - 1, **msgspec.to_builtins(op)})

    def log(self, marker: str, versions: Sequence[Version]) -> str:
        """Versions of a marker that are newer than those told before."""
        return self._told({"log": marker, "versions": versions})

    def values(self, values: Mapping[str, int]) -> str:
        """What accounts of the bank hold, by nonce."""
        return self._told({"values": values})

    def end(self, history: History) -> str:
        """The trailer.  Of the history is told what was known at its end alone."""
        trailer = Trailer(
            operations=self._operations,
            ended=history.stopped or COMPLETED,
            digest=self._digest.hexdigest(),
            clients=history.clients,
            rounds=history.rounds,
            transactions=history.transactions,
            bytes=history.bytes,
            left=history.left,
            has_log=history.log is not None,
            why_no_log=history.why_no_log,
            nothing=history.nothing,
        )
        return self._told({"trailer": trailer})

    def _told(self, value: Any) -> str:
        line = _text(value) + "\n"
        self._digest.update(line.encode())
        return line


def header_of(history: History, origin: Origin) -> Header:
    return header(origin, history.level, history.database, history.place)


def header(origin: Origin, level: str, database: str, place: str = "") -> Header:
    return Header(format=FORMAT, origin=origin, authority=AUTHORITY, level=level, database=database, place=place)


def lines_of(history: History, origin: Origin) -> Iterator[str]:
    """The section of a history that is over."""
    section = Section(header_of(history, origin))
    yield section.begin()
    yield from map(section.operation, history.operations)
    yield from (section.log(marker, versions) for marker, versions in (history.log or {}).items())
    if history.values:
        yield section.values(history.values)
    yield section.end(history)


def last_line(sections: int) -> str:
    """What ends a file of so many sections."""
    return _text({"end": {"sections": sections}}) + "\n"


def dumps(histories: Sequence[History], origin: Origin) -> str:
    """The histories of one run as the text of a file."""
    lines = [line for history in histories for line in lines_of(history, origin)]
    return "".join([*lines, last_line(len(histories))])


def _text(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def loads(text: str) -> Recorded:
    """A file's histories.  Raises :exc:`NoHistory` where it is none; whatever else is wrong is told in ``faults``."""
    lines = text.split("\n")
    faults = [] if lines[-1] == "" else ["its last line is cut"]
    whole = [line for line in lines if line]
    ends = [line for line in whole if line.startswith('{"end"')]
    sections = list(_sections(line for line in whole if not line.startswith('{"end"')))
    if not sections:
        raise NoHistory("it holds no history of zcheck")
    found = [_read_section(section, number, faults) for number, section in enumerate(sections, 1)]
    if ends != whole[-1:]:
        faults.append("its end is missing or not at its end: it was cut, or the run that wrote it was killed")
    elif ends[0] + "\n" != last_line(len(found)):
        faults.append(f"it has {len(found)} sections, and its last line says another number")
    headers = [header for header, _ in found]
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


class _Log(msgspec.Struct, frozen=True):
    log: str
    versions: tuple[Version, ...]


class _Values(msgspec.Struct, frozen=True):
    values: dict[str, int]


def _read_section(lines: list[str], number: int, faults: list[str]) -> tuple[Header, History]:
    """One section; what cannot be read is left out and told."""
    header = header_in(lines[0])
    operations: list[Operation] = []
    log: dict[str, tuple[Version, ...]] = {}
    values: dict[str, int] = {}
    ended = _trailer(lines, faults)
    for place, line in enumerate(lines[1 : len(lines) - bool(ended)], 2):
        try:
            if line.startswith('{"log"'):
                entry = msgspec.json.decode(line, type=_Log)
                log[entry.log] = (*log.get(entry.log, ()), *entry.versions)
            elif line.startswith('{"values"'):
                values |= msgspec.json.decode(line, type=_Values).values
            else:
                operations.append(msgspec.json.decode(line, type=Operation))
        except msgspec.DecodeError:
            faults.append(f"line {place} of section {number} cannot be read")
    if ended and ended.operations != len(operations):
        faults.append(f"section {number} has {len(operations)} operations and says {ended.operations}")
    known = ended or Trailer(operations=0, ended="it was cut", digest="", why_no_log="it was cut")
    history = History(
        level="http" if header.level == "http" else "zeo",
        database=header.database,
        run_id=header.origin.run_id,
        operations=tuple(operations),
        clients=known.clients,
        rounds=known.rounds,
        transactions=known.transactions,
        bytes=known.bytes,
        left=known.left,
        stopped="" if known.ended == COMPLETED else known.ended,
        log=log if known.has_log else None,
        why_no_log=known.why_no_log,
        values=values,
        place=header.place,
        nothing=known.nothing,
    )
    return header, history


def header_in(line: str) -> Header:
    """The header that this line is.  Raises :exc:`NoHistory`."""
    try:
        header = msgspec.json.decode(line, type=dict[str, Header])["header"]
    except (msgspec.DecodeError, KeyError):
        raise NoHistory("its header cannot be read") from None
    if header.format != FORMAT:
        raise NoHistory(f"it has the format {header.format}, and this zcheck reads {FORMAT}")
    return header


def _trailer(lines: list[str], faults: list[str]) -> Trailer | None:
    """The section's last line, held against the others."""
    try:
        ended = msgspec.json.decode(lines[-1], type=dict[str, Trailer])["trailer"]
    except (msgspec.DecodeError, KeyError):
        faults.append("it has no trailer: it was cut, or the run that wrote it was killed")
        return None
    digest = hashlib.sha256()
    for line in lines[:-1]:
        digest.update(f"{line}\n".encode())
    if ended.digest != digest.hexdigest():
        faults.append("its digest is not that of its lines: it was edited, or lines are missing")
    return ended
