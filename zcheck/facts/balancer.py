"""The facts of the balancer: its files, what HAProxy says of them, what its health checks are answered."""

from __future__ import annotations

import re
from typing import ClassVar

import msgspec

from zcheck.facts.base import LeftOut, NotGathered
from zcheck.facts.config import ConfFault

BACKEND = "zope"
"""The backend's name where clients.ini gives none."""


class HaproxyLine(msgspec.Struct, frozen=True):
    """One line of a haproxy.cfg as HAProxy splits it into words; secrets in it are hidden."""

    words: tuple[str, ...]
    file: str
    line: int
    unresolved: tuple[str, ...] = ()
    """The environment's variables that it names and that no file gives; ``words`` then still show them."""

    @property
    def keyword(self) -> str:
        """Its first word, a ``no`` in front left out."""
        return self.words[1] if self.words[0] == "no" and len(self.words) > 1 else self.words[0]

    @property
    def arguments(self) -> tuple[str, ...]:
        """What follows the keyword."""
        return self.words[2:] if self.words[0] == "no" else self.words[1:]

    @property
    def negated(self) -> bool:
        return self.words[0] == "no"

    @property
    def text(self) -> str:
        return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in " ".join(self.words))


class HaproxyServer(msgspec.Struct, frozen=True):
    """One ``server`` or ``server-template`` line, with what ``default-server`` lines before it say."""

    name: str
    address: str
    """As written."""
    host: str
    """Empty where no host is told: a unix socket, a descriptor, ``*``."""
    port: int | None
    """None where the line gives none that is known."""
    line: HaproxyLine
    options: dict[str, str] = {}
    """By keyword; a keyword without a value has an empty one."""
    count: int = 1
    """How many servers a ``server-template`` makes."""
    shift: int | None = None
    """What is added to the port by which the user came, where the line gives no port of its own; else None."""
    is_template: bool = False
    """Whether it is a ``server-template``: its servers take the addresses that its name has."""

    @property
    def disabled(self) -> bool:
        """Whether it starts in maintenance, so that nobody is sent to it until somebody enables it."""
        return "disabled" in self.options

    @property
    def cookie(self) -> str | None:
        return self.options.get("cookie")

    def number(self, key: str) -> int | None:
        """The whole number that this keyword has; None where it has none."""
        value = self.options.get(key, "")
        return int(value) if value.isdecimal() else None

    @property
    def is_backup(self) -> bool:
        """Whether users are sent to it only while no other server is up."""
        return "backup" in self.options

    @property
    def is_weightless(self) -> bool:
        """Whether no new user is sent to it because of its weight."""
        return self.number("weight") == 0


class HealthRequest(msgspec.Struct, frozen=True):
    """The request by which a balancer finds out whether a server is up (``option httpchk`` and ``http-check``)."""

    method: str
    path: str
    line: HaproxyLine
    headers: tuple[tuple[str, str], ...] = ()
    expect: str = ""
    """What ``http-check expect`` says, as written; empty: any status of 2xx or 3xx."""
    connects: HaproxyLine | None = None
    """The ``http-check connect`` rule that says how it connects, if there is one."""


class HaproxySection(msgspec.Struct, frozen=True):
    """A section of a haproxy.cfg, and for a proxy what it takes from its ``defaults``."""

    kind: str
    name: str
    head: HaproxyLine
    lines: tuple[HaproxyLine, ...] = ()
    inherited: tuple[HaproxyLine, ...] = ()
    """The lines of the ``defaults`` that apply, the farthest first."""
    servers: tuple[HaproxyServer, ...] = ()
    health: HealthRequest | None = None
    """None where its health checks make no HTTP request."""

    def all(self, *keyword: str) -> tuple[HaproxyLine, ...]:
        """Every line that begins with these words, inherited ones first."""
        return tuple(
            line
            for line in (*self.inherited, *self.lines)
            if (line.keyword, *line.arguments)[: len(keyword)] == keyword
        )

    def last(self, *keyword: str) -> HaproxyLine | None:
        """The line with these words that counts: the last one; None where there is none or ``no`` takes it back."""
        found = self.all(*keyword)
        return found[-1] if found and not found[-1].negated else None


class HaproxyConf(msgspec.Struct, frozen=True, tag=True):
    """One HAProxy's configuration, all its files together."""

    files: tuple[str, ...]
    sections: tuple[HaproxySection, ...] = ()
    faults: tuple[ConfFault, ...] = ()
    backend: str | None = None
    """The backend that clients.ini names."""
    others: tuple[str, ...] = ()
    """Backends that serve something else than these clients, as clients.ini says."""

    def of(self, *kinds: str) -> tuple[HaproxySection, ...]:
        """The sections of these kinds, in the files' order."""
        return tuple(section for section in self.sections if section.kind in kinds)

    def proxy(self, name: str, *kinds: str) -> HaproxySection | None:
        return next((section for section in self.of(*kinds) if section.name == name), None)

    @property
    def balancing(self) -> tuple[HaproxySection, ...]:
        """The backend that clients.ini names, else every section with servers."""
        with_servers = self.of("backend", "listen")
        if self.backend is not None:
            return tuple(section for section in with_servers if section.name == self.backend)
        return tuple(section for section in with_servers if section.servers)

    @property
    def unresolved(self) -> tuple[HaproxyLine, ...]:
        """Every line that names a variable of the environment that no file gives."""
        heads = tuple(section.head for section in self.sections)
        lines = (*heads, *(line for section in self.sections for line in section.lines))
        return tuple(line for line in lines if line.unresolved)


class Balancers(msgspec.Struct, frozen=True):
    """The balancers' configurations that could be read, by the NAME of the ``[balancer:NAME]`` section."""

    scope: ClassVar[str] = "cluster"
    confs: dict[str, HaproxyConf] = {}
    unread: tuple[str, ...] = ()
    """The balancers of which it could not; haproxy-config-is-valid tells why."""


class HaproxyAlert(msgspec.Struct, frozen=True):
    """One line that HAProxy printed about a configuration."""

    text: str
    file: str = ""
    line: int | None = None
    only_here: bool = False
    """It may be due to the machine on which zcheck runs: a name, a user or a file that is not known here."""
    fatal: bool = True
    """False for a warning."""


class HaproxyRun(msgspec.Struct, frozen=True, tag=True):
    """How ``haproxy -c -dW`` on a configuration ended."""

    version: str
    exit_code: int
    starts: bool
    """Whether it is accepted when warnings are let pass (``haproxy -c``)."""
    alerts: tuple[HaproxyAlert, ...] = ()


class BalancerVerdict(msgspec.Struct, frozen=True):
    """Whether one balancer's configuration could be read, and what HAProxy itself says of it."""

    files: tuple[str, ...]
    faults: tuple[ConfFault, ...] = ()
    run: HaproxyRun | NotGathered | LeftOut = LeftOut("not tried")


class BalancerVerdicts(msgspec.Struct, frozen=True):
    """The verdict on every balancer's configuration, by the NAME of its section."""

    scope: ClassVar[str] = "cluster"
    verdicts: dict[str, BalancerVerdict] = {}


class RunningServer(msgspec.Struct, frozen=True):
    """One server as the running HAProxy has it."""

    name: str
    host: str
    port: int
    in_rotation: bool
    """Whether users are sent to it now."""
    state: str
    """In a word, for people."""


class RunningBalancer(msgspec.Struct, frozen=True, tag=True):
    """The backend of one running HAProxy, as its socket shows it."""

    backend: str
    socket: str
    servers: tuple[RunningServer, ...] = ()


class RunningBalancers(msgspec.Struct, frozen=True):
    """What every balancer does now whose socket this user may open, by the NAME of its section."""

    scope: ClassVar[str] = "cluster"
    found: dict[str, RunningBalancer | NotGathered | LeftOut] = {}
    """LeftOut where the socket is not there for this user; NotGathered where it was, and gave no answer."""
    is_judged: bool = False
    """Whether what is found is a finding of this command, or a note."""


class HealthAnswer(msgspec.Struct, frozen=True):
    """What one client answered to a balancer's health check, and to the same request for a path that cannot exist."""

    balancer: str
    request: HealthRequest
    status: int | None = None
    """None where it did not answer; ``detail`` says why."""
    detail: str = ""
    elapsed_s: float | None = None
    location: str = ""
    """Where a redirect points."""
    status_of_nothing: int | None = None
    """The answer to the path that cannot exist; None where it was not asked or gave none."""


class HealthAnswers(msgspec.Struct, frozen=True):
    """One client's answers to every balancer's health check."""

    scope: ClassVar[str] = "client"
    answers: tuple[HealthAnswer, ...] = ()


def milliseconds(text: str) -> int | None:
    """A time as HAProxy writes it (``7s``, ``500ms``; a bare number is milliseconds); None for what is none."""
    match = re.fullmatch(r"(\d{1,12})(us|ms|s|m|h|d)?", text)
    if match is None:
        return None
    per_unit = {"us": 0.001, "ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, None: 1}
    return int(int(match[1]) * per_unit[match[2]])
