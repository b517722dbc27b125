"""The checks of the files beside zope.conf: each with cases that fire, and cases beside them that must not."""

from __future__ import annotations

import re
import textwrap
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from zcheck.checks import CATALOGUE
from zcheck.facts import Facts, Inventory, LeftOut, Names, NotGathered, WsgiConf, ZeoConf, ZeoConfs, ZopeConf
from zcheck.facts.zope_schema import KEYS, ZEO_KEYS
from zcheck.gather.collect import collect
from zcheck.gather.kinds import wanted_kinds
from zcheck.gather.settings import Settings
from zcheck.parsers import clients_ini, wsgi_ini, zeo_conf, zope_conf
from zcheck.report.structs import Judgement
from zcheck.runner import run

SAMPLES = Path(__file__).resolve().parents[2] / "sample-confs"
CHECKS = {check.name: check for check in CATALOGUE}


def nothing(path: str) -> str:
    raise FileNotFoundError(2, "No such file or directory", path)


def ini(rest: str = "", *, clients: int = 2, **lines: str) -> Inventory:
    """Clients app1, app2 and so on at 10.0.0.1, 10.0.0.2; ``app2="listens = 80"`` adds lines to a client's section."""
    text = "[cluster]\nname = test\n"
    for number in range(1, clients + 1):
        name = f"app{number}"
        given = lines.get(name, "")
        address = "" if "address" in given else f"address = 10.0.0.{number}:8080\n"
        text += f"[client:{name}]\n{address}{given}\n"
    return clients_ini.parse(text + textwrap.dedent(rest), "clients.ini")


def zope(storage: str = "", *, name: str = "main", mount: str = "/", kind: str = "zeoclient") -> str:
    """A zope.conf with one database."""
    return f"<zodb_db {name}>\n<{kind}>\n{storage}\n</{kind}>\nmount-point {mount}\n</zodb_db>\n"


def zeo(*storages: str, address: str = "8100", keys: str = "") -> str:
    """A ZEO server's file; of each storage the name, and what is in it after a blank line end."""
    text = f"<zeo>\naddress {address}\n{keys}\n</zeo>\n"
    for storage in storages:
        head, _, body = storage.partition("\n")
        body = body if "path" in body else f"path /srv/{head}.fs\n{body}"
        text += f"<filestorage {head}>\n{body}\n</filestorage>\n"
    return text


class Case(NamedTuple):
    """Some clients' files, and what a check must say of them."""

    says: tuple[tuple[str, str, str], ...] | str
    """Findings: severity, clients, a part of the message.  A word: the outcome without a finding."""
    confs: tuple[Any, ...]
    ini: Inventory | None = None
    zeo: Mapping[str, Any] = {}
    names: Names | None = None
    notes: str = ""


def judged(name: str, case: Case) -> Judgement:
    cluster = case.ini or ini(clients=len(case.confs))
    facts = Facts().with_fact("", cluster)
    for client, text in zip(cluster.clients, case.confs, strict=True):
        if isinstance(text, str):
            text = zope_conf.parse(text, f"{client.name}.conf", client.env, nothing)
            text = msgspec.structs.replace(text, imports=("ZEO", "relstorage"))
        facts = facts.with_fact(client.name, text, ZopeConf)
    confs = {
        server: zeo_conf.parse(text, f"{server}.conf", {}, nothing) if isinstance(text, str) else text
        for server, text in case.zeo.items()
    }
    facts = facts.with_fact("", ZeoConfs(confs) if confs else LeftOut("no file of a ZEO server"), ZeoConfs)
    if case.names is not None:
        facts = facts.with_fact("", case.names)
    check = CHECKS[name]
    return run([CHECKS[other] for other in check.after] + [check], facts)


def compare(name: str, case: Case) -> None:
    judgement = judged(name, case)
    found = [(f.severity, " ".join(f.clients), f.message) for f in judgement.findings if f.check == name]
    remarks = [remark.message for remark in judgement.remarks if remark.check == name]
    if isinstance(case.says, str):
        assert [] == found
        assert case.says == judgement.results[-1].outcome
    else:
        assert [case[:2] for case in case.says] == [finding[:2] for finding in found], found
        for (_, _, part), (_, _, message) in zip(case.says, found, strict=True):
            assert part in message
        for finding in judgement.findings:
            assert finding.severity == "UNKNOWN" or (finding.places and finding.hint)
    assert bool(case.notes) == bool(remarks), remarks
    assert case.notes in " ".join(remarks)


# --- blob-storage-agrees ----------------------------------------------------------------------------

ONE_MACHINE = ini(app1="address = 10.0.0.1:8081", app2="address = 10.0.0.1:8082")
THREE_ON_ONE = ini(
    clients=3,
    app1="address = 10.0.0.1:8081",
    app2="address = 10.0.0.1:8082",
    app3="address = 10.0.0.1:8083",
)
NAMED = ini(app1="address = one:8080", app2="address = two:8080")
NAMED_ALIKE = ini("[hosts]\none = 10.0.0.9\ntwo = 10.0.0.9\n", app1="address = one:8080", app2="address = two:8080")
CACHE = zope("server zeo1:8100\nblob-dir /srv/blobs")
SHARED = zope("server zeo1:8100\nblob-dir /srv/blobs\nshared-blob-dir on")
NO_BLOBS = zope("server zeo1:8100")
RELATIONAL = "<postgresql>\ndsn host=db\n</postgresql>\nblob-dir /srv/blobs\n"


def relstorage(lines: str) -> str:
    return zope(RELATIONAL + lines, kind="relstorage")


INSIDE = "blob-dir /b\n<zeoclient>\nserver zeo1:8100\n</zeoclient>"
WRAPPED = zope(INSIDE, kind="blobstorage")
SHARED_BY = CACHE.replace("\n</zeo", "\nshared-blob-dir $(SHARED)\n</zeo")
BLOBS = {
    "all cache": Case("pass", (CACHE, CACHE)),
    "all share": Case("pass", (SHARED, SHARED)),
    "all cache on one machine": Case("pass", (CACHE, CACHE), ONE_MACHINE),
    "modes differ from machine to machine": Case("pass", (SHARED, CACHE)),
    "modes differ, folders too, on one machine": Case("pass", (SHARED, CACHE.replace("/srv/blobs", "/x")), ONE_MACHINE),
    "modes differ on one machine": Case(
        ((("CRITICAL", "app1 app2", "/srv/blobs is shared for app1, a cache for app2, on one machine")),),
        (SHARED, CACHE),
        ONE_MACHINE,
    ),
    "modes differ in another spelling": Case(
        (("CRITICAL", "app1 app2", "on one machine"),),
        (SHARED, CACHE.replace("/srv/blobs", "/srv/./blobs/")),
        ONE_MACHINE,
    ),
    "three on one machine, one finding": Case(
        (("CRITICAL", "app2 app1 app3", "shared for app2, a cache for app1, app3"),),
        (CACHE, SHARED, CACHE),
        THREE_ON_ONE,
    ),
    "modes differ, machines by name": Case((("UNKNOWN", "app1 app2", "cannot be told"),), (SHARED, CACHE), NAMED),
    "modes differ, two names of one machine": Case(
        (("CRITICAL", "app1 app2", "on one machine"),), (SHARED, CACHE), NAMED_ALIKE
    ),
    "machines by name, modes alike": Case("pass", (SHARED, SHARED), NAMED),
    "one has none": Case((("CRITICAL", "app1 app2", "app1 has a blob-dir; app2 has none"),), (CACHE, NO_BLOBS)),
    "nobody has one": Case("skipped", (NO_BLOBS, NO_BLOBS)),
    "in a wrapper": Case((("CRITICAL", "app1 app2", "app2 has none"),), (WRAPPED, NO_BLOBS)),
    "the client's other storage": Case("pass", (CACHE, CACHE.replace("zeoclient", "clientstorage"))),
    "perhaps in an include": Case(
        (("UNKNOWN", "app2", "no blob-dir is seen for app2"),), (CACHE, "%include more.conf\n" + NO_BLOBS)
    ),
    "a variable, alone on its machine": Case("pass", (CACHE, zope("server zeo1:8100\nblob-dir $(BLOBS)"))),
    "a variable, on one machine": Case(
        (("UNKNOWN", "app2", "$(BLOBS)"),), (CACHE, zope("server zeo1:8100\nblob-dir $(BLOBS)")), ONE_MACHINE
    ),
    "a variable for the mode": Case(
        (("UNKNOWN", "app2", "$(SHARED)"),), (CACHE, SHARED_BY), ONE_MACHINE
    ),
    "one client": Case("skipped", (CACHE,)),
    "RelStorage, alike": Case("pass", (relstorage("shared-blob-dir off"), relstorage("shared-blob-dir false"))),
    "RelStorage, its default": Case("pass", (relstorage(""), relstorage("shared-blob-dir off"))),
    "RelStorage, two modes": Case(
        (("CRITICAL", "app1 app2", "beside the database for app1; in it for app2"),),
        (relstorage("shared-blob-dir on"), relstorage("shared-blob-dir off")),
    ),
    "RelStorage, shared and its default": Case(
        (("UNKNOWN", "app1 app2", "depends on the version"),), (relstorage("shared-blob-dir on"), relstorage(""))
    ),
    "a database in a file is another check's": Case(
        "skipped", (zope("path /d\nblob-dir /b", kind="filestorage"), zope("path /d", kind="filestorage"))
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BLOBS.values(), ids=BLOBS)
def test_blob_storage_agrees(case: Case) -> None:
    compare("blob-storage-agrees", case)


# --- listen-address-matches -------------------------------------------------------------------------

WAITRESS = "[server:main]\nuse = egg:waitress#main\n"
PUBLIC = WAITRESS + "host = 0.0.0.0\nport = 8080\n"
SOCKET = WAITRESS + "unix_socket = /run/zope.sock\n"
LISTENING: dict[str, tuple[str, Inventory, tuple[str, ...]]] = {
    "everywhere": ("", ini(), (PUBLIC, PUBLIC)),
    "its own interface": ("", ini(clients=1), (WAITRESS + "listen = 10.0.0.1:8080\n",)),
    "another machine's interface": (
        "CRITICAL app2: app2 listens on 10.0.0.1:8080; clients.ini says 10.0.0.2:8080",
        ini(),
        (WAITRESS + "listen = 10.0.0.1:8080\n", WAITRESS + "listen = 10.0.0.1:8080\n"),
    ),
    "another interface behind a NAT": (
        "",
        ini(clients=1, app1="address = 192.0.2.1:80\nlistens = 8080"),
        (WAITRESS + "listen = 10.0.0.1:8080\n",),
    ),
    "its own interface by a name of [hosts]": (
        "",
        ini("[hosts]\nwww1 = 10.0.0.1\n", clients=1),
        (WAITRESS + "listen = www1:8080\n",),
    ),
    "a name that nothing knows": (
        "UNKNOWN app1: whether app1 listens on its address is not known: its file says www1:8080",
        ini(clients=1),
        (WAITRESS + "listen = www1:8080\n",),
    ),
    "one interface, called by loopback": (
        "CRITICAL app1: app1 listens on 10.0.0.1:8080; clients.ini says 127.0.0.1:8080",
        ini(clients=1, app1="address = 127.0.0.1:8080"),
        (WAITRESS + "listen = 10.0.0.1:8080\n",),
    ),
    "its own loopback address": (
        "",
        ini(clients=1, app1="address = 127.0.0.2:8080"),
        (WAITRESS + "listen = 127.0.0.2:8080\n",),
    ),
    "another loopback address": (
        "CRITICAL app1: app1 listens on 127.0.0.1:8080; clients.ini says 127.0.0.2:8080",
        ini(clients=1, app1="address = 127.0.0.2:8080"),
        (WAITRESS + "listen = 127.0.0.1:8080\n",),
    ),
    "one of several": ("", ini(clients=1), (WAITRESS + "listen = 127.0.0.1:8081 *:8080\n",)),
    "Zope's skeleton": (
        "CRITICAL app1: app1 listens on 127.0.0.1:8080, where no other machine reaches it",
        ini(clients=1),
        (WAITRESS + "host = 127.0.0.1\nport = 8080\n",),
    ),
    "cookiecutter's default": (
        "CRITICAL app1: app1 listens on localhost:8080, where no",
        ini(clients=1),
        (WAITRESS + "listen = localhost:8080\n",),
    ),
    "IPv6's loopback": (
        "CRITICAL app1: app1 listens on [::1]:8080, where",
        ini(clients=1),
        (WAITRESS + "listen = [::1]:8080\n",),
    ),
    "loopback for a loopback address": (
        "",
        ini(clients=1, app1="address = 127.0.0.1:8080"),
        (WAITRESS + "host = 127.0.0.1\nport = 8080\n",),
    ),
    "public elsewhere, local on the port that counts": (
        "CRITICAL app1: app1 listens on 127.0.0.1:8080, *:9000, where",
        ini(clients=1),
        (WAITRESS + "listen = 127.0.0.1:8080 *:9000\n",),
    ),
    "another port": (
        "CRITICAL app1: app1 listens on *:8081; clients.ini says 10.0.0.1:8080",
        ini(clients=1),
        (WAITRESS + "port = 8081\n",),
    ),
    "two with one fault": (
        "CRITICAL app1 app2: app1, app2 listen on *:8081; clients.ini says 10.0.0.1:8080, 10.0.0.2:8080",
        ini(),
        (WAITRESS + "port = 8081\n", WAITRESS + "port = 8081\n"),
    ),
    "a published port": ("", ini(clients=1, app1="address = 10.0.0.1:80\nlistens = 8080"), (PUBLIC,)),
    "a container that listens on its own loopback": (
        "",
        ini(clients=1, app1="address = 10.0.0.1:80\nlistens = 8080"),
        (WAITRESS + "host = 127.0.0.1\nport = 8080\n",),
    ),
    "a published port that is another": (
        "CRITICAL app1: app1 listens on *:8080; clients.ini says listens = 8081",
        ini(clients=1, app1="address = 10.0.0.1:80\nlistens = 8081"),
        (PUBLIC,),
    ),
    "a socket alone": ("UNKNOWN app1: app1 listens on the unix socket /run/zope.sock", ini(clients=1), (SOCKET,)),
    "TLS ends before it": (
        "UNKNOWN app1: app1 is called by TLS",
        ini(clients=1, app1="address = a:443\ntls = yes"),
        (PUBLIC,),
    ),
    "TLS ends before it, told": ("", ini(clients=1, app1="address = a:443\ntls = yes\nlistens = 8080"), (PUBLIC,)),
    "another server": (
        "UNKNOWN app1: where app1 listens cannot be told: zcheck does not know where egg:gunicorn#main listens",
        ini(clients=1),
        ("[server:main]\nuse = egg:gunicorn#main\nport = 8080\n",),
    ),
    "another server, and whoever runs it says the port": (
        "",
        ini(clients=1, app1="address = 10.0.0.1:8080\nlistens = 8080"),
        ("[server:main]\nuse = egg:gunicorn#main\n",),
    ),
    "a variable, and whoever runs it says the port": (
        "",
        ini(clients=1, app1="address = 10.0.0.1:8080\nlistens = 8080"),
        (WAITRESS + "port = %(http_port)s\n",),
    ),
    "a variable": (
        "UNKNOWN app1: where app1 listens cannot be told: %(http_port)s",
        ini(clients=1),
        (WAITRESS + "port = %(http_port)s\n",),
    ),
    "a variable that names zope.conf alone": (
        "",
        ini(clients=1),
        (PUBLIC + "[app:zope]\nzope_conf = %(here)s/%(config_file)s\n",),
    ),
    "a mixture that waitress refuses": (
        "CRITICAL app1: app1 does not start with this file: waitress refuses listen together with port",
        ini(clients=1),
        (WAITRESS + "listen = *:8080\nport = 8080\n",),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("expected", "cluster", "texts"), LISTENING.values(), ids=LISTENING)
def test_listen_address_matches(expected: str, cluster: Inventory, texts: tuple[str, ...]) -> None:
    facts = Facts().with_fact("", cluster)
    for client, text in zip(cluster.clients, texts, strict=True):
        facts = facts.with_fact(client.name, wsgi_ini.parse(text, f"{client.name}.ini"))
    judgement = run([CHECKS["listen-address-matches"]], facts)
    found = [f"{f.severity} {' '.join(f.clients)}: {f.message}" for f in judgement.findings]
    assert [expected] == [message[: len(expected)] for message in found] if expected else found == []
    for finding in judgement.findings:
        for place in finding.places:
            if place.file.startswith("app") and place.line is not None and place.text:
                client = next(n for n, c in enumerate(cluster.clients) if place.file == f"{c.name}.ini")
                assert place.text in texts[client].splitlines()[place.line - 1]


ZOPE2 = {
    "everywhere": ("pass", "<http-server>\naddress 8080\n</http-server>\n"),
    "port-base": ("pass", "port-base 1000\n<http-server>\naddress 7080\n</http-server>\n"),
    "another port": ("problem", "<http-server>\naddress 8081\n</http-server>\n"),
    "loopback": ("problem", "ip-address 127.0.0.1\n<http-server>\naddress 8080\n</http-server>\n"),
}


@pytest.mark.parametrize(("expected", "text"), ZOPE2.values(), ids=ZOPE2)
def test_zope_2_is_judged_by_its_zope_conf(expected: str, text: str) -> None:
    conf = wsgi_ini.from_zope2(zope_conf.parse(text, "zope.conf", {}, nothing))
    facts = Facts().with_fact("", ini(clients=1)).with_fact("app1", conf, WsgiConf)
    assert expected == run([CHECKS["listen-address-matches"]], facts).results[0].outcome


# --- zeo-conf-is-valid ------------------------------------------------------------------------------

TWO = ini("[zeo:main]\naddress = 10.0.0.5:8100\nconf = main.conf\n", clients=2)


def zeo_case(says: Any, text: Any) -> Case:
    return Case(says, (zope("server 10.0.0.5:8100"),) * 2, TWO, {"main": text})


def refused_by_zeo(message: str) -> tuple[tuple[str, str, str], ...]:
    return (("CRITICAL", "app1 app2", message),)


VALID = {
    "as it should be": zeo_case("pass", zeo("1")),
    "rare keys": zeo_case(
        "pass", zeo("1\npack-gc false\nquota 1GB", keys="invalidation-age 3600.5\nmsgpack on\ntransaction-timeout 30")
    ),
    "every form of an address": zeo_case("pass", zeo("1", address="[::1]:8100")),
    "a unix socket": zeo_case("pass", zeo("1", address="/run/zeo.sock")),
    "a log": zeo_case("pass", zeo("1") + "<eventlog>\nlevel info\n<logfile>\npath /x\n</logfile>\n</eventlog>\n"),
    "a runner": zeo_case("pass", zeo("1") + "<runner>\nprogram x\ndaemon on\nstart-timeout 9\n</runner>\n"),
    "TLS": zeo_case("pass", zeo("1", keys="<ssl>\ncertificate /c\nkey /k\nauthenticate SIGNED\n</ssl>")),
    "an add-on's storage": zeo_case("pass", "%import my.storage\n" + zeo("1").replace("filestorage", "mystorage")),
    "fan-out": zeo_case("pass", "<zeo>\naddress 1\n</zeo>\n<zeoclient 1>\nserver zeo1:8100\n</zeoclient>\n"),
    "a secondary": zeo_case(
        "pass",
        "%import zc.zrs\n<zeo>\naddress 1\n</zeo>\n<zrs 1>\nreplicate-from zeo1:5000\n"
        "<filestorage>\npath /srv/1.fs\n</filestorage>\n</zrs>\n",
    ),
    "a variable": zeo_case("pass", zeo("1", address="$(PORT)")),
    "not at hand": zeo_case(
        (("UNKNOWN", "app1 app2", "Permission denied"),), NotGathered("main.conf: Permission denied")
    ),
    "perhaps in an include": zeo_case(
        (("UNKNOWN", "app1 app2", "%include more.conf could not be read"),), "%include more.conf\n" + zeo("1")
    ),
    "a second section": zeo_case(
        refused_by_zeo("ZEO does not start: a second <zeo>"), "<zeo>\naddress 8100\n</zeo>\n" + zeo("1")
    ),
    "a Zope client's file": zeo_case(
        refused_by_zeo("this is a Zope client's configuration"), zope("server 10.0.0.5:8100")
    ),
    "twice": zeo_case(refused_by_zeo("ZEO does not start: 'address' is given twice"), zeo("1", keys="address 8101")),
    "twice in a storage": zeo_case(
        refused_by_zeo("ZEO does not start: 'path' is given twice"), zeo("1\npath /a\npath /b")
    ),
    "no version's": zeo_case(
        refused_by_zeo("ZEO does not start: 'transaction-timout' is no key that <zeo> knows; did you mean"),
        zeo("1", keys="transaction-timout 5"),
    ),
    "no version's, in a storage": zeo_case(
        refused_by_zeo("ZEO does not start: 'blobdir' is no key that <filestorage> knows"), zeo("1\nblobdir /b")
    ),
    "no number": zeo_case(
        refused_by_zeo("ZEO does not start: 'transaction-timeout 5m' is not a whole number"),
        zeo("1", keys="transaction-timeout 5m"),
    ),
    "neither on nor off": zeo_case(
        refused_by_zeo("ZEO does not start: 'read-only maybe' is not on or off"), zeo("1", keys="read-only maybe")
    ),
    "no port": zeo_case(
        refused_by_zeo("ZEO does not start: 'address zeo1:abc' is not an address"), zeo("1", address="zeo1:abc")
    ),
    "a port too high": zeo_case(
        refused_by_zeo("ZEO does not start: 'address zeo1:99999' is not an address"), zeo("1", address="zeo1:99999")
    ),
    "no path": zeo_case(
        refused_by_zeo("ZEO does not start: <filestorage> has no 'path'"),
        "<zeo>\naddress 8100\n</zeo>\n<filestorage 1>\n</filestorage>\n",
    ),
    "TLS for everybody": zeo_case(
        refused_by_zeo("ZEO does not start: <ssl> has no 'authenticate'"),
        zeo("1", keys="<ssl>\ncertificate /c\n</ssl>"),
    ),
    "outside of every section": zeo_case(
        refused_by_zeo("ZEO does not start: 'path' stands outside of every section"), "path /srv/x\n" + zeo("1")
    ),
    "another program's section": zeo_case(
        refused_by_zeo("ZEO does not start: <logger> is no section that ZEO knows here"),
        zeo("1") + "<logger access>\nlevel info\n</logger>\n",
    ),
    "not imported": zeo_case(
        refused_by_zeo("ZEO does not start: unknown type name: <clientstorage>"),
        "<zeo>\naddress 1\n</zeo>\n<clientstorage 1>\nserver zeo1:8100\n</clientstorage>\n",
    ),
    "a byte order mark": zeo_case(
        refused_by_zeo("ZEO does not start: the line holds a byte order mark"), "\ufeff" + zeo("1")
    ),
    "ZEO 4's": zeo_case(
        (("WARNING", "app1 app2", "ZEO 5 and later do not start with 'monitor-address'"),),
        zeo("1", keys="monitor-address 8101"),
    ),
}


@pytest.mark.parametrize("case", VALID.values(), ids=VALID)
def test_zeo_conf_is_valid(case: Case) -> None:
    compare("zeo-conf-is-valid", case)


def test_zeo_knows_no_other_keys() -> None:
    """Of each kind of section that ZEO's own schema has: a key that the table lacks would be a false alarm."""
    zeo_package = pytest.importorskip("ZEO")
    config = pytest.importorskip("ZConfig")
    schema = config.loadSchema(str(Path(zeo_package.__file__).with_name("schema.xml")))
    tables = {**KEYS, **ZEO_KEYS}
    for name in schema.gettypenames():
        kind = schema.gettype(name)
        if not kind.isabstract() and name in tables:
            real = {key for key, info in kind if key and not info.issection()}
            assert real - set(tables[name]) == set(), name


@pytest.mark.parametrize("name", [name for name, case in VALID.items() if isinstance(case.zeo["main"], str)])
def test_zeo_itself_refuses_what_is_said_to_be_refused(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Asked of ZEO; what needs files, packages or an environment of their own is left out."""
    runzeo = pytest.importorskip("ZEO.runzeo")
    text, says = VALID[name].zeo["main"], VALID[name].says
    if any(word in text for word in ("%import", "%include", "$(", "<ssl>")) and "authenticate" not in str(says):
        pytest.skip("it needs what is not here")
    path = tmp_path / "zeo.conf"
    path.write_text(re.sub(r"(?<= )/(srv/)?(?=\w)", f"{tmp_path}/", text), encoding="utf-8")
    options = runzeo.ZEOOptions()
    if says == "pass":
        options.realize(["-C", str(path)])
    else:
        with pytest.raises(SystemExit):
            options.realize(["-C", str(path)])
    capsys.readouterr()


# --- zeo-conf-serves-the-storages -------------------------------------------------------------------

MAIN = "[zeo:main]\naddress = 10.0.0.5:8100\nconf = main.conf\n"
ON_ZEO = zope("server 10.0.0.5:8100")
BY_NAME = zope("server zeo1:8100")
ONE = ini(MAIN, clients=1)
SERVED = {
    "served": Case("pass", (ON_ZEO, ON_ZEO), ini(MAIN), {"main": zeo("1")}),
    "no name is 1": Case("pass", (ON_ZEO, ON_ZEO), ini(MAIN), {"main": zeo("")}),
    "no file of a server": Case("skipped", (ON_ZEO, ON_ZEO), ini()),
    "another server": Case("skipped", (zope("server 10.0.0.6:8100"),) * 2, ini(MAIN), {"main": zeo("2")}),
    "not at hand": Case("skipped", (ON_ZEO, ON_ZEO), ini(MAIN), {"main": NotGathered("main.conf: Permission denied")}),
    "whose server it is cannot be told": Case(
        (("UNKNOWN", "app1", "whether zeo1:8100 is the server of [zeo:main] cannot be told"),),
        (zope("server zeo1:8100"), ON_ZEO),
        ini(MAIN),
        {"main": zeo("1")},
    ),
    "told by [hosts]": Case("pass", (BY_NAME, ON_ZEO), ini(MAIN + "[hosts]\nzeo1 = 10.0.0.5\n"), {"main": zeo("1")}),
    "told by DNS": Case("pass", (BY_NAME, ON_ZEO), ini(MAIN), {"main": zeo("1")}, Names({"zeo1": ("10.0.0.5",)})),
    # storages
    "not served": Case(
        (("CRITICAL", "app1 app2", "serves storage main, and not storage 1, which app1, app2 ask for"),),
        (ON_ZEO, ON_ZEO),
        ini(MAIN),
        {"main": zeo("main")},
    ),
    "one asks for another": Case(
        (("CRITICAL", "app2", "not storage archive, which app2 asks for"),),
        (ON_ZEO, zope("server 10.0.0.5:8100\nstorage archive")),
        ini(MAIN),
        {"main": zeo("1")},
    ),
    "capital letters": Case(
        (("CRITICAL", "app1", "not storage Main"),),
        (zope("server 10.0.0.5:8100\nstorage Main"),),
        ONE,
        {"main": zeo("Main")},
    ),
    "a variable for the storage": Case(
        (("UNKNOWN", "app2", "$(STORAGE)"),),
        (ON_ZEO, zope("server 10.0.0.5:8100\nstorage $(STORAGE)")),
        ini(MAIN),
        {"main": zeo("1")},
    ),
    "perhaps in an include": Case(
        (("UNKNOWN", "app1", "storage 1 is not seen"),),
        (ON_ZEO,),
        ONE,
        {"main": "%include more.conf\n" + zeo("main")},
    ),
    # addresses
    "every interface": Case("pass", (ON_ZEO,), ONE, {"main": zeo("1", address="0.0.0.0:8100")}),
    "the interface that is dialled": Case("pass", (ON_ZEO,), ONE, {"main": zeo("1", address="10.0.0.5:8100")}),
    "another port": Case(
        (("CRITICAL", "app1", "binds 8101, which cannot be dialled as 10.0.0.5:8100 (app1)"),),
        (ON_ZEO,),
        ONE,
        {"main": zeo("1", address="8101")},
    ),
    "loopback": Case(
        (("CRITICAL", "app1", "binds 127.0.0.1:8100, which cannot be dialled"),),
        (ON_ZEO,),
        ONE,
        {"main": zeo("1", address="127.0.0.1:8100")},
    ),
    "loopback for one of two": Case(
        (("CRITICAL", "app2", "cannot be dialled as 10.0.0.1:8100 (app2)"),),
        (zope("server localhost:8100"), zope("server 10.0.0.1:8100")),
        ini("[zeo:main]\naddress = 10.0.0.1:8100\nconf = main.conf\n"),
        {"main": zeo("1", address="localhost:8100")},
    ),
    "loopback, all on the server's machine": Case(
        "pass",
        (zope("server localhost:8100"), zope("server 8100")),
        ini(
            "[zeo:main]\naddress = localhost:8100\nconf = main.conf\n",
            app1="address = 10.0.0.1:8081",
            app2="address = 10.0.0.1:8082",
        ),
        {"main": zeo("1", address="127.0.0.1:8100")},
    ),
    "whose localhost was not said": Case(
        (("UNKNOWN", "app1 app2", "cannot be told"),),
        (zope("server localhost:8100"), zope("server localhost:8100")),
        ini("[zeo:main]\naddress = localhost:8100\nconf = main.conf\n"),
        {"main": zeo("1")},
    ),
    "loopback, by a name that nothing resolves": Case(
        (("UNKNOWN", "app1", "whether that can be dialled as zeo1:8100 (app1) cannot be told"),),
        (zope("server zeo1:8100"),),
        ini("[zeo:main]\naddress = zeo1:8100\nconf = main.conf\n", clients=1),
        {"main": zeo("1", address="localhost:8100")},
    ),
    "loopback, by a name that is another machine's": Case(
        (("CRITICAL", "app1", "cannot be dialled as zeo1:8100 (app1)"),),
        (zope("server zeo1:8100"),),
        ini("[zeo:main]\naddress = zeo1:8100\nconf = main.conf\nmachine = 10.0.0.5\n", clients=1),
        {"main": zeo("1", address="localhost:8100")},
    ),
    "the name is the clients' own loopback": Case(
        "pass",
        (zope("server zeo1:8100"),),
        ini("[zeo:main]\naddress = zeo1:8100\nconf = main.conf\n[hosts]\nzeo1 = 127.0.0.1\n", clients=1),
        {"main": zeo("1", address="localhost:8100")},
    ),
    "another interface": Case(
        (("CRITICAL", "app1", "binds 10.0.0.6:8100"),),
        (ON_ZEO,),
        ONE,
        {"main": zeo("1", address="10.0.0.6:8100")},
    ),
    "a public address before a private one": Case(
        (("UNKNOWN", "app1", "binds 10.0.0.6:8100"),),
        (zope("server 8.8.8.8:8100"),),
        ini("[zeo:main]\naddress = 8.8.8.8:8100\nconf = main.conf\n", clients=1),
        {"main": zeo("1", address="10.0.0.6:8100")},
    ),
    "an interface, dialled as localhost": Case(
        (("CRITICAL", "app1", "cannot be dialled as localhost:8100"),),
        (zope("server localhost:8100"),),
        ini("[zeo:main]\naddress = localhost:8100\nconf = main.conf\n", clients=1),
        {"main": zeo("1", address="10.0.0.1:8100")},
    ),
    "a name for the interface": Case(
        (("UNKNOWN", "app1", "binds zeo1.lan:8100"),),
        (ON_ZEO,),
        ONE,
        {"main": zeo("1", address="zeo1.lan:8100")},
    ),
    "a name for the interface, known": Case(
        "pass",
        (ON_ZEO,),
        ini(MAIN + "[hosts]\nzeo1.lan = 10.0.0.5\n", clients=1),
        {"main": zeo("1", address="zeo1.lan:8100")},
    ),
    "no port": Case((("CRITICAL", "app1", "names no port"),), (ON_ZEO,), ONE, {"main": zeo("1", address="zeo1")}),
    "a variable for the port": Case(
        (("UNKNOWN", "app1", "$(ZEO_PORT)"),), (ON_ZEO,), ONE, {"main": zeo("1", address="0.0.0.0:$(ZEO_PORT)")}
    ),
    "a unix socket": Case(
        "pass",
        (zope("server /srv/var/zeosocket"),),
        ini("[zeo:main]\naddress = /srv/var/zeosocket\nconf = main.conf\n", clients=1),
        {"main": zeo("1", address="/srv/./var/zeosocket")},
    ),
    "another unix socket": Case(
        (("CRITICAL", "app1", "binds /srv/zeosocket, which cannot be dialled as /srv/var/zeosocket"),),
        (zope("server /srv/var/zeosocket"),),
        ini("[zeo:main]\naddress = /srv/var/zeosocket\nconf = main.conf\n", clients=1),
        {"main": zeo("1", address="/srv/zeosocket")},
    ),
    "a unix socket relative to the server's folder": Case(
        (("UNKNOWN", "app1", "binds ./var/zeosocket"),),
        (zope("server /srv/var/zeosocket"),),
        ini("[zeo:main]\naddress = /srv/var/zeosocket\nconf = main.conf\n", clients=1),
        {"main": zeo("1", address="./var/zeosocket")},
    ),
    "a port for a unix socket": Case(
        (("CRITICAL", "app1", "binds /srv/zeosocket, which cannot be dialled as 10.0.0.5:8100"),),
        (ON_ZEO,),
        ONE,
        {"main": zeo("1", address="/srv/zeosocket")},
    ),
    # read-only
    "a server that only reads": Case(
        (("CRITICAL", "app1 app2", "serves storage 1 read-only; opened to write by app1, app2"),),
        (ON_ZEO, ON_ZEO),
        ini(MAIN),
        {"main": zeo("1", keys="read-only on")},
    ),
    "a storage that only reads": Case(
        (("CRITICAL", "app2", "opened to write by app2"),),
        (zope("server 10.0.0.5:8100\nread-only on"), ON_ZEO),
        ini(MAIN),
        {"main": zeo("1\nread-only true")},
    ),
    "clients that only read": Case(
        "pass", (zope("server 10.0.0.5:8100\nread-only on"),) * 2, ini(MAIN), {"main": zeo("1", keys="read-only on")}
    ),
    "read-only false": Case("pass", (ON_ZEO,), ONE, {"main": zeo("1", keys="read-only false")}),
    # blobs
    "blobs and none on the server": Case(
        (("CRITICAL", "app1", "storage 1 of main.conf keeps no blobs, and app1 has a blob-dir"),),
        (zope("server 10.0.0.5:8100\nblob-dir /srv/cache"),),
        ONE,
        {"main": zeo("1")},
    ),
    "blobs on both": Case(
        "pass", (zope("server 10.0.0.5:8100\nblob-dir /b"),), ONE, {"main": zeo("1\nblob-dir /b")}
    ),
    "blobs on the server alone": Case(
        "pass", (ON_ZEO,), ONE, {"main": zeo("1\nblob-dir /b")}, notes="app1 has no blob-dir"
    ),
    "shared on another machine, at another place": Case(
        "pass",
        (zope("server 10.0.0.5:8100\nblob-dir /net/blobs\nshared-blob-dir on"),),
        ONE,
        {"main": zeo("1\nblob-dir /b")},
    ),
    "shared on one machine": Case(
        "pass",
        (zope("server 10.0.0.1:8100\nblob-dir /b/\nshared-blob-dir on"),),
        ini(MAIN.replace("0.5", "0.1"), clients=1),
        {"main": zeo("1\nblob-dir /b")},
    ),
    "shared on one machine, at another place": Case(
        (("CRITICAL", "app1", "keeps its blobs in /b; shared on the same machine is /c (app1)"),),
        (zope("server 10.0.0.1:8100\nblob-dir /c\nshared-blob-dir on"),),
        ini(MAIN.replace("0.5", "0.1"), clients=1),
        {"main": zeo("1\nblob-dir /b")},
    ),
    "the server's folder for a cache": Case(
        (("CRITICAL", "app1", "keeps its blobs in /b, where app1 would keep a cache"),),
        (zope("server 10.0.0.1:8100\nblob-dir /b"),),
        ini(MAIN.replace("0.5", "0.1"), clients=1),
        {"main": zeo("1\nblob-dir /b")},
    ),
    "two storages in one blob directory": Case(
        (("CRITICAL", "app1", "storage 1 and storage 2 of main.conf keep their blobs in var/blobs"),),
        (zope("server 10.0.0.5:8100\nblob-dir /b"),),
        ONE,
        {"main": zeo("1\nblob-dir ./var/blobs", "2\nblob-dir var/blobs")},
    ),
    # files
    "two storages in one file": Case(
        (("CRITICAL", "app1", "storage 1 and storage 2 of main.conf keep their data in /srv/Data.fs"),),
        (ON_ZEO,),
        ONE,
        {"main": zeo("1\npath /srv/Data.fs", "2\npath /srv/x/../Data.fs")},
    ),
    "two servers of one machine in one file": Case(
        (("CRITICAL", "app1", "storage 1 of main.conf and storage 1 of other.conf keep their data in /srv/1.fs"),),
        (ON_ZEO,),
        ini(MAIN + "[zeo:other]\naddress = 10.0.0.5:8200\nconf = other.conf\n", clients=1),
        {"main": zeo("1"), "other": zeo("1", address="8200")},
    ),
    "two servers of two machines": Case(
        "pass",
        (ON_ZEO,),
        ini(MAIN + "[zeo:other]\naddress = 10.0.0.6:8100\nconf = other.conf\n", clients=1),
        {"main": zeo("1"), "other": zeo("1")},
    ),
    "two servers, one machine or two": Case(
        (("UNKNOWN", "app1", "whether 10.0.0.5 and zeo2 are one machine cannot be told"),),
        (ON_ZEO,),
        ini(MAIN + "[zeo:other]\naddress = zeo2:8200\nconf = other.conf\n", clients=1),
        {"main": zeo("1"), "other": zeo("1", address="8200")},
    ),
    "two servers, two files": Case(
        "pass",
        (ON_ZEO,),
        ini(MAIN + "[zeo:other]\naddress = zeo2:8200\nconf = other.conf\n", clients=1),
        {"main": zeo("1"), "other": zeo("1\npath /srv/other.fs", address="8200")},
    ),
    "one database in two files": Case(
        (("CRITICAL", "app1 app2", "in /srv/1.fs (main.conf) for app1; in /srv/b.fs (other.conf) for app2"),),
        (ON_ZEO, zope("server 10.0.0.6:8100")),
        ini(MAIN + "[zeo:other]\naddress = 10.0.0.6:8100\nconf = other.conf\n"),
        {"main": zeo("1"), "other": zeo("1\npath /srv/b.fs")},
    ),
    "one client, two servers, two files": Case(
        (("CRITICAL", "app1", "in /srv/1.fs (main.conf) for app1; in /srv/b.fs (other.conf) for app1"),),
        (zope("server 10.0.0.5:8100\nserver 10.0.0.6:8100"),),
        ini(MAIN + "[zeo:other]\naddress = 10.0.0.6:8100\nconf = other.conf\n", clients=1),
        {"main": zeo("1"), "other": zeo("1\npath /srv/b.fs")},
    ),
    "one database on two servers with a shared disk": Case(
        "pass",
        (zope("server 10.0.0.5:8100\nserver 10.0.0.6:8100"),),
        ini(MAIN + "[zeo:other]\naddress = 10.0.0.6:8100\nconf = other.conf\n", clients=1),
        {"main": zeo("1"), "other": zeo("1")},
    ),
    # told beside a pass
    "no garbage is collected": Case(
        "pass", (ON_ZEO,), ONE, {"main": zeo("1\npack-gc false")}, notes="packing storage 1 removes no garbage"
    ),
    "garbage is collected": Case("pass", (ON_ZEO,), ONE, {"main": zeo("1\npack-gc true")}),
    "a time limit for commits": Case(
        "pass", (ON_ZEO,), ONE, {"main": zeo("1", keys="transaction-timeout 300")}, notes="after 300 s the server"
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", SERVED.values(), ids=SERVED)
def test_zeo_conf_serves_the_storages(case: Case) -> None:
    # Another check's problem with the same clients must not hide this one's cases.
    compare("zeo-conf-serves-the-storages", case)


def test_the_hint_for_capital_letters_tells_the_name() -> None:
    (finding,) = judged("zeo-conf-serves-the-storages", SERVED["capital letters"]).findings
    assert "write storage main" in finding.hint


# What is said of read-only storages, unknown names and blobs is what a real server does.


@pytest.fixture
def server(tmp_path: Path, request: pytest.FixtureRequest) -> Any:
    """A real ZEO server from a file like the cases'; its address."""
    import ZEO

    address, stop = ZEO.server(str(tmp_path / "Data.fs"), **request.param)
    yield address
    stop()


@pytest.mark.parametrize(
    ("server", "storage", "reason"),
    [
        pytest.param({"zeo_conf": {"read_only": True}}, "1", "ReadOnlyError", id="read-only"),
        pytest.param({}, "Main", "unknown storage", id="not served"),
    ],
    indirect=["server"],
)
def test_a_real_server_refuses_what_is_told(
    server: Any, storage: str, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    from ZEO.ClientStorage import ClientStorage
    from ZEO.Exceptions import ClientDisconnected

    caplog.set_level("DEBUG")
    with pytest.raises(ClientDisconnected):
        ClientStorage(server, storage=storage, wait_timeout=2, max_disconnect_poll=1)
    assert reason in caplog.text


# --- the samples ------------------------------------------------------------------------------------

ALL = "app1 app2 app3"
BLOB, LISTEN, SERVES = "blob-storage-agrees", "listen-address-matches", "zeo-conf-serves-the-storages"
SAMPLE_FINDINGS: dict[str, list[tuple[str, str, str]]] = {
    "healthy": [],
    "blob-dir-missing": [(BLOB, "CRITICAL", ALL)],
    "blob-modes-differ": [(BLOB, "CRITICAL", "app1 app2")],
    "listens-on-loopback": [(LISTEN, "CRITICAL", "app2")],
    "listens-on-another-port": [(LISTEN, "CRITICAL", "app3")],
    "zeo-conf-lacks-a-storage": [(SERVES, "CRITICAL", ALL)],
    "zeo-binds-loopback": [(SERVES, "CRITICAL", ALL)],
    "zeo-is-read-only": [(SERVES, "CRITICAL", ALL)],
    "zeo-blobs-in-one-folder": [(SERVES, "CRITICAL", ALL)],
    "two-zeo-servers-on-one-file": [(SERVES, "CRITICAL", ALL)],
}


def gathered(path: Path) -> Facts:
    """Everything that the files tell, as an offline run gathers it."""
    cluster = clients_ini.parse(path.read_text(encoding="utf-8"), str(path))
    checks = [check for check in CATALOGUE if check.stage == "config"]
    settings = Settings("test", offline=True)
    return collect(cluster, settings, wanted_kinds(checks), "").facts


@pytest.mark.parametrize(("folder", "expected"), SAMPLE_FINDINGS.items(), ids=SAMPLE_FINDINGS)
def test_a_sample_shows_its_fault_and_no_other(folder: str, expected: list[tuple[str, str, str]]) -> None:
    facts = gathered(SAMPLES / folder / "clients.ini")
    judgement = run([check for check in CATALOGUE if check.stage == "config"], facts)
    assert expected == [(f.check, f.severity, " ".join(sorted(f.clients))) for f in judgement.findings]
    for finding in judgement.findings:
        assert finding.places
        for place in finding.places:
            line = Path(place.file).read_text(encoding="utf-8").splitlines()[(place.line or 0) - 1]
            assert line.strip().startswith(place.text.split()[0])


def test_the_files_of_the_samples_were_all_read() -> None:
    facts = gathered(SAMPLES / "healthy" / "clients.ini")
    assert 3 == len(facts.each(WsgiConf)) == len(facts.each(ZopeConf))
    assert isinstance(facts.the(ZeoConfs).confs["main"], ZeoConf)


# --- sets of files that nobody on this project wrote --------------------------------------------------


def corpus_set(folder: Path, text: str) -> list[str]:
    """What these three checks say of a set of the corpus, by an inventory written for it."""
    cluster = clients_ini.parse(textwrap.dedent(text), str(folder / "clients.ini"))
    checks = [CHECKS[name] for name in (BLOB, LISTEN, SERVES)]
    facts = collect(cluster, Settings("test", offline=True), wanted_kinds(checks), "").facts
    return [f"{f.severity} {f.check} {' '.join(f.clients)}: {f.message}" for f in run(checks, facts).findings]


def test_zms_docker_is_served(corpus: Path) -> None:
    # Read by hand: the client listens on *:80, published as 8080; zeo.conf binds 0.0.0.0:8090, and serves main and
    # temporary, which zope.conf names.
    text = """
        [cluster]
        name = zms
        [client:zms]
        address = 10.0.0.1:8080
        listens = 80
        zope-conf = zope.conf
        [zeo:main]
        address = zeo:8090
        conf = zeo.conf
        """
    assert [] == corpus_set(corpus / "sets" / "zms-docker", text)
    (told,) = corpus_set(corpus / "sets" / "zms-docker", text.replace("listens = 80", "role = balanced"))
    assert told.startswith("CRITICAL listen-address-matches zms: zms listens on *:80; clients.ini says 10.0.0.1:8080")


def test_zms_ubuntu_is_served_through_a_unix_socket(corpus: Path) -> None:
    # Read by hand: all clients dial /home/zope/var/zeosocket, which zeo.conf binds, and ask for main, which it serves.
    # Each container listens on 8080.  zope_8085.ini starts a zope.conf that is not there.
    text = """
        [cluster]
        name = zms
        [client:zms1]
        address = 10.0.0.1:8085
        listens = 8080
        zope-conf = zope_8085.conf
        wsgi-ini = zope_8085.ini
        [client:zms2]
        address = 10.0.0.1:8086
        listens = 8080
        zope-conf = zope_8086.conf
        wsgi-ini = zope_8086.ini
        [zeo:main]
        address = /home/zope/var/zeosocket
        conf = zeo.conf
        """
    assert [] == corpus_set(corpus / "sets" / "zms-ubuntu", text)


def test_zms3_ubuntu_is_a_zope_2(corpus: Path) -> None:
    # Read by hand: http-server 8080 in each zope.conf; storage 1 through the unix socket that zeo.conf binds.
    text = """
        [cluster]
        name = zms
        [client:zms1]
        address = 10.0.0.1:8085
        listens = 8080
        zope-conf = zope_8085.conf
        [client:zms2]
        address = 10.0.0.1:8086
        zope-conf = zope_8086.conf
        [zeo:main]
        address = /home/zope/var/zeosocket
        conf = zeo.conf
        """
    (told,) = corpus_set(corpus / "sets" / "zms3-ubuntu", text)
    assert told.startswith(
        "CRITICAL listen-address-matches zms2: zms2 listens on *:8080; clients.ini says 10.0.0.1:8086"
    )


def test_two_storages_of_the_corpus_share_their_blobs(corpus: Path) -> None:
    path = corpus / "zeo" / "Pylons__sdnet_buildout__etc__zeo.conf"
    text = f"""
        [cluster]
        name = sdnet
        [client:app1]
        address = 10.0.0.1:8080
        zope-conf = {path.name}
        [zeo:main]
        address = localhost:9951
        conf = {path.name}
        """
    cluster = clients_ini.parse(textwrap.dedent(text), str(path.parent / "clients.ini"))
    conf = zeo_conf.parse(path.read_text(encoding="utf-8"), str(path), {}, nothing)
    client = zope_conf.parse(zope("server 127.0.0.1:9951\nstorage main\nblob-dir cache"), "zope.conf", {}, nothing)
    facts = Facts().with_fact("", cluster).with_fact("app1", client).with_fact("", ZeoConfs({"main": conf}))
    (finding,) = run([CHECKS[SERVES]], facts).findings
    assert "storage main and storage audit" in finding.message
    assert "keep their blobs in var/blobs" in finding.message


# --- size -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [BLOB, SERVES])
def test_a_thousand_clients_are_judged_in_time_that_grows_with_them(name: str) -> None:
    def seconds(count: int) -> float:
        text = "[cluster]\nname = large\n[zeo:main]\naddress = 10.0.0.5:8100\nconf = main.conf\n"
        text += "".join(f"[client:c{n}]\naddress = 10.1.{n // 250}.{n % 250 + 1}:8080\n" for n in range(count))
        cluster = clients_ini.parse(text, "clients.ini")
        modes = ("shared-blob-dir on", "shared-blob-dir off")
        confs = [
            zope_conf.parse(zope(f"server 10.0.0.5:8100\nblob-dir /b\n{mode}"), f"{mode}.conf", {}, nothing)
            for mode in modes
        ]
        served = zeo_conf.parse(zeo("1\nblob-dir /blobs"), "main.conf", {}, nothing)
        values = {client.name: confs[number % 2] for number, client in enumerate(cluster.clients)}
        facts = Facts({Inventory: {"": cluster}, ZopeConf: values, ZeoConfs: {"": ZeoConfs({"main": served})}})
        started = time.process_time()
        assert "pass" == run([CHECKS[name]], facts).results[0].outcome
        return time.process_time() - started

    seconds(100)
    few, many = min(seconds(250) for _ in range(3)), min(seconds(1000) for _ in range(3))
    assert many < 8 * few + 0.05


def test_a_server_that_answers_outweighs_the_port_that_its_file_binds() -> None:
    """A container's published port is no fault, and nothing but the answer itself can tell it from one."""
    from zcheck.facts import ZeoAnswer, ZeoAnswers, ZeoStorage
    from zcheck.testing import judge

    cluster = ini("[zeo:main]\naddress = 10.0.0.5:18100\nconf = zeo.conf\n", clients=1)
    served = ZeoConfs({"main": zeo_conf.parse(zeo("1", address="8100"), "zeo.conf", {}, nothing)})
    conf = zope_conf.parse(zope("server 10.0.0.5:18100"), "zope.conf", {}, nothing)
    answer = ZeoAnswer("main", "10.0.0.5:18100", "zope.conf", 3, "10.0.0.5:18100", False, "answers")
    check = CHECKS["zeo-conf-serves-the-storages"]
    for storages, expected in ({"1": ZeoStorage(1, "0" * 16)}, "pass"), ({}, "problem"):
        asked = ZeoAnswers((msgspec.structs.replace(answer, storages=storages),))
        judgement = judge(check, cluster, served, app1=[conf, asked])
        assert judgement.results[0].outcome == expected, judgement.findings
    assert judge(check, cluster, served, app1=[conf]).results[0].outcome == "problem"
