"""Where databases in SQL are, by zope.conf, by the environment and by clients.ini."""

from __future__ import annotations

from typing import Any

import pytest

from zcheck.checks import CATALOGUE
from zcheck.facts import Facts
from zcheck.parsers import clients_ini, zope_conf
from zcheck.report.structs import Judgement
from zcheck.runner import run

(CHECK,) = [check for check in CATALOGUE if check.name == "relstorage-databases-agree"]
HOSTS = "[hosts]\npg1 = 10.0.1.1\npg2 = 10.0.1.2\n"
SECRET = "hunter2"


def nothing(path: str) -> str:
    raise FileNotFoundError(2, "No such file or directory", path)


def conf(*lines: str, adapter: str = "postgresql", environment: str = "", more: str = "") -> str:
    """A zope.conf with database main in RelStorage."""
    text = f"%import relstorage\n<environment>\n{environment}\n</environment>\n<zodb_db main>\n<relstorage>\n{more}\n"
    return text + "\n".join([f"<{adapter}>", *lines, f"</{adapter}>", "</relstorage>", "mount-point /", "</zodb_db>"])


def dsn(text: str, **more: str) -> str:
    return conf(f"dsn {text}", **more)


def mysql(*lines: str, **more: str) -> str:
    return conf(*lines, adapter="mysql", **more)


def judged(ini: str, confs: tuple[str, ...], **clients: str) -> Judgement:
    text = "[cluster]\nname = test\n"
    for number in range(1, len(confs) + 1):
        text += f"[client:app{number}]\naddress = 10.0.0.{number}:8080\n{clients.get(f'app{number}', '')}\n"
    inventory = clients_ini.parse(text + ini, "clients.ini")
    facts = Facts().with_fact("", inventory)
    for one, given in zip(inventory.clients, confs, strict=True):
        facts = facts.with_fact(one.name, zope_conf.parse(given, f"{one.name}.conf", one.env, nothing))
    return run([CHECK], facts)


def said(judgement: Judgement) -> list[tuple[str, str, str]]:
    told = [(finding.severity, " ".join(finding.clients), finding.message) for finding in judgement.findings]
    return told + [("note", " ".join(remark.clients), remark.message) for remark in judgement.remarks]


PG1 = "host=pg1 dbname=cms user=cms"
POOLERS = "[database:main]\nsql = postgresql://pg1/cms\naliases = 127.0.0.1:6432@10.0.0.1 127.0.0.1:6432@10.0.0.2\n"
STANDBY = (
    "[database:main]\nsql = postgresql://pg1/cms\n[database:standby]\nsql = postgresql://pg2/cms\nreplica-of = main\n"
)
CRITICAL, UNKNOWN = "CRITICAL", "UNKNOWN"
CASES: dict[str, tuple[tuple[str, ...], str, dict[str, str], list[tuple[str, str, str]]]] = {
    "one database": ((dsn(PG1), dsn(f"user=cms dbname='cms' host=pg1 password={SECRET}")), HOSTS, {}, []),
    "a service on two machines": (
        (dsn("service=cms"), dsn("service=cms")),
        HOSTS,
        {},
        [(UNKNOWN, "app1 app2", "of service cms, which pg_service.conf of its machine describes")],
    ),
    "a service on one machine": (
        (dsn("service=cms"), dsn("service=cms")),
        HOSTS,
        {"app1": "machine = m", "app2": "machine = m"},
        [],
    ),
    "a service, and another database by name": (
        (dsn("service=cms dbname=live"), dsn("service=cms dbname=test")),
        HOSTS,
        {},
        [(CRITICAL, "app1 app2", "database test")],
    ),
    "a service by its variable": (
        (dsn("user=cms", environment="PGSERVICE cms"), dsn(PG1)),
        HOSTS,
        {},
        [(UNKNOWN, "app1 app2", "of service cms")],
    ),
    "PGHOST in zope.conf": (
        (dsn("dbname=cms user=cms", environment="PGHOST pg1"), dsn(PG1)),
        HOSTS,
        {},
        [],
    ),
    "PGHOST in zope.conf, two": (
        (dsn("dbname=cms", environment="PGHOST pg1"), dsn("dbname=cms", environment="PGHOST pg2")),
        HOSTS,
        {},
        [(CRITICAL, "app1 app2", "cms on pg1:5432 for app1; in postgresql database cms on pg2:5432 for app2")],
    ),
    "PGHOST in clients.ini": (
        (dsn("dbname=cms user=cms"), dsn(PG1)),
        HOSTS,
        {"app1": "env.PGHOST = pg1\nenv.PGPORT = 5432"},
        [],
    ),
    "no host on two machines": (
        (dsn("dbname=cms user=cms"), dsn("dbname=cms user=cms")),
        HOSTS,
        {},
        [(UNKNOWN, "app1 app2", "or where PGHOST of its environment says")],
    ),
    "localhost on two machines": (
        (dsn("host=localhost dbname=cms"), dsn("host=localhost dbname=cms")),
        HOSTS,
        {},
        [(CRITICAL, "app1 app2", "localhost:5432 on 10.0.0.1 for app1")],
    ),
    "a socket's folder on two machines": (
        (dsn("host=/run/postgresql dbname=cms"),) * 2,
        HOSTS,
        {},
        [(CRITICAL, "app1 app2", "")],
    ),
    "MySQL's defaults file": (
        (mysql("db cms", "read_default_file /etc/my.cnf"),) * 2,
        HOSTS,
        {},
        [(UNKNOWN, "app1 app2", "with what /etc/my.cnf of its machine says")],
    ),
    "MySQL's defaults file beside a host": (
        (mysql("db cms", "host pg1", "user u", "port 3306", "read_default_file /a"), mysql("db cms", "host pg2")),
        HOSTS,
        {},
        [(CRITICAL, "app1 app2", "")],
    ),
    "two hosts in two orders": (
        (dsn("host=pg1,pg2 dbname=cms"), dsn("host=pg2,pg1 dbname=cms")),
        HOSTS,
        {},
        [(CRITICAL, "app1 app2", "on pg1:5432, pg2:5432 for app1; in postgresql database cms on pg2:5432, pg1:5432")],
    ),
    "two hosts in two orders, as a URL": (
        (dsn("postgresql://cms@pg1:5432,pg2:5432/cms"), dsn("postgresql://cms@pg2:5432,pg1:5432/cms?sslmode=require")),
        HOSTS,
        {},
        [(CRITICAL, "app1 app2", "")],
    ),
    "two hosts in two orders, for the primary": (
        (
            dsn("host=pg1,pg2 dbname=cms target_session_attrs=read-write"),
            dsn("postgresql://pg2,pg1/cms?target_session_attrs=primary"),
        ),
        HOSTS,
        {},
        [],
    ),
    "two hosts in two orders, one of them for the primary": (
        (dsn("host=pg1,pg2 dbname=cms target_session_attrs=read-write"), dsn("host=pg2,pg1 dbname=cms")),
        HOSTS,
        {},
        [(CRITICAL, "app1 app2", "")],
    ),
    "two hosts in one order": ((dsn("host=pg1,pg2 dbname=cms"),) * 2, HOSTS, {}, []),
    "a second host that the other lacks": (
        (dsn("host=pg1,pg2 dbname=cms"), dsn("host=pg1 dbname=cms")),
        HOSTS,
        {},
        [(UNKNOWN, "app1 app2", "")],
    ),
    "options of the URL": (
        (dsn(f"postgresql://cms:{SECRET}@pg1/cms?sslmode=require"), dsn(PG1)),
        HOSTS,
        {},
        [],
    ),
    "the host in the URL's query": (
        (dsn("postgresql://cms@/cms?host=pg1"), dsn("postgresql://cms@/cms?host=pg2")),
        HOSTS,
        {},
        [(CRITICAL, "app1 app2", "on pg1:5432 as cms for app1")],
    ),
    "an unknown password": (
        (dsn("host=pg1 dbname=cms user=cms password=$(DBPASSWORD)"), dsn(PG1)),
        HOSTS,
        {},
        [],
    ),
    "an unknown password in a URL, another server": (
        (dsn("postgresql://cms:$(PW)@pg1/cms"), dsn("postgresql://cms:$(PW)@pg2/cms")),
        HOSTS,
        {},
        [(CRITICAL, "app1 app2", "on pg2:5432 as cms for app2")],
    ),
    "an unknown password of MySQL": (
        (mysql("db cms", "host pg1", "passwd $(PW)"), mysql("db test", "host pg1", "passwd $(PW)")),
        HOSTS,
        {},
        [(CRITICAL, "app1 app2", "mysql database test on pg1:3306 for app2")],
    ),
    "an unknown host, another database": (
        (dsn("host=$(DBHOST) dbname=cms"), dsn("host=$(DBHOST) dbname=test")),
        HOSTS,
        {},
        [
            (UNKNOWN, "app1", "no value for $(DBHOST), which dsn of app1 needs"),
            (UNKNOWN, "app2", "no value for $(DBHOST)"),
            (CRITICAL, "app1 app2", "postgresql database test as far as it is known for app2"),
        ],
    ),
    "a variable that adds anything": (
        (dsn("host=pg1 dbname=cms"), dsn("host=pg1 dbname=cms $(MORE)")),
        HOSTS,
        {},
        [(UNKNOWN, "app2", "$(MORE)"), (UNKNOWN, "app1 app2", "and what a variable adds")],
    ),
    "a pooler on each machine, declared": (
        (dsn("host=127.0.0.1 port=6432 dbname=cms"),) * 2,
        POOLERS + HOSTS,
        {},
        [],
    ),
    "a pooler on each machine, declared, and a third client": (
        (*[dsn("host=127.0.0.1 port=6432 dbname=cms")] * 2, dsn("host=pg1 dbname=cms")),
        POOLERS + HOSTS,
        {},
        [],
    ),
    "a pooler on each machine, as it seems": (
        (dsn("host=127.0.0.1 port=6432 dbname=cms"),) * 2,
        HOSTS,
        {},
        [(UNKNOWN, "app1 app2", "127.0.0.1:6432 on 10.0.0.1 for app1")],
    ),
    "another database behind the poolers": (
        (dsn("host=127.0.0.1 port=6432 dbname=cms"), dsn("host=127.0.0.1 port=6432 dbname=test")),
        HOSTS,
        {},
        [(CRITICAL, "app1 app2", "")],
    ),
    "SQLite on two machines": (
        (conf("data-dir /srv/data", adapter="sqlite3"),) * 2,
        HOSTS,
        {},
        [(CRITICAL, "app1 app2", "sqlite3 database /srv/data")],
    ),
    "another port of the server": (
        (dsn("host=pg1 port=6432 dbname=cms"), dsn("host=pg1 dbname=cms")),
        HOSTS,
        {},
        [(UNKNOWN, "app1 app2", "one or two: cannot be told")],
    ),
    "a hot standby of a reader": (
        (dsn(PG1), dsn("host=pg2 dbname=cms user=cms")),
        HOSTS,
        {"app2": "role = read-only"},
        [(UNKNOWN, "app1 app2", "whether that of app2 is a replica cannot be told")],
    ),
    "a hot standby, declared": (
        (dsn(PG1), dsn("host=pg2 dbname=cms user=cms")),
        STANDBY + HOSTS,
        {"app2": "role = read-only"},
        [("note", "app2", "database main: app2 is in postgresql database cms on pg2:5432 as cms, a replica of")],
    ),
    "a hot standby, and a client that edits": (
        (dsn(PG1), dsn("host=pg2 dbname=cms user=cms")),
        STANDBY + HOSTS,
        {},
        [(CRITICAL, "app2", "which takes no edits")],
    ),
    "pinned elsewhere": (
        (dsn(PG1), dsn(PG1)),
        "[database:main]\nsql = postgresql://pg2/cms\n" + HOSTS,
        {},
        [
            (CRITICAL, "app1", "as cms for app1; clients.ini pins postgresql://pg2:5432/cms"),
            (CRITICAL, "app2", "as cms for app2; clients.ini pins postgresql://pg2:5432/cms"),
        ],
    ),
    "pinned there": ((dsn(PG1), dsn(PG1)), "[database:main]\nsql = postgresql://pg1/cms\n" + HOSTS, {}, []),
    "a file of replicas": ((dsn(PG1, more="replica-conf /etc/replicas"),) * 2, HOSTS, {}, []),
}


@pytest.mark.parametrize(("confs", "ini", "clients", "expected"), CASES.values(), ids=CASES)
def test_databases_in_sql(
    confs: tuple[str, ...], ini: str, clients: dict[str, str], expected: list[tuple[str, str, str]]
) -> None:
    judgement = judged(ini, confs, **clients)
    found = said(judgement)
    assert [one[:2] for one in expected] == [one[:2] for one in found], found
    for (_, _, part), (_, _, message) in zip(expected, found, strict=True):
        assert part in message
    for finding in judgement.findings:
        assert finding.hint
        assert SECRET not in repr(finding)
        assert "PASSWORD" not in finding.hint


@pytest.mark.parametrize("variable", ["$(RELSTORAGE_DSN)", "host=$(PGPASSHOST) dbname=cms"])
def test_nobody_is_asked_for_a_password(variable: str) -> None:
    finding, *_ = judged(HOSTS, (dsn(variable), dsn(PG1))).findings
    assert "without the password" in finding.hint or "env-file" in finding.hint


def test_the_hint_for_localhost_tells_how_to_declare_a_pooler() -> None:
    (finding,) = judged(HOSTS, (dsn("host=127.0.0.1 port=6432 dbname=cms"),) * 2).findings
    aliases = POOLERS.rstrip().rpartition("\n")[2]
    assert finding.hint.endswith(aliases)


def test_saved_facts_hold_no_value_of_a_variable() -> None:
    facts: Any = zope_conf.parse(
        dsn("$(RELSTORAGE_DSN)"), "zope.conf", {"RELSTORAGE_DSN": f"password={SECRET}"}, nothing
    )
    assert SECRET not in repr(facts)
