"""Reports made by hand, for tests of the formats: a split cluster, hostile text, and thirty findings."""

from __future__ import annotations

import msgspec

from zcheck import verdict
from zcheck.check import Place
from zcheck.report import (
    BalancerNode,
    CheckResult,
    ClientNode,
    Cluster,
    Connection,
    Consistency,
    Coverage,
    Finding,
    FindingSeverity,
    Level,
    Pair,
    Receipt,
    Remark,
    Report,
    Run,
    SkippedFor,
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
    hint="take the smaller side out of the balancer, then mend it and restart it",
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
