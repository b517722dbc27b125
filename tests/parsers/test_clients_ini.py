"""clients.ini: what is read, and how what is wrong is refused."""

from __future__ import annotations

import string
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from patience import patient

from zcheck.facts import Alias, Client, Credentials, HostPort, Inventory, SqlPin
from zcheck.parsers.clients_ini import (
    BALANCER_KEYS,
    CLIENT_KEYS,
    CLUSTER_KEYS,
    DATABASE_KEYS,
    MAX_CHARACTERS,
    MAX_LINE,
    OPTIONS,
    SUPPRESSION_KEYS,
    ZEO_KEYS,
    InventoryError,
    host_port,
    inline_password,
    parse,
)

ONE = "[client:app1]\naddress = app1:8080\n"

EVERYTHING = """\
; an inventory with all there is
[cluster]
name = intranet
user = admin                       ; who may add and edit
password-file = zope-password      # relative to this file
site = /Plone/
zeo = zeo1:8100, [::1]:8100
storage = 1

[client:app1]
address = app1.example.com:8080    ; a comment
connect = 127.0.0.1:18081
zope-conf = app1/etc/zope.conf
wsgi-ini = /srv/app1/zope.ini
machine = app1
env-file = app1/env
env.ZEO_ADDRESS = zeo1:8100
env.Mixed_Case =
role = candidate
listens = 8080
tls = Yes
host-header = www.example.com
balancer-server = plone0101
via = ssh -oBatchMode=yes zope@app1 /srv/app1/bin/python

[client:app2]
address: [2001:db8::2]:8080

[hosts]
ZEO1 = 10.0.0.5 2001:db8::5

[zeo:main]
address = zeo1:8100
connect = 127.0.0.1:18100
conf = zeo/etc/zeo.conf
machine = zeo1

[balancer:front]
type = haproxy
config = haproxy.cfg
backend = zope
admin-socket = run/admin.sock
public-bind = *:80
timeout-server = 60s

[balancer:back]
type = haproxy
config = /etc/haproxy/haproxy.cfg
admin-socket = 127.0.0.1:9999

[suppress:app2-upgrade]
check = versions-agree
clients = app2 app1
reason = upgraded first, see CHG-1042
expires = 2026-12-31

[zcheck]
timeout = 3
"""


@pytest.fixture(scope="module")
def everything() -> Inventory:
    return parse(EVERYTHING, "etc/clients.ini")


def value_at(inventory: Inventory, path: str) -> object:
    """The value that a dotted path of names and numbers leads to."""
    value: object = inventory
    for step in path.split("."):
        value = value[int(step)] if step.isdigit() else getattr(value, step)  # type: ignore[index]
    return value


READ = {
    "name": "intranet",
    "credentials": Credentials("admin", "password-file", "etc/zope-password", 5),
    "site": "/Plone",
    "pinned_zeo": ("zeo1:8100", "[::1]:8100"),
    "pinned_storage": "1",
    "cluster.line": 2,
    "client_names": ("app1", "app2"),
    "clients.0.address": HostPort("app1.example.com", 8080),
    "clients.0.connect": HostPort("127.0.0.1", 18081),
    "clients.0.zope_conf": "etc/app1/etc/zope.conf",
    "clients.0.wsgi_ini": "/srv/app1/zope.ini",
    "clients.0.machine": "app1",
    "clients.0.env_file": "etc/app1/env",
    "clients.0.env": {"ZEO_ADDRESS": "zeo1:8100", "Mixed_Case": ""},
    "clients.0.role": "candidate",
    "clients.0.listens": 8080,
    "clients.0.tls": True,
    "clients.0.host_header": "www.example.com",
    "clients.0.balancer_server": "plone0101",
    "clients.0.via": "ssh -oBatchMode=yes zope@app1 /srv/app1/bin/python",
    "clients.0.section.line": 10,
    "clients.0.section.lines": {
        key: line
        for line, key in enumerate(
            [
                "address",
                "connect",
                "zope-conf",
                "wsgi-ini",
                "machine",
                "env-file",
                "env.ZEO_ADDRESS",
                "env.Mixed_Case",
                "role",
                "listens",
                "tls",
                "host-header",
                "balancer-server",
                "via",
            ],
            11,
        )
    },
    "clients.1.address": HostPort("2001:db8::2", 8080),
    "clients.1.machine": "2001:db8::2",
    "clients.1.role": "balanced",
    "clients.1.tls": False,
    "clients.1.connect": None,
    "clients.1.zope_conf": None,
    "hosts": {"zeo1": ("10.0.0.5", "2001:db8::5")},
    "zeo_servers.0.name": "main",
    "zeo_servers.0.address": "zeo1:8100",
    "zeo_servers.0.connect": "127.0.0.1:18100",
    "zeo_servers.0.conf": "etc/zeo/etc/zeo.conf",
    "zeo_servers.0.machine": "zeo1",
    "balancers.0.values": {
        "type": "haproxy",
        "config": "etc/haproxy.cfg",
        "backend": "zope",
        "admin-socket": "etc/run/admin.sock",
        "public-bind": "*:80",
        "timeout-server": "60s",
    },
    "balancers.1.values": {
        "type": "haproxy",
        "config": "/etc/haproxy/haproxy.cfg",
        "admin-socket": "127.0.0.1:9999",
    },
    "suppressions.0.check": "versions-agree",
    "suppressions.0.clients": ("app2", "app1"),
    "suppressions.0.reason": "upgraded first, see CHG-1042",
    "suppressions.0.expires": "2026-12-31",
    "options": {"timeout": "3"},
}


@pytest.mark.parametrize(("path", "expected"), READ.items(), ids=READ)
def test_what_is_read(everything: Inventory, path: str, expected: object) -> None:
    assert expected == value_at(everything, path)


def test_the_least_that_is_an_inventory() -> None:
    inventory = parse(ONE, "clients.ini")
    (client,) = inventory.clients
    assert ("cluster", None, (), {}) == (inventory.name, inventory.credentials, inventory.pinned_zeo, inventory.hosts)
    assert Client("app1", HostPort("app1", 8080), client.section, machine="app1") == client


ACCEPTED = {
    "crlf": ONE.replace("\n", "\r\n"),
    "byte order mark": "\N{BYTE ORDER MARK}" + ONE,
    "indented comment": "  ; a comment\n" + ONE,
    "comment that is not UTF-8": b"; f\xfcr\n".decode("utf-8", "surrogateescape") + ONE,
    "comment behind a header": ONE.replace("]", "]  # the first"),
    "bytes that are not UTF-8 behind a comment": ONE.strip() + b" ; f\xfcr\n".decode("utf-8", "surrogateescape"),
    "user without a password": ONE + "[cluster]\nuser = admin\n",
    "suppression of a client that is gone": ONE + "[suppress:x]\ncheck = a\nreason = b\nclients = app9\n",
    "localhost in hosts, as in /etc/hosts": ONE + "[hosts]\nlocalhost = 127.0.0.1 ::1\n",
    "a unix socket as ZEO server": ONE + "[zeo:a]\naddress = /run/zeo.sock\n",
    "every option": ONE + "[zcheck]\n" + "".join(f"{option} = 1\n" for option in sorted(OPTIONS)),
}


@pytest.mark.parametrize("text", ACCEPTED.values(), ids=ACCEPTED)
def test_what_is_accepted(text: str) -> None:
    assert ("app1",) == parse(text, "clients.ini").client_names


def cluster(line: str) -> str:
    return f"{ONE}[cluster]\n{line}\n"


def client(line: str) -> str:
    return f"[client:app1]\naddress = app1:8080\n{line}\n"


HOST_PORT = "write HOST:PORT, such as app1.example.com:8080 or [::1]:8080"
NO_CLIENT = ": no client; write a section [client:NAME] with address = HOST:PORT"
SECTIONS = "write one of [cluster], [client:NAME], [hosts], [zeo:NAME], [database:NAME], [balancer:NAME], "
SECTIONS += "[suppress:NAME], [zcheck]"
SERVER = "write HOST:PORT, or the path of a unix socket, as in zope.conf"
ZOPE_CONF = (
    "this is a zope.conf, not a clients.ini; write 'zcheck init clients.ini > clients.ini', which makes one from it"
)

REFUSED = {
    # The text as such.
    "nothing at all": ("", NO_CLIENT),
    "comments alone": ("; clients\n", NO_CLIENT),
    "indented": (
        client("  role = worker"),
        ":3: the line is indented; remove the white space in front; a value is one line",
    ),
    "continued": (
        "[cluster]\nzeo =\n    zeo1:8100\n",
        ":3: the line is indented; remove the white space in front; a value is one line",
    ),
    "indented by a no-break space": (
        client("\N{NO-BREAK SPACE}role = worker"),
        ":3: the line is indented; remove the white space in front; a value is one line",
    ),
    "no assignment": (client("worker"), ":3: neither a section nor KEY = VALUE; write KEY = VALUE"),
    "before the first section": (
        "name = x\n",
        ":1: a key before the first section; write a section's header such as [cluster] above it",
    ),
    "NUL": (client("machine = a\0b"), ":3: character U+0000 in the text; remove it"),
    "terminal escape": (client("machine = a\x1b[31m"), ":3: character U+001B in the text; remove it"),
    "text turned around": (client("machine = \u202eb"), ":3: character U+202E in the text; remove it"),
    "not UTF-8": (
        client(b"machine = f\xfcr".decode("utf-8", "surrogateescape")),
        ":3: not UTF-8; save the file as UTF-8",
    ),
    "a zope.conf": (
        "# of app1\n%define INSTANCE /srv/app1\ninstancehome $INSTANCE\n<zodb_db main>\n  mount-point /\n</zodb_db>\n",
        f":2: {ZOPE_CONF}",
    ),
    "a zope.conf whose first line is indented": (
        "  <zodb_db main>\n  </zodb_db>\n",
        f":1: {ZOPE_CONF}",
    ),
    "a word of zope.conf in a clients.ini": (
        client("instancehome = /srv/app1"),
        f":3: unknown key 'instancehome' in [client:app1]; write one of {', '.join(sorted(CLIENT_KEYS)[:12])} ...",
    ),
    # Sections.
    "unknown section": ("[clients:app1]\n", ":1: unknown section [clients:app1]; write [client:NAME]"),
    "section with a blank": ("[client app1]\n", ":1: unknown section [client app1]; write [client:NAME]"),
    "section of no kind": ("[app1]\n", f":1: unknown section [app1]; {SECTIONS}"),
    "client without a name": ("[client]\n", ":1: [client] has no name; write [client:NAME]"),
    "client without a name but a colon": ("[client:]\n", ":1: [client:] has no name; write [client:NAME]"),
    "cluster with a name": ("[cluster:intranet]\n", ":1: [cluster] takes no name; write [cluster]"),
    "no name at all": ("[]\n", ":1: a section without a name; write [client:NAME]"),
    "name that is a path": (
        "[client:../etc]\n",
        ":1: the name in [client:../etc] cannot be used; write up to 64 letters (a-z), digits, '.', '_' and '-',"
        " a letter or digit first",
    ),
    "header with something behind": (
        "[client:app1] address = x\n",
        ":1: not a section's header; write [SECTION] or [SECTION:NAME] alone",
    ),
    "header with a comment within": (
        "[client:app;1]\n",
        ":1: not a section's header; write [SECTION] or [SECTION:NAME] alone",
    ),
    "header that is not closed": (
        "[client:app1\n",
        ":1: not a section's header; write [SECTION] or [SECTION:NAME] alone",
    ),
    "section twice": (
        ONE + ONE,
        ":3: [client:app1] is given twice; put its keys into one section, or give each its own name",
    ),
    # Keys.
    "key twice": (
        client("role = worker\nrole = worker"),
        ":4: 'role' is given twice in [client:app1]; keep one of the two lines",
    ),
    "unknown key": (client("zopeconf = x"), ":3: unknown key 'zopeconf' in [client:app1]; write 'zope-conf'"),
    "key in capitals": (client("Role = worker"), ":3: unknown key 'Role' in [client:app1]; write 'role'"),
    "key with an underscore": (
        client("zope_conf = x"),
        ":3: unknown key 'zope_conf' in [client:app1]; write 'zope-conf'",
    ),
    "unknown key of the cluster": (cluster("nmae = x"), ":4: unknown key 'nmae' in [cluster]; write 'name'"),
    "unknown option": (ONE + "[zcheck]\ntimeot = 3\n", ":4: unknown key 'timeot' in [zcheck]; write 'timeout'"),
    "unknown key of a ZEO server": (
        ONE + "[zeo:a]\nadress = a:1\n",
        ":4: unknown key 'adress' in [zeo:a]; write 'address'",
    ),
    "replica of nothing": (
        ONE + "[zeo:a]\naddress = a:1\nreplica-of = b\n",
        ":5: replica-of 'b' names no other [zeo:NAME]; add the section [zeo:b]",
    ),
    "replica of itself": (
        ONE + "[zeo:a]\naddress = a:1\nreplica-of = a\n[zeo:b]\naddress = b:1\n",
        ":5: replica-of 'a' names no other [zeo:NAME]; write the NAME of [zeo:b]",
    ),
    "replica of a replica": (
        ONE + "[zeo:a]\naddress = a:1\nreplica-of = b\n[zeo:b]\naddress = b:1\nreplica-of = c\n"
        "[zeo:c]\naddress = c:1\n",
        ":5: replica-of 'b' is a replica itself; write c",
    ),
    "alias without a port": (
        ONE + "[zeo:a]\naddress = a:1\naliases = 127.0.0.1:9100@app2 b\n",
        f":5: aliases 'b' is no address of a ZEO server; {SERVER}",
    ),
    "alias of no machine": (
        ONE + "[zeo:a]\naddress = a:1\naliases = 127.0.0.1:9100@\n",
        ":5: aliases '***@' names no machine behind the '@'; "
        "write HOST:PORT@MACHINE, the machine by the name that 'machine' of a client has",
    ),
    "database without a pin": (
        ONE + "[database:archive]\nconnect = 127.0.0.1:1\n",
        ":3: [database:archive] pins nothing; "
        "write zeo = HOST:PORT and storage = NAME, or sql = postgresql://HOST:PORT/NAME",
    ),
    "database on ZEO and in SQL": (
        ONE + "[database:archive]\nstorage = 1\nsql = postgresql://pg1/plone\n",
        ":5: [database:archive] is on ZEO and in SQL; keep zeo and storage, or sql",
    ),
    "main in two places": (
        ONE + "[cluster]\nzeo = a:1\n[database:main]\nzeo = a:1\n",
        ":6: zeo is in [cluster] too; keep one of the two: [cluster] means database main as well",
    ),
    "sql of no server": (
        ONE + "[database:archive]\nsql = postgresql:///plone\n",
        ":4: sql names no server and database; write sql = postgresql://HOST:PORT/NAME",
    ),
    "sql with a password": (
        ONE + "[database:archive]\nsql = postgresql://zope:hunter2@pg1/plone\n",
        ":4: sql has a password in it; leave it out; password-file or password-env gives it",
    ),
    "sql of another kind": (
        ONE + "[database:archive]\nsql = mongodb://pg1/plone\n",
        ":4: sql is no URL of a relational database; write sql = postgresql://HOST:PORT/NAME",
    ),
    "unknown key of a balancer": (
        ONE + "[balancer:a]\ntype = haproxy\ntimeout-srever = 1\n",
        ":5: unknown key 'timeout-srever' in [balancer:a]; write 'timeout-server'",
    ),
    "key unlike any other": (
        ONE + "[suppress:a]\nqqq = 1\n",
        ":4: unknown key 'qqq' in [suppress:a]; write one of check, clients, expires, reason",
    ),
    "no value": (client("role ="), ":3: role has no value; write one, or remove the line"),
    "nothing but a comment as value": (
        client("role = ; worker"),
        ":3: role has no value; write one, or remove the line",
    ),
    # Addresses.
    "no address": (
        "[client:app1]\n",
        ":1: [client:app1] has no address; write address = HOST:PORT, such as app1.example.com:8080",
    ),
    "address with a scheme": (
        "[client:a]\naddress = http://app1:8080\n",
        f":2: address 'http://app1:8080' has a scheme in front; {HOST_PORT}",
    ),
    "address without a port": ("[client:a]\naddress = app1\n", f":2: address 'app1' has no port; {HOST_PORT}"),
    "address with an empty port": (
        "[client:a]\naddress = app1:\n",
        f":2: address 'app1:' has no port between 1 and 65535; {HOST_PORT}",
    ),
    "address with port 0": (
        "[client:a]\naddress = app1:0\n",
        f":2: address 'app1:0' has no port between 1 and 65535; {HOST_PORT}",
    ),
    "address with a port too high": (
        "[client:a]\naddress = app1:65536\n",
        f":2: address 'app1:65536' has no port between 1 and 65535; {HOST_PORT}",
    ),
    "address with a named port": (
        "[client:a]\naddress = app1:http\n",
        f":2: address 'app1:http' has no port between 1 and 65535; {HOST_PORT}",
    ),
    "address without a host": (
        "[client:a]\naddress = :8080\n",
        f":2: address ':8080' has no host that a machine could have; {HOST_PORT}",
    ),
    "address of every interface": (
        "[client:a]\naddress = *:8080\n",
        f":2: address '*:8080' has no host that a machine could have; {HOST_PORT}",
    ),
    "address with a path": (
        "[client:a]\naddress = app1:8080/Plone\n",
        f":2: address 'app1:8080/Plone' has a path behind; {HOST_PORT}",
    ),
    "IPv6 address without brackets": (
        "[client:a]\naddress = 2001:db8::1:8080\n",
        f":2: address '2001:db8::1:8080' has an IPv6 address without brackets; {HOST_PORT}",
    ),
    "IPv6 address without a port": (
        "[client:a]\naddress = [2001:db8::1]\n",
        f":2: address '[2001:db8::1]' has no port; {HOST_PORT}",
    ),
    "brackets around a name": (
        "[client:a]\naddress = [app1]:8080\n",
        f":2: address '[app1]:8080' has brackets around what is no IPv6 address; {HOST_PORT}",
    ),
    "connect without a port": (client("connect = 127.0.0.1"), f":3: connect '127.0.0.1' has no port; {HOST_PORT}"),
    "pinned server without a port": (
        cluster("zeo = zeo1"),
        f":4: zeo 'zeo1' is no address of a ZEO server; {SERVER}",
    ),
    "one of two pinned servers": (
        cluster("zeo = zeo1:8100 zeo2"),
        f":4: zeo 'zeo2' is no address of a ZEO server; {SERVER}",
    ),
    "pinned server with a scheme": (
        cluster("zeo = zeo://zeo1:8100"),
        f":4: zeo 'zeo://zeo1:8100' is no address of a ZEO server; {SERVER}",
    ),
    "ZEO server's address": (
        ONE + "[zeo:a]\naddress = zeo1\n",
        f":4: address 'zeo1' is no address of a ZEO server; {SERVER}",
    ),
    "ZEO server without an address": (
        ONE + "[zeo:a]\nconf = x\n",
        ":3: [zeo:a] has no address; write address = HOST:PORT, as zope.conf names the server",
    ),
    "host without an address": (
        ONE + "[hosts]\nzeo1 = zeo2\n",
        ":4: 'zeo2' is no IP address; write zeo1 = 192.0.2.1, say",
    ),
    "host with one bad address": (
        ONE + "[hosts]\nzeo1 = 10.0.0.5 10.0.0.500\n",
        ":4: '10.0.0.5 10.0.0.500' is no IP address; write zeo1 = 192.0.2.1, say",
    ),
    "host with nothing": (ONE + "[hosts]\nzeo1 =\n", ":4: '' is no IP address; write zeo1 = 192.0.2.1, say"),
    "address as a host": (
        ONE + "[hosts]\n10.0.0.5 = 10.0.0.6\n",
        ":4: '10.0.0.5' is no host name; write NAME = ADDRESS",
    ),
    "host twice": (
        ONE + "[hosts]\nzeo1 = 10.0.0.5\nZEO1 = 10.0.0.6\n",
        ":5: 'ZEO1' is given twice in [hosts]; write all its addresses on one line",
    ),
    "localhost elsewhere": (
        ONE + "[hosts]\nlocalhost = 10.0.0.5\n",
        ":4: localhost is each client's own machine; give the machine another name",
    ),
    # Other values.
    "bad bool": (client("tls = maybe"), ":3: tls 'maybe' is neither yes nor no; write tls = yes or tls = no"),
    "bad role": (client("role = balance"), ":3: role 'balance' is not known; write 'balanced'"),
    "bad role, unlike any": (
        client("role = x"),
        ":3: role 'x' is not known; write one of balanced, candidate, read-only, worker",
    ),
    "bad port": (
        client("listens = 80800"),
        ":3: listens '80800' has no port between 1 and 65535; write a port, 1 to 65535",
    ),
    "digits of another script": (
        client("listens = \N{ARABIC-INDIC DIGIT EIGHT}0"),
        ":3: listens '\N{ARABIC-INDIC DIGIT EIGHT}0' has no port between 1 and 65535; write a port, 1 to 65535",
    ),
    "machine with a blank": (
        client("machine = app 1"),
        ":3: machine 'app 1' is no machine; write a host's name or address, without a port",
    ),
    "machine with a port": (
        client("machine = app1:8080"),
        ":3: machine 'app1:8080' is no machine; write a host's name or address, without a port",
    ),
    "name in the balancer with a blank": (
        client("balancer-server = plone 1"),
        ":3: balancer-server 'plone 1' has white space in it; write one word",
    ),
    "variable without a name": (
        client("env. = x"),
        ":3: 'env.' names no variable; write env.NAME = VALUE, the name of letters, digits and '_'",
    ),
    "command with an open quote": (
        client("via = ssh app1 'a ; b'"),
        ":3: via is no command that a shell could split; close each quote; ' ;' and ' #' begin a comment,"
        " also within quotes",
    ),
    "site without a slash": (
        cluster("site = Plone"),
        ":4: site 'Plone' is no path of a site; write its path, such as /Plone",
    ),
    "site that is the root": (cluster("site = /"), ":4: site '/' is no path of a site; write its path, such as /Plone"),
    "balancer without a type": (
        ONE + "[balancer:a]\nconfig = x\n",
        ":3: [balancer:a] has no type; write type = haproxy",
    ),
    "balancer of another type": (
        ONE + "[balancer:a]\ntype = pound\n",
        ":4: type 'pound' is not known; write one of haproxy",
    ),
    # Credentials.
    "two sources of a password": (
        cluster("user = a\npassword-file = b\npassword-env = C"),
        ":6: password-file and password-env are given; keep one of them",
    ),
    "password file and password": (
        cluster("user = a\npassword = hunter2\npassword-file = b"),
        ":5: password-file and password are given; keep one of them",
    ),
    "password without a user": (
        cluster("password-file = b"),
        ":4: password-file is given, but no user; write user = NAME as well",
    ),
    "user with a colon": (
        cluster("user = admin:hunter2\npassword-env = B"),
        ":4: user has a ':' in it, which no login can send; write the name alone",
    ),
    "variable with a dollar": (
        cluster("user = a\npassword-env = $B"),
        ":5: password-env names no variable; write the variable's name, without '$'",
    ),
    # Suppressions.
    "suppression without a check": (
        ONE + "[suppress:a]\nreason = x\n",
        ":3: [suppress:a] has no check; write check = NAME, the check whose finding you live with",
    ),
    "suppression without a reason": (
        ONE + "[suppress:a]\ncheck = mount-points-agree\n",
        ":3: [suppress:a] has no reason; write reason = why you live with it, for whoever reads this next",
    ),
    "suppression of no check": (
        ONE + "[suppress:a]\ncheck = mount-point-agree\nreason = x\n",
        ":4: check 'mount-point-agree' is no check; write 'mount-points-agree'",
    ),
    "suppression until no day": (
        ONE + "[suppress:a]\ncheck = mount-points-agree\nreason = x\nexpires = 2026-02-30\n",
        ":6: expires '2026-02-30' is no date; write expires = YYYY-MM-DD",
    ),
    "suppression until a day in another form": (
        ONE + "[suppress:a]\ncheck = mount-points-agree\nreason = x\nexpires = 20261231\n",
        ":6: expires '20261231' is no date; write expires = YYYY-MM-DD",
    ),
}


ELSEWHERE = """\
[client:app1]
address = app1:8080
machine = app1

[zeo:main]
address = zeo1:8100
aliases = 127.0.0.1:9100@app2 192.0.2.7:8100, /run/zeo.sock@zeo1
env-file = zeo/env
env.ZEO_PORT = 8100
via = ssh zeo1 python3

[zeo:second]
address = zeo2:8100
replica-of = main

[database:main]
sql = postgresql://zope@pg1/plone
password-file = pg
connect = 127.0.0.1:15432
aliases = 127.0.0.1:6432@app1

[database:standby]
sql = postgresql://pg2:5433/plone
replica-of = main

[database:archive]
zeo = zeo1:8100 zeo3:8100
storage = archive

[database:notes]
sql = sqlite:///srv/notes
"""


def test_what_is_said_of_servers_and_databases() -> None:
    inventory = parse(ELSEWHERE, "etc/clients.ini")
    first, second = inventory.zeo_servers
    aliases = (Alias("127.0.0.1:9100", "app2"), Alias("192.0.2.7:8100"), Alias("/run/zeo.sock", "zeo1"))
    assert (aliases, "etc/zeo/env", {"ZEO_PORT": "8100"}) == (first.aliases, first.env_file, first.env)
    assert ("ssh zeo1 python3", None, "main") == (first.via, first.replica_of, second.replica_of)
    main, standby, archive, notes = inventory.databases
    assert SqlPin("postgresql", "pg1", 5432, "plone", "zope") == main.sql
    assert ("password-file", "etc/pg", "127.0.0.1:15432") == (
        main.password_source,
        main.password_reference,
        main.connect,
    )
    assert ("main", SqlPin("postgresql", "pg2", 5433, "plone")) == (standby.replica_of, standby.sql)
    assert (("zeo1:8100", "zeo3:8100"), "archive") == (archive.zeo, archive.storage)
    assert "sqlite:///srv/notes" == str(notes.sql)
    assert archive is inventory.database("archive")
    assert {"app1"} == inventory.stated_machines


def test_the_main_database_may_be_pinned_in_a_section_of_its_own() -> None:
    inventory = parse(f"{ONE}[database:main]\nzeo = zeo1:8100\nstorage = main\n", "clients.ini")
    assert (("zeo1:8100",), "main") == (inventory.pinned_zeo, inventory.pinned_storage)


@pytest.mark.parametrize(("text", "message"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused(text: str, message: str) -> None:
    with pytest.raises(InventoryError) as refused:
        parse(text, "clients.ini", ["mount-points-agree", "zeo-servers-agree"])
    assert f"clients.ini{message}" == str(refused.value)


def test_any_check_may_be_suppressed_where_none_are_told() -> None:
    text = ONE + "[suppress:a]\ncheck = no-such-check\nreason = x\n"
    assert "no-such-check" == parse(text, "clients.ini").suppressions[0].check


@pytest.mark.parametrize(
    ("section", "keys"),
    [
        ("client:app1", CLIENT_KEYS - {"address"}),
        ("cluster", CLUSTER_KEYS),
        ("zeo:a", ZEO_KEYS),
        ("database:a", DATABASE_KEYS),
        ("balancer:a", BALANCER_KEYS),
        ("suppress:a", SUPPRESSION_KEYS),
    ],
    ids=["client", "cluster", "zeo", "database", "balancer", "suppress"],
)
def test_each_known_key_is_accepted_as_a_key(section: str, keys: frozenset[str]) -> None:
    """Its value may be refused, the key never."""
    for key in keys:
        text = f"[{section}]\n{'address = a:1' if section.startswith('client') else ''}\n{key} = 1\n"
        try:
            parse(text if section.startswith("client") else ONE + text, "clients.ini")
        except InventoryError as error:
            assert "unknown key" not in str(error)


# --- secrets ---------------------------------------------------------------------------------------

SECRET = "hunter2"
LEAKS = {
    "userinfo in an address": f"[client:a]\naddress = admin:{SECRET}@app1:8080\n",
    "userinfo in an URL as address": f"[client:a]\naddress = http://admin:{SECRET}@app1:8080/\n",
    "long userinfo": f"[client:a]\naddress = http://admin:{'x' * 70}{SECRET}@app1:8080/\n",
    "userinfo in connect": client(f"connect = admin:{SECRET}@app1:8080"),
    "userinfo of a server": cluster(f"zeo = zeo://admin:{SECRET}@zeo1:8100"),
    "userinfo of a site": cluster(f"site = http://admin:{SECRET}@example.com/Plone"),
    "command": client(f"via = sshpass -p {SECRET} ssh 'app1"),
    "password twice": cluster(f"user = a\npassword = {SECRET}\npassword = {SECRET}"),
    "password and a file": cluster(f"user = a\npassword = {SECRET}\npassword-file = {SECRET}"),
    "misspelt password": cluster(f"passwrod = {SECRET}"),
    "password in the user": cluster(f"user = admin:{SECRET}\npassword-env = A"),
    "password on a line of its own": cluster(f"user = a\n{SECRET}"),
    "indented password": cluster(f"user = a\npassword =\n  {SECRET}"),
    "password in the header": f"[cluster] password = {SECRET}\n",
    "password in place of a variable": cluster(f"user = a\npassword-env = ${SECRET}"),
    "password that is not UTF-8": cluster(
        b"user = a\npassword = hunter2\xfc".decode("utf-8", "surrogateescape"),
    ),
    "password with a control character": cluster(f"user = a\npassword = {SECRET}\x07"),
}


@pytest.mark.parametrize("text", LEAKS.values(), ids=LEAKS)
def test_no_refusal_shows_a_secret(text: str) -> None:
    with pytest.raises(InventoryError) as refused:
        parse(text, "clients.ini")
    assert SECRET not in f"{refused.value} {refused.value!r} {refused.value.args}"
    # What a traceback would show of the causes.
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__ or refused.value.__context__ is None


PASSWORDS = {
    "plain": "hunter2",
    "with what begins a comment elsewhere": "a ;b #c",
    "that begins with a semicolon": ";a",
    "with an equals sign": "a=b=c",
    "with a colon": "a:b",
    "with brackets": "[a]",
    "with a quote": 'a"b',
}


@pytest.mark.parametrize("password", PASSWORDS.values(), ids=PASSWORDS)
def test_the_inline_password(password: str) -> None:
    text = cluster(f"user = admin\npassword = {password}")
    inventory = parse(text, "etc/clients.ini")
    assert password == inline_password(text)
    assert Credentials("admin", "password", "etc/clients.ini", 5) == inventory.credentials
    assert password not in repr(inventory)


def test_no_inline_password() -> None:
    assert None is inline_password(ONE)
    assert None is inline_password(EVERYTHING)


# --- bounds ----------------------------------------------------------------------------------------

LARGE = {
    "ten megabytes": "x" * 10_000_000,
    "one long key": "[client:a]\n" + "a" * (MAX_CHARACTERS - 100),
    "one long value": client("via = " + "@" * (MAX_CHARACTERS - 100)),
    "a long line": client("machine = " + "a@" * (MAX_LINE // 2 - 10)),
    "a line of brackets": "[" * (MAX_LINE - 1),
    "a line of comments": client("machine = " + " ;" * (MAX_LINE // 2 - 10) + "\nx"),
    "thousands of sections, the last of them wrong": "".join(
        f"[client:a{n}]\naddress = a{n}:80\n" for n in range(10_000)
    )
    + "[client:a1]",
    "thousands of keys, the last of them wrong": client("".join(f"env.A{n} = 1\n" for n in range(50_000)) + "qqq = 1"),
}


@pytest.mark.parametrize("text", LARGE.values(), ids=LARGE)
def test_a_large_file_is_refused_in_bounded_time(text: str) -> None:
    started = time.monotonic()
    with pytest.raises(InventoryError) as refused:
        parse(text, "clients.ini")
    assert len(str(refused.value)) < 500
    assert time.monotonic() - started < patient(10)


@settings(deadline=None)
@given(st.text(alphabet=string.printable + "\0\x1b\x85\u2028\ud800", max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    for whole in (text, ONE + text, f"[client:a]\naddress = {text}\n", f"[cluster]\n{text}\n{ONE}"):
        try:
            parse(whole, "clients.ini")
        except InventoryError as error:
            assert str(error).startswith("clients.ini:")
            assert "\x1b" not in str(error)


HOSTS = st.one_of(
    st.from_regex(r"[a-z0-9]([a-z0-9.-]{0,20}[a-z0-9])?", fullmatch=True),
    st.ip_addresses().map(str),
)


@settings(deadline=None)
@given(HOSTS, st.integers(1, 65535))
def test_an_address_that_is_written_is_read_back(host: str, port: int) -> None:
    assert HostPort(host, port) == host_port(str(HostPort(host, port)))
