"""The waves of a run that reach the cluster: peers, identity, writes, and what was left."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from zcheck import targets
from zcheck.consistency.history import History, HttpHistories, ZeoHistories
from zcheck.facts import (
    Client,
    ControlPanel,
    HostPort,
    HttpAnswer,
    LeftOut,
    NotGathered,
    PortAnswer,
    Remains,
    ZeoAnswer,
    ZeoAnswers,
    ZeoIdentity,
    ZopeConf,
)

if TYPE_CHECKING:
    from zcheck.consistency.zeo import ZeoWorker
    from zcheck.gather import Gathering
    from zcheck.probes.zeo import Asked

Dialled = HostPort | str


class LiveWaves:
    """A context manager around one run's connections; what it holds is gone when it is left."""

    def __init__(self, gathering: Gathering) -> None:
        self.gathering = gathering
        self.inventory = gathering.inventory
        self.settings = gathering.settings
        self.worker: ZeoWorker | None = None
        self.asked: dict[Dialled, Asked | NotGathered] = {}

    def __enter__(self) -> LiveWaves:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.worker is not None:
            self.worker.close()

    def run(self) -> None:
        """Every wanted wave, in order."""
        wants = self.gathering.wanted
        if wants & {ZeoIdentity, ZeoHistories}:
            # Importing ZODB and ZEO takes longer than asking every peer: the child does it meanwhile.
            self.worker = self._start_worker()
        for what, kinds, wave in (
            ("ask every client and server", {PortAnswer, ZeoAnswers}, self._reach),
            ("prove identity over ZEO", {ZeoIdentity, ZeoHistories}, self._identity),
            ("write and read over ZEO", {ZeoHistories}, self._write_over_zeo),
            ("write and read through the clients", {HttpHistories}, self._write_over_http),
            ("see what is left", {Remains}, self._look_back),
        ):
            if wants & kinds:
                self.gathering.wave(what, wave)

    # --- who answers -----------------------------------------------------------------------------

    def _reach(self) -> None:
        from zcheck.gather import side_by_side

        wants = self.gathering.wanted
        jobs: dict[Any, Callable[[], Any]] = {}
        if PortAnswer in wants:
            jobs |= {client.name: lambda c=client: self._ask_client(c) for client in self.inventory.clients}
        if ZeoAnswers in wants:
            ways = targets.zeo_targets(self.gathering.facts)
            jobs |= {("zeo", d): lambda d=d: self._ask_server(d) for way in ways for d in way.dialled}
        found = side_by_side(jobs, self.gathering.deadline.left)
        for client in self.inventory.clients if PortAnswer in wants else ():
            answers = found[client.name]
            for kind in (PortAnswer, HttpAnswer, ControlPanel):
                missing = isinstance(answers, NotGathered)
                self.gathering.keep(client.name, answers if missing else answers[kind], kind)
        self.asked = {key[1]: value for key, value in found.items() if isinstance(key, tuple)}
        if ZeoAnswers in wants:
            for client in self.inventory.clients:
                self.gathering.keep(client.name, self._zeo_answers(client), ZeoAnswers)

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
        if page.outcome != "http":
            nothing = NotGathered(f"{client.dialled} does not speak HTTP")
            return {PortAnswer: port, HttpAnswer: page, ControlPanel: nothing}
        return {PortAnswer: port, HttpAnswer: page, ControlPanel: self._ask_control_panel(client)}

    def _ask_control_panel(self, client: Client) -> ControlPanel | NotGathered | LeftOut:
        from zcheck.probes import http

        credentials, secret = self.inventory.credentials, self.gathering.secret
        if ControlPanel not in self.gathering.wanted:
            return LeftOut("not asked for")
        if credentials is None or isinstance(secret, NotGathered):
            return LeftOut(NO_CREDENTIALS if credentials is None else str(secret))
        self.gathering.progress(client.name, "reading its Control Panel")
        return http.probe_control_panel(client, credentials.user, secret, self.settings.timeout_s, self.inventory.hosts)

    def _ask_server(self, dialled: Dialled) -> Asked:
        from zcheck.probes import zeo

        return zeo.ask(dialled, timeout_s=self.settings.timeout_s)

    def _zeo_answers(self, client: Client) -> ZeoAnswers | NotGathered | LeftOut:
        conf = self.gathering.facts.raw(ZopeConf, client.name)
        if not isinstance(conf, ZopeConf):
            return conf if isinstance(conf, NotGathered | LeftOut) else NotGathered("its zope.conf was not read")
        answers = []
        for way in targets.zeo_targets(self.gathering.facts):
            if way.client == client.name:
                answers += self._answers_on(way, conf)
        return ZeoAnswers(tuple(answers)) if answers else LeftOut("its zope.conf names no ZEO server")

    def _answers_on(self, way: targets.ZeoTarget, conf: ZopeConf) -> list[ZeoAnswer]:
        """What the servers of one database said, one answer a ``server`` line."""
        from zcheck import addresses

        database = conf.database(way.database)
        assert database is not None
        names = self.gathering.names
        answers = []
        for setting, dialled in zip(database.servers, way.dialled, strict=False):
            asked = self.asked[dialled]
            here = not isinstance(dialled, HostPort) or addresses.is_here(dialled.host, self.inventory, names)
            common = {
                "database": way.database,
                "server": setting.value,
                "file": setting.file,
                "line": setting.line,
                "dialled": str(dialled),
                "here": here,
                "storage": way.storage,
            }
            if isinstance(asked, NotGathered):
                answers.append(ZeoAnswer(outcome="timeout", detail=asked.reason, **common))
            else:
                answers.append(
                    ZeoAnswer(
                        outcome=asked.outcome,
                        detail=asked.detail,
                        protocol=asked.protocol,
                        storages=asked.storages,
                        **common,
                    )
                )
        return answers


NO_CREDENTIALS = "clients.ini gives no user and password"
