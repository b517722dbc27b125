"""The checks of the config stage: each with cases that fire, and cases beside them that must not."""

from __future__ import annotations

import textwrap
from typing import Any

import msgspec
import pytest

from zcheck.check import Check
from zcheck.checks import CATALOGUE
from zcheck.facts import Facts, Inventory, LeftOut, Names, NotGathered, OidRange, StorageProof, ZeoIdentity, ZopeConf
from zcheck.parsers import zope_conf
from zcheck.parsers.clients_ini import parse as parse_inventory
from zcheck.report.structs import Judgement
from zcheck.runner import run

CHECKS = {check.name: check for check in CATALOGUE}


ADD_ONS = ("ZEO", "relstorage", "zc.zlibstorage", "cipher.encryptingstorage", "zc.beforestorage", "my.storage")
"""What the files of this table import, unless they say so themselves."""


def nothing_to_include(path: str) -> str:
    raise OSError(2, "No such file or directory", path)


def zeo(servers: str = "10.0.0.5:8100", *keys: str, kind: str = "zeoclient") -> str:
    """A storage section on ZEO; several servers with blanks between."""
    return "\n".join([f"<{kind}>", *(f"server {server}" for server in servers.split()), *keys, f"</{kind}>"])


def database(name: str = "main", mount: str = "/", storage: str = "", *keys: str) -> str:
    """A ``<zodb_db>`` section; several mount points with blanks between."""
    lines = [f"<zodb_db {name}>", storage or zeo(), *(f"mount-point {point}" for point in mount.split()), *keys]
    return "\n".join([*lines, "</zodb_db>"])


def inside(wrapper: str, storage: str) -> str:
    """A storage within a wrapper."""
    return f"<{wrapper}>\n{storage}\n</{wrapper}>"


FILE = "<filestorage>\npath /srv/var/Data.fs\n</filestorage>"
CLIENT_STORAGE = database(storage=zeo(kind="clientstorage"))
TEMPORARY = database("temporary", "/temp_folder", "<temporarystorage>\nname sessions\n</temporarystorage>")


def cluster(clients: int = 2, extra: str = "", **keys: str) -> Inventory:
    """Clients app1, app2 and so on at 10.0.0.1, 10.0.0.2; ``app2="role = worker"`` adds lines to a client's section."""
    text = "[cluster]\nname = test\n" + textwrap.dedent(keys.pop("cluster", "")) + "\n"
    for number in range(1, clients + 1):
        text += f"[client:app{number}]\naddress = 10.0.0.{number}:8080\n{keys.get(f'app{number}', '')}\n"
    return parse_inventory(text + extra, "clients.ini")


def judge(name: str, *confs: Any, ini: Inventory | None = None, facts: dict[type[Any], Any] | None = None) -> Judgement:
    """What one check says, with the checks that it stands after, of these clients' zope.conf texts (or stand-ins)."""
    given = ini or cluster(len(confs))
    known = Facts().with_fact("", given)
    for client, conf in zip(given.clients, confs, strict=True):
        if isinstance(conf, str):
            conf = zope_conf.parse(conf, f"{client.name}/zope.conf", client.env, nothing_to_include)
            conf = msgspec.structs.replace(conf, imports=conf.imports or ADD_ONS)
        known = known.with_fact(client.name, conf, ZopeConf)
    for kind, fact in (facts or {}).items():
        known = known.with_fact("", fact, kind)
    return run([*_before(CHECKS[name]), CHECKS[name]], known, today="2026-11-20")


def _before(check: Check) -> list[Check]:
    return [CHECKS[name] for name in check.after]


def told(name: str, judgement: Judgement) -> list[tuple[str, str, str]]:
    """The findings of one check: severity, clients, message."""
    return [(f.severity, " ".join(f.clients), f.message) for f in judgement.findings if f.check == name]


def outcome(judgement: Judgement) -> str:
    return judgement.results[-1].outcome


class Case:
    """Some clients' files, and what one check must say of them; no finding where ``severity`` is empty."""

    def __init__(
        self,
        name: str,
        *confs: Any,
        says: tuple[str, str, str] | None = None,
        outcome: str = "",
        ini: Inventory | None = None,
        **facts: Any,
    ) -> None:
        self.name = name
        self.confs = confs
        self.says = says
        self.outcome = outcome or ("pass" if says is None else "unknown" if says[0] == "UNKNOWN" else "problem")
        self.ini = ini
        self.facts = {type(fact): fact for fact in facts.values()}


def row(id: str, case: Case) -> Any:
    return pytest.param(case, id=f"{case.name}: {id}")


def relational(adapter: str, *keys: str) -> str:
    """A RelStorage section with one adapter."""
    return inside("relstorage", "\n".join([f"<{adapter}>", *keys, f"</{adapter}>"]))


def environment(*lines: str) -> str:
    """A healthy client's file with environment variables."""
    return "\n".join(["<environment>", *lines, "</environment>", HEALTHY])


HEALTHY = database()
RELATIONAL = relational("postgresql", "dsn host=10.0.0.5 dbname=zodb user=zope password=secret")
CACHED = zeo("10.0.0.5:8100", "client c", "var /srv/var")
MACHINE = (
    "[cluster]\nname = x\n[client:app1]\naddress = 10.0.0.1:8081\n{0}\n[client:app2]\naddress = 10.0.0.1:8082\n{0}\n"
)
TOGETHER = parse_inventory(MACHINE.format(""), "clients.ini")
CONTAINERS = parse_inventory(MACHINE.format("listens = 8080"), "clients.ini")
HOSTS = "[hosts]\nzeo1 = 10.0.0.5\nzeo2 = 10.0.0.6\n"
PINNED = cluster(2, cluster="zeo = 10.0.0.5:8100\nstorage = 1")


def identity(interleaved: bool) -> ZeoIdentity:
    """Object ids as one server hands them out in turn to two clients, or as two servers do."""
    second = [(2, 101, 200), (4, 301, 400)] if interleaved else [(2, 1, 100), (4, 101, 200)]
    ranges = {"app1": [(1, 1, 100), (3, 201, 300) if interleaved else (3, 101, 200)], "app2": second}
    proofs = tuple(
        StorageProof(client, "10.0.0.5:8100", oids=tuple(OidRange(*answer) for answer in answers))
        for client, answers in ranges.items()
    )
    return ZeoIdentity({"main": proofs})


CASES = [
    # zope-conf-parses
    row("healthy", Case("zope-conf-parses", HEALTHY, HEALTHY)),
    row(
        "syntax error",
        Case("zope-conf-parses", HEALTHY, "<zodb_db main", says=("CRITICAL", "app2", "malformed section start")),
    ),
    row(
        "included file not at hand",
        Case(
            "zope-conf-parses", HEALTHY, f"%include x\n{HEALTHY}", says=("UNKNOWN", "app2", "%include x could not be")
        ),
    ),
    row("no zope.conf at hand", Case("zope-conf-parses", HEALTHY, LeftOut("no zope-conf"))),
    row(
        "unreadable",
        Case(
            "zope-conf-parses", HEALTHY, NotGathered("permission denied"), says=("UNKNOWN", "app2", "permission denied")
        ),
    ),
    # root-mount-exists
    row("healthy", Case("root-mount-exists", HEALTHY, HEALTHY)),
    row("virtual path", Case("root-mount-exists", HEALTHY, database(mount="/:/site"))),
    row(
        "none", Case("root-mount-exists", HEALTHY, "debug-mode off", says=("CRITICAL", "app2", "app2 has no <zodb_db>"))
    ),
    row(
        "another path",
        Case("root-mount-exists", HEALTHY, database(mount="/site"), says=("CRITICAL", "app2", "app2 mounts /site")),
    ),
    row(
        "slash twice",
        Case("root-mount-exists", HEALTHY, database(mount="//"), says=("CRITICAL", "app2", "nothing is mounted on /")),
    ),
    row(
        "perhaps in an included file",
        Case("root-mount-exists", HEALTHY, "%include x", says=("UNKNOWN", "app2", "could be read in part only")),
    ),
    # mount-points-agree
    row("healthy", Case("mount-points-agree", HEALTHY, HEALTHY)),
    row(
        "another order",
        Case("mount-points-agree", f"{HEALTHY}\n{database('a', '/a')}", f"{database('a', '/a')}\n{HEALTHY}"),
    ),
    row("one path written in two ways", Case("mount-points-agree", database(mount="/ /a"), database(mount="/ /a:/a"))),
    row(
        "one more",
        Case(
            "mount-points-agree",
            HEALTHY,
            f"{HEALTHY}\n{database('archive', '/archive')}",
            says=("CRITICAL", "app2 app1", "app2 mounts / and /archive; app1 mounts /"),
        ),
    ),
    row(
        "many on one side",
        Case(
            "mount-points-agree",
            HEALTHY,
            HEALTHY,
            database(mount="/ /a"),
            HEALTHY,
            says=("CRITICAL", "app3 app1 app2 app4", "app3 mounts / and /a; app1, app2, app4 mount /"),
        ),
    ),
    row(
        "another path inside",
        Case(
            "mount-points-agree",
            database(mount="/ /a"),
            database(mount="/ /a:/old/a"),
            says=("CRITICAL", "app1 app2", "app1 mounts / and /a; app2 mounts / and /a:/old/a"),
        ),
    ),
    row(
        "a slash at the end is another path",
        Case("mount-points-agree", database(mount="/ /a"), database(mount="/ /a/"), says=("CRITICAL", "app1 app2", "")),
    ),
    row(
        "sessions on one client alone",
        Case("mount-points-agree", HEALTHY, f"{HEALTHY}\n{TEMPORARY}", says=("CRITICAL", "app2 app1", "/temp_folder")),
    ),
    row(
        "a worker needs no sessions",
        Case("mount-points-agree", f"{HEALTHY}\n{TEMPORARY}", HEALTHY, ini=cluster(2, app2="role = worker")),
    ),
    row(
        "a worker without the archive",
        Case(
            "mount-points-agree",
            f"{HEALTHY}\n{database('archive', '/archive')}",
            HEALTHY,
            ini=cluster(2, app2="role = worker"),
            says=("CRITICAL", "app1 app2", "/archive"),
        ),
    ),
    row(
        "perhaps in an included file",
        Case(
            "mount-points-agree",
            database(mount="/ /a"),
            f"{HEALTHY}\n%include x",
            says=("UNKNOWN", "app2", "app2 is not seen to mount /a"),
        ),
    ),
    row("the included file cannot take away", Case("mount-points-agree", HEALTHY, f"{HEALTHY}\n%include x")),
    row(
        "one alone",
        Case("mount-points-agree", HEALTHY, LeftOut("no zope-conf"), outcome="skipped"),
    ),
    # database-names-agree
    row("healthy", Case("database-names-agree", HEALTHY, database("MAIN"))),
    row(
        "another name",
        Case(
            "database-names-agree",
            HEALTHY,
            database("site"),
            says=("CRITICAL", "app1 app2", "the database on / is called main for app1; site for app2"),
        ),
    ),
    row("a name that has no counterpart", Case("database-names-agree", HEALTHY, f"{HEALTHY}\n{database('a', '/a')}")),
    # no-private-storage
    row("healthy", Case("no-private-storage", HEALTHY, HEALTHY)),
    row(
        "filestorage",
        Case("no-private-storage", HEALTHY, database(storage=FILE), says=("CRITICAL", "app2", "in a <filestorage>")),
    ),
    row(
        "filestorage on both",
        Case(
            "no-private-storage",
            database(storage=FILE),
            database(storage=FILE),
            says=("CRITICAL", "app1 app2", "main of app1, app2"),
        ),
    ),
    row(
        "filestorage within a wrapper",
        Case(
            "no-private-storage",
            HEALTHY,
            database(storage=inside("zlibstorage", FILE)),
            says=("CRITICAL", "app2", "in a <filestorage>"),
        ),
    ),
    row(
        "demo over ZEO",
        Case(
            "no-private-storage",
            HEALTHY,
            database(storage=inside("demostorage", zeo())),
            says=("CRITICAL", "app2", "in a <demostorage>, which keeps what is written to itself"),
        ),
    ),
    row(
        "main database in memory",
        Case(
            "no-private-storage", HEALTHY, database(storage="<mappingstorage/>"), says=("CRITICAL", "app2", "<mapping")
        ),
    ),
    row("sessions", Case("no-private-storage", f"{HEALTHY}\n{TEMPORARY}", f"{HEALTHY}\n{TEMPORARY}")),
    row(
        "a mapping beside the root",
        Case("no-private-storage", *[f"{HEALTHY}\n{database('x', '/x', '<mappingstorage/>')}"] * 2),
    ),
    row(
        "a file beside the root",
        Case(
            "no-private-storage",
            *[f"{HEALTHY}\n{database('x', '/x', FILE)}"] * 2,
            says=("CRITICAL", "app1 app2", "x of"),
        ),
    ),
    row(
        "a read-only file beside the root",
        Case(
            "no-private-storage",
            *[HEALTHY + "\n" + database("x", "/x", FILE.replace("path", "read-only on\npath"))] * 2,
        ),
    ),
    row("one client alone", Case("no-private-storage", database(storage=FILE), outcome="skipped")),
    row("a storage of an add-on", Case("no-private-storage", HEALTHY, database(storage="<newtstorage/>"))),
    # zeo-addresses-are-valid
    row("healthy", Case("zeo-addresses-are-valid", HEALTHY, database(storage=zeo("8100 /run/zeo.sock")))),
    row(
        "no port",
        Case(
            "zeo-addresses-are-valid",
            HEALTHY,
            database(storage=zeo("10.0.0.5:8100 zeo2")),
            says=("CRITICAL", "app2", "'zeo2' has no port"),
        ),
    ),
    row(
        "two on a line",
        Case(
            "zeo-addresses-are-valid",
            HEALTHY,
            HEALTHY.replace("server 10.0.0.5:8100", "server zeo1:8100 zeo2:8100"),
            says=("CRITICAL", "app2", "is not one address"),
        ),
    ),
    row(
        "the same fault on both",
        Case(
            "zeo-addresses-are-valid",
            *[database(storage=zeo("zeo1"))] * 2,
            says=("CRITICAL", "app1 app2", "main of app1, app2"),
        ),
    ),
    row(
        "a variable without a value",
        Case(
            "zeo-addresses-are-valid",
            HEALTHY,
            database(storage=zeo("$(Z)")),
            says=("UNKNOWN", "app2", "no value for $(Z)"),
        ),
    ),
    row(
        "a variable with a value",
        Case(
            "zeo-addresses-are-valid",
            HEALTHY,
            database(storage=zeo("$(Z)")),
            ini=cluster(2, app2="env.Z = 10.0.0.5:8100"),
        ),
    ),
    row("no ZEO", Case("zeo-addresses-are-valid", *[database(storage=FILE)] * 2, outcome="skipped")),
    # zeo-servers-agree
    row("healthy", Case("zeo-servers-agree", HEALTHY, HEALTHY)),
    row("clientstorage", Case("zeo-servers-agree", HEALTHY, database(storage=zeo(kind="clientstorage")))),
    row(
        "two addresses",
        Case(
            "zeo-servers-agree",
            HEALTHY,
            database(storage=zeo("10.0.0.6:8100")),
            says=("CRITICAL", "app1 app2", "database main is on 10.0.0.5:8100 for app1; on 10.0.0.6:8100 for app2"),
        ),
    ),
    row(
        "another port",
        Case("zeo-servers-agree", HEALTHY, database(storage=zeo("10.0.0.5:8200")), says=("CRITICAL", "app1 app2", "")),
    ),
    row(
        "localhost of two machines",
        Case(
            "zeo-servers-agree",
            *[database(storage=zeo("8100"))] * 2,
            says=("CRITICAL", "app1 app2", "8100 on 10.0.0.1"),
        ),
    ),
    row(
        "localhost of one machine, in three spellings",
        Case(
            "zeo-servers-agree",
            *(database(storage=zeo(text)) for text in ("8100", "localhost:8100", "127.0.0.1:8100")),
            ini=parse_inventory(
                "[cluster]\nname = x\n" + "".join(f"[client:app{n}]\naddress = 127.0.0.1:808{n}\n" for n in range(3)),
                "x",
            ),
        ),
    ),
    row(
        "name and address by [hosts]",
        Case("zeo-servers-agree", HEALTHY, database(storage=zeo("zeo1:8100")), ini=cluster(2, HOSTS)),
    ),
    row(
        "name and address by DNS",
        Case("zeo-servers-agree", HEALTHY, database(storage=zeo("zeo1:8100")), names=Names({"zeo1": ("10.0.0.5",)})),
    ),
    row(
        "name and foreign address",
        Case(
            "zeo-servers-agree",
            HEALTHY,
            database(storage=zeo("zeo2:8100")),
            ini=cluster(2, HOSTS),
            says=("CRITICAL", "app1 app2", ""),
        ),
    ),
    row(
        "a name that nothing knows",
        Case(
            "zeo-servers-agree",
            HEALTHY,
            database(storage=zeo("zeo1:8100")),
            says=("UNKNOWN", "app1 app2", "cannot be told"),
        ),
    ),
    row("an unknown name on both", Case("zeo-servers-agree", *[database(storage=zeo("zeo1:8100"))] * 2)),
    row(
        "an unknown name, proven by the servers",
        Case("zeo-servers-agree", HEALTHY, database(storage=zeo("zeo1:8100")), identity=identity(True)),
    ),
    row(
        "an unknown name, not proven by the servers",
        Case(
            "zeo-servers-agree",
            HEALTHY,
            database(storage=zeo("zeo1:8100")),
            identity=identity(False),
            says=("UNKNOWN", "app1 app2", ""),
        ),
    ),
    row(
        "two addresses of one server, proven by the servers",
        Case("zeo-servers-agree", HEALTHY, database(storage=zeo("10.0.0.6:8100")), identity=identity(True)),
    ),
    row(
        "localhost of two machines stays different, whatever was dialled",
        Case(
            "zeo-servers-agree",
            *[database(storage=zeo("8100"))] * 2,
            identity=identity(True),
            says=("CRITICAL", "app1 app2", ""),
        ),
    ),
    row(
        "two that agree, one that cannot be told",
        Case(
            "zeo-servers-agree",
            HEALTHY,
            HEALTHY,
            database(storage=zeo("zeo1:8100")),
            says=("UNKNOWN", "app1 app2 app3", "on 10.0.0.5:8100 for app1, app2; on zeo1:8100 for app3"),
        ),
    ),
    row(
        "the order of several",
        Case(
            "zeo-servers-agree",
            database(storage=zeo("10.0.0.5:8100 10.0.0.6:8100")),
            database(storage=zeo("10.0.0.6:8100 10.0.0.5:8100")),
        ),
    ),
    row(
        "one of several is missing",
        Case(
            "zeo-servers-agree",
            database(storage=zeo("10.0.0.5:8100 10.0.0.6:8100")),
            HEALTHY,
            says=("CRITICAL", "app1 app2", "10.0.0.5:8100, 10.0.0.6:8100 for app1"),
        ),
    ),
    row(
        "by mount point, where names differ",
        Case(
            "zeo-servers-agree",
            HEALTHY,
            database("site", storage=zeo("10.0.0.6:8100")),
            says=("CRITICAL", "app1 app2", "the database on / is on"),
        ),
    ),
    row(
        "by name, where mount points differ",
        Case(
            "zeo-servers-agree",
            f"{HEALTHY}\n{database('a', '/a')}",
            f"{HEALTHY}\n{database('a', '/b', zeo('10.0.0.6:8100'))}",
            says=("CRITICAL", "app1 app2", "database a is on"),
        ),
    ),
    row(
        "what one client alone has",
        Case("zeo-servers-agree", HEALTHY, f"{HEALTHY}\n{database('a', '/a', zeo('8100'))}"),
    ),
    row("RelStorage", Case("zeo-servers-agree", *[database(storage="<relstorage/>")] * 2, outcome="skipped")),
    row(
        "a variable without a value",
        Case(
            "zeo-servers-agree", HEALTHY, database(storage=zeo("$(Z)")), says=("UNKNOWN", "app2", "no value for $(Z)")
        ),
    ),
    # zeo-server-is-the-pinned-one
    row("healthy", Case("zeo-server-is-the-pinned-one", HEALTHY, HEALTHY, ini=PINNED)),
    row("not pinned", Case("zeo-server-is-the-pinned-one", HEALTHY, HEALTHY, outcome="skipped")),
    row(
        "another server",
        Case(
            "zeo-server-is-the-pinned-one",
            HEALTHY,
            database(storage=zeo("10.0.0.6:8100")),
            ini=PINNED,
            says=("CRITICAL", "app2", "database main is on 10.0.0.6:8100 for app2; clients.ini pins 10.0.0.5:8100"),
        ),
    ),
    row(
        "another storage",
        Case(
            "zeo-server-is-the-pinned-one",
            HEALTHY,
            database(storage=zeo("10.0.0.5:8100", "storage test")),
            ini=PINNED,
            says=("CRITICAL", "app2", "in storage test for app2; clients.ini pins storage 1"),
        ),
    ),
    row(
        "a name that nothing knows",
        Case(
            "zeo-server-is-the-pinned-one",
            HEALTHY,
            database(storage=zeo("zeo1:8100")),
            ini=PINNED,
            says=("UNKNOWN", "app2", "cannot be told"),
        ),
    ),
    row(
        "beside the root any server will do",
        Case("zeo-server-is-the-pinned-one", *[f"{HEALTHY}\n{database('a', '/a', zeo('8200'))}"] * 2, ini=PINNED),
    ),
    row(
        "RelStorage",
        Case("zeo-server-is-the-pinned-one", *[database(storage="<relstorage/>")] * 2, ini=PINNED, outcome="skipped"),
    ),
    # storage-names-agree
    row("healthy", Case("storage-names-agree", HEALTHY, database(storage=zeo("10.0.0.5:8100", "storage 1")))),
    row(
        "two names",
        Case(
            "storage-names-agree",
            database(storage=zeo("8100", "storage main")),
            HEALTHY,
            says=("CRITICAL", "app1 app2", "database main is in storage main for app1; in storage 1 for app2"),
        ),
    ),
    row(
        "upper case is another name",
        Case(
            "storage-names-agree",
            *(database(storage=zeo("8100", f"storage {n}")) for n in "aA"),
            says=("CRITICAL", "app1 app2", ""),
        ),
    ),
    row(
        "a variable without a value",
        Case(
            "storage-names-agree",
            HEALTHY,
            database(storage=zeo("8100", "storage $(S)")),
            says=("UNKNOWN", "app2", "no value for $(S)"),
        ),
    ),
    row("no ZEO", Case("storage-names-agree", *[database(storage="<relstorage/>")] * 2, outcome="skipped")),
    # storage-wrappers-agree
    row("healthy", Case("storage-wrappers-agree", HEALTHY, database(storage=zeo(kind="clientstorage")))),
    row("wrapped alike", Case("storage-wrappers-agree", *[database(storage=inside("zlibstorage", zeo()))] * 2)),
    row(
        "one without the wrapper",
        Case(
            "storage-wrappers-agree",
            database(storage=inside("zlibstorage", zeo())),
            HEALTHY,
            says=("CRITICAL", "app1 app2", "in <zlibstorage> around <zeoclient> for app1; in <zeoclient> for app2"),
        ),
    ),
    row(
        "another order of wrappers",
        Case(
            "storage-wrappers-agree",
            database(storage=inside("zlibstorage", inside("encryptingstorage", zeo()))),
            database(storage=inside("encryptingstorage", inside("zlibstorage", zeo()))),
            says=("CRITICAL", "app1 app2", ""),
        ),
    ),
    row(
        "frozen",
        Case(
            "storage-wrappers-agree",
            HEALTHY,
            database(storage=inside("before", zeo())),
            says=("CRITICAL", "app1 app2", ""),
        ),
    ),
    row(
        "ZEO and RelStorage",
        Case(
            "storage-wrappers-agree",
            HEALTHY,
            database(storage=RELATIONAL),
            says=("CRITICAL", "app1 app2", "<relstorage>"),
        ),
    ),
    row("a private storage is another finding", Case("storage-wrappers-agree", HEALTHY, database(storage=FILE))),
    # relstorage-databases-agree
    row("healthy", Case("relstorage-databases-agree", *[database(storage=RELATIONAL)] * 2)),
    row(
        "other order, quotes, default port, password",
        Case(
            "relstorage-databases-agree",
            database(storage=RELATIONAL),
            database(
                storage=relational("postgresql", "dsn port=5432 password=p dbname='zodb' user=zope host='10.0.0.5'")
            ),
        ),
    ),
    row(
        "written as a URL",
        Case(
            "relstorage-databases-agree",
            database(storage=RELATIONAL),
            database(storage=relational("postgresql", "dsn postgresql://zope:p@10.0.0.5:5432/zodb")),
        ),
    ),
    row(
        "name and address of the server",
        Case(
            "relstorage-databases-agree",
            database(storage=RELATIONAL),
            database(storage=relational("postgresql", "dsn host=zeo1 dbname=zodb user=zope")),
            ini=cluster(2, HOSTS),
        ),
    ),
    row(
        "another database",
        Case(
            "relstorage-databases-agree",
            database(storage=RELATIONAL),
            database(storage=relational("postgresql", "dsn host=10.0.0.5 dbname=test user=zope")),
            says=("CRITICAL", "app1 app2", "in postgresql database test on 10.0.0.5:5432 as zope for app2"),
        ),
    ),
    row(
        "another server",
        Case(
            "relstorage-databases-agree",
            database(storage=RELATIONAL),
            database(storage=relational("postgresql", "dsn host=10.0.0.6 dbname=zodb user=zope")),
            says=("CRITICAL", "app1 app2", ""),
        ),
    ),
    row(
        "each on its own machine",
        Case(
            "relstorage-databases-agree",
            *[database(storage=relational("postgresql", "dsn host=localhost dbname=zodb user=zope"))] * 2,
            says=("CRITICAL", "app1 app2", "localhost:5432 on 10.0.0.1"),
        ),
    ),
    row(
        "a server that nothing knows",
        Case(
            "relstorage-databases-agree",
            database(storage=RELATIONAL),
            database(storage=relational("postgresql", "dsn host=db dbname=zodb user=zope")),
            says=("UNKNOWN", "app1 app2", "cannot be told"),
        ),
    ),
    row(
        "another user",
        Case(
            "relstorage-databases-agree",
            database(storage=RELATIONAL),
            database(storage=relational("postgresql", "dsn host=10.0.0.5 dbname=zodb user=other")),
            says=("UNKNOWN", "app1 app2", "as other for app2"),
        ),
    ),
    row(
        "without history",
        Case(
            "relstorage-databases-agree",
            database(storage=RELATIONAL),
            database(storage=RELATIONAL.replace("<relstorage>", "<relstorage>\nkeep-history off")),
            says=("CRITICAL", "app1 app2", "without history for app2"),
        ),
    ),
    row(
        "another adapter",
        Case(
            "relstorage-databases-agree",
            database(storage=RELATIONAL),
            database(storage=relational("mysql", "host 10.0.0.5", "db zodb", "user zope")),
            says=("CRITICAL", "app1 app2", "in mysql database zodb"),
        ),
    ),
    row(
        "MySQL",
        Case(
            "relstorage-databases-agree",
            database(storage=relational("mysql", "host 10.0.0.5", "db zodb", "passwd a")),
            database(storage=relational("mysql", "db zodb", "port 3306", "host 10.0.0.5", "passwd b")),
        ),
    ),
    row(
        "Oracle's users are schemas",
        Case(
            "relstorage-databases-agree",
            *(database(storage=relational("oracle", "dsn XE", f"user {user}", "password x")) for user in ("a", "b")),
            says=("CRITICAL", "app1 app2", ""),
        ),
    ),
    row(
        "SQLite of two machines",
        Case(
            "relstorage-databases-agree",
            *[database(storage=relational("sqlite3", "data-dir /srv/data"))] * 2,
            says=("CRITICAL", "app1 app2", ""),
        ),
    ),
    row(
        "SQLite of one machine",
        Case(
            "relstorage-databases-agree",
            *[database(storage=relational("sqlite3", "data-dir /srv/data"))] * 2,
            ini=TOGETHER,
        ),
    ),
    row("no RelStorage", Case("relstorage-databases-agree", HEALTHY, HEALTHY, outcome="skipped")),
    row(
        "a variable without a value",
        Case(
            "relstorage-databases-agree",
            database(storage=RELATIONAL),
            database(storage=relational("postgresql", "dsn $(DSN)")),
            says=("UNKNOWN", "app2", "no value for $(DSN)"),
        ),
    ),
    # clients-are-writable
    row("healthy", Case("clients-are-writable", HEALTHY, database(storage=zeo("8100", "read-only off")))),
    row(
        "read-only",
        Case(
            "clients-are-writable",
            HEALTHY,
            database(storage=zeo("8100", "read-only true")),
            says=("CRITICAL", "app2", "database main of app2 is opened read-only"),
        ),
    ),
    row(
        "frozen",
        Case(
            "clients-are-writable", *[database(storage=inside("before", zeo()))] * 2, says=("CRITICAL", "app1 app2", "")
        ),
    ),
    row(
        "a read-only client says so",
        Case(
            "clients-are-writable",
            HEALTHY,
            database(storage=zeo("8100", "read-only on")),
            ini=cluster(2, app2="role = read-only"),
        ),
    ),
    row(
        "a worker",
        Case(
            "clients-are-writable",
            HEALTHY,
            database(storage=zeo("8100", "read-only on")),
            ini=cluster(2, app2="role = worker"),
        ),
    ),
    row(
        "an archive that is frozen for all",
        Case("clients-are-writable", *[f"{HEALTHY}\n{database('a', '/a', zeo('8100', 'read-only on'))}"] * 2),
    ),
    row(
        "an archive that is frozen for one",
        Case(
            "clients-are-writable",
            f"{HEALTHY}\n{database('a', '/a')}",
            f"{HEALTHY}\n{database('a', '/a', zeo('8100', 'read-only on'))}",
            says=("CRITICAL", "app2", "database a of app2"),
        ),
    ),
    # no-read-only-fallback
    row("healthy", Case("no-read-only-fallback", HEALTHY, database(storage=zeo("8100", "read-only-fallback off")))),
    row(
        "fallback",
        Case(
            "no-read-only-fallback",
            *[database(storage=zeo("8100", "read-only-fallback on"))] * 2,
            says=("WARNING", "app1 app2", "main of app1, app2 falls back"),
        ),
    ),
    row(
        "a read-only client may",
        Case(
            "no-read-only-fallback",
            HEALTHY,
            database(storage=zeo("8100", "read-only-fallback on")),
            ini=cluster(2, app2="role = read-only"),
        ),
    ),
    # one-zeo-server-per-database
    row("healthy", Case("one-zeo-server-per-database", HEALTHY, HEALTHY)),
    row(
        "two spellings of one",
        Case(
            "one-zeo-server-per-database",
            *[database(storage=zeo("zeo1:8100 10.0.0.5:8100"))] * 2,
            ini=cluster(2, HOSTS),
        ),
    ),
    row(
        "two servers",
        Case(
            "one-zeo-server-per-database",
            *[database(storage=zeo("10.0.0.5:8100 10.0.0.6:8100"))] * 2,
            says=("WARNING", "app1 app2", "whichever answers first of 10.0.0.5:8100 and 10.0.0.6:8100 for app1, app2"),
        ),
    ),
    # sessions-are-shared
    row(
        "in memory",
        Case("sessions-are-shared", *[f"{HEALTHY}\n{TEMPORARY}"] * 2, says=("WARNING", "app1 app2", "/temp_folder")),
    ),
    row(
        "on ZEO",
        Case(
            "sessions-are-shared",
            *[f"{HEALTHY}\n{database('temporary', '/temp_folder', zeo('8100', 'storage t'))}"] * 2,
        ),
    ),
    row("none", Case("sessions-are-shared", HEALTHY, HEALTHY, outcome="skipped")),
    row(
        "one client and a worker",
        Case("sessions-are-shared", *[f"{HEALTHY}\n{TEMPORARY}"] * 2, ini=cluster(2, app2="role = worker")),
    ),
    # cache-files-are-distinct
    row(
        "one file on one machine",
        Case(
            "cache-files-are-distinct",
            *[database(storage=CACHED)] * 2,
            ini=TOGETHER,
            says=("CRITICAL", "app1 app2", "/srv/var/c-1.zec"),
        ),
    ),
    row("one path on two machines", Case("cache-files-are-distinct", *[database(storage=CACHED)] * 2)),
    row(
        "one path in two containers", Case("cache-files-are-distinct", *[database(storage=CACHED)] * 2, ini=CONTAINERS)
    ),
    row(
        "another name",
        Case(
            "cache-files-are-distinct",
            database(storage=CACHED),
            database(storage=CACHED.replace("client c", "client d")),
            ini=TOGETHER,
        ),
    ),
    row("no persistent cache", Case("cache-files-are-distinct", HEALTHY, HEALTHY, ini=TOGETHER)),
    row(
        "two databases of one client",
        Case(
            "cache-files-are-distinct",
            HEALTHY,
            f"{database(storage=CACHED)}\n{database('a', '/a', CACHED)}",
            says=("CRITICAL", "app2", "database main of app2 and database a of app2"),
        ),
    ),
    row(
        "cache-path",
        Case(
            "cache-files-are-distinct",
            *[database(storage=zeo("8100", "cache-path /srv/c", kind="clientstorage"))] * 2,
            ini=TOGETHER,
            says=("CRITICAL", "app1 app2", "/srv/c on 10.0.0.1"),
        ),
    ),
    row(
        "a variable without a value",
        Case(
            "cache-files-are-distinct",
            HEALTHY,
            database(storage=zeo("8100", "client $(C)")),
            ini=TOGETHER,
            says=("UNKNOWN", "app2", "no value for $(C)"),
        ),
    ),
    row(
        "a folder that is not known, and other names",
        Case(
            "cache-files-are-distinct",
            *(database(storage=zeo("8100", f"client {n}", "var $(ZEO_TMP)")) for n in "ab"),
            ini=TOGETHER,
        ),
    ),
    row(
        "a folder that is not known, and one name",
        Case(
            "cache-files-are-distinct",
            database(storage=CACHED),
            database(storage=zeo("8100", "client c", "var $(ZEO_TMP)")),
            ini=TOGETHER,
            says=("UNKNOWN", "app2", "no value for $(ZEO_TMP)"),
        ),
    ),
    row(
        "a variable that no neighbour makes needed",
        Case("cache-files-are-distinct", HEALTHY, database(storage=zeo("8100", "client $(C)"))),
    ),
    # instance-homes-are-distinct
    row(
        "two homes on one machine",
        Case("instance-homes-are-distinct", "instancehome /srv/1", "instancehome /srv/2", ini=TOGETHER),
    ),
    row("one home on two machines", Case("instance-homes-are-distinct", "instancehome /srv/1", "instancehome /srv/1")),
    row("one home in two containers", Case("instance-homes-are-distinct", *["instancehome /app"] * 2, ini=CONTAINERS)),
    row(
        "one home on one machine",
        Case(
            "instance-homes-are-distinct",
            "instancehome /srv/1",
            "instancehome /srv/./1/",
            ini=TOGETHER,
            says=("WARNING", "app1 app2", "share the instance home /srv/1 on 10.0.0.1"),
        ),
    ),
    row(
        "one process id file",
        Case(
            "instance-homes-are-distinct",
            "instancehome /srv/1\npid-filename /srv/1/var/Z4.pid",
            "instancehome /srv/2\npid-filename /srv/1/var/Z4.pid",
            ini=TOGETHER,
            says=("WARNING", "app1 app2", "share the process id file /srv/1/var/Z4.pid"),
        ),
    ),
    row(
        "one log",
        Case(
            "instance-homes-are-distinct",
            *[
                f"instancehome /srv/{n}\n<eventlog>\n<logfile>\npath /var/log/zope.log\n</logfile>\n</eventlog>"
                for n in "12"
            ],
            ini=TOGETHER,
            says=("WARNING", "app1 app2", "share the log /var/log/zope.log"),
        ),
    ),
    row(
        "the terminal is no file",
        Case(
            "instance-homes-are-distinct",
            *[f"instancehome /srv/{n}\n<eventlog>\n<logfile>\npath /dev/stdout\n</logfile>\n</eventlog>" for n in "12"],
            ini=TOGETHER,
        ),
    ),
    # settings-agree
    row("healthy", Case("settings-agree", HEALTHY, HEALTHY)),
    row(
        "at the top",
        Case(
            "settings-agree",
            "max-conflict-retries 5",
            "max-conflict-retries 3",
            says=("WARNING", "app1 app2", "max-conflict-retries is 5 for app1; 3 for app2"),
        ),
    ),
    row("the default, and left out", Case("settings-agree", "max-conflict-retries 3", "debug-mode off")),
    row("two spellings of a boolean", Case("settings-agree", "verbose-security yes", "verbose-security ON")),
    row(
        "of a database",
        Case(
            "settings-agree",
            HEALTHY,
            database("main", "/", "", "cache-size 9"),
            says=("WARNING", "app1 app2", "9 for app2"),
        ),
    ),
    row(
        "of a storage",
        Case(
            "settings-agree",
            HEALTHY,
            database(storage=zeo("10.0.0.5:8100", "wait off")),
            says=(
                "WARNING",
                "app1 app2",
                "wait of database main's <zeoclient> is on (the default) for app1; off for app2",
            ),
        ),
    ),
    row(
        "proxies in another order",
        Case(
            "settings-agree",
            "trusted-proxy 10.0.0.1\ntrusted-proxy 10.0.0.2",
            "trusted-proxy 10.0.0.2\ntrusted-proxy 10.0.0.1",
        ),
    ),
    row(
        "another proxy",
        Case(
            "settings-agree",
            "trusted-proxy 10.0.0.1",
            "trusted-proxy 10.0.0.2",
            says=("WARNING", "app1 app2", "trusted-proxy"),
        ),
    ),
    row(
        "what differs by right",
        Case(
            "settings-agree",
            "instancehome /srv/1\nport-base 1\nip-address 10.0.0.1\nzeo-client-name a\ndebug-mode on\nhttp-realm app1",
            "instancehome /srv/2\nport-base 2\nip-address 10.0.0.2\nzeo-client-name b\npython /x/y\nhttp-realm app2",
        ),
    ),
    row(
        "labels and names",
        Case(
            "settings-agree",
            *(database(storage=zeo("8100", f"name {n}", f"client-label {n}", f"client {n}")) for n in "ab"),
        ),
    ),
    row(
        "a worker's threads and caches",
        Case(
            "settings-agree",
            f"zserver-threads 4\n{HEALTHY}",
            f"zserver-threads 1\n{database('main', '/', '', 'cache-size 9')}",
            ini=cluster(2, app2="role = worker"),
        ),
    ),
    row(
        "a worker's retries",
        Case(
            "settings-agree",
            "max-conflict-retries 5",
            "debug-mode on",
            ini=cluster(2, app2="role = worker"),
            says=("WARNING", "app1 app2", "max-conflict-retries is 5 for app1; 3 (the default) for app2"),
        ),
    ),
    row(
        "of a product",
        Case(
            "settings-agree",
            *(f"<product-config p>\nlimit {n}\n</product-config>" for n in "12"),
            says=("WARNING", "app1 app2", "limit of <product-config p> is 1 for app1; 2 for app2"),
        ),
    ),
    row("not seen in a file that was read in part", Case("settings-agree", "max-conflict-retries 5", "%include x")),
    # environment-agrees
    row("healthy", Case("environment-agrees", *[environment("TZ UTC")] * 2)),
    row(
        "another value",
        Case(
            "environment-agrees",
            environment("TZ UTC"),
            environment("TZ CET"),
            says=("WARNING", "app1 app2", "UTC for app1; CET for app2"),
        ),
    ),
    row(
        "not set",
        Case(
            "environment-agrees",
            environment("TZ UTC"),
            HEALTHY,
            says=("WARNING", "app1 app2", "UTC for app1; not set for app2"),
        ),
    ),
    row(
        "paths",
        Case("environment-agrees", environment("CHAMELEON_CACHE /srv/1/c"), environment("CHAMELEON_CACHE /srv/2/c")),
    ),
    row(
        "the client's name",
        Case("environment-agrees", environment("SENTRY_NAME zope-app1"), environment("SENTRY_NAME zope-app2")),
    ),
    row("the case of a name counts", Case("environment-agrees", environment("a 1", "A 2"), environment("A 2", "a 1"))),
    row(
        "a worker's own variable",
        Case("environment-agrees", HEALTHY, environment("X 1"), ini=cluster(2, app2="role = worker")),
    ),
    row(
        "a secret",
        Case(
            "environment-agrees",
            environment("API_TOKEN one"),
            environment("API_TOKEN two"),
            says=("WARNING", "app1 app2", "API_TOKEN in <environment> is *** for app1; *** for app2"),
        ),
    ),
    row("the same secret", Case("environment-agrees", *[environment("API_TOKEN one")] * 2)),
    # zope-conf-parses
    row(
        "a key of no version",
        Case(
            "zope-conf-parses",
            HEALTHY,
            database(storage=zeo("8100", "sorage 1")),
            says=(
                "CRITICAL",
                "app2",
                "Zope does not start: 'sorage' is no key that <zeoclient> knows; did you mean 'storage'?",
            ),
        ),
    ),
    row(
        "a key of the other client section",
        Case(
            "zope-conf-parses",
            HEALTHY,
            database(storage=zeo("8100", "server-sync on")),
            says=("CRITICAL", "app2", "Zope does not start: 'server-sync' is no key that <zeoclient> knows"),
        ),
    ),
    row("an add-on's storage, imported", Case("zope-conf-parses", "%import ZEO\n" + CLIENT_STORAGE, HEALTHY)),
    row("perhaps brought by another add-on", Case("zope-conf-parses", "%import my.site\n" + CLIENT_STORAGE, HEALTHY)),
    row(
        "an add-on's storage, not imported",
        Case(
            "zope-conf-parses",
            HEALTHY,
            "%import relstorage\n" + CLIENT_STORAGE,
            says=(
                "CRITICAL",
                "app2",
                "Zope does not start: unknown type name: <clientstorage>, for it is ZEO's, and the file has no "
                "'%import ZEO'",
            ),
        ),
    ),
    row(
        "an add-on's storage, imported by a name in another case",
        Case(
            "zope-conf-parses",
            HEALTHY,
            "%import zeo\n" + CLIENT_STORAGE,
            says=(
                "CRITICAL",
                "app2",
                "Zope does not start: unknown type name: <clientstorage>, for '%import zeo' names",
            ),
        ),
    ),
    row(
        "RelStorage's key, as its documentation has it",
        Case(
            "zope-conf-parses",
            HEALTHY,
            "%import relstorage\n" + database(storage="<relstorage>\nrevert-when-stale on\n</relstorage>"),
            says=(
                "CRITICAL",
                "app2",
                "Zope does not start: 'revert-when-stale' is no key that <relstorage> knows; "
                "did you mean 'revert_when_stale'?",
            ),
        ),
    ),
    row(
        "the second address on a line of its own",
        Case(
            "zope-conf-parses",
            HEALTHY,
            database(storage=zeo("zeo1:8100", "zeo2:8100")),
            says=("CRITICAL", "app2", "Zope does not start: 'zeo2:8100' is no key that <zeoclient> knows"),
        ),
    ),
    row(
        "a name that a missing include defines",
        Case(
            "zope-conf-parses",
            HEALTHY,
            "%include more.conf\n" + database(storage=zeo("$ZEO")),
            says=("UNKNOWN", "app2", "%include more.conf could not be read: No such file or directory"),
        ),
    ),
    row(
        "a name that a missing include defines",
        Case(
            "zeo-servers-agree",
            HEALTHY,
            "%include more.conf\n" + database(storage=zeo("$ZEO")),
            says=(
                "UNKNOWN",
                "app2",
                "$ZEO is defined in none of the files that could be read, and server of app2 needs it",
            ),
        ),
    ),
    # zope-conf-keys-are-known
    row("healthy", Case("zope-conf-keys-are-known", HEALTHY, environment("ANY thing"))),
    row(
        "Zope 2",
        Case("zope-conf-keys-are-known", "zserver-threads 2\n<http-server>\naddress 8080\n</http-server>", HEALTHY),
    ),
    row(
        "Zope 2's, and no server of Zope 2",
        Case(
            "zope-conf-keys-are-known",
            HEALTHY,
            HEALTHY + "\nzserver-threads 2",
            says=("WARNING", "app2", "'zserver-threads' is Zope 2's: Zope 4 and later do not start with it"),
        ),
    ),
    row("a section of an add-on", Case("zope-conf-keys-are-known", HEALTHY, "<my-section>\nany thing\n</my-section>")),
    # debug-mode-is-off
    row("healthy", Case("debug-mode-is-off", HEALTHY, "debug-mode false")),
    row(
        "on",
        Case("debug-mode-is-off", HEALTHY, "debug-mode yes", says=("WARNING", "app2", "debug-mode is on for app2")),
    ),
    row(
        "exceptions",
        Case("debug-mode-is-off", HEALTHY, "debug-exceptions on", says=("WARNING", "app2", "debug-exceptions")),
    ),
    row("a worker", Case("debug-mode-is-off", HEALTHY, "debug-mode on", ini=cluster(2, app2="role = worker"))),
    # zeo-authentication-is-effective
    row("healthy", Case("zeo-authentication-is-effective", HEALTHY, HEALTHY)),
    row(
        "a login",
        Case(
            "zeo-authentication-is-effective",
            HEALTHY,
            database(storage=zeo("8100", "username u", "password p")),
            says=("WARNING", "app2", "has username and password, which ZEO 5 and later ignore"),
        ),
    ),
    row(
        "Zope 2",
        Case(
            "zeo-authentication-is-effective",
            HEALTHY,
            f"<http-server>\naddress 8080\n</http-server>\n{database(storage=zeo('8100', 'username u'))}",
        ),
    ),
    # zope-conf-parses: what the schemas refuse
    row(
        "a key given twice",
        Case(
            "zope-conf-parses",
            HEALTHY,
            "debug-mode on\ndebug-mode off",
            says=("CRITICAL", "app2", "given twice; the first is at line 1"),
        ),
    ),
    row(
        "a variable given twice",
        Case("zope-conf-parses", HEALTHY, environment("A 1", "A 2"), says=("CRITICAL", "app2", "'A' is given twice")),
    ),
    row("a key that may be given twice", Case("zope-conf-parses", HEALTHY, "trusted-proxy a\ntrusted-proxy b")),
    row(
        "no number",
        Case(
            "zope-conf-parses",
            HEALTHY,
            database("main", "/", "", "cache-size many"),
            says=("CRITICAL", "app2", "'cache-size many' is not a whole number"),
        ),
    ),
    row(
        "no boolean",
        Case("zope-conf-parses", HEALTHY, "debug-mode maybe", says=("CRITICAL", "app2", "is not on or off")),
    ),
    row(
        "no server",
        Case(
            "zope-conf-parses",
            HEALTHY,
            database(storage="<zeoclient/>"),
            says=("CRITICAL", "app2", "<zeoclient> has no 'server'"),
        ),
    ),
]


@pytest.mark.parametrize("case", CASES)
def test_check(case: Case) -> None:
    judgement = judge(case.name, *case.confs, ini=case.ini, facts=case.facts)
    findings = told(case.name, judgement)
    assert case.outcome == outcome(judgement), findings
    if case.says is None:
        assert [] == findings
    else:
        severity, clients, part = case.says
        ((seen, named, message),) = findings
        assert (severity, clients) == (seen, named)
        assert part in message


def test_every_check_of_the_stage_has_a_case_that_fires_and_one_that_does_not() -> None:
    cases = [parameter.values[0] for parameter in CASES]
    for check in CATALOGUE:
        if check.stage == "config" and check.name not in OF_OTHER_TESTS:
            says = [case.says for case in cases if case.name == check.name]
            assert None in says, check.name
            assert any(said is not None and said[0] == check.severity.name for said in says), check.name


# They read more than zope.conf, and are tested beside their parsers.
OF_OTHER_TESTS = {
    "blob-storage-agrees",
    "databases-are-in-distinct-storages",
    "every-zeo-server-is-used",
    "listen-address-matches",
    "server-settings-agree",
    "unknown-storages-agree",
    "zeo-conf-is-valid",
    "zeo-conf-serves-the-storages",
    "zeo-encryption-agrees",
}


def test_both_places_are_shown_and_what_is_missing_is_shown_where_it_belongs() -> None:
    other = f"{HEALTHY}\n{database('archive', '/archive')}"
    (finding,) = judge("mount-points-agree", HEALTHY, other).findings
    assert [
        ("app2/zope.conf", 11, "mount-point /archive", ""),
        ("app1/zope.conf", 6, "</zodb_db>", "app1's mounts end here"),
    ] == [(place.file, place.line, place.text, place.note) for place in finding.places]
    assert finding.hint == "add the same <zodb_db archive> to app1, or remove it from app2"


def test_another_spelling_of_one_server_is_told_beside_the_pass() -> None:
    judgement = judge("zeo-servers-agree", HEALTHY, database(storage=zeo("zeo1:8100")), ini=cluster(2, HOSTS))
    (remark,) = judgement.remarks
    assert remark.message == "database main: 10.0.0.5:8100 (app1) and zeo1:8100 (app2) are one server"


def test_a_client_whose_file_zope_refuses_is_left_to_that_finding() -> None:
    judgement = judge("mount-points-agree", HEALTHY, "<zodb_db x>\n</zodb_db>", database(mount="/ /a"))
    assert ["app2"] == [s.client for s in judgement.results[-1].skipped_for if s.because == "zope-conf-parses"]
    assert [("CRITICAL", "app3 app1", "app3 mounts / and /a; app1 mounts /")] == told("mount-points-agree", judgement)
