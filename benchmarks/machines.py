"""A thousand clients on two hundred machines: connections that are open, memory, time, and who delays whom.

Every client is a light peer that answers HTTP as a Zope client does to somebody who is not logged in; all of them live
in one small process, beside a relay through which zcheck reaches one real ZEO server, so that what is open at one
moment is counted where it arrives.  Every machine is looked at by a ``via`` that really starts a Python with the
script, two hundred of them; what it finds on the port is the process of the peers.  What is not in it: pages and edits
through running Zope clients, of which this many do not fit on a machine.

    python benchmarks/machines.py            a goal missed exits 1
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec

from zcheck.commands.demo import Keeper, Seed, ZeoServer, ZeoSpec

SIZES = (250, 500, 1000)
ON_ONE_MACHINE = 5
SLOW_S = 60.0

MOST_CONNECTIONS = 64
"""To all clients together, at one moment."""
MOST_AT_A_PEER = 2
MOST_AT_ZEO = 8
"""Of zcheck's own connections that work; those that only look are bound by the programs of ``via``."""
MOST_CALLS = 32
"""Programs that ``via`` has running at one moment."""
MOST_LINES = 200
"""Of the report as text."""
KB_A_CLIENT = 200
GROWTH = 1.35
"""How much more than twice as long twice as many clients may take."""
DELAY_S = 12.0
"""How much longer a run may take because of one slow machine: a few of zcheck's own waits."""

ZOPE_CONF = """\
%define INSTANCE /srv/app{number}
instancehome $INSTANCE
debug-mode off
<zodb_db main>
  cache-size 30000
  <zeoclient>
    server {zeo}
    storage 1
    name zeostorage
    var $INSTANCE/var
  </zeoclient>
  mount-point /
</zodb_db>
"""
PAGE = b"<html><head><title>Zope</title></head><body>Zope Quick Start</body></html>"
ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nContent-Type: text/html\r\nServer: waitress\r\nVia: waitress\r\n\r\n"
)


class Count:
    """What is open now, and the most that was open at one moment."""

    def __init__(self) -> None:
        self.now = self.most = self.all = 0

    def __enter__(self) -> None:
        self.now += 1
        self.all += 1
        self.most = max(self.most, self.now)

    def __exit__(self, *_: object) -> None:
        self.now -= 1


class Peers:
    """The process of the light peers and of the relay; it prints its ports, and what it counted when its input ends."""

    def __init__(self, count: int, zeo: tuple[str, int], host: str) -> None:
        self.host = host
        self.zeo = zeo
        self.http, self.lookers, self.members = Count(), Count(), Count()
        self.each = [Count() for _ in range(count)]

    async def run(self) -> None:
        ports = []
        for number in range(len(self.each)):
            server = await asyncio.start_server(lambda r, w, n=number: self._answer(n, r, w), self.host, 0)
            ports.append(server.sockets[0].getsockname()[1])
        relay = await asyncio.start_server(self._relay, self.host, 0)
        print(json.dumps({"clients": ports, "zeo": relay.sockets[0].getsockname()[1]}), flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        each = max(self.each, key=lambda one: one.most)
        counted = {"http": self.http, "peer": each, "lookers": self.lookers, "members": self.members}
        print(json.dumps({name: [count.most, count.all] for name, count in counted.items()}), flush=True)
        os._exit(0)

    async def _answer(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with self.http, self.each[number]:
            try:
                while await reader.readuntil(b"\r\n\r\n"):
                    writer.write(ANSWER % len(PAGE) + PAGE)
                    await writer.drain()
            except (asyncio.IncompleteReadError, ConnectionError):
                pass
            writer.close()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Who only looks reads the greeting and asks "ruok" at most; whoever says more registers as a client does."""
        there, back = await asyncio.open_connection(*self.zeo)
        with self.lookers:
            answers = asyncio.ensure_future(_copied(there, writer))
            said = await _frame(reader)
            back.write(said)
            if said and said[4:] != b"ruok":
                self.lookers.now -= 1
                with self.members:
                    await asyncio.gather(_copied(reader, back), answers)
                self.lookers.now += 1
            else:
                await asyncio.gather(_copied(reader, back), answers)


async def _copied(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    writer.close()


async def _frame(reader: asyncio.StreamReader) -> bytes:
    try:
        length = await reader.readexactly(4)
        return length + await reader.readexactly(int.from_bytes(length, "big"))
    except (asyncio.IncompleteReadError, ConnectionError):
        return b""


# --- one run ------------------------------------------------------------------------------------------


class Measured(msgspec.Struct, frozen=True):
    """One preflight of so many clients."""

    clients: int
    wall_s: float
    cpu_s: float
    memory_mb: float
    connections: int
    at_a_peer: int
    members: int
    lookers: int
    calls: int
    code: int
    report: dict[str, Any]
    out: str

    def __str__(self) -> str:
        spent = f"{self.wall_s:5.1f} s, {self.cpu_s:5.1f} s of processor time, {self.memory_mb:4.0f} MB"
        at_clients = f"{self.connections} connections to clients ({self.at_a_peer} to one)"
        at_zeo = f"at the ZEO server {self.members} that work and {self.lookers} that look"
        return f"{self.clients:5} clients: {spent}; at one moment {at_clients}, {at_zeo}, {self.calls} programs of via"


# It is counted how many run at one moment: each leaves its process id in a file.
VIA = """\
import os, sys, time
folder, machine, slow = sys.argv[1:]
open(os.path.join(folder, str(os.getpid())), "w").close()
alive = [name for name in os.listdir(folder) if name.isdigit() and os.path.exists("/proc/" + name)]
with open(os.path.join(folder, "most"), "a") as most:
    most.write("%d\\n" % len(alive))
time.sleep(float(slow))
exec(compile(sys.stdin.read(), "there", "exec"))
"""


def host() -> str:
    """An address of this machine that is not its loopback's, which would mean each client's own machine."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"


def preflight(folder: Path, clients: int, zeo: ZeoServer, slow: int | None = None) -> Measured:
    """Describe so many clients, let the peers answer, and run zcheck; ``slow``: the number of a machine."""
    home = folder / f"of-{clients}-{slow}"
    running = home / "running"
    running.mkdir(parents=True)
    (home / "via.py").write_text(VIA)
    peers = subprocess.Popen(
        [sys.executable, __file__, "peers", str(clients), zeo.machine.dialled, str(zeo.port), host()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert peers.stdin is not None
    assert peers.stdout is not None
    try:
        ports = json.loads(peers.stdout.readline())
        ini = write_cluster(home, ports, slow)
        begun, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
        report = home / "report.json"
        command = [
            sys.executable,
            "-m",
            "zcheck",
            "preflight",
            str(ini),
            "--deadline",
            "10m",
            "--timings",
            "--no-state",
        ]
        command += ["-o", "text", "-o", f"json:{report}"]
        done, memory = finished(command)
        wall, after = time.monotonic() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
        peers.stdin.close()
        counted = json.loads(peers.stdout.readline())
    finally:
        peers.kill()
        peers.wait()
    return Measured(
        clients=clients,
        wall_s=wall,
        cpu_s=after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        memory_mb=memory,
        connections=counted["http"][0],
        at_a_peer=counted["peer"][0],
        members=counted["members"][0],
        lookers=counted["lookers"][0],
        calls=max(map(int, (running / "most").read_text().split())),
        code=done.returncode,
        report=json.loads(report.read_text()) if report.exists() else {},
        out=done.stdout + done.stderr,
    )


def finished(command: list[str]) -> tuple[subprocess.CompletedProcess[str], float]:
    """The command as it ended, and the most memory in MB that this one process had, without what it started."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        most = 0
        chunks: list[str] = []
        reader = threading.Thread(target=lambda: chunks.append(process.stdout.read()))  # type: ignore[union-attr]
        reader.start()
        while process.poll() is None:
            try:
                status = Path(f"/proc/{process.pid}/status").read_text()
                most = max([most, *(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))])
            except OSError:
                pass
            time.sleep(0.05)
        reader.join()
        return subprocess.CompletedProcess(command, process.returncode, chunks[0], ""), most / 1024


def write_cluster(home: Path, ports: dict[str, Any], slow: int | None) -> Path:
    """clients.ini and a zope.conf for every client."""
    here, zeo = host(), f"{host()}:{ports['zeo']}"
    lines = ["[cluster]", "name = machines", f"zeo = {zeo}", "storage = 1"]
    for number, port in enumerate(ports["clients"], 1):
        machine = (number - 1) // ON_ONE_MACHINE + 1
        (home / f"app{number}").mkdir()
        (home / f"app{number}" / "zope.conf").write_text(ZOPE_CONF.format(number=number, zeo=zeo))
        lines += ["", f"[client:app{number}]", f"address = {here}:{port}", f"zope-conf = app{number}/zope.conf"]
        delay = SLOW_S if machine == slow else 0
        lines += [f"machine = m{machine}", f"via = {sys.executable} -S {home}/via.py {home}/running m{machine} {delay}"]
    # A resolver that answers nobody is not what is measured.
    machines = sorted({(number - 1) // ON_ONE_MACHINE + 1 for number in range(1, len(ports["clients"]) + 1)})
    lines += ["", "[hosts]", *(f"m{number} = 192.0.2.{number % 250 + 1}" for number in machines)]
    ini = home / "clients.ini"
    ini.write_text("\n".join([*lines, ""]))
    return ini


def goals(measured: list[Measured]) -> Iterator[str]:
    """What was missed."""
    for one in measured:
        told = f"of {one.clients} clients:"
        for name, found, limit in (
            ("connections to clients", one.connections, MOST_CONNECTIONS),
            ("connections to one client", one.at_a_peer, MOST_AT_A_PEER),
            ("connections that work to the ZEO server", one.members, MOST_AT_ZEO),
            ("programs of via", one.calls, MOST_CALLS),
            ("lines of report", len(one.out.splitlines()), MOST_LINES),
        ):
            if found > limit:
                yield f"{told} {found} {name}, at most {limit}"
        coverage = one.report["coverage"]
        if (coverage["clients_seen"], coverage["zeo_pairs_proven"]) != (one.clients, coverage["pairs_total"]):
            yield f"{told} {coverage}"
    small, large = measured[0], measured[-1]
    each_kb = (large.memory_mb - small.memory_mb) * 1024 / (large.clients - small.clients)
    print(
        f"a client more takes {each_kb:.0f} kB, {(large.wall_s - small.wall_s) / (large.clients - small.clients):.3f} s"
    )
    if each_kb > KB_A_CLIENT:
        yield f"{each_kb:.0f} kB a client, at most {KB_A_CLIENT}"
    for before, after in pairwise(measured):
        growth = after.cpu_s / before.cpu_s / (after.clients / before.clients)
        print(f"from {before.clients} to {after.clients} clients: {growth:.2f} times what grows with them")
        if growth > GROWTH:
            yield f"from {before.clients} to {after.clients} clients it grows faster than the cluster"


def of_the_slow(slow: Measured, others: Measured) -> Iterator[str]:
    """A machine that does not answer costs its own clients what it would have told, and nobody else anything."""
    if slow.wall_s > others.wall_s + DELAY_S:
        yield f"one slow machine made the run {slow.wall_s - others.wall_s:.0f} s longer"
    usual = {(one["check"], one["message"]) for one in others.report["findings"]}
    more = [one for one in slow.report["findings"] if (one["check"], one["message"]) not in usual]
    named = {name for one in more for name in one["clients"]}
    print(f"named because of it: {', '.join(sorted(named))}")
    if not named or not named <= {f"app{number}" for number in range(11, 16)}:
        yield f"one slow machine: {sorted(named)} are named"


def main() -> int:
    if sys.argv[1:2] == ["peers"]:
        count, address, port, own = sys.argv[2:]
        asyncio.run(Peers(int(count), (address, int(port)), own).run())
        return 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        keeper = Keeper(folder / "kept")
        zeo = ZeoServer(ZeoSpec(), folder, lambda: keeper)
        zeo.prepare(Seed.make(folder / "seed"))
        zeo.launch({})
        try:
            zeo.wait_until_up()
            measured = []
            for size in SIZES:
                measured.append(preflight(folder, size, zeo))
                print(measured[-1], flush=True)
            slow = preflight(folder, SIZES[0], zeo, slow=3)
            print(f"with a machine that takes {SLOW_S:.0f} s: {slow}")
        finally:
            zeo.stop()
            keeper.close()
    print(f"the report of {SIZES[-1]} clients has {len(measured[-1].out.splitlines())} lines; it ends:")
    print("\n".join(line[:200] for line in measured[-1].out.splitlines()[-24:]))
    missed = [*goals(measured), *of_the_slow(slow, measured[0])]
    for goal in missed:
        print(f"missed: {goal}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
