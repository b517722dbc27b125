"""What host names mean."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from zcheck.facts import Balancers, Client, Names, ZopeConf, addresses
from zcheck.gather.run import Run, side_by_side


def look_up(run: Run) -> None:
    if Names not in run.wanted:
        return
    from zcheck.probes import names

    if run.settings.offline:
        run.keep("", Names())
        return
    hosts = sorted(host for host in _hosts(run) if host not in run.inventory.hosts)
    # Our own addresses first: what is here must not depend on how many names nobody answers for.
    jobs: dict[str, Callable[[], tuple[str, ...]]] = {"": names.own_addresses}
    jobs |= {host: partial(names.resolve, host) for host in hosts}
    # All of them together: where nothing answers, a thousand names must not take a thousand times as long as one.
    end = time.monotonic() + 2 * run.settings.timeout_s
    found = side_by_side(jobs, lambda: min(end - time.monotonic(), run.settings.timeout_s, run.deadline.left()))
    known = {host: value for host, value in found.items() if isinstance(value, tuple) and value}
    here = known.pop("", ())
    run.keep("", Names(known, here, looked_up=True))


def _hosts(run: Run) -> set[str]:
    """Every host name that a judgement may turn on."""
    hosts = set()
    for client in run.inventory.clients:
        hosts |= {client.address.host, client.machine}
        hosts |= {endpoint.host for _, endpoint in _endpoints(run, client)}
    hosts |= {endpoint.host for endpoint in addresses.pinned(run.inventory)}
    balancers = run.facts.raw(Balancers)
    for conf in balancers.confs.values() if isinstance(balancers, Balancers) else ():
        # Those of other backends too: a frontend may send users there as well.
        listed = (server.host for section in conf.of("backend", "listen") for server in section.servers)
        hosts |= {host for host in listed if "$" not in host}
    return {host for host in hosts if host and not addresses.is_literal(host) and not addresses.is_loopback(host)}


def _endpoints(run: Run, client: Client) -> list[tuple[str, addresses.Endpoint]]:
    """The readable servers that a client's zope.conf names, each with its database."""
    conf = run.facts.raw(ZopeConf, client.name)
    if not isinstance(conf, ZopeConf):
        return []
    return [
        (database.name, endpoint)
        for database in conf.databases
        for endpoint in addresses.endpoints((setting.value for setting in database.servers), client)
    ]
