"""Every client and its ZEO server speak TLS, or none does.

What it examines
    The ``<ssl>`` section of each ``<clientstorage>``, against the other clients of the same server and against
    ``<ssl>`` in the ``<zeo>`` section of the server's own file, where clients.ini names one. A ``<zeoclient>`` cannot
    speak TLS. An address that clients.ini declares as an alias (a tunnel) is left out: the tunnel may speak TLS.
Why it matters
    Where one side speaks TLS and the other does not, the client never connects: it waits, and does not come up
    (``ClientDisconnected: timed out waiting for connection``).
What it does not prove
    That the certificates are good: see zeo-server-answers.
How to repair it
    Write ``<ssl>`` on both sides, with ``%import ZEO`` and ``<clientstorage>`` for the clients; or on neither.

>>> plain = zope_conf(server="zeo1:8100")
>>> secret = zope_conf('''%import ZEO
... <zodb_db main>
... <clientstorage>
... server zeo1:8100
... <ssl>
... certificate /etc/zeo/client.pem
... </ssl>
... </clientstorage>
... mount-point /
... </zodb_db>''')
>>> show(zeo_encryption_agrees, app1=plain, app2=plain)
OK
>>> show(zeo_encryption_agrees, app1=plain, app2=secret)
CRITICAL app1, app2: of zeo1:8100 app2 expects TLS and app1 expects none: one side does not connect
>>> show(zeo_encryption_agrees, app1=plain, app2=NotGathered("ssh: timed out after 5 s"))
UNKNOWN app2: ssh: timed out after 5 s
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from zcheck.check import Place, Problem, Severity, Skipped, check
from zcheck.facts import Client, Database, Facts, Names, Section, Setting, ZeoConf, ZeoConfs, ZopeConf
from zcheck.facts.addresses import Endpoint, InvalidAddress, is_declared, parse_server, same_server
from zcheck.facts.origins import section_of
from zcheck.rules.databases import is_partial


class Dialled(NamedTuple):
    """One client's way to one server, and its ``<ssl>`` section where it has one."""

    client: Client
    endpoint: Endpoint
    line: Setting
    ssl: Section | None


@check(
    "zeo-encryption-agrees",
    stage="config",
    needs=[ZopeConf],
    uses=[Names, ZeoConfs],
    severity=Severity.CRITICAL,
    after=["zope-conf-parses", "zeo-addresses-are-valid"],
)
def zeo_encryption_agrees(facts: Facts) -> Iterator[Problem | Skipped]:
    """One finding a server: by its own file where that is known, else by what its clients expect of each other."""
    inventory, names = facts.inventory, facts.maybe(Names)
    servers: list[list[Dialled]] = []
    examined = set()
    # Most clients write the same: what is written alike is compared once.
    homes: dict[tuple[str, str], list[Dialled]] = {}
    for one in _dialled(facts):
        examined.add(one.client.name)
        key = (one.endpoint.text, one.endpoint.machine if one.endpoint.is_local else "")
        home = homes.get(key)
        if home is None:
            near = (group for group in servers if same_server(group[0].endpoint, one.endpoint, inventory, names))
            home = homes[key] = next(near, [])
            if not home:
                servers.append(home)
        home.append(one)
    for group in servers:
        yield from _judged(facts, group)
    without = tuple(client for client in facts.each(ZopeConf) if client not in examined)
    if without:
        yield Skipped(without, "nothing to examine: no database on ZEO")


def _dialled(facts: Facts) -> Iterator[Dialled]:
    inventory, names = facts.inventory, facts.maybe(Names)
    for name, conf in facts.each(ZopeConf).items():
        client = inventory.client(name)
        for database in conf.databases:
            for line in database.servers:
                try:
                    endpoint = parse_server(line.value, client.machine)
                except InvalidAddress:
                    continue
                # A file that was read in part only may have <ssl> in the part that was not.
                unsure = is_partial(conf) and _ssl(database) is None
                if not line.unresolved and not unsure and not is_declared(endpoint, inventory, names):
                    yield Dialled(client, endpoint, line, _ssl(database))


def _ssl(database: Database) -> Section | None:
    return next(iter(database.leaf.nested("ssl")), None) if database.leaf is not None else None


def _judged(facts: Facts, group: list[Dialled]) -> Iterator[Problem]:
    server = group[0].endpoint
    encrypted = [one for one in group if one.ssl is not None]
    plain = [one for one in group if one.ssl is None]
    section = section_of(facts, server) if facts.inventory.zeo_servers else None
    known = facts.maybe(ZeoConfs)
    conf = known.confs.get(section.name) if section is not None and known is not None else None
    if isinstance(conf, ZeoConf) and conf.zeo is not None and not any(f.kind == "unread" for f in conf.faults):
        theirs = next(iter(conf.zeo.nested("ssl")), None)
        wrong = plain if theirs is not None else encrypted
        if wrong:
            clients = _names(wrong)
            speaks = "speaks TLS" if theirs is not None else "speaks no TLS"
            do = ("does" if len(clients) == 1 else "do") + (" not" if theirs is not None else "")
            message = f"{conf.file}: the server {server} {speaks}, and {', '.join(clients)} {do}: they never connect"
            hint = "write <clientstorage> with an <ssl> section for the clients, or remove <ssl> from <zeo>"
            if theirs is None:
                hint = "write an <ssl> section into <zeo>, or remove that of the clients"
            place = Place.of(theirs if theirs is not None else conf.zeo)
            yield Problem(clients, message, (place, *_places(wrong)), hint, about=server.text)
    elif encrypted and plain:
        clients = tuple(dict.fromkeys((*_names(plain), *_names(encrypted))))
        ours, others = ", ".join(_names(encrypted)), ", ".join(_names(plain))
        verbs = ["expects" if len(_names(side)) == 1 else "expect" for side in (encrypted, plain)]
        message = f"of {server} {ours} {verbs[0]} TLS and {others} {verbs[1]} none: one side does not connect"
        hint = "see whether the server's <zeo> section has <ssl>, and write <ssl> for every client or for none"
        yield Problem(clients, message, _places([*encrypted, *plain]), hint, about=server.text)


def _names(group: list[Dialled]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.client.name for one in group))


def _places(group: list[Dialled]) -> tuple[Place, ...]:
    return tuple(dict.fromkeys(Place.of(one.ssl if one.ssl is not None else one.line) for one in group))
