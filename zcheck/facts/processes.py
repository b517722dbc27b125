"""Which processes answer at one client's address: a proof is of a process, and not of an address."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

import msgspec

START_TOLERANCE_S = 3.0
""""Running For" and the Date header are good to a second each."""


class Process(msgspec.Struct, frozen=True):
    """One process, by what its Control Panel or the test page says of it."""

    process_id: int
    started: float | None = None
    """Seconds since the epoch by its own clock, as well as it is known; None where it does not tell."""
    home: str = ""
    """Its instance home; empty where it is not known."""
    address: str = ""
    """The one of the client's addresses at which it was met last; empty where it is not known."""

    def may_be(self, other: Process) -> bool:
        """Whether nothing that is known of the two speaks against their being one."""
        if self.process_id != other.process_id or (self.home and other.home and self.home != other.home):
            return False
        if self.started is None or other.started is None:
            return True
        return abs(self.started - other.started) <= START_TOLERANCE_S


class AnsweringProcesses(msgspec.Struct, frozen=True):
    """The processes that answered at a client's address, over several connections to each address of its name."""

    scope: ClassVar[str] = "client"
    processes: tuple[Process, ...]
    addresses: tuple[str, ...] = ()
    """The addresses that were looked at."""
    silent: dict[str, str] = {}
    """By address of the name: why nothing was learnt there."""


def named(text: str) -> Process | None:
    """The process that an operation of a history names, such as ``27749@1796146350``; None where it names none."""
    process_id, _, started = text.partition("@")
    if not process_id.isdigit():
        return None
    try:
        return Process(int(process_id), float(started) if started else None)
    except ValueError:
        return Process(int(process_id))


def distinct(found: Iterable[Process]) -> tuple[Process, ...]:
    """Each process once; of what may be one, the first with a start that is known."""
    kept: list[Process] = []
    for one in found:
        same = next((number for number, other in enumerate(kept) if other.may_be(one)), None)
        if same is None:
            kept.append(one)
        elif kept[same].started is None and one.started is not None:
            kept[same] = one
    return tuple(kept)


def at_one_time(answers: Sequence[Process]) -> tuple[Process, ...]:
    """Of the processes that answered in this order, those that answered by turns; else the last alone.

    A client that is restarted while it is looked at is first one process and then another: that is no second one.
    """
    every = distinct(answers)
    first = [next(n for n, one in enumerate(answers) if one.may_be(process)) for process in every]
    last = [max(n for n, one in enumerate(answers) if one.may_be(process)) for process in every]
    by_turns = [
        process
        for mine, process in enumerate(every)
        if any(first[mine] < last[its] and first[its] < last[mine] for its in range(len(every)) if its != mine)
    ]
    return tuple(by_turns) or every[-1:]
