"""One server by several addresses, servers that pass another one's storage on, and servers that follow one."""

from __future__ import annotations

from typing import Any

import pytest
from zeo_clusters import BOTH, CHECKS, FAN_OUT, FILE, HOSTS, PRIMARY, SECONDARY, client, nothing, said

from zcheck.facts import Facts
from zcheck.parsers import clients_ini, zope_conf
from zcheck.runner import run

AGREE = "zeo-servers-agree"
LOCAL = (client("127.0.0.1:8100"), client("127.0.0.1:8100"))
CASES: dict[str, tuple[str, str, tuple[str, ...], dict[str, Any], list[str]]] = {
    "a tunnel on each machine, declared": (
        AGREE,
        "[zeo:main]\naddress = zeo1:8100\naliases = 127.0.0.1:8100@10.0.0.1 127.0.0.1:8100@10.0.0.2\n",
        LOCAL,
        {},
        ["note app1 app2: database main: 127.0.0.1:8100 on 10.0.0.1 (app1) and 127.0.0.1:8100 on 10.0.0.2 (app2) are"],
    ),
    "a tunnel on every machine": (
        AGREE,
        "[zeo:main]\naddress = zeo1:8100\naliases = 127.0.0.1:9100\n" + HOSTS,
        (client("127.0.0.1:9100"), client("zeo1:8100")),
        {},
        ["note app1 app2: database main: 127.0.0.1:9100 on 10.0.0.1 (app1) and zeo1:8100 (app2) are one server"],
    ),
    "a tunnel of another machine": (
        AGREE,
        "[zeo:main]\naddress = zeo1:8100\naliases = 127.0.0.1:8100@10.0.0.1\n" + HOSTS,
        (client("zeo1:8100"), client("127.0.0.1:8100")),
        {},
        ["CRITICAL app1 app2: database main is on zeo1:8100 for app1; on 127.0.0.1:8100 on 10.0.0.2 for app2"],
    ),
    "a published port": (
        AGREE,
        "[zeo:main]\naddress = zeo1:8100\naliases = 192.0.2.7:30100\n" + HOSTS,
        (client("zeo1:8100"), client("192.0.2.7:30100")),
        {},
        ["note app1 app2: database main: zeo1:8100 (app1) and 192.0.2.7:30100 (app2) are one server"],
    ),
    "the port beside the published one": (
        AGREE,
        "[zeo:main]\naddress = zeo1:8100\naliases = 192.0.2.7:30100\n" + HOSTS,
        (client("zeo1:8100"), client("192.0.2.7:30101")),
        {},
        ["CRITICAL app1 app2: database main is on zeo1:8100 for app1; on 192.0.2.7:30101 for app2"],
    ),
    "Docker's name for its host, on two hosts": (
        AGREE,
        HOSTS,
        (client("host.docker.internal:8100"), client("host.docker.internal:8100")),
        {},
        ["CRITICAL app1 app2: database main is on host.docker.internal:8100 on 10.0.0.1 for app1; on host.docker"],
    ),
    "Docker's name for its host, on one": (
        AGREE,
        HOSTS,
        (client("host.docker.internal:8100"), client("host.containers.internal:8100")),
        {"app1": "machine = host1", "app2": "machine = host1"},
        ["note app1 app2: database main: host.docker.internal:8100 on host1 (app1) and host.containers.internal:8100"],
    ),
    "a relative socket, on one machine as far as is known": (
        AGREE,
        HOSTS,
        (client("var/zeo.sock"), client("var/zeo.sock")),
        {"app2": "connect = 10.0.0.1:8081", "app1": ""},
        ["CRITICAL app1 app2: database main is on var/zeo.sock on 10.0.0.1 for app1; on var/zeo.sock on 10.0.0.2"],
    ),
    "a relative socket, on one machine by 'machine'": (
        AGREE,
        HOSTS,
        (client("var/zeo.sock"), client("var/zeo.sock")),
        {"app1": "machine = m1", "app2": "machine = m1"},
        [],
    ),
    "a fan-out": (
        AGREE,
        BOTH + HOSTS,
        (client("zeo1:8100"), client("zeo2:8100")),
        {"zeo": {"main": FILE.format("1"), "second": FAN_OUT.format("1")}},
        ["note app1 app2: database main: zeo1:8100 (app1) and zeo2:8100 (app2) are one database, by the servers' own"],
    ),
    "a fan-out of another server": (
        AGREE,
        BOTH + HOSTS + "zeo3 = 10.0.1.3\n",
        (client("zeo1:8100"), client("zeo2:8100")),
        {"zeo": {"main": FILE.format("1"), "second": FAN_OUT.format("1").replace("zeo1", "zeo3")}},
        ["CRITICAL app1 app2: database main is on zeo1:8100 for app1; on zeo2:8100 for app2"],
    ),
    "a fan-out that names the storage otherwise": (
        "storage-names-agree",
        BOTH + HOSTS,
        (client("zeo1:8100", "main"), client("zeo2:8100", "1")),
        {"zeo": {"main": FILE.format("main"), "second": FAN_OUT.format("main")}},
        [],
    ),
    "a fan-out of another storage": (
        "storage-names-agree",
        BOTH + HOSTS,
        (client("zeo1:8100", "main"), client("zeo2:8100", "1")),
        {"zeo": {"main": FILE.format("main"), "second": FAN_OUT.format("staging")}},
        ["CRITICAL app1 app2: database main is in storage main for app1; in storage staging for app2"],
    ),
    "a fan-out of the pinned server": (
        "zeo-server-is-the-pinned-one",
        "zeo = zeo1:8100\nstorage = main\n" + BOTH + HOSTS,
        (client("zeo1:8100", "main"), client("zeo2:8100", "1")),
        {"zeo": {"main": FILE.format("main"), "second": FAN_OUT.format("main")}},
        [],
    ),
    "a secondary, by its own file": (
        AGREE,
        BOTH + HOSTS,
        (client("zeo1:8100"), client("zeo2:8100", "1", "read-only on")),
        {"app2": "role = read-only", "zeo": {"main": PRIMARY, "second": SECONDARY.format("zeo1:5000")}},
        ["note app2: database main: app2 reads from zeo2:8100, which follows zeo1:8100: edits are seen a little later"],
    ),
    "a secondary of the pinned server": (
        "zeo-server-is-the-pinned-one",
        "zeo = zeo1:8100\n" + BOTH + HOSTS,
        (client("zeo1:8100"), client("zeo2:8100", "1", "read-only on")),
        {"app2": "role = read-only", "zeo": {"main": PRIMARY, "second": SECONDARY.format("zeo1:5000")}},
        [],
    ),
    "a secondary, and a client that edits": (
        AGREE,
        BOTH + HOSTS,
        (client("zeo1:8100"), client("zeo2:8100")),
        {"zeo": {"main": PRIMARY, "second": SECONDARY.format("zeo1:5000")}},
        ["CRITICAL app2: database main: app2 is on zeo2:8100, which follows zeo1:8100 and takes no edits"],
    ),
    "a secondary of another server": (
        AGREE,
        BOTH + HOSTS + "zeo3 = 10.0.1.3\n",
        (client("zeo1:8100"), client("zeo2:8100", "1", "read-only on")),
        {"app2": "role = read-only", "zeo": {"main": PRIMARY, "second": SECONDARY.format("zeo3:5000")}},
        [
            "UNKNOWN app1 app2: database main is on zeo1:8100 for app1; on zeo2:8100 for app2; whether that of app2 is",
            "note app2: database main: app2 reads from zeo2:8100, which follows zeo3:5000",
        ],
    ),
    "a replica, declared": (
        AGREE,
        BOTH + "replica-of = main\n" + HOSTS,
        (client("zeo1:8100"), client("zeo2:8100")),
        {"app2": "role = read-only"},
        ["note app2: database main: app2 reads from zeo2:8100, which follows zeo1:8100: edits are seen a little later"],
    ),
    "perhaps a replica": (
        AGREE,
        HOSTS,
        (client("zeo1:8100"), client("zeo2:8100")),
        {"app2": "role = read-only"},
        ["UNKNOWN app1 app2: database main is on zeo1:8100 for app1; on zeo2:8100 for app2; whether that of app2 is"],
    ),
    "a worker on another server": (
        AGREE,
        HOSTS,
        (client("zeo1:8100"), client("zeo2:8100")),
        {"app2": "role = worker"},
        ["CRITICAL app1 app2: database main is on zeo1:8100 for app1; on zeo2:8100 for app2"],
    ),
    "a pin of its own": (
        "zeo-server-is-the-pinned-one",
        "[database:main]\nzeo = zeo1:8100\nstorage = main\n" + HOSTS,
        (client("zeo1:8100", "main"), client("zeo2:8100", "main")),
        {},
        ["CRITICAL app2: database main is on zeo2:8100 for app2; clients.ini pins zeo1:8100"],
    ),
}


@pytest.mark.parametrize(("check", "ini", "confs", "more", "expected"), CASES.values(), ids=CASES)
def test_servers(check: str, ini: str, confs: tuple[str, ...], more: dict[str, Any], expected: list[str]) -> None:
    found = said(check, ini, *confs, **more)
    assert expected == [message[: len(wanted)] for message, wanted in zip(found, expected, strict=False)], found
    assert len(expected) == len(found), found


def test_the_hint_for_localhost_tells_how_to_declare_a_tunnel() -> None:
    ini = clients_ini.parse(
        "[client:app1]\naddress = 10.0.0.1:80\n[client:app2]\naddress = 10.0.0.2:80\n", "clients.ini"
    )
    facts = Facts().with_fact("", ini)
    for one in ini.clients:
        facts = facts.with_fact(one.name, zope_conf.parse(LOCAL[0], "zope.conf", {}, nothing))
    (finding,) = run([CHECKS[AGREE]], facts).findings
    aliases = "aliases = 127.0.0.1:8100@10.0.0.1 127.0.0.1:8100@10.0.0.2"
    assert finding.hint.endswith(f"[zeo:NAME] with its address and {aliases}")
    two = "[client:app1]\naddress = 10.0.0.1:80\n[client:app2]\naddress = 10.0.0.2:80\n"
    told = clients_ini.parse(f"{two}[zeo:a]\naddress = z:1\n{aliases}\n", "clients.ini")
    assert run([CHECKS[AGREE]], facts.with_fact("", told)).findings == ()
