"""A real cluster on loopback: ZEO servers and Zope clients, each a process of its own, in a temporary folder.

``zcheck demo`` shows what zcheck says of it, healthy or broken on purpose; the tests build every odd cluster from the
same parts.  Whatever happens to the process that started them, the servers end and the folder goes: a small process
beside them, the keeper, sees to it when its parent is gone.
"""

from __future__ import annotations

import contextlib
import importlib.util
import sys
import time
from collections.abc import Callable, Iterator

from zcheck.commands.demo.cluster import Cluster
from zcheck.commands.demo.faults import FAULTS, broken_by
from zcheck.commands.demo.forkserver import ForkServer
from zcheck.commands.demo.processes import DidNotStart, Keeper, Port, Server
from zcheck.commands.demo.seed import Seed
from zcheck.commands.demo.servers import ZeoServer, ZopeClient
from zcheck.commands.demo.specs import HOST, ClientSpec, Machine, ZeoSpec, specs
from zcheck.system.signals import interruptible

__all__ = [
    "FAULTS",
    "HOST",
    "ClientSpec",
    "Cluster",
    "DidNotStart",
    "ForkServer",
    "Keeper",
    "Machine",
    "Port",
    "Seed",
    "Server",
    "ZeoServer",
    "ZeoSpec",
    "ZopeClient",
    "run_demo",
    "specs",
]


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
    demo = broken_by(fault, clients)
    missing = [name for name in ("Zope2", "paste", "waitress") if importlib.util.find_spec(name) is None]
    if missing:
        say(f"The demo runs real Zope clients; not installed: {', '.join(missing)}. Install zodb-zcheck[demo].")
        return 3
    with interruptible(), contextlib.ExitStack() as to_end:
        say(f"Starting {_many(len(demo.zeo), 'ZEO server')} and {_many(clients, 'Zope client')} on loopback ...")
        started = time.monotonic()
        try:
            # What is kept outlives this process, and is looked at by hand: it is executed, as any Zope is.
            forkserver = None if keep else to_end.enter_context(ForkServer())
            cluster = to_end.enter_context(Cluster(demo.clients, zeo=demo.zeo, forkserver=forkserver))
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


def _many(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
