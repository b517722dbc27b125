"""A cluster: its servers in one temporary folder, its clients.ini and its password."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from zcheck.commands.demo.forkserver import ForkServer
from zcheck.commands.demo.processes import Keeper, Server
from zcheck.commands.demo.seed import Seed
from zcheck.commands.demo.servers import ZeoServer, ZopeClient
from zcheck.commands.demo.specs import ClientSpec, ZeoSpec, changed, specs


class Cluster:
    """A running cluster, as a context manager; ``start`` and ``stop`` do the same by hand.

    ``ini`` is more text for clients.ini, ``seed`` a database made before (a second is saved), ``pinned`` whether
    clients.ini names the ZEO server and storage that may be written to.  The clients are forked from ``forkserver``, or
    executed where there is none: then their command lines are those of a Zope, and they can be left.  Ports are known
    before anything is started, so that a proxy can be put in between.
    """

    def __init__(
        self,
        clients: int | Sequence[ClientSpec] = 3,
        *,
        zeo: Sequence[ZeoSpec] = (ZeoSpec(),),
        name: str = "demo",
        ini: str = "",
        pinned: bool = True,
        seed: Seed | None = None,
        forkserver: ForkServer | None = None,
    ) -> None:
        self.name = name
        self.folder = Path(tempfile.mkdtemp(prefix="zcheck-demo-")).resolve()
        self.ini = self.folder / "clients.ini"
        self._more_ini = ini
        self._pinned = pinned
        self._seed = seed
        self._keeper: Keeper | None = None
        self._forkserver = forkserver
        self.zeo = {spec.name: ZeoServer(spec, self.folder, self._kept) for spec in zeo}
        wanted = specs(clients) if isinstance(clients, int) else clients
        self.clients = {
            spec.name: ZopeClient(spec, number, self.folder, self._kept, forkserver)
            for number, spec in enumerate(wanted)
        }

    def __enter__(self) -> Cluster:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    # What a user of the cluster needs to know.

    @property
    def main_zeo(self) -> ZeoServer:
        """The first ZEO server: the one that clients.ini pins."""
        return next(iter(self.zeo.values()))

    @property
    def zeo_address(self) -> str:
        return self.main_zeo.address

    @property
    def user(self) -> str:
        return self.seed.user

    @property
    def password(self) -> str:
        return self.seed.password

    @property
    def password_file(self) -> Path:
        return self.folder / "password"

    @property
    def seed(self) -> Seed:
        if self._seed is None:
            self._seed = Seed.make(self.folder / "seed", self._forkserver)
        return self._seed

    @property
    def pids(self) -> tuple[int, ...]:
        """Every running process of the cluster, the clients first."""
        servers: list[Server] = [*self.clients.values(), *self.zeo.values()]
        return tuple(server.pid for server in servers if server.pid is not None)

    # Up and down.

    def start(self) -> Cluster:
        """Bring everything up, side by side; all is ended again when one does not come up."""
        try:
            for zeo in self.zeo.values():
                zeo.prepare(self.seed)
                zeo.launch({})
            for client in self.clients.values():
                client.prepare()
                client.write_conf(self.zeo[client.spec.zeo])
            self.write_ini()
            for zeo in self.zeo.values():
                zeo.wait_until_up()
            self.start_clients(*[name for name, client in self.clients.items() if client.spec.running])
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End everything by its process id and remove the folder; may be called again."""
        servers: list[Server] = [*self.clients.values(), *self.zeo.values()]
        for client in self.clients.values():
            client.ask_to_end()
        for each in servers:
            each.stop()
            each.release_port()
        shutil.rmtree(self.folder, ignore_errors=True)
        if self._keeper is not None:
            self._keeper.close()
            self._keeper = None

    def leave(self) -> None:
        """Let everything run on after this process has ended."""
        self._kept().leave()
        self._keeper = None

    def start_clients(self, *names: str) -> None:
        """Start these clients side by side."""
        starting = [self.clients[name] for name in names]
        for client in starting:
            client.write_conf(self.zeo[client.spec.zeo])
            client.launch(client.spec.env)
        for client in starting:
            client.wait_until_up()
            if client.spec.told_zeo is not None:
                # With the date that the file had, as a deployment that keeps dates leaves it: how long the clients took
                # to come up must not decide whether it is older than they are.
                then = client.zope_conf.stat()
                client.write_conf(self.zeo[client.spec.told_zeo])
                os.utime(client.zope_conf, ns=(then.st_atime_ns, then.st_mtime_ns))

    def start_client(self, name: str, **changes: object) -> None:
        """Start one client, its :class:`ClientSpec` changed in these fields."""
        client = self.clients[name]
        client.spec = changed(client.spec, changes)
        client.prepare()
        self.start_clients(name)

    def stop_client(self, name: str) -> None:
        self.clients[name].stop()

    def restart_client(self, name: str, **changes: object) -> None:
        self.stop_client(name)
        self.start_client(name, **changes)

    def start_zeo(self, name: str = "main") -> None:
        """Start a stopped ZEO server again, on the port and data that it had."""
        self.zeo[name].launch({})
        self.zeo[name].wait_until_up()

    def stop_zeo(self, name: str = "main") -> None:
        self.zeo[name].stop()

    def write_ini(self) -> None:
        """Write clients.ini and the password's file."""
        self.password_file.touch(mode=0o600)
        self.password_file.write_text(f"{self.password}\n")
        lines = ["[cluster]", f"name = {self.name}", f"user = {self.user}", "password-file = password"]
        if self._pinned:
            lines += [f"zeo = {self.zeo_address}", "storage = 1"]
        for client in self.clients.values():
            lines += ["", f"[client:{client.name}]", f"address = {client.address}"]
            lines += [f"zope-conf = {client.zope_conf.relative_to(self.folder)}", f"machine = {client.machine.name}"]
            lines += [f"role = {client.spec.role}"] if client.spec.role != "balanced" else []
            lines += client.spec.ini.splitlines()
        zeo = self.main_zeo
        lines += ["", f"[zeo:{zeo.spec.name}]", f"address = {zeo.address}"]
        lines += [f"conf = {zeo.conf.relative_to(self.folder)}", f"machine = {zeo.machine.name}"]
        self.ini.write_text("\n".join([*lines, "", self._more_ini]))

    def _kept(self) -> Keeper:
        if self._keeper is None:
            self._keeper = Keeper(self.folder)
        return self._keeper
