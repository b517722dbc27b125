"""What a check is, and what it may yield."""

from __future__ import annotations

import enum
import inspect
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec

from zcheck.facts import ConfFault, Database, Facts, IniSection, Section, Setting


class Severity(enum.IntEnum):
    """In order of importance: UNKNOWN never hides CRITICAL, and OK never hides UNKNOWN.

    This order is not the order of exit codes; see :mod:`zcheck.report.verdict`.
    """

    OK = 0
    ADVICE = 1
    WARNING = 2
    UNKNOWN = 3
    CRITICAL = 4


STAGES = ("inventory", "config", "reach", "identity", "consistency", "balancer")


class Place(msgspec.Struct, frozen=True):
    """A line of a file, as findings show it.  ``note`` says what this place has to do with it."""

    file: str
    line: int | None = None
    text: str = ""
    note: str = ""

    @classmethod
    def of(cls, where: Setting | Section | Database | ConfFault, note: str = "") -> Place:
        """The place of a line or section of a configuration file."""
        if isinstance(where, Setting):
            return cls(where.file, where.line, f"{where.key} {where.value}".rstrip(), note)
        if isinstance(where, ConfFault):
            return cls(where.file, where.line, "", note)
        section = where.section if isinstance(where, Database) else where
        head = " ".join(filter(None, (section.type, section.name)))
        return cls(section.file, section.line, f"<{head}>" if head else "", note)

    @classmethod
    def in_ini(cls, file: str, section: IniSection, key: str | None = None, note: str = "") -> Place:
        """The place of a section of clients.ini, or of one of its keys."""
        if key is None or key not in section.lines:
            return cls(file, section.line, f"[{section.name}]", note)
        return cls(file, section.lines[key], key, note)


class Problem(msgspec.Struct, frozen=True):
    """The sentence that the check's name states does not hold for these clients."""

    clients: tuple[str, ...]
    message: str
    places: tuple[Place, ...] = ()
    hint: str = ""
    about: str = ""
    """What tells this problem from another of the same check and clients: a database, a server."""
    severity: Severity | None = None
    """Where it is milder than its check; None: the check's own.  What is graver is taken for the check's own."""


class Unknown(msgspec.Struct, frozen=True):
    """What was read does not allow an answer for these clients."""

    clients: tuple[str, ...]
    message: str
    places: tuple[Place, ...] = ()
    hint: str = ""
    about: str = ""


class Skipped(msgspec.Struct, frozen=True):
    """There is nothing to examine for these clients, and ``reason`` says why; neither a pass nor a problem."""

    clients: tuple[str, ...]
    reason: str
    hint: str = ""


class Note(msgspec.Struct, frozen=True):
    """Worth telling beside a pass, such as two spellings that proved to be one server."""

    clients: tuple[str, ...]
    message: str
    places: tuple[Place, ...] = ()


Yield = Problem | Unknown | Skipped | Note
Body = Callable[[Facts], Iterable[Yield]]


class Check:
    """One true sentence about a healthy cluster, with the function that finds out whether it holds.

    ``needs`` are the kinds of fact without which nothing can be said, ``uses`` those that may be absent;
    ``after`` names the checks whose finding about a client explains everything this check could say of it.
    """

    def __init__(
        self,
        name: str,
        stage: str,
        severity: Severity,
        needs: Iterable[type[Any]],
        uses: Iterable[type[Any]],
        after: Iterable[str],
        body: Body,
    ) -> None:
        if stage not in STAGES:
            raise ValueError(f"{name}: there is no stage {stage!r}")
        self.name = name
        self.stage = stage
        self.severity = severity
        self.needs = tuple(needs)
        self.uses = tuple(uses)
        self.after = tuple(after)
        self.body = body
        self.__name__ = body.__name__
        self.__module__ = body.__module__
        self.__doc__ = body.__doc__

    def __call__(self, facts: Facts) -> Iterator[Yield]:
        return iter(self.body(facts))

    def __repr__(self) -> str:
        return f"<check {self.name}>"

    @property
    def page(self) -> str:
        """The docstring of the check's file: what ``zcheck explain`` prints."""
        module = inspect.getmodule(self.body)
        return inspect.cleandoc((module.__doc__ if module else None) or "")

    @property
    def title(self) -> str:
        """The first line of its page."""
        return self.page.partition("\n")[0]


def check(
    name: str,
    *,
    stage: str,
    severity: Severity,
    needs: Iterable[type[Any]] = (),
    uses: Iterable[type[Any]] = (),
    after: Iterable[Check | str] = (),
) -> Callable[[Body], Check]:
    """Make a check of a function from facts to what it found.

    ``after`` takes the checks themselves; they must stand earlier in the catalogue.
    """

    def decorate(body: Body) -> Check:
        names = [other if isinstance(other, str) else other.name for other in after]
        return Check(name, stage, severity, needs, uses, names, body)

    return decorate
