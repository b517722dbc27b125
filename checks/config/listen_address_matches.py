"""Every client listens where the balancer is told to find it.

What it examines
    Where the client's zope.ini or wsgi.ini (Zope 2: the ``<http-server>`` of its zope.conf) makes it listen: the port
    of the client's ``address`` is among them (or that of ``listens``, where a container or a NAT publishes it as
    another), and a client whose ``address`` is no loopback address is not bound to its own machine alone. Understood
    are waitress, plone.recipe.zope2instance, Paste and pyruvate; of other servers nothing is guessed.
Why it matters
    Zope's own skeleton listens on 127.0.0.1: such a client answers whoever tries it on its machine, and no balancer on
    another one. An ini file that the server refuses is a client that does not start.
What it does not prove
    That anything listens there now (see client-port-answers), or that no firewall is in between. A client with a unix
    socket alone has something else in front of it, of which the files tell nothing: UNKNOWN.
How to repair it
    Let the client listen on every interface (``host = 0.0.0.0`` or ``listen = *:8080``) or on that of its address, and
    give that port in clients.ini.

>>> def listens(*addresses):
...     return WsgiConf("zope.ini", listen=tuple(HostPort(*address) for address in addresses))
>>> show(listen_address_matches, app1=listens(("*", 8080)), app2=listens(("10.0.0.2", 8080), ("127.0.0.1", 8081)))
OK
>>> show(listen_address_matches, app1=listens(("*", 8080)), app2=listens(("127.0.0.1", 8080)))
CRITICAL app2: app2 listens on 127.0.0.1:8080, where no other machine reaches it; clients.ini says 10.0.0.2:8080
>>> show(listen_address_matches, app1=listens(("*", 8080)), app2=listens(("*", 8081)))
CRITICAL app2: app2 listens on *:8081; clients.ini says 10.0.0.2:8080
>>> show(listen_address_matches, app1=listens(("*", 8080)), app2=NotGathered("zope.ini: Permission denied"))
UNKNOWN app2: zope.ini: Permission denied
"""

from __future__ import annotations

from collections.abc import Iterator

from zcheck.check import Place, Problem, Severity, Unknown, check
from zcheck.facts import Client, Facts, HostPort, Inventory, Setting, WsgiConf
from zcheck.facts.addresses import is_loopback

# The lines that say where a client listens, the most telling one first.
_TELLING = ("listen", "fast-listen", "unix_socket", "socket", "address")
_TELLING_PORT = (*_TELLING, "port", "host", "use")
_TELLING_HOST = (*_TELLING, "host", "port", "use")


@check("listen-address-matches", stage="config", needs=[WsgiConf], severity=Severity.CRITICAL)
def listen_address_matches(facts: Facts) -> Iterator[Problem | Unknown]:
    """One finding for all clients that listen on the same wrong address."""
    inventory = facts.inventory
    confs = facts.each(WsgiConf)
    elsewhere: dict[tuple[str, bool], list[Client]] = {}
    for client in inventory.clients:
        conf = confs.get(client.name)
        if conf is None or (found := _matching(client, conf, inventory)) is None:
            continue
        if isinstance(found, bool):
            elsewhere.setdefault((_listed(conf.listen), found), []).append(client)
        else:
            yield found
    for (where, is_local), clients in elsewhere.items():
        yield _problem(where, is_local, clients, confs, inventory)


def _matching(client: Client, conf: WsgiConf, inventory: Inventory) -> Problem | Unknown | bool | None:
    """None: it listens there; True: on its own machine alone; False: on other ports."""
    refused = next((fault for fault in conf.faults if fault.kind == "refused"), None)
    if refused is not None:
        message = f"{client.name} does not start with this file: {refused.message}"
        return Problem((client.name,), message, (Place.of(refused),), refused.hint)
    port = client.listens or client.address.port
    fitting = [listen for listen in conf.listen if listen.port == port]
    if fitting:
        is_local = all(listen.host != "*" and is_loopback(listen.host) for listen in fitting)
        meant = inventory.hosts.get(client.address.host, (client.address.host,))
        public = client.listens is None and not all(map(is_loopback, meant))
        return True if is_local and public and not conf.listens_elsewhere else None
    return _open_question(client, conf, port) or False


def _open_question(client: Client, conf: WsgiConf, port: int) -> Unknown | None:
    """Why it cannot be told whether the client listens on this port; None where it can."""
    places = tuple(map(Place.of, conf.faults)) or _places(conf)
    name = (client.name,)
    if conf.listens_elsewhere:
        reason = conf.faults[0].message if conf.faults else "the file does not tell"
        return Unknown(name, f"where {client.name} listens cannot be told: {reason}", places, about="where")
    if conf.unix_sockets:
        message = (
            f"{client.name} listens on the unix socket {conf.unix_sockets[0]}; what serves port {port} is not told"
        )
        return Unknown(name, message, places, "give the address of what stands in front of it in the balancer's file")
    if client.tls and client.listens is None:
        message = f"{client.name} is called by TLS at {client.address} and listens without on {_listed(conf.listen)}"
        hint = f"write listens = PORT in [client:{client.name}]: the port that the TLS end passes requests on to"
        return Unknown(name, message, places, hint)
    return None


def _problem(
    where: str, is_local: bool, clients: list[Client], confs: dict[str, WsgiConf], inventory: Inventory
) -> Problem:
    names = tuple(client.name for client in clients)
    key = "listens" if clients[0].listens is not None else "address"
    said = ", ".join(f"listens = {c.listens}" if c.listens is not None else str(c.address) for c in clients)
    reach = ", where no other machine reaches " + ("it" if len(clients) == 1 else "them") if is_local else ""
    verb = "listens" if len(clients) == 1 else "listen"
    message = f"{', '.join(names)} {verb} on {where or 'no port at all'}{reach}; clients.ini says {said}"
    ini = [Place.in_ini(inventory.file, client.section, key) for client in clients]
    keys = _TELLING_HOST if is_local else _TELLING_PORT
    places = [place for client in clients for place in _places(confs[client.name], keys)]
    return Problem(names, message, (*places, *ini), _hint(is_local, clients[0], confs[clients[0].name]), about=where)


def _hint(is_local: bool, client: Client, conf: WsgiConf) -> str:
    if not is_local:
        listened = conf.listen[0].port if conf.listen else client.address.port
        return f"let it listen on port {client.listens or client.address.port}, or write {listened} in clients.ini"
    line = _line(conf, _TELLING_HOST)
    if line is None or line.key in ("host", "port", "use"):
        return "write host = 0.0.0.0, or the address of the interface that the balancer reaches"
    separator = " " if line.key == "address" else " = "
    return f"write {line.key}{separator}0.0.0.0:{client.address.port}, or the interface that the balancer reaches"


def _line(conf: WsgiConf, keys: tuple[str, ...]) -> Setting | None:
    return next((line for key in keys if (line := conf.first(key)) is not None), None)


def _places(conf: WsgiConf, keys: tuple[str, ...] = _TELLING_PORT) -> tuple[Place, ...]:
    line = _line(conf, keys)
    if line is None:
        return (Place(conf.file),)
    # Zope 2 says it in its zope.conf, whose lines are "key value".
    return (Place.of(line) if line.key == "address" else Place(line.file, line.line, f"{line.key} = {line.value}"),)


def _listed(listen: tuple[HostPort, ...]) -> str:
    return ", ".join(map(str, listen))
