"""A complete haproxy.cfg for a cluster, or the parts of a buildout that make one.

What is written passes ``haproxy -c -dW``, and every check of the balancer stage.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Mapping
from importlib import resources

import msgspec

from zcheck.facts import BalancerSection, Client, Inventory, balancer_servers
from zcheck.facts.balancer import BACKEND

TIMEOUTS = {"http-request": "10s", "connect": "7s", "queue": "60s", "client": "300s", "server": "300s", "check": "5s"}
THREADS = 4
"""What waitress does without being told."""

MORE_THAN_THREADS = 1
"""Connections beyond a client's threads: blobs are sent outside of them, and one request should be waiting."""

PUBLIC_BIND = "*:80"
STATUS_BIND = "127.0.0.1:8404"
ADMIN_SOCKET = "/run/haproxy/admin.sock"

_NAME = re.compile(r"[A-Za-z0-9_.:-]+")
_PLAIN = re.compile(r"[A-Za-z0-9_.:/@,+*?=&~()\[\]-]+")


class CannotRender(ValueError):
    """A value of clients.ini cannot stand in a haproxy.cfg; the message says which and what to write."""


class Server(msgspec.Struct, frozen=True):
    """One server line, as the template puts it together."""

    name: str
    address: str
    maxconn: int
    more: str
    comment: str


def haproxy_cfg(
    inventory: Inventory,
    section: BalancerSection,
    threads: Mapping[str, int],
    verified: Collection[str],
    *,
    addresses: Mapping[str, str] = {},
) -> str:
    """The text of a haproxy.cfg.

    ``threads`` gives those that are known, by client.  ``verified``: the clients whose servers start open.
    ``addresses`` stands in for a client's own address (a buildout's variable).  Raises :exc:`CannotRender`.
    """
    import jinja2

    values = section.values
    text = (resources.files("zcheck.commands.haproxy") / "haproxy.cfg.jinja").read_text(encoding="utf-8")
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True, autoescape=False)
    servers = [_server(inventory, client, threads, verified, addresses) for client in balanced(inventory)]
    stated = {key.removeprefix("timeout-"): _plain(values, key) for key in values if key.startswith("timeout-")}
    return environment.from_string(text).render(
        cluster=_one_line(inventory.name),
        ini=_one_line(inventory.file),
        log=_words(values, "log", "stdout format raw local6 info"),
        maxconn=_number(values, "maxconn", 2000),
        user=_plain(values, "user"),
        group=_plain(values, "group"),
        admin_socket=_admin_socket(values),
        state_file=_path(values, "state-file"),
        timeout={**TIMEOUTS, **{name: value for name, value in stated.items() if name in TIMEOUTS}},
        more_timeouts={name: value for name, value in stated.items() if name not in TIMEOUTS},
        public_bind=_words(values, "public-bind", PUBLIC_BIND),
        status_bind=_words(values, "status-bind", STATUS_BIND),
        backend=backend_of(section),
        balance=_words(values, "balance", "leastconn"),
        health_path=health_path(inventory, section),
        health_host=_health_host(inventory),
        server_presets=_presets(inventory, addresses),
        servers=servers,
        left_out=[_why_left_out(client) for client in inventory.clients if client not in balanced(inventory)],
    )


def balanced(inventory: Inventory) -> list[Client]:
    """The clients that get a server line: a candidate's is there already, and closed."""
    return [client for client in inventory.clients if client.role in ("balanced", "candidate")]


def backend_of(section: BalancerSection) -> str:
    """The backend's name."""
    name = section.values.get("backend", BACKEND)
    if not _NAME.fullmatch(name):
        raise CannotRender(f"backend {name!r} is no name that HAProxy allows; write letters, digits, '.', '_' and '-'")
    return name


def server_name(client: Client) -> str:
    """A client's name in the balancer."""
    name = balancer_servers.server_name(client)
    if not _NAME.fullmatch(name):
        raise CannotRender(f"balancer-server {name!r} is no name that HAProxy allows; write letters, digits, '-'")
    return name


def health_path(inventory: Inventory, section: BalancerSection) -> str:
    """What the health check asks for: Plone has a page for it, plain Zope's own start page is small."""
    stated = _plain(section.values, "health-path")
    if stated and not stated.startswith("/"):
        raise CannotRender(f"health-path {stated} is no path; write /ok, say")
    return stated or ("/ok" if inventory.site else "/")


def _health_host(inventory: Inventory) -> str:
    header = next((client.host_header for client in inventory.clients if client.host_header), None)
    return header or "zcheck.invalid"


def _server(
    inventory: Inventory,
    client: Client,
    threads: Mapping[str, int],
    verified: Collection[str],
    addresses: Mapping[str, str],
) -> Server:
    known = threads.get(client.name)
    told = f"{known} threads" if known is not None else f"threads not known, taken for {THREADS}"
    is_open = client.name in verified and client.role == "balanced"
    state = "verified" if is_open else "a candidate" if client.role == "candidate" else "not verified"
    more = f" {_tls(client)}" if client.tls else ""
    return Server(
        server_name(client),
        addresses.get(client.name) or address_of(inventory, client),
        (known if known is not None else THREADS) + MORE_THAN_THREADS,
        more + ("" if is_open else " disabled"),
        f"{client.name}: {told}; {state}" + ("" if is_open else ", and closed until zcheck opens it"),
    )


def _tls(client: Client) -> str:
    host = client.address.host
    name = "" if _is_ip(host) else f" sni str({host}) check-sni {host} verifyhost {host}"
    return f"ssl verify required ca-file @system-ca{name}"


def address_of(inventory: Inventory, client: Client) -> str:
    """The address to balance to: what ``[hosts]`` says of a name, which need not be known where HAProxy starts."""
    address = client.address
    listed = inventory.hosts.get(address.host.lower(), ())
    return str(msgspec.structs.replace(address, host=listed[0])) if listed else str(address)


def _presets(inventory: Inventory, addresses: Mapping[str, str]) -> str:
    """One name that is not known at the start keeps that server closed, and not HAProxy from starting."""
    names = [
        client
        for client in balanced(inventory)
        if client.name not in addresses
        and not _is_ip(client.address.host)
        and client.address.host.lower() not in inventory.hosts
    ]
    return " init-addr last,libc,none" if names else ""


def _why_left_out(client: Client) -> str:
    return f"{client.name} is left out: its role is {client.role}"


def _admin_socket(values: Mapping[str, str]) -> str:
    """With its rights: of the owner alone, or of the group that clients.ini names."""
    address = values.get("admin-socket", ADMIN_SOCKET)
    if not _PLAIN.fullmatch(address):
        raise CannotRender("admin-socket has a character in it that haproxy.cfg cannot hold")
    if re.fullmatch(r"[^/]*:\d+", address):
        return f"ipv4@{address} level admin" if not address.startswith("[") else f"ipv6@{address} level admin"
    group = _plain(values, "group")
    rights = f"mode 660 group {group}" if group else "mode 600"
    return f"{address} {rights} level admin expose-fd listeners"


def _plain(values: Mapping[str, str], key: str) -> str:
    """A value that is one plain word; empty where there is none."""
    value = values.get(key, "")
    if value and not _PLAIN.fullmatch(value):
        raise CannotRender(f"{key} {value!r} is not one plain word")
    return value


def _path(values: Mapping[str, str], key: str) -> str:
    return _plain(values, key)


def _words(values: Mapping[str, str], key: str, default: str) -> str:
    value = values.get(key, default)
    if any(not _PLAIN.fullmatch(word) for word in value.split()):
        raise CannotRender(f"{key} {value!r} has a character in it that haproxy.cfg cannot hold")
    return " ".join(value.split())


def _number(values: Mapping[str, str], key: str, default: int) -> int:
    value = values.get(key, str(default))
    if not value.isdecimal() or not int(value):
        raise CannotRender(f"{key} {value!r} is no number")
    return int(value)


def _one_line(text: str) -> str:
    return "".join(char for char in " ".join(text.split()) if char.isprintable())


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


# --- buildout ------------------------------------------------------------------------------------

_BUILDOUT = """\
# Parts for a buildout whose instances are called {instances}; written by zcheck haproxy render.
# HAProxy itself comes from the system's package.

[buildout]
parts +=
    haproxy-conf
    supervisor

[haproxy-conf]
recipe = collective.recipe.template
input = inline:
{lines}
end =
output = ${{buildout:directory}}/etc/haproxy.cfg

[supervisor]
recipe = collective.recipe.supervisor
programs =
{programs}
"""


def buildout(
    inventory: Inventory, section: BalancerSection, threads: Mapping[str, int], verified: Collection[str]
) -> str:
    """The same as parts of a buildout; the ports are those of the instances' parts, called as the clients are.

    ``http-address`` of such a part is taken for a bare port, as plone.recipe.zope2instance has it by default.
    """
    clients = balanced(inventory)
    hosts = {client.name: address_of(inventory, client).rpartition(":")[0] for client in clients}
    addresses = {name: f"{host}:${{{name}:http-address}}" for name, host in hosts.items()}
    text = haproxy_cfg(inventory, section, threads, verified, addresses=addresses)
    # A buildout drops empty lines, and the line end behind the last one, without which HAProxy does not start: the
    # option 'end' is empty, and stands on a line of its own.
    filled = [line for line in text.splitlines() if line.strip()]
    lines = "\n".join(f"    {line}" for line in (*filled, "${haproxy-conf:end}"))
    names = [client.name for client in clients]
    programs = [
        f"    {10 + at} {name} ${{buildout:bin-directory}}/{name} [console] true" for at, name in enumerate(names)
    ]
    programs.append("    90 haproxy /usr/sbin/haproxy [-db -f ${haproxy-conf:output}] true")
    return _BUILDOUT.format(instances=", ".join(names), lines=lines, programs="\n".join(programs))
