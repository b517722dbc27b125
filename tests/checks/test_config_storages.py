"""The checks of storages: two databases in one, TLS on one side, kinds that zcheck does not know, servers of nobody."""

from __future__ import annotations

from typing import Any

import pytest
from zeo_clusters import BOTH, FAN_OUT, FILE, HOSTS, PRIMARY, SECONDARY, client, said

DISTINCT = "databases-are-in-distinct-storages"
ENCRYPTION = "zeo-encryption-agrees"
USED = "every-zeo-server-is-used"
UNKNOWN_KIND = "unknown-storages-agree"


def two(one: str, other: str) -> str:
    """A zope.conf with databases main and archive; each storage is given by its lines."""
    return (
        f"%import neo.client\n%import relstorage\n<zodb_db main>\n{one}\nmount-point /\n</zodb_db>\n"
        f"<zodb_db archive>\n{other}\nmount-point /archive\n</zodb_db>\n"
    )


def zeo(server: str, storage: str = "1") -> str:
    return f"<zeoclient>\nserver {server}\nstorage {storage}\n</zeoclient>"


def pg(dsn: str) -> str:
    return f"<relstorage>\n<postgresql>\ndsn {dsn}\n</postgresql>\n</relstorage>"


def file(path: str) -> str:
    return f"<filestorage>\npath {path}\n</filestorage>"


def neo(name: str, *lines: str, kind: str = "NEOStorage") -> str:
    return "\n".join([f"<{kind}>", f"name {name}", *lines, f"</{kind}>"])


def alone(storage: str, home: str = "") -> str:
    top = f"instancehome {home}\n" if home else ""
    return f"%import my.storage\n{top}<zodb_db main>\n{storage}\nmount-point /\n</zodb_db>\n"


def tls(server: str) -> str:
    lines = ["<clientstorage>", f"server {server}", "<ssl>", "certificate /c.pem", "</ssl>", "</clientstorage>"]
    return "\n".join(["%import ZEO", "<zodb_db main>", *lines, "mount-point /", "</zodb_db>", ""])


TLS_SERVER = FILE.replace("</zeo>", "<ssl>\ncertificate /c\nauthenticate SIGNED\n</ssl>\n</zeo>")
MAIN = "[zeo:main]\naddress = zeo1:8100\nmachine = zeo1\n"

CASES: dict[str, tuple[str, str, tuple[str, ...], dict[str, Any], list[str]]] = {
    # databases-are-in-distinct-storages
    "two storages of one server": (DISTINCT, HOSTS, (two(zeo("zeo1:8100"), zeo("zeo1:8100", "archive")),), {}, []),
    "one name on two servers": (DISTINCT, HOSTS, (two(zeo("zeo1:8100"), zeo("zeo2:8100")),), {}, []),
    "one name on two servers that nothing resolves": (
        DISTINCT,
        "[hosts]\n",
        (two(zeo("zeo1:8100"), zeo("zeo2:8100")),),
        {},
        [],
    ),
    "one storage, by name and address": (
        DISTINCT,
        HOSTS,
        (two(zeo("zeo1:8100"), zeo("10.0.1.1:8100")),),
        {},
        ["CRITICAL app1: databases main and archive of app1 are one storage: storage 1 of zeo1:8100"],
    ),
    "one storage through a fan-out": (
        DISTINCT,
        BOTH + HOSTS,
        (two(zeo("zeo1:8100", "main"), zeo("zeo2:8100")),),
        {"zeo": {"main": FILE.format("main"), "second": FAN_OUT.format("main")}},
        ["CRITICAL app1: databases main and archive of app1 are one storage: storage main of zeo1:8100"],
    ),
    "one storage through a tunnel": (
        DISTINCT,
        MAIN + "aliases = 127.0.0.1:9100\n" + HOSTS,
        (two(zeo("zeo1:8100"), zeo("127.0.0.1:9100")),),
        {},
        ["CRITICAL app1: databases main and archive of app1 are one storage: storage 1 of zeo1:8100"],
    ),
    "one database of PostgreSQL": (
        DISTINCT,
        HOSTS,
        (two(pg("host=pg1 dbname=cms user=a"), pg("postgresql://a@pg1:5432/cms")),),
        {},
        ["CRITICAL app1: databases main and archive of app1 are one storage: postgresql database cms on pg1:5432"],
    ),
    "two databases of PostgreSQL": (
        DISTINCT,
        HOSTS,
        (two(pg("host=pg1 dbname=cms"), pg("host=pg1 dbname=archive")),),
        {},
        [],
    ),
    "two databases of PostgreSQL by variables": (DISTINCT, HOSTS, (two(pg("$(ONE)"), pg("$(TWO)")),), {}, []),
    "one file": (
        DISTINCT,
        HOSTS,
        (two(file("/srv/Data.fs"), file("/srv/./Data.fs")),),
        {},
        ["CRITICAL app1: databases main and archive of app1 are one storage: /srv/Data.fs"],
    ),
    "one cluster of an add-on": (
        DISTINCT,
        HOSTS,
        (two(neo("site"), neo("site")),),
        {},
        ["CRITICAL app1: databases main and archive of app1 are one storage: <neostorage> with the same lines"],
    ),
    "two clusters of an add-on": (DISTINCT, HOSTS, (two(neo("site"), neo("archive")),), {}, []),
    "sessions in memory": (
        DISTINCT,
        HOSTS,
        (two("<mappingstorage>\n</mappingstorage>", "<mappingstorage>\n</mappingstorage>"),),
        {},
        [],
    ),
    # zeo-encryption-agrees
    "nobody by TLS": (ENCRYPTION, MAIN + HOSTS, (client("zeo1:8100"),) * 2, {"zeo": {"main": FILE.format("1")}}, []),
    "all by TLS": (ENCRYPTION, MAIN + HOSTS, (tls("zeo1:8100"),) * 2, {"zeo": {"main": TLS_SERVER.format("1")}}, []),
    "the server alone": (
        ENCRYPTION,
        MAIN + HOSTS,
        (client("zeo1:8100"),) * 2,
        {"zeo": {"main": TLS_SERVER.format("1")}},
        ["CRITICAL app1 app2: main.conf: the server zeo1:8100 speaks TLS, and app1, app2 do not: they never connect"],
    ),
    "all but one": (
        ENCRYPTION,
        MAIN + HOSTS,
        (tls("zeo1:8100"), tls("10.0.1.1:8100"), client("10.0.1.1:8100")),
        {"zeo": {"main": TLS_SERVER.format("1")}},
        ["CRITICAL app3: main.conf: the server zeo1:8100 speaks TLS, and app3 does not"],
    ),
    "the clients alone": (
        ENCRYPTION,
        MAIN + HOSTS,
        (tls("zeo1:8100"),) * 2,
        {"zeo": {"main": FILE.format("1")}},
        ["CRITICAL app1 app2: main.conf: the server zeo1:8100 speaks no TLS, and app1, app2 do"],
    ),
    "one of two, the server's file not at hand": (
        ENCRYPTION,
        HOSTS,
        (tls("zeo1:8100"), client("10.0.1.1:8100")),
        {},
        ["CRITICAL app2 app1: of zeo1:8100 app1 expects TLS and app2 expects none"],
    ),
    "two servers": (ENCRYPTION, HOSTS, (tls("zeo1:8100"), client("zeo2:8100")), {}, []),
    "a tunnel speaks TLS for the client": (
        ENCRYPTION,
        MAIN + "aliases = 127.0.0.1:9100\n" + HOSTS,
        (tls("zeo1:8100"), client("127.0.0.1:9100")),
        {"zeo": {"main": TLS_SERVER.format("1")}},
        [],
    ),
    # every-zeo-server-is-used
    "used by name and address": (USED, MAIN + HOSTS, (client("10.0.1.1:8100"), client("zeo1:8100")), {}, []),
    "another port": (
        USED,
        MAIN.replace("8100", "8200") + HOSTS,
        (client("zeo1:8100"),) * 2,
        {},
        ["WARNING app1 app2: no client dials zeo1:8200, the server of [zeo:main]: they dial zeo1:8100"],
    ),
    "behind a fan-out": (
        USED,
        BOTH + HOSTS,
        (client("zeo2:8100"),) * 2,
        {"zeo": {"main": FILE.format("1"), "second": FAN_OUT.format("1")}},
        [],
    ),
    "a secondary in reserve": (
        USED,
        BOTH + HOSTS,
        (client("zeo1:8100"),) * 2,
        {"zeo": {"main": PRIMARY, "second": SECONDARY.format("zeo1:5000")}},
        [],
    ),
    "a replica in reserve": (USED, BOTH + "replica-of = main\n" + HOSTS, (client("zeo1:8100"),) * 2, {}, []),
    "through a tunnel": (USED, MAIN + "aliases = 127.0.0.1:9100\n" + HOSTS, (client("127.0.0.1:9100"),) * 2, {}, []),
    "perhaps": (USED, MAIN + "[hosts]\n", (client("zeo.example.com:8100"),) * 2, {}, []),
    "a variable": (USED, MAIN.replace("8100", "8200") + HOSTS, (client("$(ZEO)"),) * 2, {}, []),
    "of the archive": (
        USED,
        BOTH + HOSTS,
        (two(zeo("zeo1:8100"), zeo("zeo2:8100", "archive")), client("zeo1:8100")),
        {},
        [],
    ),
    # unknown-storages-agree
    "alike": (UNKNOWN_KIND, HOSTS, (alone(neo("site", "master_nodes 10.0.0.7:1 10.0.0.8:1")),) * 2, {}, []),
    "another order": (
        UNKNOWN_KIND,
        HOSTS,
        (
            alone(neo("site", "master_nodes 10.0.0.7:1 10.0.0.8:1")),
            alone(neo("site", "master_nodes 10.0.0.8:1, 10.0.0.7:1")),
        ),
        {},
        [],
    ),
    "another name": (
        UNKNOWN_KIND,
        HOSTS,
        (alone(neo("site")), alone(neo("copy"))),
        {},
        ["UNKNOWN app1 app2: name of database main's <neostorage> is site for app1; copy for app2; whether both mean"],
    ),
    "another host": (
        UNKNOWN_KIND,
        HOSTS,
        (alone(neo("a", "host h1")), alone(neo("a", "host h2"))),
        {},
        ["UNKNOWN app1 app2: host of database main's <neostorage> is h1 for app1; h2 for app2"],
    ),
    "a key that one lacks": (
        UNKNOWN_KIND,
        HOSTS,
        (alone(neo("a", "db 3")), alone(neo("a"))),
        {},
        ["UNKNOWN app1 app2: db of database main's <neostorage> is 3 for app1; not set for app2"],
    ),
    "localhost of two machines": (
        UNKNOWN_KIND,
        HOSTS,
        (alone(neo("a", "url redis://localhost:6379/0")),) * 2,
        {},
        ["UNKNOWN app1 app2: url of database main's <neostorage> is redis://localhost:6379/0, which is another one on"],
    ),
    "a folder of two machines": (
        UNKNOWN_KIND,
        HOSTS,
        (alone("<dirstorage>\npath /srv/data\n</dirstorage>"),) * 2,
        {},
        ["UNKNOWN app1 app2: path of database main's <dirstorage> is /srv/data, which is another one on each of the"],
    ),
    "a folder of one machine": (
        UNKNOWN_KIND,
        HOSTS,
        (alone("<dirstorage>\npath /srv/data\n</dirstorage>"),) * 2,
        {"app1": "machine = m", "app2": "machine = m"},
        [],
    ),
    "caches and passwords of their own": (
        UNKNOWN_KIND,
        HOSTS,
        (alone(neo("a", "cache-dir /a", "password x"), "/a"), alone(neo("a", "cache-dir /b", "password y"), "/b")),
        {},
        [],
    ),
    "another prefix in a wrapper": (
        UNKNOWN_KIND,
        HOSTS,
        tuple(
            alone(neo("site", f"s3-prefix {prefix}/", zeo("zeo1:8100"), kind="s3blobstorage"))
            for prefix in ("live", "test")
        ),
        {},
        ["UNKNOWN app1 app2: s3-prefix of database main's <s3blobstorage> is live/ for app1; test/ for app2"],
    ),
}


@pytest.mark.parametrize(("check", "ini", "confs", "more", "expected"), CASES.values(), ids=CASES)
def test_storages(check: str, ini: str, confs: tuple[str, ...], more: dict[str, Any], expected: list[str]) -> None:
    found = said(check, ini, *confs, **more)
    assert expected == [message[: len(wanted)] for message, wanted in zip(found, expected, strict=False)], found
    assert len(expected) == len(found), found
