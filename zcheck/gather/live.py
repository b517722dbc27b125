"""The waves of a run that reach the cluster: peers, identity, writes, and what was left."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec

from zcheck.facts import (
    Balancers,
    Client,
    ControlPanel,
    Facts,
    HealthAnswers,
    HostPort,
    HttpAnswer,
    LeftOut,
    NotGathered,
    PortAnswer,
    Remains,
    SeenThere,
    ServerList,
    ServerLists,
    SharedBlobs,
    StorageProof,
    WsgiConf,
    ZeoAnswer,
    ZeoAnswers,
    ZeoClocks,
    ZeoIdentity,
    ZopeConf,
    targets,
)
from zcheck.facts.history import ClientState, History, HttpHistories, ZeoHistories
from zcheck.parsers.clients_ini import thresholds

if TYPE_CHECKING:
    from zcheck.consistency.http.client import HttpTarget
    from zcheck.consistency.recording.format import Header
    from zcheck.consistency.storage.parent import ZeoWorker
    from zcheck.consistency.storage.protocol import Failure, Target
    from zcheck.gather.run import Gathering
    from zcheck.probes.remote import call
    from zcheck.probes.zeo import Asked
    from zcheck.system import state

Dialled = HostPort | str
ROOT = targets.Place("", "main")


class _OwnFault(Exception):
    """A peer was not asked because of zcheck itself, such as its own deadline: nothing is known of the peer."""

    def __init__(self, instead: NotGathered) -> None:
        super().__init__(instead.reason)
        self.instead = instead


class LiveWaves:
    """A context manager around one run's connections; what it holds is gone when it is left."""

    def __init__(self, gathering: Gathering) -> None:
        self.gathering = gathering
        self.inventory = gathering.inventory
        self.settings = gathering.settings
        self.worker: ZeoWorker | None = None
        self.asked: dict[Dialled, Asked | NotGathered] = {}
        self.ways: list[targets.ZeoTarget] = []
        self.same_way: dict[str, dict[str, str]] = {}
        self.failures: tuple[Failure, ...] = ()
        self.journal: str | None = None
        self.held: int | None = None
        self.ended: tuple[str, ...] = ()
        self.pinned_history: History | None = None
        self.began = monotonic()
        self.writes_over_http = 0

    def __enter__(self) -> LiveWaves:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.worker is not None:
            self.worker.close()
        if self.held is not None:
            os.close(self.held)

    def run(self) -> None:
        """Every wanted wave, in order."""
        wants = self.gathering.wanted
        if wants & {ZeoIdentity, ZeoHistories}:
            # Importing ZODB and ZEO takes longer than asking every peer: the child does it meanwhile.
            self.worker = self._start_worker()
        for what, kinds, wave in (
            ("ask every client and server", {PortAnswer, ZeoAnswers, SeenThere}, self._reach),
            ("see whether shared blobs are in one folder", {SharedBlobs}, self._mark_blobs),
            ("ask what the balancer will ask", {HealthAnswers}, self._ask_health),
            ("prove identity over ZEO", {ZeoIdentity, ZeoHistories}, self._identity),
            ("ask what each client's server lists", {ServerLists}, self._list_transactions),
            ("write and read over ZEO", {ZeoHistories}, self._write_over_zeo),
            ("write and read through the clients", {HttpHistories}, self._write_over_http),
            ("see what is left", {Remains}, self._look_back),
            ("hold the ZEO servers' clocks against ours", {ZeoClocks}, self._clocks),
        ):
            if wants & kinds:
                self.gathering.wave(what, wave)

    # --- who answers -----------------------------------------------------------------------------

    def _start_worker(self) -> ZeoWorker:
        from zcheck.consistency.storage.parent import ZeoWorker
        from zcheck.gather.run import WRITES
        from zcheck.system import state

        folder, ini = self.settings.state_folder, self.inventory.file
        if set(WRITES) & self.gathering.wanted:
            self.ended = state.runs(folder, ini).ended
            self.journal = state.journal(folder, ini, self.settings.run_id)
            self.held = state.hold(self.journal)
        worker = ZeoWorker(self.settings.run_id, timeout_s=self.settings.timeout_s, journal=self.journal)
        worker.start()
        return worker

    def _reach(self) -> None:
        from zcheck.gather.run import side_by_side

        wants = self.gathering.wanted
        jobs: dict[Any, Callable[[], Any]] = {}
        if PortAnswer in wants:
            jobs |= {client.name: partial(self._ask_client, client) for client in self.inventory.clients}
        if ZeoAnswers in wants:
            ways = targets.zeo_targets(self.gathering.facts)
            jobs |= {("zeo", dialled): partial(self._ask_server, dialled) for way in ways for dialled in way.dialled}
        doors = self.gathering.doors if SeenThere in wants else ()
        jobs |= {("there", number): partial(self._look_around, door) for number, door in enumerate(doors)}
        found = side_by_side(jobs, self.gathering.deadline.left)
        seen = {
            client.name: self.gathering.seen_there(client, found["there", number])
            for number, door in enumerate(doors)
            for client in door.clients
        }
        self.gathering.facts = self.gathering.facts.with_facts(SeenThere, seen)
        for client in self.inventory.clients if PortAnswer in wants else ():
            answers = found[client.name]
            for kind in (PortAnswer, HttpAnswer, ControlPanel):
                fact = answers if isinstance(answers, NotGathered) else answers[kind]
                self.gathering.keep(client.name, fact, kind)
        self._leave_the_telling_to_the_port()
        if ControlPanel in wants:
            self._tell_processes_apart()
        self.asked = {key[1]: value for key, value in found.items() if isinstance(key, tuple) and key[0] == "zeo"}
        if ZeoAnswers in wants:
            by_client: dict[str, list[targets.ZeoTarget]] = {}
            for way in targets.zeo_targets(self.gathering.facts):
                by_client.setdefault(way.client, []).append(way)
            said = {one.name: self._zeo_answers(one, by_client.get(one.name, ())) for one in self.inventory.clients}
            self.gathering.facts = self.gathering.facts.with_facts(ZeoAnswers, said)

    def _leave_the_telling_to_the_port(self) -> None:
        """A machine that is gone is one finding: neither its client's port nor the way to look from it answers."""
        facts = self.gathering.facts
        for name, found in self.gathering.looked.items():
            port = facts.raw(PortAnswer, name)
            if isinstance(found, NotGathered) and isinstance(port, PortAnswer) and port.outcome != "open":
                for kind in (ZopeConf, WsgiConf, SeenThere):
                    fact = facts.raw(kind, name)
                    if isinstance(fact, NotGathered) and fact.reason == found.reason:
                        others = fact.told_by or "zope-conf-parses"
                        told = msgspec.structs.replace(fact, told_by=f"client-port-answers {others}")
                        self.gathering.keep(name, told, kind)

    def _look_around(self, door: call.Door) -> call.Peers | NotGathered:
        """The second question to a machine: what its clients' files name, as seen from there."""
        from zcheck.probes.remote import answers as elsewhere
        from zcheck.probes.remote import call

        facts, within_s = self.gathering.facts, self.gathering.call_s()
        confs = {one.name: conf for one in door.clients if isinstance(conf := facts.raw(ZopeConf, one.name), ZopeConf)}
        if all(isinstance(self.gathering.looked.get(client.name), NotGathered) for client in door.clients):
            return NotGathered("via: it did not answer the first question")

        def ask(request: Mapping[str, Any], kind: type[call.Peers]) -> call.Peers | NotGathered:
            return call.ask(door.command, request, kind, within_s)

        wait_s = min(self.settings.timeout_s, max(within_s - 2, 0.5))
        return elsewhere.peers(confs, door.clients, ask, wait_s=wait_s, within_s=within_s)

    def _mark_blobs(self) -> None:
        """One marker a database whose blobs are shared by folders that are not surely one."""
        from zcheck.gather.run import side_by_side
        from zcheck.probes.remote import answers as elsewhere

        facts = self.gathering.facts
        seen = {
            client.name: found
            for client in self.inventory.clients
            if isinstance(found := facts.raw(SeenThere, client.name), SeenThere)
        }
        shared = [folder.database for found in seen.values() for folder in found.folders if folder.use == "blobs"]
        markers, why_not = [], {}
        for database in dict.fromkeys(shared):
            members = elsewhere.members(database, self.gathering.doors, seen)
            if len(members) < 2:
                continue
            if self.settings.read_only:
                why_not[database] = "no marker is written with --read-only"
                continue
            made = elsewhere.blob_marker(
                database,
                members,
                self.settings.run_id,
                self.gathering.call_s(),
                lambda jobs: side_by_side(jobs, self.gathering.deadline.left),
            )
            if isinstance(made, str):
                why_not[database] = made
            else:
                markers.append(made)
        self.gathering.keep("", SharedBlobs(tuple(markers), why_not))

    def _ask_client(self, client: Client) -> dict[type[Any], Any]:
        """Port, HTTP and Control Panel of one client; each only where the one before it answered."""
        from zcheck.probes import http

        timeout_s, hosts, tell = self.settings.timeout_s, self.inventory.hosts, self.gathering.progress
        tell(client.name, "connecting")
        port = http.probe_port(client, timeout_s, hosts)
        if port.outcome != "open":
            nothing = NotGathered(f"{client.dialled} does not answer")
            return {PortAnswer: port, HttpAnswer: nothing, ControlPanel: nothing}
        tell(client.name, "asking for a page")
        page = http.probe_http(client, timeout_s, hosts)
        slow_ms = thresholds(self.inventory.options).client_answers_quickly_s * 1000
        if page.elapsed_ms is not None and page.elapsed_ms > slow_ms:
            # The first page after a start takes longer than any other.
            again = http.probe_http(client, timeout_s, hosts)
            page = again if again.outcome == "http" else page
        if page.outcome != "http":
            nothing = NotGathered(f"{client.dialled} does not speak HTTP")
            return {PortAnswer: port, HttpAnswer: page, ControlPanel: nothing}
        return {PortAnswer: port, HttpAnswer: page, ControlPanel: self._ask_control_panel(client)}

    def _ask_control_panel(self, client: Client) -> ControlPanel | NotGathered | LeftOut:
        from zcheck.probes import http

        credentials, secret = self.inventory.credentials, self.gathering.secret
        if ControlPanel not in self.gathering.wanted:
            return LeftOut("not asked for")
        if isinstance(secret, NotGathered):
            return LeftOut(secret.reason, None if credentials is None else "credentials-are-private")
        assert credentials is not None
        self.gathering.progress(client.name, "reading its Control Panel")
        panel = http.probe_control_panel(
            client, credentials.user, secret, self.settings.timeout_s, self.inventory.hosts
        )
        self.gathering.progress(client.name, "waiting for the others")
        return self._told_once(panel) if isinstance(panel, NotGathered) else panel

    def _told_once(self, missing: NotGathered) -> NotGathered:
        """What a client refused to show: one check tells it, with the line of clients.ini that gives the user."""
        credentials = self.inventory.credentials
        missing = msgspec.structs.replace(missing, told_by="client-is-connected-to-zeo")
        if credentials is None or not missing.hint:
            return missing
        return msgspec.structs.replace(missing, file=self.inventory.file, line=credentials.line)

    def _tell_processes_apart(self) -> None:
        """Where clients look like one process: whether they are."""
        from zcheck.probes import http, processes

        credentials, secret = self.inventory.credentials, self.gathering.secret
        panels = {
            client.name: panel
            for client in self.inventory.clients
            if isinstance(panel := self.gathering.facts.raw(ControlPanel, client.name), ControlPanel)
        }
        if credentials is None or isinstance(secret, NotGathered):
            return
        user, timeout_s, hosts = credentials.user, self.settings.timeout_s, self.inventory.hosts

        def look(name: str) -> http.FirstCount | None:
            self.gathering.progress(name, "is told apart from its neighbours")
            return http.probe_references(self.inventory.client(name), user, secret, timeout_s, hosts)

        for name, panel in processes.told_apart(panels, look, self.gathering.deadline.left).items():
            self.gathering.keep(name, panel)

    def _clocks(self) -> None:
        """Transaction ids as times: the newest of each storage, and those of our own commits."""
        from zcheck.probes import clocks

        facts = self.gathering.facts
        answers = [
            (client.name, answer)
            for client in self.inventory.clients
            if isinstance(found := facts.raw(ZeoAnswers, client.name), ZeoAnswers)
            for answer in found.answers
        ]
        histories = facts.raw(ZeoHistories)
        servers = {(way.client, way.database): way.servers[0] for way in self.ways if len(way.servers) == 1}
        ours = clocks.of_histories(histories.histories if isinstance(histories, ZeoHistories) else (), servers)
        self.gathering.keep("", ZeoClocks((*clocks.of_answers(answers), *ours)))

    def _ask_server(self, dialled: Dialled, timeout_s: float | None = None) -> Asked:
        from zcheck.probes import zeo

        return zeo.ask(dialled, timeout_s=timeout_s or self.settings.timeout_s)

    def _zeo_answers(self, client: Client, ways: Sequence[targets.ZeoTarget]) -> ZeoAnswers | NotGathered | LeftOut:
        conf = self.gathering.facts.raw(ZopeConf, client.name)
        if not isinstance(conf, ZopeConf):
            return conf if isinstance(conf, NotGathered | LeftOut) else NotGathered("its zope.conf was not read")
        answers = []
        for way in ways:
            try:
                answers += self._answers_on(way, conf)
            except _OwnFault as fault:
                return fault.instead
        return ZeoAnswers(tuple(answers)) if answers else LeftOut("its zope.conf names no ZEO server")

    def _answers_on(self, way: targets.ZeoTarget, conf: ZopeConf) -> list[ZeoAnswer]:
        """What the servers of one database said, one answer a ``server`` line."""
        from zcheck.facts import addresses

        database = conf.database(way.database)
        assert database is not None
        names = self.gathering.names
        answers = []
        for setting, dialled in zip(database.servers, way.dialled, strict=False):
            asked = self.asked[dialled]
            here = not isinstance(dialled, HostPort) or addresses.is_here(dialled.host, self.inventory, names)
            if isinstance(asked, NotGathered):
                raise _OwnFault(asked)
            answers.append(
                ZeoAnswer(
                    database=way.database,
                    server=setting.value,
                    file=setting.file,
                    line=setting.line,
                    dialled=str(dialled),
                    here=here,
                    storage=way.storage,
                    outcome=asked.outcome,
                    detail=asked.detail,
                    protocol=asked.protocol,
                    storages=asked.storages,
                )
            )
        return answers

    def _ask_health(self) -> None:
        """The balancers' health checks, of every client that speaks HTTP."""
        from zcheck.gather.run import side_by_side
        from zcheck.probes import haproxy_health

        balancers = self.gathering.facts.raw(Balancers)
        jobs: dict[str, Callable[[], Any]] = {}
        for client in self.inventory.clients:
            answer = self.gathering.facts.raw(HttpAnswer, client.name)
            if not isinstance(balancers, Balancers):
                self.gathering.keep(client.name, LeftOut("no balancer's configuration was read"), HealthAnswers)
            elif not isinstance(answer, HttpAnswer) or answer.outcome != "http":
                self.gathering.keep(client.name, NotGathered(f"{client.dialled} does not answer"), HealthAnswers)
            else:
                run_id, timeout_s = self.settings.run_id, self.settings.timeout_s
                jobs[client.name] = partial(
                    haproxy_health.ask, client, balancers, run_id, timeout_s, self.inventory.hosts
                )
        for name, found in side_by_side(jobs, self.gathering.deadline.left).items():
            self.gathering.keep(name, found, HealthAnswers)

    # --- one database? ---------------------------------------------------------------------------

    def _identity(self) -> None:
        ways = [way for way in targets.zeo_targets(self.gathering.facts) if self._answers(way)]
        nothing = self._why_no_zeo_level(ways)
        if nothing is not None:
            told = isinstance(nothing, LeftOut) and nothing.because is None
            # What the clients' own servers list is evidence of its own.
            self.gathering.keep("", ZeoIdentity(why_not=nothing.reason) if told else nothing, ZeoIdentity)
            self.gathering.keep("", nothing, ZeoHistories)
            return
        assert self.worker is not None
        ways, self.same_way = targets.standing_for_all(ways)
        for way in ways:
            self.gathering.progress(way.client, "connecting to its ZEO server")
        self.failures = self.worker.connect([zeo_target(way) for way in ways], within_s=self._within())
        identity = self.worker.identity(within_s=self._within())
        self.gathering.keep("", self._with_failures(identity), ZeoIdentity)
        self.ways = ways

    def _answers(self, way: targets.ZeoTarget) -> bool:
        """Whether a server of this way answers as a ZEO server and has the storage."""
        asked = [self.asked.get(dialled) for dialled in way.dialled]
        return not way.unreachable and any(
            one is not None
            and not isinstance(one, NotGathered)
            and one.outcome == "answers"
            and way.storage in one.storages
            for one in asked
        )

    def _why_no_zeo_level(self, ways: list[targets.ZeoTarget]) -> NotGathered | LeftOut | None:
        if ways:
            return None
        if targets.zeo_targets(self.gathering.facts):
            return LeftOut("no ZEO server answered with a storage that a client names", "zeo-server-answers")
        conf_read = any(
            isinstance(fact, ZopeConf) for kind, _, fact in self.gathering.facts.items() if kind is ZopeConf
        )
        return LeftOut("no zope.conf names a ZEO server" if conf_read else "no zope.conf was read")

    def _with_failures(self, identity: ZeoIdentity | NotGathered) -> ZeoIdentity | NotGathered:
        """The proofs, and for each connection that could not be had why."""
        if isinstance(identity, NotGathered):
            return identity
        databases = dict(identity.databases)
        for failure in self.failures:
            proofs = databases.get(failure.database, ())
            if not any(proof.client == failure.client for proof in proofs):
                databases[failure.database] = (*proofs, StorageProof(failure.client, "", error=failure.reason))
        return ZeoIdentity(databases, identity.loads, self.same_way)

    # --- without a write: what the clients' own servers list -----------------------------------------

    def _list_transactions(self) -> None:
        """The newest transactions through every running client; what a run that writes learns by writing."""
        from zcheck.consistency.http import transactions
        from zcheck.gather.run import side_by_side
        from zcheck.system import state

        credentials, secret = self.inventory.credentials, self.gathering.secret
        if not self.settings.read_only:
            self.gathering.keep("", LeftOut("a run that writes learns it by writing"), ServerLists)
        elif isinstance(secret, NotGathered) or credentials is None or not self.settings.may_ask_servers:
            self.gathering.keep("", LeftOut("the clients are not asked to ask their servers"), ServerLists)
        else:
            owing = state.unanswered(self.settings.state_folder)
            doors = [self._door_to_ask(client, owing) for client in self.inventory.clients]
            asked = [door for door in doors if door is not None]
            user, timeout_s, hosts = credentials.user, self.settings.timeout_s, self.inventory.hosts
            jobs = {
                door.name: partial(transactions.look, door, user, secret, timeout_s, hosts)
                for door in asked
                if door.may_ask
            }
            found = side_by_side(jobs, self.gathering.deadline.left)
            listed = tuple(one for one in found.values() if isinstance(one, ServerList))
            hung = tuple(name for name, one in found.items() if isinstance(one, transactions.Hung))
            owes = {door.name: _why_not_asked(door) for door in asked if not door.may_ask}
            self.gathering.keep("", ServerLists(listed, hung, owes))
            self._remember_who_hung(owing, hung, [one.client for one in listed])

    def _door_to_ask(self, client: Client, owing: Mapping[str, state.Unanswered]) -> HttpTarget | None:
        """A client whose connection to its server is worth a question: it says itself that there is one."""
        door = http_target(self.gathering.facts, client, owing)
        panel = self.gathering.facts.raw(ControlPanel, client.name)
        if door is None or not isinstance(panel, ControlPanel) or self._server_is_dead(door):
            return None
        page = panel.database(door.database)
        return None if page is not None and page.connected is False else door

    # --- writes ----------------------------------------------------------------------------------

    def _write_over_zeo(self) -> None:
        if isinstance(self.gathering.facts.raw(ZeoHistories), NotGathered | LeftOut):
            return
        assert self.worker is not None
        histories, blobs = [], []
        for database in dict.fromkeys(way.database for way in self.ways):
            own = [way for way in self.ways if way.database == database]
            if all(way.not_written for way in own):
                continue
            for way in own:
                self.gathering.progress(way.client, f"writing and reading over ZEO ({database})")
            locked = self._locked(own)
            if locked:
                histories.append(History("zeo", database, self.settings.run_id, stopped=locked))
            else:
                histories.append(self._work_on(self.worker, database))
                if not histories[-1].stopped and any(way.blobs for way in own):
                    matrix = partial(self.worker.matrix, database, within_s=self._within(), **self._gently())
                    blobs.append(matrix(rounds=1, blobs=True))
        if histories:
            done = (map(self._with_the_same_way, one) for one in (histories, blobs))
            self.gathering.keep("", ZeoHistories(*map(tuple, done)))
        else:
            reasons = dict.fromkeys(way.not_written for way in self.ways)
            self.gathering.keep("", LeftOut("; ".join(reasons)), ZeoHistories)

    def _with_the_same_way(self, history: History) -> History:
        return msgspec.structs.replace(history, same_way=self.same_way.get(history.database, {}))

    def _work_on(self, worker: ZeoWorker, database: str) -> History:
        """The matrix, or the longer test where that was asked for."""
        longer = self.settings.isolation
        if longer is None or not longer.zeo:
            return worker.matrix(database, within_s=self._within(), **self._gently())
        history = worker.isolate(
            database,
            duration_s=longer.duration_s,
            workloads=longer.workloads,
            seed=longer.seed,
            within_s=self._within(),
            tape=self._tape("zeo", database),
            window_s=longer.window_s,
            tell=lambda so_far: self.gathering.progress("", f"over ZEO, database {database}, {so_far}"),
            **self._gently(),
        )
        if worker.interrupted:
            self.gathering.deadline.end()
        return history

    def _gently(self) -> dict[str, Any]:
        return {"max_rate": self.settings.max_rate, "pause_file": self.settings.pause_file}

    def _tape(self, level: str, database: str, place: str = "") -> tuple[str, Header] | None:
        """The file to which this history is written while it is made, and how it begins there."""
        from zcheck.consistency.recording import format, writer

        longer = self.settings.isolation
        if longer is None or longer.history is None:
            return None
        origin = writer.origin(self.inventory.name, self.settings.run_id, longer.seed)
        return longer.history, format.header(origin, level, database, place)

    def _write_where_pinned(self) -> None:
        """Write a marker on the pinned server where no zope.conf leads there: a client that lists it is joined to it.

        Without it a cluster of which only the addresses and the pin are known could not be written to at all.
        """
        way = targets.pinned_target(self.inventory, self.gathering.names)
        if way is None or self.ways or self.worker is None or ZeoHistories not in self.gathering.wanted:
            return
        for dialled in way.dialled:
            if dialled not in self.asked:
                self.asked[dialled] = self._ask_server(dialled, min(self.settings.timeout_s, self._within()))
        if not self._answers(way) or self._locked([way]):
            return
        if not self.worker.connect([zeo_target(way)], within_s=self._within()):
            self.ways = [way]
            self.pinned_history = self.worker.matrix(way.database, within_s=self._within(), **self._gently())

    def _locked(self, ways: list[targets.ZeoTarget]) -> str:
        """Why nothing may be written now: somebody holds a commit lock; empty where nobody does."""
        from zcheck.probes import zeo

        for storage, dialled in dict.fromkeys((way.storage, dialled) for way in ways for dialled in way.dialled):
            asked = self.asked.get(dialled)
            if asked is None or isinstance(asked, NotGathered) or storage not in asked.storages:
                continue
            reason = zeo.wait_until_free(dialled, storage, timeout_s=min(self.settings.timeout_s, self._within()))
            if reason:
                return reason
        return ""

    def _write_over_http(self) -> None:
        from zcheck.consistency.http import folder as http
        from zcheck.system import state

        credentials, secret = self.inventory.credentials, self.gathering.secret
        if isinstance(secret, NotGathered):
            missing = msgspec.structs.replace(secret, told_by="edits-are-seen-everywhere")
            self.gathering.keep("", missing, HttpHistories)
            return
        if self.worker is not None and self.worker.interrupted:
            self.gathering.keep("", NotGathered(http.INTERRUPTED), HttpHistories)
            return
        assert credentials is not None
        self._write_where_pinned()
        shown = self._own_transactions()
        owing = state.unanswered(self.settings.state_folder)
        found = [http_target(self.gathering.facts, client, owing) for client in self.inventory.clients]
        asked = [self._with_start(door, shown) for door in found if door is not None]
        nothing = self._why_no_http_level(asked)
        if nothing is not None:
            self.gathering.keep("", nothing, HttpHistories)
            return
        history = http.run(
            asked,
            expect_transaction=shown,
            must_show=self._is_pinned(),
            **self._recorded(asked[0].database),
            **self._through_clients(credentials.user, secret),
        )
        if history.stopped == http.INTERRUPTED:
            self.gathering.deadline.end()
        root = self._with_why_not_asked(history, asked)
        inside = self._write_in_the_site(root, asked, credentials.user, secret)
        mounted = self._write_where_mounted(root, credentials.user, secret, owing)
        files = self._upload_to_the_site(inside, asked, credentials.user, secret)
        self.gathering.keep("", HttpHistories((root, *inside, *mounted), files))
        fared = [state for one in (history, *mounted) for state in one.clients]
        hung = [state.client for state in fared if state.hung]
        self._remember_who_hung(owing, hung, [state.client for state in history.clients if state.joined])

    def _recorded(self, database: str, place: str = "") -> dict[str, Any]:
        """How the history of a folder is kept: with the storage's own log, by which it can be judged exactly."""
        from zcheck.consistency.http.client import folder_id
        from zcheck.consistency.recording.writer import Tape

        worker, longer = self.worker, self.settings.isolation
        told: dict[str, Any] = {}
        if worker is not None and self.ways:
            folder = folder_id(self.settings.run_id)
            # A busy server has long lists: of a short run they are read where that is cheap.
            reserved_s = self.gathering.deadline.reserved_s
            within_s = reserved_s if longer is not None else min(LOG_S, reserved_s / 2)
            told["log"] = lambda after: worker.versions(database, folder, within_s=within_s, after=after)
        if longer is not None and not place:
            taped = self._tape("http", database)
            told |= {
                "go_on_s": longer.duration_s,
                "tape": Tape(*taped) if taped is not None else None,
                "window_s": longer.window_s if "log" in told else None,
                "tell": lambda so_far: self.gathering.progress("", f"through the running clients, {so_far}"),
            }
        return told

    def _write_in_the_site(self, root: History, doors: list[HttpTarget], user: str, secret: str) -> list[History]:
        """A page inside the site, through the clients that have shown the root's test folder in this run."""
        from zcheck.consistency.http import site

        path = self.inventory.site
        fared = {state.client: state for state in root.clients}
        able = [door for door in doors if fared[door.name].joined and not fared[door.name].hung]
        if path is None or not able:
            return []
        not_written = dict.fromkeys(targets.site_not_written(self.gathering.facts, door.client) for door in able)
        reason = "; ".join(filter(None, not_written))
        if reason:
            states = tuple(ClientState(door.name, detail=reason) for door in able)
            return [History("http", path, self.settings.run_id, clients=states, stopped=reason)]
        return [site.run(able, path, **self._through_clients(user, secret))]

    def _upload_to_the_site(
        self, pages: Sequence[History], doors: list[HttpTarget], user: str, secret: str
    ) -> tuple[History, ...]:
        """A file inside the site where blobs are kept, through the clients that have shown the page there."""
        from zcheck.consistency.http import site

        path = self.inventory.site
        if not targets.site_keeps_blobs(self.gathering.facts):
            return ()
        if path is None:
            database = next((door.database for door in doors), ROOT.database)
            why = "Zope itself keeps no file as a blob; inside a site ('site' in clients.ini) they are proven"
            return (self._not_tried(database, why, blobs=True),)
        shown = {state.client for history in pages if not history.stopped for state in history.clients if state.joined}
        able = [door for door in doors if door.name in shown]
        return (site.run(able, path, files=True, **self._through_clients(user, secret)),) if able else ()

    def _write_where_mounted(
        self, root: History, user: str, secret: str, owing: Mapping[str, state.Unanswered]
    ) -> list[History]:
        """A folder in every other database that is in the tree, through the clients that have shown the root's."""
        fared = {state.client: state for state in root.clients}
        able = [c for c in self.inventory.clients if (one := fared.get(c.name)) and one.joined and not one.hung]
        places = targets.mounted_places(self.gathering.facts) if able else ()
        return [
            *(self._write_at(place, root, able, user, secret, owing) for place in places),
            *(self._not_tried(name, "no zope.conf tells where it is mounted") for name in self._mounted_somewhere()),
        ]

    def _mounted_somewhere(self) -> list[str]:
        """Databases on ZEO that the running clients list and no zope.conf that was read mounts."""
        facts = self.gathering.facts
        every = [client.name for client in self.inventory.clients]
        confs = [conf for name in every if isinstance(conf := facts.raw(ZopeConf, name), ZopeConf)]
        panels = [panel for name in every if isinstance(panel := facts.raw(ControlPanel, name), ControlPanel)]
        known = {database.name for conf in confs for database in conf.databases} or {ROOT.database}
        listed = dict.fromkeys(page.name for panel in panels for page in panel.databases if page.connected is not None)
        # A client that lists one alone has it at the root, whatever it is called.
        return [name for name in listed if name not in known and len(listed) > 1]

    def _not_tried(self, database: str, why: str, *, blobs: bool = False) -> History:
        return History("http", database, self.settings.run_id, nothing=why, blobs=blobs)

    def _write_at(
        self,
        place: targets.Place,
        root: History,
        clients: Sequence[Client],
        user: str,
        secret: str,
        owing: Mapping[str, state.Unanswered],
    ) -> History:
        from zcheck.consistency.http import folder as http

        shown = self._own_transactions(place)
        found = [http_target(self.gathering.facts, client, owing, place) for client in clients]
        doors = [self._with_start(door, shown) for door in found if door is not None]
        barred = dict.fromkeys(
            filter(None, (targets.may_start_http(self.gathering.facts, c, place.path) for c in clients))
        )
        stopped = root.stopped or "; ".join(root.left)
        if stopped or not any(door.may_start and door.may_write and door.may_ask for door in doors):
            return History(
                "http",
                place.database,
                self.settings.run_id,
                clients=tuple(ClientState(client.name) for client in clients),
                stopped=stopped or "no client may be written through",
                place=place.path,
                nothing="" if stopped else "; ".join(barred),
            )
        options = self._recorded(place.database, place.path) | self._through_clients(user, secret)
        return http.run(doors, expect_transaction=shown, must_show=self._is_pinned(), **options)

    def _through_clients(self, user: str, secret: str) -> dict[str, Any]:
        """What every level through the running clients is told."""
        return {
            "user": user,
            "password": secret,
            "run_id": self.settings.run_id,
            "before_write": self._before_write,
            "timeout_s": self.settings.timeout_s,
            "deadline": self.gathering.deadline.left,
            "progress": self.gathering.progress,
            "hosts": self.inventory.hosts,
            "clean_up_s": self.gathering.deadline.reserved_s,
        }

    def _is_pinned(self) -> bool:
        return bool(self.inventory.pinned_zeo) or self.inventory.pinned_storage is not None

    def _with_start(self, door: HttpTarget, shown: Mapping[str, str]) -> HttpTarget:
        """A client of which no file tells where it writes may begin only where what it lists tells."""
        unread = not isinstance(self.gathering.facts.raw(ZopeConf, door.name), ZopeConf)
        if self.inventory.pinned_zeo and unread and door.name not in shown:
            return msgspec.structs.replace(door, may_start=False)
        return door

    def _why_no_http_level(self, doors: list[HttpTarget]) -> NotGathered | LeftOut | None:
        if not doors:
            return NotGathered("no client answers")
        if any(door.may_start and door.may_write and door.may_ask for door in doors):
            return None
        if all(self._server_is_dead(door) for door in doors):
            return LeftOut("the clients' ZEO servers do not answer", because="zeo-server-answers")
        told = dict.fromkeys(self._why_not_first(door) for door in doors)
        return NotGathered(f"nothing could be written through the running clients: {'; '.join(told)}")

    def _why_not_first(self, door: HttpTarget) -> str:
        """Why this client may not make the folder."""
        reason = targets.may_start_http(self.gathering.facts, door.client)
        if not reason and not door.may_start:
            reason = f"nothing could be written on the pinned server by which {door.name} could be recognised"
        return reason or (_why_not_asked(door) if door.may_write else f"{door.name} says (disconnected)")

    def _server_is_dead(self, door: HttpTarget) -> bool:
        answers = self.gathering.facts.raw(ZeoAnswers, door.name)
        return isinstance(answers, ZeoAnswers) and answers.all_dead(door.database)

    def _with_why_not_asked(self, history: History, doors: list[HttpTarget]) -> History:
        """Beside each client that was not asked and has not shown the folder: why."""
        silent = {door.name: door for door in doors if not door.may_ask}
        states = []
        for fared in history.clients:
            door = silent.get(fared.client)
            if door is not None and not fared.joined:
                because = "zeo-server-answers" if self._server_is_dead(door) else ""
                detail = "; ".join(filter(None, [fared.detail, _why_not_asked(door)])) if not because else fared.detail
                fared = msgspec.structs.replace(fared, because=because, detail=detail)
            elif fared.hung and self._nobody_is_connected(fared.client):
                fared = msgspec.structs.replace(fared, because="zeo-server-answers")
            states.append(fared)
        return msgspec.structs.replace(history, clients=tuple(states))

    def _nobody_is_connected(self, client: str) -> bool:
        """Whether none of its servers answers, from here or anywhere: zeo-server-answers tells of it as well."""
        facts = self.gathering.facts
        answers = facts.raw(ZeoAnswers, client)
        names = [one.name for one in self.inventory.clients]
        panels = [fact for name in names if isinstance(fact := facts.raw(ControlPanel, name), ControlPanel)]
        machines = [fact for name in names if isinstance(fact := facts.raw(SeenThere, name), SeenThere)]
        return (
            isinstance(answers, ZeoAnswers)
            and {answer.outcome for answer in answers.answers} <= {"refused", "unreachable", "unknown-name", "timeout"}
            and not any(page.connected for panel in panels for page in panel.databases)
            and not any(server.works for machine in machines for server in machine.servers)
        )

    def _before_write(self, client: str) -> str | None:
        """A look at the commit locks of this client's servers, right before a write through it, and no haste."""
        paused = self._wait_for_our_turn()
        if paused:
            return paused
        own = [way for way in targets.zeo_targets(self.gathering.facts) if way.client == client]
        return self._locked(own) or None

    def _wait_for_our_turn(self) -> str:
        """Keep the rate of writes through the clients, and wait while the pause file exists; why not, in the end."""
        import os
        import time

        while self.settings.pause_file is not None and os.path.exists(self.settings.pause_file):  # noqa: PTH110
            if not self.gathering.deadline.left():
                return f"{self.settings.pause_file} told zcheck to pause"
            time.sleep(0.1)
        self.writes_over_http += 1
        too_early_s = (self.writes_over_http - self.settings.max_rate) / self.settings.max_rate - (
            time.monotonic() - self.began
        )
        time.sleep(min(max(too_early_s, 0.0), self.gathering.deadline.left()))
        return ""

    def _own_transactions(self, place: targets.Place = ROOT) -> dict[str, str]:
        """By client: what its server of the database there must list now, since it was just committed to it."""
        fact = self.gathering.facts.raw(ZeoHistories)
        histories = list(fact.histories) if isinstance(fact, ZeoHistories) else []
        if self.pinned_history is not None:
            histories.append(self.pinned_history)
        there = {
            client.name: database.name
            for client in self.inventory.clients
            if isinstance(conf := self.gathering.facts.raw(ZopeConf, client.name), ZopeConf)
            and (database := targets.database_at(conf, place.path)) is not None
        }
        written = [
            (operation.session, history.database)
            for history in histories
            for operation in history.operations
            if operation.action == "write" and operation.outcome == "ok"
        ]
        wrote = set(written)
        for history in histories:
            # What one connection wrote is where the connections of all lead that are made as it was.
            stood = history.same_way.items()
            written += [(name, history.database) for name, one in stood if (one, history.database) in wrote]
        text = f"zcheck run={self.settings.run_id}"
        shown = {session: text for session, database in written if there.get(session) == database}
        if (shown or (written and not place.path)) and self.inventory.pinned_zeo:
            # Nothing is written but where clients.ini pins it: a client of which no file tells has to list it too.
            unread = [client.name for client in self.inventory.clients if client.name not in there]
            shown |= dict.fromkeys(unread, text)
        return shown

    def _remember_who_hung(
        self, owing: Mapping[str, state.Unanswered], hung: Iterable[str], answered: Iterable[str]
    ) -> None:
        """Keep whose thread may still wait for its ZEO server, so that the next run does not take another one."""
        import time

        from zcheck.system import state

        kept = dict(owing)
        for name in hung:
            panel = self.gathering.facts.raw(ControlPanel, name)
            process = panel.process_id if isinstance(panel, ControlPanel) else None
            kept[str(self.inventory.client(name).dialled)] = state.Unanswered(process, time.time())
        for name in answered:
            kept.pop(str(self.inventory.client(name).dialled), None)
        if kept != owing:
            state.keep_unanswered(self.settings.state_folder, kept)
        for name in hung:
            # Its Control Panel hung by the same cause: one finding tells both.
            if isinstance(self.gathering.facts.raw(ControlPanel, name), NotGathered):
                because = LeftOut("it hangs when it has to ask its ZEO server", "client-is-connected-to-zeo")
                self.gathering.keep(name, because, ControlPanel)

    # --- afterwards ------------------------------------------------------------------------------

    def _look_back(self) -> None:
        """What this run left: markers, the folder, connections."""
        from zcheck.system import state

        if self.worker is not None:
            self.worker.close()
        left: list[str] = []
        checked: list[str] = []
        for kind in (ZeoHistories, HttpHistories):
            fact = self.gathering.facts.raw(kind)
            for history in (*fact.histories, *fact.blobs) if isinstance(fact, kind) else ():
                left += history.left
                checked += [f.client for f in history.clients]
        left += self.pinned_history.left if self.pinned_history is not None else ()
        connections = self._connections()
        if not checked and not connections:
            self.gathering.keep("", LeftOut("nothing was written"), Remains)
            state.forget_journal(self.journal)
            return
        removal = f"zcheck leftovers {self.inventory.file} --remove"
        looked = (*dict.fromkeys(checked), *connections)
        self.gathering.keep("", Remains(tuple(left), removal, looked, connections, ended_runs=self.ended))
        if not left:
            state.forget_journal(self.journal)

    def _connections(self) -> dict[str, tuple[int, int]]:
        """Registered clients of each server and storage before and after; the server needs a moment to notice."""
        import time

        found = {}
        used = {(way.storage, dialled) for way in self.ways for dialled in way.dialled}
        for storage, dialled in sorted(used, key=str):
            before = _count(self.asked.get(dialled), storage)
            if before is None:
                continue
            end = time.monotonic() + LET_GO_S
            while True:
                after = _count(self._ask_server(dialled, self._while_cleaning_up()), storage)
                if after is None or after <= before or time.monotonic() > end:
                    break
                time.sleep(0.02)
            if after is not None:
                found[f"{dialled}, storage {storage}"] = (before, after)
        return found

    def _while_cleaning_up(self) -> float:
        """Seconds for one wait after the work."""
        return max(min(self.settings.timeout_s, self.gathering.deadline.left_to_clean_up()), 0.1)

    def _within(self) -> float:
        """Seconds for the next job of the child."""
        return max(self.gathering.deadline.left(), 0.1)


LOG_S = 2.0
"""How long the storage's log of a short run's documents may take to be read."""
LET_GO_S = 1.0
"""How long a ZEO server may take to notice that a connection was closed."""


def http_target(
    facts: Facts, client: Client, owing: Mapping[str, state.Unanswered], place: targets.Place = ROOT
) -> HttpTarget | None:
    """How this client may be used at the HTTP level; None where it does not answer.

    ``owing``: the clients that still owe an answer to a request that made them ask their ZEO server.  ``place``: where
    in the tree the folder is to go, and the name of the database there where the client's zope.conf does not tell.
    """
    from zcheck.consistency.http.client import HttpTarget

    answer = facts.raw(HttpAnswer, client.name)
    if not isinstance(answer, HttpAnswer) or answer.outcome != "http":
        return None
    conf, wsgi, panel = (facts.raw(kind, client.name) for kind in (ZopeConf, WsgiConf, ControlPanel))
    there = targets.database_at(conf, place.path) if isinstance(conf, ZopeConf) else None
    database = there.name if there is not None else place.database
    page = panel.database(database) if isinstance(panel, ControlPanel) else None
    answers = facts.raw(ZeoAnswers, client.name)
    dead = isinstance(answers, ZeoAnswers) and answers.all_dead(database)
    owes = owing.get(str(client.dialled))
    same_process = isinstance(panel, ControlPanel) and owes is not None and owes.process_id == panel.process_id
    return HttpTarget(
        client,
        may_write=client.role != "read-only" and not (page is not None and page.connected is False),
        may_start=not targets.may_start_http(facts, client, place.path),
        # A server that answers nobody would cost the client one of its threads, and tell nothing new.
        may_ask=not same_process and not dead,
        threads=(wsgi.threads if isinstance(wsgi, WsgiConf) else None) or 4,
        database=database,
        place=quote(place.path),
    )


def _why_not_asked(door: HttpTarget) -> str:
    return (
        f"{door.name} did not answer an earlier run when it had to ask its ZEO server, and one of its threads may wait"
        " still, so it was not asked again: restart it"
    )


def zeo_target(way: targets.ZeoTarget) -> Target:
    """The same way as the writing child is told of it."""
    from zcheck.consistency.storage.protocol import Target

    return Target(
        way.client,
        way.database,
        way.dialled,
        way.storage,
        may_write=not way.not_written,
        why_not=way.not_written,
        blobs=bool(way.blobs),
    )


def _count(asked: Asked | NotGathered | None, storage: str) -> int | None:
    if asked is None or isinstance(asked, NotGathered) or storage not in asked.storages:
        return None
    return asked.storages[storage].connections
