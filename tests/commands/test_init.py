"""A draft states what the files say, says what they do not, and passes its own parser."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zcheck.commands.init import InitError, draft
from zcheck.commands.init.balancers import haproxy_servers, pound_servers
from zcheck.facts import HostPort, Inventory
from zcheck.parsers import clients_ini, haproxy_cfg

SAMPLES = Path(__file__).resolve().parents[2] / "sample-confs"

# As plone.recipe.zope2instance and plone.recipe.zeoserver write them.
RECIPE_CONF = """\
%define INSTANCEHOME {home}/parts/{name}
instancehome $INSTANCEHOME
%define CLIENTHOME {home}/var/{name}
clienthome $CLIENTHOME
debug-mode off
<environment>
    CHAMELEON_CACHE {home}/var/cache
</environment>
<zodb_db main>
    # Main database
    cache-size 30000
    # Blob-enabled ZEOStorage database
    <zeoclient>
      read-only false
      read-only-fallback false
      blob-dir {home}/var/blobstorage
      shared-blob-dir on
      server localhost:8100
      storage 1
      name zeostorage
      var {home}/parts/{name}/var
      cache-size 128MB
    </zeoclient>
    mount-point /
</zodb_db>
"""
RECIPE_INI = """\
[server:main]
paste.server_factory = plone.recipe.zope2instance:main
use = egg:plone.recipe.zope2instance#main
fast-listen = 0.0.0.0:{port}
threads = 4

[app:zope]
use = egg:Zope#main
zope_conf = {home}/parts/{name}/etc/zope.conf
debug-exceptions = off

[pipeline:main]
pipeline =
    egg:Zope#httpexceptions
    zope

[formatter_generic]
format = %(asctime)s %(levelname)s %(message)s
"""
RECIPE_ZEO = """\
%define INSTANCE {home}/parts/zeo
<zeo>
  address 8100
  read-only false
  invalidation-queue-size 100
  pid-filename {home}/var/zeo.pid
</zeo>
<filestorage 1>
  path {home}/var/filestorage/Data.fs
  blob-dir {home}/var/blobstorage
</filestorage>
"""

HAPROXY = """\
global
    maxconn 2048
defaults
    mode http
frontend www
    bind *:80
    default_backend plone
backend plone
    balance leastconn
    cookie serverid insert   # sticky
    server plone0101 127.0.0.1:8081 cookie p0101 check maxconn 4
    server plone0102 127.0.0.1:8082 cookie p0102 check maxconn 4
    server plone0103 127.0.0.1:8083 cookie p0103 check maxconn 4
backend panic
    server plone0101 127.0.0.1:8081
listen stats
    bind 127.0.0.1:8222"""

POUND = """\
User "www-data"
ListenHTTP
    Address 192.0.2.1
    Port 80
    Service
        HeadRequire "Host: .*example.com.*"
        BackEnd
            Address 192.0.2.11
            Port    8080
            Priority 5
        End
        BackEnd
            Address 2001:db8::12
            Port    8080
        End
        # BackEnd
        Emergency
            Address 192.0.2.99
            Port 8080
        End
        Session
            Type Cookie
        End
    End
End
"""

COMPOSE = """\
version: "3.8"
x-backend: &backend
  image: plone/plone-backend:6.0
  environment: &environment
    ZEO_ADDRESS: zeo:8100
    DEBUG:
    PROFILES: "${PROFILES:-none}"
    ADMIN_PASSWORD: hunter2
    RELSTORAGE_URL: postgresql://zodb:hunter2@db/zodb
  depends_on:
  - zeo
services:
  backend1:
    <<: *backend
    env_file: backend.env
    ports: ["8081:8080"]
  backend2:
    <<: *backend
    ports:
    - target: 8080
      published: 8082
      host_ip: 127.0.0.2
  backend3:
    <<: *backend
    deploy: {replicas: 2}
  zeo:
    image: plone/plone-zeo:latest
  webserver:
    image: nginx
"""


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A draft belongs into the current folder, and its paths are relative to it."""
    folder = tmp_path / "intranet"
    folder.mkdir()
    monkeypatch.chdir(folder)


def write(path: str, text: str) -> str:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(text)
    return path


def buildout(names: tuple[str, ...] = ("instance1", "instance2", "instance3")) -> None:
    """The ``parts`` of a buildout in the current folder, its instances on the ports 8081 and up."""
    home = Path.cwd()
    write("buildout.cfg", "[buildout]\nparts = zeo " + " ".join(names))
    for number, name in enumerate(names, 1):
        write(f"parts/{name}/etc/zope.conf", RECIPE_CONF.format(home=home, name=name))
        write(f"parts/{name}/etc/wsgi.ini", RECIPE_INI.format(home=home, name=name, port=8080 + number))
    write("parts/zeo/etc/zeo.conf", RECIPE_ZEO.format(home=home))


def drafted(*paths: str) -> tuple[str, Inventory]:
    """The draft, and what its parser makes of it."""
    text = draft(paths)
    return text, clients_ini.parse(text, "clients.ini")


def comments(text: str) -> list[str]:
    return [line.removeprefix("; ") for line in text.splitlines() if line.startswith(";")]


# --- a buildout ------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", [["buildout.cfg"], ["parts"], ["."], []], ids=["cfg", "parts", "folder", "nothing"])
def test_a_buildout(given: list[str]) -> None:
    buildout()
    _, found = drafted(*given)
    assert ("instance1", "instance2", "instance3") == found.client_names
    assert [HostPort("localhost", port) for port in (8081, 8082, 8083)] == [client.address for client in found.clients]
    assert "parts/instance1/etc/zope.conf" == found.clients[0].zope_conf
    assert (("localhost:8100",), "1", "intranet") == (found.pinned_zeo, found.pinned_storage, found.name)
    (server,) = found.zeo_servers
    assert ("zeo", "localhost:8100", "parts/zeo/etc/zeo.conf") == (server.name, server.address, server.conf)
    assert None is found.credentials


def test_a_buildout_that_was_not_run() -> None:
    write("buildout.cfg", "[buildout]\nparts = zeo\n")
    with pytest.raises(InitError, match=r"^buildout.cfg: there is no folder parts; run bin/buildout first"):
        draft(["buildout.cfg"])


def test_the_folders_of_eggs_and_samples_are_not_searched() -> None:
    buildout()
    for folder in ("eggs/Zope-5", "src/my.package", "lib/python3", ".git", "node_modules/a"):
        write(f"{folder}/etc/zope.conf", RECIPE_CONF.format(home="/srv", name="x"))
    assert 3 == len(drafted(".")[1].clients)


def test_where_a_balancer_is_given_its_addresses_and_names_count() -> None:
    buildout()
    write("haproxy.cfg", HAPROXY)
    text, found = drafted("parts", "haproxy.cfg")
    assert ("instance1", "instance2", "instance3") == found.client_names
    assert [HostPort("127.0.0.1", port) for port in (8081, 8082, 8083)] == [client.address for client in found.clients]
    assert ["plone0101", "plone0102", "plone0103"] == [client.balancer_server for client in found.clients]
    assert ("haproxy.cfg", None) == tuple(found.balancers[0].values.get(key) for key in ("config", "backend"))
    asked = "backend = NAME   servers are in plone (3), panic (1): which has the Zope clients? Else all are judged"
    assert asked in comments(text)


def test_a_server_that_no_zope_conf_is_given_for() -> None:
    buildout(("instance1", "instance2"))
    write("haproxy.cfg", HAPROXY)
    text, found = drafted("parts", "haproxy.cfg")
    assert ("instance1", "instance2", "plone0103") == found.client_names
    assert None is found.client("plone0103").zope_conf
    assert "no zope.conf was given for it" in comments(text)


# --- zope.conf files -------------------------------------------------------------------------------


def test_files_of_other_machines() -> None:
    """Their machines are not in the files: a name that nothing resolves stands there, and a comment says so."""
    shutil.copytree(SAMPLES / "healthy", "confs")
    text, found = drafted("confs/app1", "confs/app2", "confs/app3", "confs/zeo1")
    assert ["app1.invalid", "app2.invalid", "app3.invalid"] == [client.address.host for client in found.clients]
    assert {8080} == {client.address.port for client in found.clients}
    assert 3 == comments(text).count("address: the files tell the port, not the machine")
    spelt = "zeo1.example.com:8100 (app1), 192.0.2.5:8100 (app2), zeo1:8100 (app3)"
    assert f"zeo = HOST:PORT   the root databases are spelled differently: {spelt}" in comments(text)
    assert ((), "1") == (found.pinned_zeo, found.pinned_storage)
    assert "zeo1.example.com:8100" == found.zeo_servers[0].address


def test_one_spelling_is_the_pin() -> None:
    write("a/zope.conf", RECIPE_CONF.format(home="/nowhere", name="a").replace("localhost:8100", "zeo1:8100"))
    write("b/zope.conf", RECIPE_CONF.format(home="/nowhere", name="b").replace("localhost:8100", "zeo1:8100"))
    assert ("zeo1:8100",) == drafted("a", "b")[1].pinned_zeo


def test_localhost_of_other_machines_is_no_pin() -> None:
    write("a/zope.conf", RECIPE_CONF.format(home="/nowhere", name="a"))
    text, found = drafted("a")
    assert () == found.pinned_zeo
    assert "zeo = HOST:PORT   the clients have localhost:8100, as their own machine sees it" in comments(text)
    assert "address: no file here tells where it listens" in comments(text)


CONF = "<zodb_db main>\n<zeoclient>\nserver zeo1:8100\n%s\n</zeoclient>\nmount-point /\n</zodb_db>\n"
CONFS = {
    "read-only": (
        CONF % "read-only on",
        "role = read-only",
        "role: read-only is on in line 4 of its zope.conf",
    ),
    "debug mode": (
        "debug-mode on\n" + CONF % "",
        "zope-conf = a/zope.conf",
        "debug-mode is on in line 1 of its zope.conf: role = worker, if no user is sent to it?",
    ),
    "a variable": (
        CONF % "storage $(ZEO_STORAGE)",
        "zope-conf = a/zope.conf",
        "env.ZEO_STORAGE = ...   line 4 of a/zope.conf needs it; or give an env-file",
    ),
    "a file storage": (
        "<zodb_db main>\n<filestorage>\npath Data.fs\n</filestorage>\nmount-point /\n</zodb_db>\n",
        "zope-conf = a/zope.conf",
        "its root database is in <filestorage>, and not on a ZEO server: is it a client of this cluster?",
    ),
    "Zope 2": (
        "port-base 1000\n<http-server>\naddress 192.0.2.11:8080\n</http-server>\n" + CONF % "",
        "address = 192.0.2.11:9080",
        "from a/zope.conf",
    ),
}


@pytest.mark.parametrize(("conf", "line", "comment"), CONFS.values(), ids=CONFS)
def test_what_a_zope_conf_tells(conf: str, line: str, comment: str) -> None:
    write("a/zope.conf", conf)
    text, _ = drafted("a/zope.conf")
    assert line in text.splitlines()
    assert comment in comments(text)


INI = "[server:main]\nuse = egg:waitress#main\n%s\n[app:zope]\nuse = egg:Zope#main\nzope_conf = %%(here)s/zope.conf\n"
LISTENING = {
    "an address": ("listen = 192.0.2.11:8080", "192.0.2.11:8080", None),
    "a name": ("host = app1.example.com\nport = 8080", "app1.example.com:8080", None),
    "every interface": ("listen = *:8080", "a.invalid:8080", "address: the files tell the port, not the machine"),
    "loopback": (
        "host = 127.0.0.1\nport = 8080",
        "a.invalid:8080",
        "address: it listens on 127.0.0.1 alone, where no balancer on another machine reaches it",
    ),
    "several": (
        "listen = 192.0.2.11:8080 192.0.2.11:8081",
        "192.0.2.11:8080",
        "it listens on 192.0.2.11:8081 as well",
    ),
    "a unix socket": (
        "unix_socket = /run/zope.sock",
        "a.invalid:8080",
        "address: it listens on the unix socket /run/zope.sock",
    ),
    "a variable of the start command": (
        "listen = 0.0.0.0:%(http_port)s",
        "a.invalid:8080",
        "address: a/zope.ini:3: %(http_port)s is given neither in the file nor to zcheck: the command that starts the "
        "client has it",
    ),
}


@pytest.mark.parametrize(("lines", "address", "comment"), LISTENING.values(), ids=LISTENING)
def test_where_a_client_listens(lines: str, address: str, comment: str | None) -> None:
    write("a/zope.conf", CONF % "")
    write("a/zope.ini", INI % lines)
    text, found = drafted("a")
    assert address == str(found.clients[0].address)
    assert comment is None or comment in comments(text)


def test_an_ini_file_names_its_zope_conf_once() -> None:
    write("a/zope.conf", CONF % "")
    ini = write("a/zope.ini", INI % "listen = 192.0.2.11:8080")
    assert ("a",) == drafted(ini)[1].client_names
    assert ("a",) == drafted(ini, "a/zope.conf", "a")[1].client_names


def test_an_ini_file_of_the_conf_s_own_name() -> None:
    for port in (8081, 8082):
        write(f"etc/zope_{port}.conf", CONF % "")
        write(f"etc/zope_{port}.ini", INI % f"listen = 192.0.2.11:{port}")
    _, found = drafted("etc")
    assert [("zope_8081", "192.0.2.11:8081"), ("zope_8082", "192.0.2.11:8082")] == [
        (client.name, str(client.address)) for client in found.clients
    ]
    assert "etc/zope_8081.ini" == found.clients[0].wsgi_ini


def test_clients_that_share_a_name_or_an_address() -> None:
    for folder in ("one", "two"):
        write(f"{folder}/app/etc/zope.conf", CONF % "")
        write(f"{folder}/app/etc/zope.ini", INI % "listen = 192.0.2.11:8080")
    text, found = drafted("one", "two")
    assert ("app", "app-2") == found.client_names
    assert "address: app has the same; one of the two is wrong" in comments(text)


def test_inis_of_a_folder_lead_to_their_confs() -> None:
    """A conf by any name is found by the ini that starts it; an ini of something else is nobody's."""
    write("app1/wsgi.conf", CONF % "")
    write("app1/zope.ini", (INI % "listen = 192.0.2.11:8080").replace("zope.conf", "wsgi.conf"))
    write("app1/tox.ini", "[tox]\nenvlist = py3\n")
    text, found = drafted(".")
    assert [("app1", "192.0.2.11:8080", "app1/wsgi.conf")] == [
        (client.name, str(client.address), client.zope_conf) for client in found.clients
    ]
    assert "tox" not in text


def test_an_ini_whose_conf_is_not_here() -> None:
    text, found = drafted(write("app1/zope.ini", INI % "listen = 192.0.2.11:8080"))
    assert ("192.0.2.11:8080", "app1/zope.ini") == (str(found.clients[0].address), found.clients[0].wsgi_ini)
    assert "zope-conf = ...   app1/zope.conf is not here: copy it here, and write where it is" in comments(text)


def test_two_inis_that_start_one_conf() -> None:
    write("app1/zope.conf", CONF % "")
    for name, port in (("zope.ini", 8080), ("debug.ini", 8081)):
        write(f"app1/{name}", INI % f"listen = 192.0.2.11:{port}")
    text, found = drafted("app1")
    assert ["192.0.2.11:8080"] == [str(client.address) for client in found.clients]
    assert "app1/debug.ini starts this zope.conf as well: write a section of its own if both run" in comments(text)


def test_several_zeo_servers_of_one_port() -> None:
    for name in ("zeo1", "zeo2"):
        write(f"{name}/zeo.conf", RECIPE_ZEO.format(home="/srv"))
    write(
        "app1/zope.conf",
        (CONF % "").replace("mount-point", "mount-point")
        + (CONF % "").replace("main", "archive").replace("zeo1", "zeo2").replace("point /", "point /archive"),
    )
    _, found = drafted(".")
    assert {"zeo1": "zeo1:8100", "zeo2": "zeo2:8100"} == {server.name: server.address for server in found.zeo_servers}


# --- balancers -------------------------------------------------------------------------------------


def test_haproxy_alone() -> None:
    _, found = drafted(write("haproxy.cfg", HAPROXY))
    assert ("plone0101", "plone0102", "plone0103") == found.client_names
    assert [8081, 8082, 8083] == [client.address.port for client in found.clients]


SOCKETS = {
    "none": ("global\n maxconn 10\n# stats socket /run/a.sock", None, False),
    "a path": ("global\n stats socket /run/haproxy/admin.sock mode 660 level admin", "/run/haproxy/admin.sock", True),
    "for looking only": ("global\n stats socket /run/a.sock mode 660", "/run/a.sock", False),
    "the one that opens": (
        "global\nstats socket /run/a.sock\nstats socket /run/b.sock level admin",
        "/run/b.sock",
        True,
    ),
    "with a family": ("global\nstats socket unix@/run/a.sock level admin", "/run/a.sock", True),
    "a port": ("global\nstats socket ipv4@127.0.0.1:9999 level admin", "127.0.0.1:9999", True),
    "a port of all addresses": ("global\nstats socket *:9999 level admin", "localhost:9999", True),
    "of HAProxy's own": ("global\nstats socket fd@3 level admin\nstats timeout 2m", None, False),
    "a template": ("global\nstats socket ${dir}/a.sock level admin", None, False),
}


@pytest.mark.parametrize(("text", "expected", "opens"), SOCKETS.values(), ids=SOCKETS)
def test_the_admin_socket_of_haproxy(text: str, expected: str | None, opens: bool) -> None:
    text, found = drafted(write("haproxy.cfg", f"{text}\nbackend plone\n    server app1 192.0.2.11:8080 check\n"))
    assert expected == (found.balancers[0].values.get("admin-socket") if found.balancers else None)
    assert (expected is not None and not opens) == ("needs 'level admin' on its line" in text)


@pytest.mark.parametrize(
    ("expected", "host"),
    [
        ("it listens on 127.0.0.1 alone, where no balancer on another machine reaches it", "127.0.0.1"),
        ("write this machine's name in place of localhost where the balancer is on another", "0.0.0.0"),
    ],
)
def test_what_a_balancer_on_another_machine_needs_is_a_comment(expected: str, host: str, tmp_path: Path) -> None:
    write("app1/etc/zope.ini", f"[server:main]\nuse = egg:waitress#main\nhost = {host}\nport = 8080\n")
    text, found = drafted(write("app1/etc/zope.conf", f"instancehome {tmp_path}\n<zodb_db main>\n</zodb_db>\n"))
    assert HostPort("localhost", 8080) == found.client("app1").address
    assert f"address: {expected}" in comments(text)


SERVER_LINES = {
    "usual": ("backend a\n server b 1.2.3.4:80 check", [("a", "b", "1.2.3.4:80")]),
    "in a listen section": ("listen a\n server b c:80", [("a", "b", "c:80")]),
    "with a family": ("backend a\nserver b ipv4@1.2.3.4:80", [("a", "b", "1.2.3.4:80")]),
    "a comment": ("backend a\n# server b c:80\nserver d e:80 # f", [("a", "d", "e:80")]),
    "quoted": ("backend a\nserver 'b' \"c:80\"", [("a", "b", "c:80")]),
    "outside of any section": ("server b c:80", []),
    "of a peers section": ("backend a\nserver b c:80\npeers p\nserver d e:1", [("a", "b", "c:80")]),
    "of a ring section": ("backend a\nserver b c:80\nring r\nserver d e:1", [("a", "b", "c:80")]),
    "made by a template": (
        "backend a\nserver-template b 2 c:80",
        [("a", "b1", "c:80"), ("a", "b2", "c:80")],
    ),
    "made by a template with a range": (
        "backend a\nserver-template b 3-4 c:80",
        [("a", "b3", "c:80"), ("a", "b4", "c:80")],
    ),
    "a template of buildout": (
        "backend a\nserver b ${hosts:b}:${ports:b} check",
        [("a", "b", "${hosts:b}:${ports:b}")],
    ),
    "not a server": ("backend a\ndefault-server inter 2s\nserver b", []),
}


@pytest.mark.parametrize(("text", "expected"), SERVER_LINES.values(), ids=SERVER_LINES)
def test_the_servers_of_haproxy(text: str, expected: list[tuple[str, str, str]]) -> None:
    found = haproxy_servers(haproxy_cfg.parse([("haproxy.cfg", text + "\n")]))
    assert expected == [(server.section, server.name, server.address) for server in found]


BACK_ENDS = {
    "Pound 2": (POUND, ["192.0.2.11:8080", "[2001:db8::12]:8080"]),
    "Pound 1": (
        'UrlGroup ".*"\nBackEnd 192.0.2.11,8080,1\nBackEnd 192.0.2.12,8080,5\nEndGroup',
        ["192.0.2.11:8080", "192.0.2.12:8080"],
    ),
    "a unix socket": ("BackEnd\nAddress /run/zope.sock\nEnd", ["/run/zope.sock"]),
    "none": ("ListenHTTP\nAddress 0.0.0.0\nPort 80\nEnd", []),
}


@pytest.mark.parametrize(("text", "expected"), BACK_ENDS.values(), ids=BACK_ENDS)
def test_the_back_ends_of_pound(text: str, expected: list[str]) -> None:
    assert expected == [server.address for server in pound_servers(text)]


def test_pound_alone() -> None:
    text, found = drafted(write("pound.cfg", POUND))
    assert [HostPort("192.0.2.11", 8080), HostPort("2001:db8::12", 8080)] == [c.address for c in found.clients]
    assert () == found.balancers
    assert "pound.cfg is pound's: its servers are the clients above; zcheck judges HAProxy's" in comments(text)


def test_a_server_that_is_no_address() -> None:
    text, found = drafted(write("haproxy.cfg", "backend a\nserver b 10.0.0.1:abc\nserver c /run/c.sock\n"))
    assert ["b.invalid:8080", "c.invalid:8080"] == [str(client.address) for client in found.clients]
    assert "address: /run/c.sock of haproxy.cfg has a path behind" in comments(text)


SAID = {
    "every address": (
        "server a 0.0.0.0:8080",
        "0.0.0.0:8080",
        "address: 0.0.0.0 in haproxy.cfg:2 is no machine's address, HAProxy dials its own machine by it: "
        "write 127.0.0.1 there, or the client's machine, and here the same",
    ),
    "no port": (
        "server a 192.0.2.1",
        "a.invalid:8080",
        "address: haproxy.cfg:2 has no port, so HAProxy dials the port that the user came to: "
        "write the client's port there and here",
    ),
    "a variable": (
        'server a "${BACKEND}:8080"',
        "a.invalid:8080",
        "address: haproxy.cfg:2 takes it from HAProxy's environment (BACKEND): write what it is there",
    ),
    "a template": (
        "server a ${hosts:a}:8080",
        "a.invalid:8080",
        "address: the template has ${hosts:a}:8080: write what comes out of it",
    ),
    "a backup": (
        "server a 192.0.2.1:8080 backup",
        "192.0.2.1:8080",
        "haproxy.cfg:2: a backup server; remove this section if a page for bad times is behind it, and no Zope client",
    ),
}


@pytest.mark.parametrize(("line", "address", "said"), SAID.values(), ids=SAID)
def test_what_is_to_be_said_of_a_server(line: str, address: str, said: str) -> None:
    text, found = drafted(write("haproxy.cfg", f"backend zope\n  {line}\n"))
    assert address == str(found.clients[0].address)
    assert said in comments(text)


def test_a_template_is_named_as_one() -> None:
    """Its clients are drafted where their names are plain; where nothing can be read of it, it is refused."""
    text, found = drafted(write("haproxy.cfg.in", "backend zope\n  server a ${hosts:a}:8080\n"))
    assert () == found.balancers
    assert "haproxy.cfg.in:2: this is a template, render it first: ${hosts:a}" in comments(text)
    with pytest.raises(
        InitError, match=r"^lb.j2:1: this is a template, render it first: \{\{ name \}\}; give the file"
    ):
        draft([write("lb.j2", "backend {{ name }}\n{% for a in b %}\n  server {{ a }} {{ b }}\n{% endfor %}\n")])


# --- compose ---------------------------------------------------------------------------------------


def test_a_compose_file() -> None:
    text, found = drafted(write("docker/docker-compose.yml", COMPOSE))
    assert ("backend1", "backend2", "backend3") == found.client_names
    assert ["backend1:8080", "backend2:8080", "backend3:8080"] == [str(client.address) for client in found.clients]
    assert ["127.0.0.1:8081", "127.0.0.2:8082", "None"] == [str(client.connect) for client in found.clients]
    assert ["docker/backend.env", None, None] == [client.env_file for client in found.clients]
    assert {"ZEO_ADDRESS": "zeo:8100"} == found.clients[0].env
    assert (("zeo:8100",), "1") == (found.pinned_zeo, found.pinned_storage)
    assert "zeo:8100" == found.zeo_servers[0].address
    assert "docker/docker-compose.yml: taken for no Zope client: webserver" in comments(text)
    assert "2 containers answer by this name: each needs an address and a section of its own" in comments(text)
    assert "hunter2" not in text


def test_compose_that_is_not_understood() -> None:
    write("compose.yaml", "services:\n  a: !reset null\n")
    with pytest.raises(InitError, match=r"^compose.yaml:2: the tag !reset is of another .*; give what 'docker"):
        draft(["compose.yaml"])


# --- what is no configuration ----------------------------------------------------------------------


def test_nothing_to_draft_from() -> None:
    with pytest.raises(InitError, match=r"^this folder: no client; give zope.conf files"):
        draft([])
    with pytest.raises(InitError, match=r"^missing: No such file or directory$"):
        draft(["missing"])
    with pytest.raises(InitError, match=r"^notes: neither a zope.conf nor"):
        draft([write("notes", "to do")])
    with pytest.raises(InitError, match=r"^zeo.conf: no client"):
        draft([write("zeo.conf", RECIPE_ZEO.format(home="/srv"))])


AWKWARD = {
    "a path that holds what begins a comment": "a ;b/zope.conf",
    "a path that ends with a blank": "a/zope.conf ",
    "a path with a control character": "a\x1b[31m/zope.conf",
    "a path that is not UTF-8": "a\udcff/zope.conf",
}


@pytest.mark.parametrize("path", AWKWARD.values(), ids=AWKWARD)
def test_what_cannot_stand_on_a_line_is_a_comment(path: str) -> None:
    text, found = drafted(write(path, CONF % ""))
    assert None is found.clients[0].zope_conf
    assert "zope-conf = ...   the value cannot be written on a line of this file" in comments(text)
    assert text.replace("\n", "").isprintable()


PIECES = st.lists(
    st.sampled_from(
        [
            *("<zodb_db main>", "</zodb_db>", "<zeoclient>", "</zeoclient>", "mount-point /", "server zeo1:8100"),
            *("server a,b:8100 c:1", "server /run/a b", "server $(X)", "storage a b", "storage $(Y)", "server u:p@a:1"),
            *("storage ;1", "server [::1]:8100", "read-only on", "instancehome /", "debug-mode on", "%define A b"),
            *("<http-server>", "</http-server>", "address 8080", "address a;b:80", "address $(P)", "port-base 70000"),
            *(
                "ip-address *",
                "%include x",
                "<zeo>",
                "</zeo>",
                "backend a",
                "listen b",
                " server a b:1",
                " server ;x y:2",
            ),
            *(
                " server é 1:1",
                " server a ${X}:1",
                "BackEnd",
                "Address é",
                "Address 1.2.3.4",
                "Port 80",
                "Port x",
                "End",
            ),
        ]
    ),
    max_size=14,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(PIECES, min_size=1, max_size=3))
def test_a_draft_of_anything_passes_its_own_parser(parts: list[list[str]]) -> None:
    paths = [write(f"{number}/zope.conf", "\n".join(lines)) for number, lines in enumerate(parts)]
    try:
        _, found = drafted(*paths)
    except InitError:
        return
    assert found.clients


def test_drafts_of_real_files(corpus: Path) -> None:
    made = 0
    for path in sorted(path for path in corpus.rglob("*") if path.is_file()):
        try:
            drafted(str(path))
            made += 1
        except InitError as error:
            assert str(path) in str(error)
    assert made >= 100


def test_a_draft_of_a_real_cluster(corpus: Path) -> None:
    _, found = drafted(str(corpus / "sets/zms3-ubuntu"))
    assert ("zope_8080_debug", "zope_8085", "zope_8086", "zope_8087") == found.client_names
    assert "/home/zope/var/zeosocket" == found.zeo_servers[0].address
