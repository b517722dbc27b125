"""A real cluster on loopback: ZEO servers and Zope clients, each a process of its own, in a temporary folder.

``zcheck demo`` shows what zcheck says of it, healthy or broken on purpose; the tests build every odd cluster from the
same parts.  Whatever happens to the process that started them, the servers end and the folder goes: a small process
beside them, the keeper, sees to it when its parent is gone.
"""

from __future__ import annotations

import contextlib
import http.client
import importlib.util
import os
import random
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType

import msgspec

from zcheck.facts import Role
from zcheck.system.signals import interruptible

HOST = "127.0.0.1"
START_LIMIT_S = 60.0
"""How long a server may take to come up; it takes one to three seconds on an idle machine."""
STOP_LIMIT_S = 5.0
"""How long a server may take to end when asked; after that it is killed."""
POLL_S = 0.02
LOG_TAIL_LINES = 25

# Below the range from which Linux takes the ports of outgoing connections, so that none of those is in the way when
# the server binds the port, a second after it was found free.
PORTS = range(20000, 32000)


class DidNotStart(Exception):
    """A server of the cluster did not come up; the message ends with the tail of its log."""


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """A machine that servers of the cluster run on; without more it is this one, by its loopback address."""

    name: str = HOST
    """As the files name it."""
    dialled: str = HOST
    """Its IP address."""
    binds: str = HOST
    """The IP address that its servers listen on."""
    enter: tuple[str, ...] = ()
    """What stands before a command that is to run there."""


class ZeoSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One ZEO server.  Every storage in ``storages`` begins as the same initialised Zope database.

    So two servers hold a database and its copy.  Those in ``empty`` hold a bare root, ready to be mounted.
    """

    name: str = "main"
    storages: tuple[str, ...] = ("1",)
    empty: tuple[str, ...] = ()
    blobs: bool = False
    """Whether they keep blobs as well."""
    options: str = ""
    """More lines for the ``<zeo>`` section."""
    more: str = ""
    """More sections for zeo.conf."""
    machine: Machine = Machine()
    port: int | None = None
    """None: one that is free."""


class ClientSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One Zope client, and how it differs from its neighbours."""

    name: str
    zeo: str = "main"
    """The ZEO server that it runs on."""
    told_zeo: str | None = None
    """The ZEO server that the zope.conf on disk names once the client runs; default: the one it runs on."""
    server: str | None = None
    """The ``server`` lines (several with blanks between), such as a proxy's; default: the server, in a spelling of the
    client's own."""
    storage: str = "1"
    zeoclient: str = ""
    """More lines for the ``<zeoclient>`` section of the main database."""
    more: str = ""
    """More lines for zope.conf; ``ZEO_ADDRESS`` in them is replaced by the address of the client's ZEO server."""
    edit: Callable[[str], str] | None = None
    """Has the last word on the text of zope.conf."""
    read_only: bool = False
    role: Role = "balanced"
    threads: int = 4
    running: bool = True
    """False: it stands in clients.ini, and is not started."""
    env: dict[str, str] = {}
    """More environment for the process."""
    ini: str = ""
    """More lines for its section of clients.ini."""
    machine: Machine = Machine()
    port: int | None = None
    """None: one that is free."""


def specs(
    count: int, *, last: Mapping[str, object] | None = None, every: Mapping[str, object] | None = None
) -> tuple[ClientSpec, ...]:
    """``app1`` to ``appN``: all with the fields that ``every`` gives, the last one with those of ``last`` besides."""
    made = [_changed(ClientSpec(name=f"app{number}"), every or {}) for number in range(1, count + 1)]
    made[-1] = _changed(made[-1], last or {})
    return tuple(made)


def _changed(spec: ClientSpec, changes: Mapping[str, object]) -> ClientSpec:
    return msgspec.structs.replace(spec, **changes)


# --- the seed: one initialised Zope database, made once and copied ---------------------------------

_SEED_SCRIPT = """
import sys
import ZODB
import transaction
from Zope2.Startup.run import configure_wsgi

user, password = sys.stdin.read().split()
configure_wsgi(sys.argv[1])
import Zope2
app = Zope2.app()
app.acl_users._doAddUser(user, password, ["Manager"], [])
transaction.commit()
app._p_jar.close()
Zope2.DB.close()
ZODB.DB(sys.argv[2]).close()
"""

_SEED_CONF = """\
instancehome {home}
<zodb_db main>
  <filestorage>
    path {home}/Data.fs
  </filestorage>
  mount-point /
</zodb_db>
"""


class Seed:
    """An initialised Zope database with one manager, and an empty one; clusters start from copies of these files.

    Three clients that start at once on an empty database would all try to initialise it and two would fail, and a
    client with an ``inituser`` file writes at start, which a read-only one must not.  So this is done once, before.
    """

    def __init__(self, folder: Path, user: str, password: str) -> None:
        self.folder = folder
        self.user = user
        self.password = password

    @property
    def database(self) -> Path:
        return self.folder / "Data.fs"

    @property
    def empty(self) -> Path:
        return self.folder / "Empty.fs"

    @classmethod
    def make(cls, folder: Path, *, user: str = "admin", limit_s: float = START_LIMIT_S) -> Seed:
        """Make one in ``folder`` (it takes about a second); :class:`DidNotStart` where Zope fails."""
        folder.mkdir(parents=True, exist_ok=True)
        seed = cls(folder, user, secrets.token_urlsafe(12))
        conf = folder / "seed.conf"
        conf.write_text(_SEED_CONF.format(home=folder))
        command = [sys.executable, "-c", _SEED_SCRIPT, str(conf), str(seed.empty)]
        # The password goes through a pipe: a command line is there for everybody to read.
        try:
            done = subprocess.run(
                command,
                input=f"{user} {seed.password}",
                cwd=folder,
                env=_environment({}),
                capture_output=True,
                text=True,
                timeout=limit_s,
            )
        except subprocess.TimeoutExpired:
            raise DidNotStart(f"Zope did not initialise a database within {limit_s:.0f} s") from None
        if done.returncode:
            raise DidNotStart(f"Zope could not initialise a database:\n{_last_lines(done.stderr)}")
        return seed


# --- processes ------------------------------------------------------------------------------------

_KEEPER_SCRIPT = """
import os, shutil, signal, sys
for name in ("SIGINT", "SIGTERM", "SIGHUP"):
    signal.signal(getattr(signal, name), signal.SIG_IGN)
watched, folder = set(), None
for line in sys.stdin:
    word, _, rest = line.rstrip("\\n").partition(" ")
    if word == "folder":
        folder = rest
    elif word == "watch":
        watched.add(int(rest))
    elif word == "forget":
        watched.discard(int(rest))
    elif word == "leave":
        sys.exit()
for pid in watched:
    try:
        os.killpg(pid, signal.SIGKILL)
    except OSError:
        pass
if folder:
    shutil.rmtree(folder, ignore_errors=True)
"""


class Keeper:
    """Ends the watched processes and removes the folder when the process that made the keeper is gone.

    It reads a pipe whose other end only its parent holds, so it learns of a SIGKILL too.  It is in a session of its
    own: Ctrl-C does not reach it.
    """

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _KEEPER_SCRIPT],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
            text=True,
            bufsize=1,
        )
        self._tell(f"folder {folder}")

    def watch(self, pid: int) -> None:
        self._tell(f"watch {pid}")

    def forget(self, pid: int) -> None:
        self._tell(f"forget {pid}")

    def leave(self) -> None:
        """Let everything run on and stay."""
        self._tell("leave")
        self.close()

    def close(self) -> None:
        """End the keeper; what it still watches ends with it."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        self._process.wait(STOP_LIMIT_S)

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(f"{line}\n")


class Server:
    """One server process, in a session of its own, with its output in a log file."""

    def __init__(
        self,
        name: str,
        home: Path,
        keeper: Callable[[], Keeper],
        machine: Machine = Machine(),  # noqa: B008 - it is frozen
        port: int | None = None,
    ) -> None:
        self.name = name
        self.home = home
        self.machine = machine
        self._port = Port(port)
        self.log = home / "log" / "console.log"
        self._keeper = keeper
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def port(self) -> int:
        return self._port.number

    @property
    def address(self) -> str:
        return f"{self.machine.name}:{self.port}"

    @property
    def pid(self) -> int | None:
        """The process's id; None while it does not run."""
        return self._process.pid if self._process is not None else None

    @property
    def command(self) -> list[str]:
        raise NotImplementedError

    def answers(self) -> bool:
        """One try at what a neighbour would ask of it."""
        raise NotImplementedError

    def launch(self, env: Mapping[str, str]) -> None:
        """Start the process and return at once."""
        if self._process is not None:
            raise RuntimeError(f"{self.name} is running already")
        keeper = self._keeper()
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*self.machine.enter, *self.command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd=self.home,
                env=_environment(env),
            )
        keeper.watch(self._process.pid)

    def wait_until_up(self, limit_s: float = START_LIMIT_S) -> None:
        """Poll until it answers; :class:`DidNotStart` with the log's tail when it ends or the limit passes."""
        deadline = time.monotonic() + limit_s
        while not self.answers():
            if self._process is None or self._process.poll() is not None:
                raise DidNotStart(f"{self.name} ended while starting:\n{self.tail()}")
            if time.monotonic() > deadline:
                raise DidNotStart(f"{self.name} did not answer within {limit_s:.0f} s:\n{self.tail()}")
            time.sleep(POLL_S)

    def ask_to_end(self) -> None:
        """Send SIGTERM to a running process, also to a stopped one."""
        if self._process is not None and self._process.poll() is None:
            self._signal(signal.SIGTERM)
            self._signal(signal.SIGCONT)

    def stop(self, limit_s: float = STOP_LIMIT_S) -> None:
        """End it and wait for its end; killed when it takes longer than the limit."""
        process = self._process
        if process is None:
            return
        self.ask_to_end()
        try:
            process.wait(limit_s)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
            process.wait()
        self._keeper().forget(process.pid)
        self._process = None

    def release_port(self) -> None:
        """Allow other clusters to pick its port."""
        self._port.release()

    def kill(self) -> None:
        """End it by SIGKILL, as a power failure would."""
        if self._process is not None:
            self._signal(signal.SIGKILL)
            self.stop()

    def tail(self) -> str:
        """The last lines of its log."""
        try:
            return _last_lines(self.log.read_text(errors="replace"))
        except FileNotFoundError:
            return f"(no log at {self.log})"

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)


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

    def __init__(self, spec: ClientSpec, number: int, folder: Path, keeper: Callable[[], Keeper]) -> None:
        super().__init__(spec.name, folder / spec.name, keeper, spec.machine, spec.port)
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


class Cluster:
    """A running cluster, as a context manager; ``start`` and ``stop`` do the same by hand.

    ``ini`` is more text for clients.ini, ``seed`` a database made before (a second is saved), ``pinned`` whether
    clients.ini names the ZEO server and storage that may be written to.  Ports are known before anything is started, so
    that a proxy can be put in between.
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
    ) -> None:
        self.name = name
        self.folder = Path(tempfile.mkdtemp(prefix="zcheck-demo-")).resolve()
        self.ini = self.folder / "clients.ini"
        self._more_ini = ini
        self._pinned = pinned
        self._seed = seed
        self._keeper: Keeper | None = None
        self.zeo = {spec.name: ZeoServer(spec, self.folder, self._kept) for spec in zeo}
        wanted = specs(clients) if isinstance(clients, int) else clients
        self.clients = {
            spec.name: ZopeClient(spec, number, self.folder, self._kept) for number, spec in enumerate(wanted)
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
            self._seed = Seed.make(self.folder / "seed")
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
                client.write_conf(self.zeo[client.spec.told_zeo])

    def start_client(self, name: str, **changes: object) -> None:
        """Start one client, its :class:`ClientSpec` changed in these fields."""
        client = self.clients[name]
        client.spec = _changed(client.spec, changes)
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


# --- zcheck demo ----------------------------------------------------------------------------------

FAULTS = ("copy", "copy-hidden", "mount", "storage", "down")


class _Demo(msgspec.Struct, frozen=True):
    """What is brought up, and one line on what is wrong with it."""

    clients: tuple[ClientSpec, ...]
    zeo: tuple[ZeoSpec, ...]
    sentence: str


_ARCHIVE = """
<zodb_db archive>
  <zeoclient>
    server ZEO_ADDRESS
    storage archive
    var $INSTANCE/var
  </zeoclient>
  mount-point /archive
</zodb_db>"""


def _demo(fault: str | None, count: int) -> _Demo:
    last = f"app{count}"
    main, copy = ZeoSpec(), ZeoSpec(name="copy")
    if fault is None:
        return _Demo(specs(count), (main,), "Nothing is broken: all clients share one database.")
    if fault == "copy":
        wrong = f"{last} runs on another ZEO server, with a copy of the database, and its zope.conf says so."
        return _broken(wrong, specs(count, last={"zeo": "copy"}), main, copy)
    if fault == "copy-hidden":
        wrong = f"{last} runs on a copy of the database; its zope.conf was mended since, but it was not restarted."
        return _broken(wrong, specs(count, last={"zeo": "copy", "told_zeo": "main"}), main, copy)
    if fault == "mount":
        wrong = f"{last} does not mount /archive, as the others do."
        return _broken(wrong, specs(count, every={"more": _ARCHIVE}, last={"more": ""}), ZeoSpec(empty=("archive",)))
    if fault == "storage":
        wrong = f"{last} uses the storage 'staging' of the ZEO server, not '1' as the others do."
        return _broken(wrong, specs(count, last={"storage": "staging"}), ZeoSpec(storages=("1", "staging")))
    if fault == "down":
        return _broken(f"{last} is not running.", specs(count, last={"running": False}), main)
    raise ValueError(f"there is no fault {fault!r}; choose from {', '.join(FAULTS)}")


def _broken(wrong: str, clients: tuple[ClientSpec, ...], *zeo: ZeoSpec) -> _Demo:
    return _Demo(clients, zeo, f"Broken on purpose: {wrong}")


def run_demo(
    *,
    keep: bool,
    clients: int,
    fault: str | None,
    preflight: Callable[[str], int],
    say: Callable[[str], None],
) -> int:
    """Bring a cluster up, break it by ``fault``, run ``preflight`` on its clients.ini, take it down again.

    Returns what ``preflight`` returned, 3 where the cluster could not be brought up.  ``keep`` lets it run on, and
    tells how to go on by hand.  SIGTERM and SIGHUP end it as Ctrl-C does: everything is ended, then KeyboardInterrupt
    goes on to the caller.  ValueError for a fault that does not exist or a number of clients that it needs more of.
    """
    if clients < (1 if fault is None else 2):
        raise ValueError("a cluster has one client at least, a broken one two")
    demo = _demo(fault, clients)
    missing = [name for name in ("Zope2", "paste", "waitress") if importlib.util.find_spec(name) is None]
    if missing:
        say(f"The demo runs real Zope clients; not installed: {', '.join(missing)}. Install zodb-zcheck[demo].")
        return 3
    with interruptible(), contextlib.ExitStack() as to_end:
        say(f"Starting {_many(len(demo.zeo), 'ZEO server')} and {_many(clients, 'Zope client')} on loopback ...")
        started = time.monotonic()
        try:
            cluster = to_end.enter_context(Cluster(demo.clients, zeo=demo.zeo))
        except DidNotStart as error:
            say(f"The cluster did not come up: {error}")
            return 3
        say(f"Up after {time.monotonic() - started:.1f} s, in {cluster.folder}. {demo.sentence}")
        say("")
        code = preflight(str(cluster.ini))
        if keep:
            to_end.pop_all()
            cluster.leave()
            for line in _how_to_go_on(cluster):
                say(line)
    return code


def _how_to_go_on(cluster: Cluster) -> Iterator[str]:
    yield ""
    yield "The cluster runs on. Verify it again, break it, repair it:"
    yield f"  zcheck preflight {cluster.ini}"
    for client in cluster.clients.values():
        state = f"process {client.pid}" if client.pid else "not running"
        yield f"  {client.name}: {client.url}/manage_main ({state}), {client.zope_conf}"
    for zeo in cluster.zeo.values():
        yield f"  ZEO server {zeo.spec.name}: {zeo.address} (process {zeo.pid}), {zeo.conf}"
    yield f"The user is {cluster.user}; the password is in {cluster.password_file}"
    yield "To start a client again:"
    yield f"  {sys.executable} -m Zope2.Startup.serve {cluster.folder}/NAME/etc/zope.ini &"
    yield "To end it:"
    yield f"  kill {' '.join(map(str, cluster.pids))}; rm -r {cluster.folder}"


# --- small things ---------------------------------------------------------------------------------


class Port:
    """A TCP port on loopback that nothing is bound to, and that no other cluster of this machine picks as well.

    It takes a second until the server that it is for binds it.  Meanwhile a name in Linux's abstract namespace says
    that it is taken; such a name goes with the process that holds it, however that ends.  A ``number`` that is given is
    taken as it is.
    """

    def __init__(self, number: int | None = None) -> None:
        self._claim = socket.socket(socket.AF_UNIX)
        if number is not None:
            self.number = number
            return
        for _ in range(1000):
            self.number = random.SystemRandom().choice(PORTS)
            if self._is_free() and self._claimed():
                return
        self.release()
        raise DidNotStart(f"no free port between {PORTS.start} and {PORTS.stop}")

    def release(self) -> None:
        self._claim.close()

    def _is_free(self) -> bool:
        with socket.socket() as probe:
            try:
                probe.bind((HOST, self.number))
            except OSError:
                return False
            return True

    def _claimed(self) -> bool:
        if sys.platform != "linux":
            return True
        try:
            self._claim.bind(f"\0zcheck-demo-port-{self.number}")
        except OSError:
            return False
        return True


def _environment(more: Mapping[str, str]) -> dict[str, str]:
    """This process's environment without what would change a server's behaviour."""
    unwanted = ("ZCHECK_", "ZEO_", "INSTANCE_", "CLIENT_HOME", "ZOPE")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(unwanted)}
    return {**kept, **more}


def _last_lines(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines()[-LOG_TAIL_LINES:])


def _indented(text: str, by: int = 2) -> list[str]:
    return [" " * by + line.strip() for line in text.splitlines() if line.strip()]


def _many(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
