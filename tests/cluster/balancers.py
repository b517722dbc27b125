"""A real HAProxy in front of a real cluster, and users who click."""

from __future__ import annotations

import contextlib
import http.client
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType

from zcheck.commands.demo import HOST, Cluster, Port
from zcheck.probes import haproxy
from zcheck.probes.haproxy_socket import Runtime, ServerState

SECTION = """
[balancer:front]
type = haproxy
config = haproxy.cfg
backend = zope
admin-socket = admin.sock
public-bind = {host}:{public}
status-bind = {host}:{status}
"""

LIMIT_S = 15.0


class Balancer:
    """HAProxy with the configuration that ``zcheck haproxy render`` writes for a cluster, its health checks quickened.

    A context manager; ended by its process id.  The section of clients.ini must be there before clients start, so
    ``ini`` is handed to the cluster first.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._ports = (Port(), Port())
        self.ini = SECTION.format(host=HOST, public=self.port, status=self._ports[1].number)
        self.folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def port(self) -> int:
        """Where users connect."""
        return self._ports[0].number

    @property
    def status_port(self) -> int:
        return self._ports[1].number

    @property
    def cfg(self) -> Path:
        assert self.folder is not None
        return self.folder / "haproxy.cfg"

    @property
    def runtime(self) -> Runtime:
        assert self.folder is not None
        return Runtime(str(self.folder / "admin.sock"))

    def states(self) -> dict[str, ServerState]:
        return self.runtime.servers("zope")

    def words(self) -> dict[str, str]:
        """By server: open, closed, down and so on."""
        return {name: state.words for name, state in self.states().items()}

    def write(self, text: str) -> None:
        """Put down what was rendered; checks come quicker and slowstart is shorter, so that a test need not wait."""
        assert "inter 2s fastinter 500ms downinter 1s" in text
        text = text.replace("inter 2s fastinter 500ms downinter 1s", "inter 200ms fastinter 100ms downinter 200ms")
        self.cfg.write_text(text.replace("slowstart 30s", "slowstart 1s"))

    def start(self, cluster: Cluster) -> Balancer:
        """Start it with what stands in its file."""
        self.folder = cluster.folder
        executable = haproxy.program()
        assert executable is not None
        with (cluster.folder / "haproxy.log").open("ab") as log:
            self._process = subprocess.Popen(
                [executable, "-db", "-f", str(self.cfg)], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/"
            )
        wait_until(self._is_up)
        return self

    def _is_up(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.cfg.parent / "haproxy.log").read_text()
        with contextlib.suppress(Exception):
            return bool(self.states())
        return False

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(LIMIT_S)
            self._process = None

    def __enter__(self) -> Balancer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        for port in self._ports:
            port.release()


def wait_until(holds: object, limit_s: float = LIMIT_S) -> None:
    """Poll; an AssertionError when the limit passes."""
    assert callable(holds)
    end = time.monotonic() + limit_s
    while not holds():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


class Answer:
    """What one user saw."""

    def __init__(self, status: int, headers: Sequence[tuple[str, str]], body: bytes) -> None:
        self.status = status
        self.headers = [(name.lower(), value) for name, value in headers]
        self.body = body

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]

    @property
    def cookies(self) -> dict[str, str]:
        pairs = (value.partition(";")[0].partition("=") for value in self.all("set-cookie"))
        return {name: value for name, _, value in pairs}


def get(port: int, path: str = "/", headers: dict[str, str] | None = None, method: str = "GET") -> Answer:
    """One request on a connection of its own; status 0 for none that was answered."""
    connection = http.client.HTTPConnection(HOST, port, timeout=30)
    try:
        connection.request(method, path, headers=headers or {})
        response = connection.getresponse()
        return Answer(response.status, response.getheaders(), response.read())
    except (OSError, http.client.HTTPException) as error:
        return Answer(0, [], repr(error).encode())
    finally:
        connection.close()


class Users:
    """Several users who click on, some as if they were logged in, and whatever they saw that was no 200."""

    def __init__(self, port: int, count: int = 9, path: str = "/") -> None:
        self.port = port
        self.path = path
        self.answered = 0
        self.failed: list[str] = []
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._click, args=(number,), daemon=True) for number in range(count)]

    def __enter__(self) -> Users:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(60)

    def _click(self, number: int) -> None:
        cookies = {"__ac": f"user{number}"} if number % 3 else {}
        while not self._over.is_set():
            header = {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())} if cookies else {}
            answer = get(self.port, self.path, header)
            cookies |= answer.cookies
            with self._lock:
                self.answered += 1
                if answer.status != 200:
                    self.failed.append(f"user {number}: {answer.status} {answer.body[:200]!r}")


def requests_to(cluster: Cluster, name: str, mark: str) -> int:
    """How many requests with ``mark`` in them a client's own log holds."""
    log = cluster.clients[name].access_log
    return log.read_text().count(mark) if log.exists() else 0


def ports() -> Iterator[int]:
    """Free ports, one after the other."""
    while True:
        port = Port()
        yield port.number
        port.release()
