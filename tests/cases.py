"""Reports made by hand, for tests of the formats: split, hostile, thirty findings, a stale read, fifty clients."""

from __future__ import annotations

import random

import msgspec

from zcheck.check import Place
from zcheck.commands import recheck
from zcheck.consistency.recording.format import Origin, Recorded
from zcheck.facts.history import ClientState, History, Operation, Version
from zcheck.facts.verdicts import ZERO
from zcheck.report import verdict
from zcheck.report.structs import (
    Anomaly,
    BalancerNode,
    CheckResult,
    ClientNode,
    Cluster,
    Connection,
    Consistency,
    Coverage,
    Finding,
    FindingSeverity,
    Judged,
    LagPoint,
    Lags,
    LagWindow,
    Level,
    Pair,
    Receipt,
    Remark,
    Report,
    Run,
    SkippedFor,
    Step,
    StorageNode,
    Tool,
    Topology,
    Verdict,
)

CLIENTS = ("app1", "app2", "app3")

SPLIT = Finding(
    check="edits-are-seen-everywhere",
    stage="consistency",
    severity="CRITICAL",
    clients=CLIENTS,
    message="app3 does not show what is saved through app1, app2: it runs on another database",
    hint="balance one side only, the one whose edits you need, until the other is mended and restarted",
    fingerprint="5b1d0c9e8f7a6b5c",
)
MOUNTS = Finding(
    check="mount-points-agree",
    stage="config",
    severity="CRITICAL",
    clients=("app1", "app2"),
    message="app2 mounts / and /archive; app1 mounts /",
    hint="add the same <zodb_db archive> to app1, or remove it from app2",
    fingerprint="00aa11bb22cc33dd",
    places=(
        Place("app2/etc/zope.conf", 41, "mount-point /archive"),
        Place("app1/etc/zope.conf", 38, "</zodb_db>", "app1's mounts end here"),
    ),
)
UNREAD = Finding(
    check="zope-conf-parses",
    stage="config",
    severity="UNKNOWN",
    clients=("app2",),
    message="app2/etc/extra.conf: no such file",
    hint="copy it here from app2",
    fingerprint="0123456789abcdef",
    places=(Place("app2/etc/zope.conf", 12, "%include extra.conf"),),
)
SETTINGS = Finding(
    check="settings-agree",
    stage="config",
    severity="WARNING",
    clients=CLIENTS,
    message="zserver-threads is 4 for app1, app2; 2 for app3",
    fingerprint="fedcba9876543210",
    places=(Place("app3/etc/zope.conf", 3, "zserver-threads 2"), Place("app1/etc/zope.conf", 3, "zserver-threads 4")),
)
LIVED_WITH = Finding(
    check="versions-agree",
    stage="identity",
    severity="WARNING",
    clients=("app3",),
    message="Zope 5.10 on app3; 5.8 on app1, app2",
    fingerprint="1111222233334444",
    suppressed_by="app3-upgrade",
)
ADVICE = Finding(
    check="clients-on-several-machines",
    stage="inventory",
    severity="ADVICE",
    clients=CLIENTS,
    message="app1, app2 and app3 run on one machine: when it stops, the site stops",
    fingerprint="9999888877776666",
)


def made(*findings: Finding, levels: tuple[Level, ...] = (), clients: tuple[str, ...] = CLIENTS) -> Report:
    """The report of a run that found this, with the verdict that follows from it."""
    told = verdict.worst_first(findings)
    results: dict[str, CheckResult] = {
        "client-port-answers": CheckResult(check="client-port-answers", stage="reach", outcome="pass"),
        "every-database-is-one": CheckResult(
            check="every-database-is-one",
            stage="identity",
            outcome="skipped",
            because="zeo-server-answers",
            skipped_for=(SkippedFor("app1", "zeo-server-answers"),),
        ),
    }
    for one in reversed(told):
        outcome = "suppressed" if one.suppressed_by else "unknown" if one.severity == "UNKNOWN" else "problem"
        results[one.check] = CheckResult(check=one.check, stage=one.stage, outcome=outcome)  # type: ignore[arg-type]
    proven = {
        name: sum(pair.seen is True for level in levels if level.level == name for pair in level.pairs)
        for name in ("http", "zeo")
    }
    return Report(
        tool=Tool("zcheck", "0"),
        run=Run(id="0", command="preflight", started="2026-11-20T12:00:00Z", duration_s=2.1),
        cluster=Cluster("intranet", clients),
        verdict=Verdict(verdict.status(told), verdict.exit_code(told), verdict.impact(told, clients)),
        coverage=Coverage(
            checks_run=len(results) - 1,
            checks_total=len(results),
            clients_seen=len(clients),
            clients_total=len(clients),
            pairs_proven=proven["http"],
            zeo_pairs_proven=proven["zeo"],
            pairs_total=len(clients) * (len(clients) - 1),
        ),
        checks=tuple(results.values()),
        findings=told,
        consistency=Consistency(levels, None, Receipt(6, 1140, 0)),
    )


def split() -> Report:
    """app3 is on a copy of the database: what the files let expect is right, what was seen is not."""
    seen = {("app1", "app2"): 13.1, ("app2", "app1"): 6.3}
    through = [(writer, reader) for writer in CLIENTS for reader in CLIENTS if writer != reader]
    http = tuple(
        Pair(w, r, True, seen[w, r]) if (w, r) in seen else Pair(w, r, None if w == "app3" else False)
        for w, r in through
    )
    zeo = tuple(Pair(w, r, True, 0.4) for w, r in through)
    findings = (SPLIT, MOUNTS, UNREAD, SETTINGS, LIVED_WITH, ADVICE)
    report = made(*findings, levels=(Level("http", "main", http), Level("zeo", "main", zeo)))
    main = [
        Connection(client=name, database="main", storage="1", mounts=("/",), targets=(target,), state="good")
        for name, target in zip(CLIENTS, ("s1", "s1", "s2"), strict=True)
    ]
    main[2] = msgspec.structs.replace(main[2], state="bad", detail="not as its file says")
    return msgspec.structs.replace(
        report,
        topology=Topology(
            tuple(ClientNode(name, f"{name}.example.com:8080", name, "balanced", "good") for name in CLIENTS),
            (StorageNode("s1", "zeo", "zeo1:8100", "good"), StorageNode("s2", "zeo", "copy:8100")),
            tuple(main),
            (BalancerNode("front", CLIENTS),),
        ),
    )


HOSTILE = (
    "\033[2J\x07\x9b31m\u202egnp.exe\nOK: all fine | x=1\n::error::gone\n##[error]gone "
    "]]><script>document.title='gone'</script> <img src=x onerror=document.title='gone'> {{7*7}} %0A::warning::gone "
    "\udc80 </td> | `x` **x**"
)


def hostile() -> Report:
    """Everything that a file or a peer can put into a report says something evil."""
    finding = Finding(
        check="zope-conf-parses",
        stage="config",
        severity="CRITICAL",
        clients=("app1",),
        message=HOSTILE,
        hint=HOSTILE,
        fingerprint="abad1deaabad1dea",
        places=(
            Place("a,b:c%/" + HOSTILE, 1, HOSTILE, HOSTILE),
            Place(HOSTILE, None, HOSTILE),
            Place("javascript:document.title='gone'", 2, HOSTILE),
        ),
    )
    report = made(finding, levels=(Level("http", HOSTILE, (Pair("app1", "app2", False),)),))
    return msgspec.structs.replace(
        report,
        remarks=(Remark(check="zeo-servers-agree", clients=("app1",), message=HOSTILE),),
        consistency=hostile_consistency(report.consistency),
        topology=Topology(
            (ClientNode("app1", HOSTILE, HOSTILE, "balanced", "bad"),),
            (StorageNode("s1", "zeo", HOSTILE, "bad"),),
            (
                Connection(
                    client="app1", database=HOSTILE, storage=HOSTILE, mounts=(HOSTILE,), targets=("s1",), detail=HOSTILE
                ),
            ),
            (BalancerNode(HOSTILE, ("app1",)),),
        ),
    )


def hostile_consistency(given: Consistency) -> Consistency:
    """The same, with everything that is drawn of it."""
    window = LagWindow(
        begin_s=0.0, end_s=0.0, count=1, median_ms=0.0, p95_ms=0.0, p99_ms=float(10**12), max_ms=float(10**12)
    )
    step = Step(session=HOSTILE, action=HOSTILE, begin_ms=0.0, end_ms=0.0, outcome="fail", what=HOSTILE, witness=1)
    return msgspec.structs.replace(
        given,
        judged=(
            Judged(
                level="http",
                database=HOSTILE,
                result="unknown",
                held=None,
                operations=1,
                transactions=0,
                fenced_reads=0,
                anomalies=1,
                unseen=0,
                unknown=(HOSTILE,),
            ),
        ),
        lags=(
            Lags(
                level="http",
                database=HOSTILE,
                whole=window,
                limit_ms=1000.0,
                points=(LagPoint(0.0, 0.0, HOSTILE, HOSTILE),),
            ),
        ),
        anomalies=(
            Anomaly(
                level="http",
                database=HOSTILE,
                kind=HOSTILE,
                words=HOSTILE,
                clients=(HOSTILE,),
                adya=HOSTILE,
                breaks=HOSTILE,
                steps=(step,),
            ),
        ),
    )


def thirty() -> Report:
    """Thirty findings, some the same for many clients."""
    clients = tuple(f"app{number}" for number in range(1, 13))
    found = []
    for number, name in enumerate(clients):
        found.append(
            Finding(
                check="zope-conf-parses",
                stage="config",
                severity="UNKNOWN",
                clients=(name,),
                message=f"{name}/etc/zope.conf: permission denied",
                hint=f"let zcheck read {name}/etc/zope.conf",
                fingerprint=f"{number:016x}",
                places=(Place(f"{name}/etc/zope.conf"),),
            )
        )
    kinds: list[tuple[str, FindingSeverity]] = [
        ("client-port-answers", "CRITICAL"),
        ("debug-mode-is-off", "WARNING"),
        ("zope-conf-keys-are-known", "WARNING"),
    ]
    for number in range(18):
        check, severity = kinds[number % 3]
        name = clients[number % len(clients)]
        found.append(
            Finding(
                check=check,
                stage="reach" if check == "client-port-answers" else "config",
                severity=severity,
                clients=(name,),
                message=f"{name}: what was seen, number {number}, is not what was expected of it by this check",
                hint="one and the same remedy",
                fingerprint=f"{100 + number:016x}",
                places=(Place(f"{name}/etc/zope.conf", number + 1, "debug-mode on"),),
            )
        )
    return made(*found, clients=clients)


STALE_CLIENTS = ("app1", "app2", "app3", "app4")


def stale_history() -> History:
    """Forty rounds of writing and reading over ZEO; in the thirtieth app3 goes on with what it had in its cache."""
    chance = random.Random(7)
    operations: list[Operation] = []
    log: dict[str, list[Version]] = {name: [] for name in STALE_CLIENTS}
    now, tid = 0, 0
    for number in range(1, 41):
        for writer in STALE_CLIENTS:
            before, tid = log[writer][-1].tid if log[writer] else ZERO, tid + 1
            took = chance.randrange(400_000, 900_000)
            log[writer].append(Version(f"{tid:016x}", f"{writer}-{number}"))
            operations.append(
                Operation(
                    writer,
                    "write",
                    number,
                    now,
                    now + took,
                    "ok",
                    fenced=True,
                    writes={writer: f"{writer}-{number}"},
                    bases={writer: before},
                    tid=f"{tid:016x}",
                )
            )
            now += took + 50_000
        written = now
        for reader in STALE_CLIENTS:
            behind = number == 30 and reader == "app3"
            reads: dict[str, str | None] = {
                name: versions[-2 if behind and name == "app1" else -1].nonce for name, versions in log.items()
            }
            slow = int(chance.lognormvariate(0, 0.7) * 1_000_000) * (8 if number == 22 else 1)
            ended = max(now + 100_000, written + slow)
            operations.append(Operation(reader, "read", number, now, ended, "ok", reads=reads))
            now = ended + 100_000
            operations.append(Operation(reader, "read", number, now, now + 600_000, "ok", fenced=True, reads=reads))
            now += 700_000
        now += 300_000_000
    clients = tuple(ClientState(name, joined=True) for name in STALE_CLIENTS)
    versions = {name: tuple(own) for name, own in log.items()}
    return History("zeo", "main", "0", tuple(operations), clients, rounds=40, transactions=160, log=versions)


def stale() -> Report:
    """One read of one client shows what was replaced long ago: told by the judge, and drawn."""
    return recheck.of_file(Recorded((stale_history(),), Origin(cluster="intranet", run_id="0")), "stale.jsonl").report


def large() -> Report:
    """Fifty clients: three are on another database, one does not answer, and some are slow."""
    clients = tuple(f"zope-{number:02}" for number in range(1, 51))
    apart = {"zope-07", "zope-23", "zope-41"}
    chance = random.Random(3)

    def pair(writer: str, reader: str) -> Pair:
        if "zope-30" in (writer, reader):
            return Pair(writer, reader)
        if (writer in apart) != (reader in apart):
            return Pair(writer, reader, False)
        slow = 60.0 if reader == "zope-12" else 800.0 if reader == "zope-44" else 3.0
        return Pair(writer, reader, True, round(chance.lognormvariate(0, 0.6) * slow, 3))

    pairs = tuple(pair(writer, reader) for writer in clients for reader in clients if writer != reader)
    found = msgspec.structs.replace(
        SPLIT, clients=clients, message="zope-07, zope-23 and zope-41 do not show what is saved through the others"
    )
    return made(found, levels=(Level("http", "main", pairs),), clients=clients)
