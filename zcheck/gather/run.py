"""Facts for the chosen checks: which probes they need, run side by side under one deadline.  Never raises.

The waves follow from what depends on what: files, names, peers, identity, writes.  Only what does not depend on
each other waits for each other; what depends on something that failed is not tried, and its place is taken by a
:class:`~zcheck.facts.NotGathered` that says why.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Hashable, Iterable, Mapping
from functools import partial
from typing import Any, TypeVar

import msgspec

from zcheck.check import Check
from zcheck.facts import (
    Balancers,
    BalancerVerdicts,
    Client,
    ControlPanel,
    Facts,
    HealthAnswers,
    HttpAnswer,
    Inventory,
    LeftOut,
    Names,
    NotGathered,
    PortAnswer,
    Remains,
    SecretFiles,
    SeenThere,
    ServerLists,
    SharedBlobs,
    Thresholds,
    Today,
    WsgiConf,
    ZeoAnswers,
    ZeoClocks,
    ZeoConfs,
    ZeoIdentity,
    ZopeConf,
    addresses,
)
from zcheck.facts.history import HttpHistories, ZeoHistories
from zcheck.parsers import clients_ini as inventories
from zcheck.parsers import wsgi_ini, zeo_conf, zope_conf
from zcheck.probes import files, haproxy
from zcheck.probes.remote import answers, call

Key = TypeVar("Key", bound=Hashable)
Found = TypeVar("Found")
Progress = Callable[[str, str], None]

IN_FLIGHT = 32
"""Peers that are probed at one time."""

NEEDS: dict[type[Any], tuple[type[Any], ...]] = {
    WsgiConf: (ZopeConf,),
    Names: (ZopeConf,),
    PortAnswer: (Names,),
    HttpAnswer: (PortAnswer,),
    HealthAnswers: (HttpAnswer, Balancers),
    ControlPanel: (HttpAnswer,),
    ZeoAnswers: (ZopeConf, Names),
    ZeoClocks: (ZeoAnswers,),
    ServerLists: (ControlPanel, WsgiConf),
    SeenThere: (ZopeConf,),
    SharedBlobs: (SeenThere,),
    ZeoIdentity: (ZeoAnswers,),
    ZeoHistories: (ZeoAnswers,),
    # What was just committed over ZEO is what a client's own server must list before it is written to.
    HttpHistories: (ControlPanel, WsgiConf, ZeoHistories),
}
"""Which kinds have to be gathered before a kind can be.  What a run left is looked for after whatever it did."""

WRITES: tuple[type[Any], ...] = (ZeoHistories, HttpHistories, Remains)
"""The kinds that only a run that writes can have."""


LONG_S = 60.0
"""From how long on a test of isolation is judged while it goes on, and what was judged is dropped."""
WINDOW_S = 10.0


class Isolation(msgspec.Struct, frozen=True):
    """The longer test of isolation, in place of preflight's short one, at one level or at both."""

    duration_s: float
    workloads: tuple[str, ...]
    seed: int
    zeo: bool = True
    http: bool = True
    history: str | None = None
    """The file to which histories are written while they are made."""

    @property
    def window_s(self) -> float | None:
        """A long test is judged after each so many seconds, and what was judged is dropped; None: all is kept."""
        return WINDOW_S if self.duration_s > LONG_S else None


class Settings(msgspec.Struct, frozen=True):
    """How a run may behave; times in seconds."""

    run_id: str
    offline: bool = False
    read_only: bool = False
    timeout_s: float = 5.0
    deadline_s: float = 60.0
    today: str = ""
    """The day of the run: an ISO date, UTC."""
    state_folder: str | None = None
    """Where journals are kept; None: nowhere."""
    may_ask_servers: bool = True
    """Whether a run that writes nothing may send the one request by which a client asks its ZEO server."""
    max_rate: float = 20.0
    """Commits a second, after a first burst of as many."""
    pause_file: str | None = None
    """While a file of this name exists no write is begun."""
    isolation: Isolation | None = None
    gathered: Facts = Facts()
    """What ``zcheck gather`` found on the clients' own machines, for the clients of which there is something."""


class Deadline:
    """One limit for the whole run, a share of which is kept for cleaning up."""

    def __init__(self, total_s: float) -> None:
        self._end = time.monotonic() + total_s
        self.reserved_s = min(10.0, total_s / 4)

    def left(self) -> float:
        """Seconds that work may still take; 0 when only clean-up's share is left."""
        return max(0.0, self._end - self.reserved_s - time.monotonic())

    def end(self) -> None:
        """Nothing more is begun, and clean-up has its share all the same."""
        self._end = min(self._end, time.monotonic() + self.reserved_s)

    def left_to_clean_up(self) -> float:
        """Seconds until the very end."""
        return max(0.0, self._end - time.monotonic())


def wanted_kinds(checks: Iterable[Check]) -> frozenset[type[Any]]:
    """Every kind that these checks need or use, and what has to be gathered before it.

    Nothing is written for the sake of a kind that is merely used: who leaves out the checks that write wants no writes.
    """
    checks = tuple(checks)
    needed = {kind for check in checks for kind in check.needs}
    used = {kind for check in checks for kind in check.uses}
    return with_what_they_need(needed | (used - set(WRITES)))


def with_what_they_need(kinds: Iterable[type[Any]]) -> frozenset[type[Any]]:
    """These kinds, and every kind that has to be gathered before one of them can be."""
    wanted: set[type[Any]] = set()
    stack = list(kinds)
    while stack:
        kind = stack.pop()
        if kind not in wanted:
            wanted.add(kind)
            stack += NEEDS.get(kind, ())
    return frozenset(wanted)


def side_by_side(
    jobs: Mapping[Key, Callable[[], Found]], left: Callable[[], float], limit: int = IN_FLIGHT
) -> dict[Key, Found | NotGathered]:
    """Run the jobs in daemon threads, at most ``limit`` at a time; what is not back in time is not waited for.

    A thread that hangs in a name look-up cannot be ended, so it is left behind: it holds nothing of the cluster.
    """
    waiting: queue.SimpleQueue[Key] = queue.SimpleQueue()
    done: queue.SimpleQueue[tuple[Key, Found | NotGathered]] = queue.SimpleQueue()
    for key in jobs:
        waiting.put(key)

    def work() -> None:
        while True:
            try:
                key = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                done.put((key, jobs[key]()))
            except Exception as error:  # a defect of ours becomes UNKNOWN, never a lost client
                done.put((key, NotGathered(f"zcheck failed: {type(error).__name__}: {error}")))

    for _ in range(min(limit, len(jobs))):
        threading.Thread(target=work, daemon=True).start()
    found: dict[Key, Found | NotGathered] = {}
    while len(found) < len(jobs):
        try:
            key, value = done.get(timeout=max(left(), 0.001))
        except queue.Empty:
            break
        found[key] = value
    late = NotGathered("not done before zcheck's own deadline")
    return {key: found.get(key, late) for key in jobs}


class Gathering:
    """One run's waves; each method fills in the kinds it is named after."""

    def __init__(
        self,
        inventory: Inventory,
        settings: Settings,
        wanted: frozenset[type[Any]],
        secret: str | NotGathered,
        progress: Progress,
    ) -> None:
        self.inventory = inventory
        self.settings = settings
        self.wanted = wanted - set(WRITES) if settings.read_only else wanted
        self.secret = secret
        self.progress = progress
        self.deadline = Deadline(settings.deadline_s)
        self.facts = Facts().with_fact("", inventory)
        self.looked: dict[str, answers.Looked | NotGathered] = {}
        """What the machines with a ``via`` answered, by client."""
        self.timings: list[tuple[str, float]] = []

    def run(self) -> Facts:
        """Every wave that is wanted, in order; the facts so far, whatever happens."""
        try:
            self._run()
        finally:
            call.end_calls()
        return self.facts

    def _run(self) -> None:
        if not self.settings.offline and self.doors and self.wanted & {ZopeConf, WsgiConf, SeenThere}:
            self.wave("look from the clients' own machines", self._look_from_there)
        self.wave("read the configuration files", self._read_files)
        self.wave("look names up", self._look_names_up)
        if not self.settings.offline:
            from zcheck.gather.live import LiveWaves

            with LiveWaves(self) as live:
                live.run()

    def keep(self, subject: str, fact: Any, kind: type[Any] | None = None) -> None:
        self.facts = self.facts.with_fact(subject, fact, kind)

    @property
    def doors(self) -> tuple[call.Door, ...]:
        """The ways to the clients' own machines, for the clients of which nothing was brought from there."""
        return call.doors(
            client for client in self.inventory.clients if self.settings.gathered.raw(SeenThere, client.name) is None
        )

    def call_s(self) -> float:
        """Seconds that one call of a machine may take: a hanging one must leave time for all the rest."""
        return min(call.CALL * self.settings.timeout_s, self.deadline.left() / 3)

    def _look_from_there(self) -> None:
        within_s = self.call_s()
        doors = self.doors
        for client in (client for door in doors for client in door.clients):
            self.progress(client.name, "looking from its own machine")
        jobs = {n: partial(answers.look, door, within_s, self._named_by_copies(door)) for n, door in enumerate(doors)}
        for number, found in side_by_side(jobs, self.deadline.left).items():
            own = doors[number].clients
            self.looked |= found if isinstance(found, dict) else dict.fromkeys((one.name for one in own), found)

    def _named_by_copies(self, door: call.Door) -> set[str]:
        """The variables that copies of these clients' files name, whose values their processes have."""
        named: set[str] = set()
        for client in door.clients:
            if client.zope_conf is not None and not answers.conf_is_there(client):
                with contextlib.suppress(files.CannotRead):
                    named |= answers.variables_in(files.read_text(client.zope_conf))
        return named

    @property
    def names(self) -> Names | None:
        """What host names mean, once they were looked up."""
        found = self.facts.raw(Names)
        return found if isinstance(found, Names) else None

    def wave(self, what: str, wave: Callable[[], None]) -> None:
        started = time.monotonic()
        try:
            wave()
        finally:
            self.timings.append((what, time.monotonic() - started))

    def _read_files(self) -> None:
        if SecretFiles in self.wanted:
            self.keep("", self._secret_files(), SecretFiles)
        if Thresholds in self.wanted:
            self.keep("", inventories.thresholds(self.inventory.options))
        if Today in self.wanted:
            self.keep("", Today(self.settings.today))
        clients = self.inventory.clients
        if ZopeConf in self.wanted:
            confs = {client.name: self._zope_conf(client) for client in clients}
            self.facts = self.facts.with_facts(ZopeConf, confs)
        if WsgiConf in self.wanted:
            inis = {client.name: self._wsgi_conf(client) for client in clients}
            self.facts = self.facts.with_facts(WsgiConf, inis)
            for client in clients:
                self._tell_another_conf(client, inis[client.name])
        if SeenThere in self.wanted:
            seen = {client.name: self.seen_there(client, None) for client in clients}
            self.facts = self.facts.with_facts(SeenThere, seen)
        if SharedBlobs in self.wanted:
            # Taken back once the machines have answered.
            self.keep("", LeftOut(answers.OFFLINE), SharedBlobs)
        if ZeoConfs in self.wanted:
            servers = zeo_conf.of_servers(self.inventory, files.read_text, partial(_reader, self.inventory))
            self.keep("", servers or LeftOut("clients.ini names no file of a ZEO server"), ZeoConfs)

        if self.wanted & {Balancers, BalancerVerdicts}:
            self._read_balancers()

    def _zope_conf(self, client: Client) -> ZopeConf | NotGathered | LeftOut:
        brought = self.settings.gathered.raw(ZopeConf, client.name)
        if isinstance(brought, ZopeConf | NotGathered):
            return brought
        if client.via is not None and answers.conf_is_there(client):
            return LeftOut(answers.OFFLINE) if self.settings.offline else self._found_there(client, ZopeConf)
        if client.zope_conf is None:
            return LeftOut("clients.ini names no zope-conf for it")
        try:
            env = answers.environment(client, self.looked.get(client.name))
            text = files.read_text(client.zope_conf)
            conf = zope_conf.parse(text, client.zope_conf, env, _reader(self.inventory, client.zope_conf))
            return msgspec.structs.replace(conf, mtime=files.modified(client.zope_conf))
        except files.CannotRead as error:
            return _unreadable(self.inventory, client, error)

    def _wsgi_conf(self, client: Client) -> WsgiConf | NotGathered | LeftOut:
        brought = self.settings.gathered.raw(WsgiConf, client.name)
        if isinstance(brought, WsgiConf | NotGathered):
            return brought
        if client.via is not None and answers.ini_is_there(client):
            return LeftOut(answers.OFFLINE) if self.settings.offline else self._found_there(client, WsgiConf)
        conf = self.facts.raw(ZopeConf, client.name)
        known = conf if isinstance(conf, ZopeConf) else None
        beside = None if answers.conf_is_there(client) else client.zope_conf
        return wsgi_ini.of_client(beside, client.wsgi_ini, known, files.read_if_there)

    def _found_there(self, client: Client, kind: type[Any]) -> Any:
        """A file of the client's own machine, from what that machine answered."""
        found = self.looked.get(client.name, NotGathered("via: it was not asked"))
        if isinstance(found, NotGathered) and kind is WsgiConf and answers.conf_is_there(client):
            return msgspec.structs.replace(found, told_by="zope-conf-parses")
        try:
            if kind is ZopeConf:
                return answers.zope_conf(client, found)
            conf = self.facts.raw(ZopeConf, client.name)
            return answers.wsgi_conf(conf if isinstance(conf, ZopeConf) else None, found)
        except Exception as error:  # what one machine says must not end the run
            return NotGathered(f"via: zcheck failed on what came back: {type(error).__name__}")

    def seen_there(self, client: Client, around: call.Peers | NotGathered | None) -> SeenThere | NotGathered | LeftOut:
        """What the client's own machine sees; ``around``: its answer to the second question."""
        brought = self.settings.gathered.raw(SeenThere, client.name)
        if brought is not None:
            return brought
        if client.via is None:
            return LeftOut("clients.ini gives no via for it")
        if self.settings.offline:
            return LeftOut(answers.OFFLINE)
        found = self.looked.get(client.name, NotGathered("via: it was not asked"))
        if isinstance(found, NotGathered):
            # That the way does not lead there is told once.
            teller = "zope-conf-parses" if answers.conf_is_there(client) else "products-agree"
            return msgspec.structs.replace(found, told_by=teller)
        conf = self.facts.raw(ZopeConf, client.name)
        return answers.seen(conf if isinstance(conf, ZopeConf) else None, found, around)

    def _secret_files(self) -> SecretFiles | NotGathered | LeftOut:
        """Where the password comes from; why it cannot be had is told once, for all that needs it."""
        found = files.secret_files(self.inventory)
        if self.settings.offline:
            # A repository holds no password, and the files in it are judged without one.
            return LeftOut(f"{found.reason}; offline it is not needed") if isinstance(found, NotGathered) else found
        if self.inventory.credentials is not None and isinstance(self.secret, NotGathered):
            return msgspec.structs.replace(self.secret, told_by="edits-are-seen-everywhere")
        return found

    def _tell_another_conf(self, client: Client, ini: object) -> None:
        """A client whose ini starts it with another zope.conf that is at hand too: the wrong one was compared."""
        conf = self.facts.raw(ZopeConf, client.name)
        if client.wsgi_ini is None or client.zope_conf is None or client.lie_there:
            return
        if isinstance(ini, WsgiConf) and isinstance(conf, ZopeConf) and ini.zope_conf:
            fault = wsgi_ini.another_conf(ini, client.zope_conf)
            # A copy under another name is no other file: the one that the ini names must be there as well.
            if fault is not None and files.is_another_file(ini.zope_conf, client.zope_conf):
                self.keep(client.name, msgspec.structs.replace(conf, faults=(*conf.faults, fault)))

    def _read_balancers(self) -> None:
        """The balancers' files, and what HAProxy itself says of them where it is asked."""
        confs, verdicts = haproxy.gather(
            self.inventory,
            files.read_text,
            judge=BalancerVerdicts in self.wanted,
            offline=self.settings.offline,
            timeout_s=min(self.settings.timeout_s, self.deadline.left()),
        )
        self.keep("", confs, Balancers)
        self.keep("", verdicts, BalancerVerdicts)

    def _look_names_up(self) -> None:
        if Names not in self.wanted:
            return
        from zcheck.probes import names

        if self.settings.offline:
            self.keep("", Names())
            return
        hosts = sorted(host for host in self._hosts() if host not in self.inventory.hosts)
        # Our own addresses first: what is here must not depend on how many names nobody answers for.
        jobs: dict[str, Callable[[], tuple[str, ...]]] = {"": names.own_addresses}
        jobs |= {host: partial(names.resolve, host) for host in hosts}
        # All of them together: where nothing answers, a thousand names must not take a thousand times as long as one.
        end = time.monotonic() + 2 * self.settings.timeout_s
        found = side_by_side(jobs, lambda: min(end - time.monotonic(), self.settings.timeout_s, self.deadline.left()))
        known = {host: value for host, value in found.items() if isinstance(value, tuple) and value}
        here = known.pop("", ())
        self.keep("", Names(known, here, looked_up=True))

    def _hosts(self) -> set[str]:
        """Every host name that a judgement may turn on."""
        hosts = set()
        for client in self.inventory.clients:
            hosts |= {client.address.host, client.machine}
            hosts |= {endpoint.host for _, endpoint in self.endpoints(client)}
        hosts |= {endpoint.host for endpoint in addresses.pinned(self.inventory)}
        balancers = self.facts.raw(Balancers)
        for conf in balancers.confs.values() if isinstance(balancers, Balancers) else ():
            hosts |= {server.host for section in conf.balancing for server in section.servers if "$" not in server.host}
        return {host for host in hosts if host and not addresses.is_literal(host) and not addresses.is_loopback(host)}

    def endpoints(self, client: Client) -> list[tuple[str, addresses.Endpoint]]:
        """The readable servers that a client's zope.conf names, each with its database."""
        conf = self.facts.raw(ZopeConf, client.name)
        if not isinstance(conf, ZopeConf):
            return []
        return [
            (database.name, endpoint)
            for database in conf.databases
            for endpoint in addresses.endpoints((setting.value for setting in database.servers), client)
        ]


def _unreadable(inventory: Inventory, client: Client, error: files.CannotRead) -> NotGathered:
    """A file that clients.ini names and that cannot be read: one check tells it, with the line that names it."""
    key = "env-file" if error.path == client.env_file else "zope-conf"
    mend = f"correct {key} of [{client.section.name}]"
    hint = f"{mend}, which is relative to {inventory.file}, or copy the file there" if error.is_missing else mend
    line = client.section.line_of(key)
    return NotGathered(str(error), hint, "zope-conf-parses", file=inventory.file, line=line)


def _reader(inventory: Inventory, path: str) -> Callable[[str], str]:
    """The bounded reader of what this file includes."""
    return files.conf_reader(files.folders_of(path, inventory.file))
