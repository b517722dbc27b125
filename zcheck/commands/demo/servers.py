"""The two kinds of server: ``runzeo`` and a Zope client, with the files that each reads."""

from __future__ import annotations

import http.client
import shutil
import socket
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from zcheck.commands.demo.forkserver import ForkServer
from zcheck.commands.demo.processes import Keeper, Process, Server, environment
from zcheck.commands.demo.seed import Seed
from zcheck.commands.demo.specs import ClientSpec, Machine, ZeoSpec


class ZeoServer(Server):
    """A running ``runzeo``."""

    def __init__(self, spec: ZeoSpec, folder: Path, keeper: Callable[[], Keeper]) -> None:
        super().__init__(f"the ZEO server {spec.name}", folder / f"zeo-{spec.name}", keeper, spec.machine, spec.port)
        self.spec = spec
        self.conf = self.home / "zeo.conf"

    def data_fs(self, storage: str = "1") -> Path:
        """The file of one storage."""
        return self.home / f"{storage}.fs"

    @property
    def command(self) -> list[str]:
        return [sys.executable, "-m", "ZEO.runzeo", "-C", str(self.conf)]

    def prepare(self, seed: Seed) -> None:
        """Lay down its files."""
        self.home.mkdir(parents=True, exist_ok=True)
        for storage in self.spec.storages:
            shutil.copyfile(seed.database, self.data_fs(storage))
        for storage in self.spec.empty:
            shutil.copyfile(seed.empty, self.data_fs(storage))
        self.write_conf()

    def write_conf(self) -> None:
        lines = ["<zeo>", f"  address {self.machine.binds}:{self.port}", *_indented(self.spec.options), "</zeo>"]
        for storage in (*self.spec.storages, *self.spec.empty):
            blobs = [f"  blob-dir {self.home}/{storage}.blobs"] if self.spec.blobs else []
            lines += [f"<filestorage {storage}>", f"  path {self.data_fs(storage)}", *blobs, "</filestorage>"]
        self.conf.write_text("\n".join([*lines, self.spec.more, ""]))

    def answers(self) -> bool:
        """A ZEO server speaks first: a frame of two bytes such as ``Z5``."""
        try:
            with socket.create_connection((self.machine.dialled, self.port), timeout=1) as connection:
                return "ssl" in self.spec.options or bool(connection.recv(4))
        except OSError:
            return False


_ZOPE_INI = """\
[app:zope]
use = egg:Zope#main
zope_conf = %(here)s/zope.conf

[server:main]
use = egg:waitress#main
host = {host}
port = {port}
threads = {threads}

[filter:translogger]
use = egg:Paste#translogger
setup_console_handler = False

[pipeline:main]
pipeline =
    egg:Zope#httpexceptions
    translogger
    zope

[loggers]
keys = root, wsgi

[handlers]
keys = console, accesslog

[formatters]
keys = generic, message

[formatter_generic]
format = %(asctime)s %(levelname)s [%(name)s:%(lineno)s][%(threadName)s] %(message)s

[formatter_message]
format = %(message)s

[logger_root]
level = INFO
handlers = console

[logger_wsgi]
level = INFO
handlers = accesslog
qualname = wsgi
propagate = 0

[handler_console]
class = StreamHandler
args = (sys.stderr,)
level = NOTSET
formatter = generic

[handler_accesslog]
class = FileHandler
args = (r'{access_log}', 'a')
level = INFO
formatter = message
"""

# Three ways to write one server, as three people would.
_SPELLINGS = ("localhost:{port}", "127.0.0.1:{port}", "{port}")


class ZopeClient(Server):
    """A running Zope with its own instance home."""

    def __init__(
        self,
        spec: ClientSpec,
        number: int,
        folder: Path,
        keeper: Callable[[], Keeper],
        forkserver: ForkServer | None = None,
    ) -> None:
        super().__init__(spec.name, folder / spec.name, keeper, spec.machine, spec.port)
        self._forkserver = forkserver
        self.spec = spec
        self.zope_conf = self.home / "etc" / "zope.conf"
        self.zope_ini = self.home / "etc" / "zope.ini"
        self.access_log = self.home / "log" / "access.log"
        self._spelling = _SPELLINGS[number % len(_SPELLINGS)]

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    @property
    def command(self) -> list[str]:
        # What bin/runwsgi does, without the need for a script in the environment's bin folder.
        return [sys.executable, "-m", "Zope2.Startup.serve", str(self.zope_ini)]

    def started(self, env: Mapping[str, str]) -> Process:
        """Forked where it can be: an environment of its own may be for the interpreter, which reads it at its start."""
        if self._forkserver is None or self.machine.enter or env:
            return super().started(env)
        told = environment({})
        return self._forkserver.start("serve", str(self.zope_ini), folder=self.home, log=self.log, env=told)

    def prepare(self) -> None:
        """Lay down its instance home."""
        for part in ("etc", "var", "log", "Products"):
            (self.home / part).mkdir(parents=True, exist_ok=True)
        self.zope_ini.write_text(
            _ZOPE_INI.format(
                host=self.machine.binds, port=self.port, threads=self.spec.threads, access_log=self.access_log
            )
        )

    def write_conf(self, zeo: ZeoServer) -> None:
        """Write a zope.conf that names this ZEO server."""
        spelt = self._spelling.format(port=zeo.port) if zeo.machine == Machine() else zeo.address
        servers = self.spec.server or spelt
        lines = [
            f"%define INSTANCE {self.home}",
            "",
            "instancehome $INSTANCE",
            "",
            "<zodb_db main>",
            "  <zeoclient>",
            *[f"    server {server}" for server in servers.split()],
            f"    storage {self.spec.storage}",
            *(["    read-only on"] if self.spec.read_only else []),
            *_indented(self.spec.zeoclient, 4),
            "    var $INSTANCE/var",
            "  </zeoclient>",
            "  mount-point /",
            "</zodb_db>",
            self.spec.more.replace("ZEO_ADDRESS", zeo.address),
        ]
        text = "\n".join(lines).rstrip() + "\n"
        self.zope_conf.write_text(self.spec.edit(text) if self.spec.edit else text)

    def answers(self) -> bool:
        connection = http.client.HTTPConnection(self.machine.dialled, self.port, timeout=5)
        try:
            connection.request("GET", "/")
            return connection.getresponse().status < 500
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


def _indented(text: str, by: int = 2) -> list[str]:
    return [" " * by + line.strip() for line in text.splitlines() if line.strip()]
