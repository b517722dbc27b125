"""Every client listens where the balancer is told to find it.

What it examines
    Where the client's zope.ini or wsgi.ini (Zope 2: the ``<http-server>`` of its zope.conf) makes it listen: host and
    port of the client's ``address`` are among them (of ``listens`` the port alone, where a container or a NAT publishes
    it as another), and a client whose ``address`` is no loopback address is not bound to its own machine alone.
    Understood are waitress (waitress_fastlisten and plone.recipe.zope2instance too), Paste, pyruvate, bjoern and
    cheroot; of other servers nothing is guessed, and ``listens`` settles it. Variables of the command that starts the
    client are those of ``ini-vars``.
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
>>> show(listen_address_matches, app1=listens(("*", 8080)), app2=listens(("10.0.0.1", 8080)))
CRITICAL app2: app2 listens on 10.0.0.1:8080; clients.ini says 10.0.0.2:8080
>>> show(listen_address_matches, app1=listens(("*", 8080)), app2=NotGathered("zope.ini: Permission denied"))
UNKNOWN app2: zope.ini: Permission denied
"""

from __future__ import annotations

from collections.abc import Iterator

from zcheck.check import Place, Problem, Severity, Unknown, check
from zcheck.facts import Client, Facts, HostPort, Inventory, Names, Setting, WsgiConf
from zcheck.facts.addresses import is_loopback, reached, same_address

# The lines that say where a client listens, the most telling one first.
_TELLING = ("listen", "fast-listen", "unix_socket", "socket", "address")
_TELLING_PORT = (*_TELLING, "port", "host", "use")
_TELLING_HOST = (*_TELLING, "host", "port", "use")


@check("listen-address-matches", stage="config", needs=[WsgiConf], uses=[Names], severity=Severity.CRITICAL)
def listen_address_matches(facts: Facts) -> Iterator[Problem | Unknown]:
    """One finding for all clients that listen on the same wrong address."""
    inventory, names = facts.inventory, facts.maybe(Names)
    confs = facts.each(WsgiConf)
    elsewhere: dict[tuple[str, bool], list[Client]] = {}
    for client in inventory.clients:
        conf = confs.get(client.name)
        if conf is None or (found := _matching(client, conf, inventory, names)) is None:
            continue
        if isinstance(found, bool):
            elsewhere.setdefault((_listed(conf.listen), found), []).append(client)
        else:
            yield found
    for (where, is_local), clients in elsewhere.items():
        yield _problem(where, is_local, clients, confs, inventory)


def _matching(
    client: Client, conf: WsgiConf, inventory: Inventory, names: Names | None
) -> Problem | Unknown | bool | None:
    """None: it listens there; True: on its own machine alone; False: on other addresses."""
    refused = next((fault for fault in conf.faults if fault.kind == "refused"), None)
    if refused is not None:
        message = f"{client.name} does not start with this file: {refused.message}"
        return Problem((client.name,), message, (Place.of(refused),), refused.hint)
    if conf.listens_elsewhere and client.listens is not None:
        return None  # Who runs it has said which port it is.
    port = client.listens or client.address.port
    fitting = [listen for listen in conf.listen if listen.port == port]
    if not fitting:
        return _open_question(client, conf, port) or False
    if client.listens is not None or conf.listens_elsewhere:
        return None
    answers = [_is_there(listen.host, client, inventory, names) for listen in fitting]
    if any(answers):
        return None
    if None in answers:
        return _which_host(client, conf, fitting[answers.index(None)])
    meant = inventory.hosts.get(client.address.host, (client.address.host,))
    local = all(listen.host != "*" and is_loopback(listen.host) for listen in fitting)
    return local and not all(map(is_loopback, meant))


def _is_there(host: str, client: Client, inventory: Inventory, names: Names | None) -> bool | None:
    """Whether a client that listens on this host is reached by its address."""
    if host == "*":
        return True
    address = client.address.host
    if is_loopback(host):
        # A name may be one of this machine's own addresses for whoever asks there; [hosts] may say so.
        meant = inventory.hosts.get(address, (address,))
        return any(is_loopback(one) and same_address(one, host, inventory, names) for one in meant)
    if is_loopback(address):
        # On one address alone, which is not the loopback one, whatever machine this is.
        return None if not reached(host, inventory, names) else False
    return same_address(host, address, inventory, names)


def _which_host(client: Client, conf: WsgiConf, listen: HostPort) -> Unknown:
    message = f"whether {client.name} listens on its address is not known: its file says {listen}, clients.ini "
    message += str(client.address)
    hint = f"write the addresses of both names into [hosts], or listens = {listen.port} in [client:{client.name}]"
    return Unknown((client.name,), message, _places(conf, _TELLING_HOST), hint, about="host")


def _open_question(client: Client, conf: WsgiConf, port: int) -> Unknown | None:
    """Why it cannot be told whether the client listens on this port; None where it can."""
    places = tuple(map(Place.of, conf.faults)) or _places(conf)
    name = (client.name,)
    if conf.listens_elsewhere:
        reason = conf.faults[0].message if conf.faults else "the file does not tell"
        hint = next((fault.hint for fault in conf.faults if fault.hint), "")
        hint = hint or f"write the port into [client:{client.name}]: listens = {client.address.port}"
        return Unknown(name, f"where {client.name} listens cannot be told: {reason}", places, hint, about="where")
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
    port = clients[0].listens or clients[0].address.port
    by_host = is_local or any(listen.port == port for listen in confs[names[0]].listen)
    keys = _TELLING_HOST if by_host else _TELLING_PORT
    places = [place for client in clients for place in _places(confs[client.name], keys)]
    return Problem(names, message, (*places, *ini), _hint(is_local, clients[0], confs[clients[0].name]), about=where)


def _hint(is_local: bool, client: Client, conf: WsgiConf) -> str:
    port = client.listens or client.address.port
    if not is_local and not any(listen.port == port for listen in conf.listen):
        listened = conf.listen[0].port if conf.listen else client.address.port
        return f"let it listen on port {port}, or write {listened} in clients.ini"
    line = _line(conf, _TELLING_HOST)
    if line is None or line.key in ("host", "port", "use"):
        hint = "write host = 0.0.0.0, or the address of the interface that the balancer reaches"
    else:
        separator = " " if line.key == "address" else " = "
        hint = f"write {line.key}{separator}0.0.0.0:{client.address.port}, or the interface that the balancer reaches"
    nat = f"; where a container or a NAT leads there, write listens = {port} in [client:{client.name}]"
    return hint if is_local else hint + nat


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
