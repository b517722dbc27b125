"""What preflight would read, contact and write: told from the files alone, by the same rules as the run itself."""

from __future__ import annotations

import posixpath
import shlex
from collections.abc import Collection, Iterable
from typing import Any

from zcheck.facts import (
    BalancerVerdicts,
    Facts,
    HealthAnswers,
    HostPort,
    Inventory,
    Names,
    NotGathered,
    PortAnswer,
    RunningBalancers,
    SecretFiles,
    SeenThere,
    SharedBlobs,
    ZeoAnswers,
    ZopeConf,
    targets,
)
from zcheck.facts.history import HttpHistories, ZeoHistories
from zcheck.gather.collect import collect
from zcheck.gather.settings import Isolation, Settings
from zcheck.parsers import wsgi_ini
from zcheck.probes import haproxy
from zcheck.probes.remote import answers, call

_NONE = Facts()
BYTES_A_COMMIT = 350
"""What a commit of the workloads takes in a FileStorage: 330 measured, with the transaction's header."""


def tell(
    inventory: Inventory,
    kinds: Collection[type[Any]],
    *,
    timeout_s: float,
    deadline_s: float,
    offline: bool,
    read_only: bool,
    secret: str | NotGathered = "",
    state_folder: str | None = None,
    gathered: Facts = _NONE,
    isolation: Isolation | None = None,
    max_rate: float = 100.0,
) -> str:
    """The plan as text.  Only clients.ini and the files that it names are read; nothing is contacted.

    ``kinds``: those that the chosen checks make the run gather.  ``gathered``: what was brought from the machines.
    ``secret``: the password, or why there is none.  ``state_folder``: where the run keeps what it has to remember.
    ``isolation``: the plan of ``zcheck isolation``, with so many commits a second at most.
    """
    settings = Settings(run_id="plan", offline=True, timeout_s=timeout_s, deadline_s=deadline_s, gathered=gathered)
    wanted = frozenset({ZopeConf, Names, SecretFiles})
    run = collect(inventory, settings, wanted, NotGathered("not needed for a plan"))
    facts = run.facts
    pinned = targets.pinned_target(inventory, None)
    ways = targets.zeo_targets(facts) or ((pinned,) if pinned is not None else ())
    command = "preflight" if isolation is None else "isolation"
    lines = [f"zcheck {command} {inventory.file} (cluster {inventory.name}) would", "", "read"]
    lines += [f"  {line}" for line in _files(inventory)]
    if offline:
        return "\n".join([*lines, "", "contact nothing and write nothing (--offline)"]) + "\n"
    clients = [f"  client {client.name}: http{'s' * client.tls}://{client.dialled}" for client in inventory.clients]
    servers = [f"  ZEO server {line}" for line in _servers(ways)]
    contacted = [*(clients if PortAnswer in kinds else ()), *(servers if ZeoAnswers in kinds else ())]
    if inventory.balancers and HealthAnswers in kinds:
        contacted.append("  each client once more, with the request of the balancer's health check")
    sockets = [section.values["admin-socket"] for section in inventory.balancers if "admin-socket" in section.values]
    if RunningBalancers in kinds:
        contacted += [f"  HAProxy's socket {socket}, where it may be opened: what runs now" for socket in sockets]
    if inventory.balancers and BalancerVerdicts in kinds:
        lines += ["", "run haproxy -c -dW, where it is installed, on the balancer's files (it looks their names up)"]
    doors = run.doors if {ZopeConf, SeenThere} & set(kinds) else ()
    if doors:
        lines += ["", *_calls(inventory, doors)]
    lines += ["", *(["contact", *contacted] if contacted else ["contact nothing"]), ""]
    if SharedBlobs in kinds and not read_only:
        lines += _blob_markers(facts, doors)
    if read_only:
        lines += ["write nothing (--read-only)"]
    elif ZeoHistories in kinds:
        through = [*_http_writes(facts, inventory, secret)] if HttpHistories in kinds else []
        lines += [*_zeo_writes(ways), *through]
        if isolation is not None:
            lines += _longer_writes(isolation, max_rate, through_clients=any("WILL" in line for line in through))
    else:
        lines += ["write nothing (the checks that write are left out)"]
    if state_folder is not None:
        lines += [
            "",
            f"keep in {state_folder}, on this machine: a journal while it writes, which clients owe an answer, and the"
            " facts of the last run that was OK (--no-state: nothing)",
        ]
    usual = "a second or two" if isolation is None else f"{isolation.duration_s:g} s for each database and level"
    lines += [
        "",
        f"take {usual}, at the worst {deadline_s:g} s (--deadline), with {timeout_s:g} s a wait (--timeout)",
    ]
    return "\n".join(lines) + "\n"


def _calls(inventory: Inventory, doors: Iterable[call.Door]) -> Iterable[str]:
    """The command is told by its program and its line: a password may be among the rest of it."""
    yield "run on the clients' machines the script that zcheck gather --show-script prints, which leaves nothing behind"
    for door in doors:
        runs = posixpath.basename(next(iter(shlex.split(door.command)), ""))
        line = door.clients[0].section.line_of("via")
        names = ", ".join(client.name for client in door.clients)
        where = f"{inventory.file}:{line}"
        yield f"  machine {door.machine}, for {names}: by via = {runs} ... ({where}), at most 6 times"
    yield "  it reads zope.conf, ini and environment, and tells the process on each port and what that can import;"
    yield "  then it resolves and dials the ZEO servers of these files, and sends them nothing;"
    yield "  of the ZEO cache files that these files name it reads the numbers of objects and transactions, no content"
    there = [client.name for door in doors for client in door.clients if answers.conf_is_there(client)]
    if there:
        yield f"  which servers these are, this plan does not know for {', '.join(there)}: their files are there"


def _blob_markers(facts: Facts, doors: Iterable[call.Door]) -> Iterable[str]:
    """Where no file says that blobs are shared, and every file is known, no marker is written."""
    clients = [client.name for door in doors for client in door.clients]
    confs = [facts.raw(ZopeConf, name) for name in clients]
    known = [conf for conf in confs if isinstance(conf, ZopeConf)]
    shared = [folder.path for conf in known for folder in answers.folders(conf) if folder.use == "blobs"]
    if shared or len(known) < len(confs):
        where = ", ".join(dict.fromkeys(shared)) or "their files tell"
        yield (
            "this WILL put one file zcheck-RUN.marker into a folder of shared blobs, for each database of which several"
            f" machines share one ({where}), look for it from the others, and remove it after a second or two"
        )


def _files(inventory: Inventory) -> Iterable[str]:
    yield inventory.file
    for client in inventory.clients:
        for key, path in (
            ("zope-conf", client.zope_conf),
            ("wsgi-ini", client.wsgi_ini),
            ("env-file", client.env_file),
        ):
            if path:
                there = f"{client.machine}:" if key in client.lie_there else ""
                yield f"{there}{path} ({client.name})"
        if client.zope_conf and not client.wsgi_ini and "zope-conf" not in client.lie_there:
            beside = " or ".join(wsgi_ini.candidates(client.zope_conf))
            yield f"{beside}, where there is one ({client.name})"
    if any(client.zope_conf for client in inventory.clients):
        yield "what these files include, within their own folders and that of clients.ini"
    for server in inventory.zeo_servers:
        if server.conf:
            yield f"{server.conf} (ZEO server {server.address})"
    for section in inventory.balancers:
        for path in haproxy.config_files(section, inventory):
            yield f"{path} (balancer {section.name})"
    if inventory.credentials is not None and inventory.credentials.source == "password-file":
        yield f"{inventory.credentials.reference} (the password of {inventory.credentials.user})"


def _servers(ways: Iterable[targets.ZeoTarget]) -> Iterable[str]:
    """Each server once, with the clients that name it and how they write it."""
    by_dialled: dict[HostPort | str, dict[str, list[str]]] = {}
    for way in ways:
        if way.unreachable:
            yield f"{', '.join(way.servers)}: not contacted, {way.unreachable}"
            continue
        for server, dialled in zip(way.servers, way.dialled, strict=True):
            by_dialled.setdefault(dialled, {}).setdefault(server, []).append(way.client)
    for dialled, spellings in by_dialled.items():
        named = "; ".join(f"{text} in {', '.join(dict.fromkeys(by))}" for text, by in spellings.items())
        yield f"{dialled} ({named})"


def _zeo_writes(ways: Iterable[targets.ZeoTarget]) -> Iterable[str]:
    ways = list(ways)
    tried, stood = targets.standing_for_all(ways)
    written: dict[tuple[str, str], list[str]] = {}
    for way in tried:
        if not way.not_written and not way.unreachable:
            for server in way.dialled:
                written.setdefault((str(server), way.storage), []).append(way.client)
    for (server, storage), clients in written.items():
        names = ", ".join(dict.fromkeys(clients))
        yield (
            f"this WILL write to {server}, storage {storage}: two small commits for each of {names}"
            f" ({2 * len(set(clients))} in all) of objects that nothing links to, and one that deletes them"
        )
    for database, others in stood.items():
        yield f"not for {len(others)} more clients of database {database}, whose way there is the same"
    for database, clients in _with_blobs(tried).items():
        yield (
            f"and one blob for each of {', '.join(clients)} in database {database}, deleted again; their files, a line"
            " each, stay with the server until its next pack"
        )
    not_written: dict[tuple[str, str], list[str]] = {}
    for way in ways:
        if way.not_written:
            not_written.setdefault((way.database, way.not_written), []).append(way.client)
    for (database, reason), clients in not_written.items():
        yield f"not write to database {database} of {', '.join(clients)}: {reason}"


def _longer_writes(longer: Isolation, max_rate: float, *, through_clients: bool) -> Iterable[str]:
    """What the longer test writes beside that."""
    commits = int(max_rate * (longer.duration_s + 1))
    if longer.zeo:
        yield (
            f"and then, for {longer.duration_s:g} s in each of these databases, at most {max_rate:g} commits a second"
            f" of {len(longer.workloads)} workloads ({', '.join(longer.workloads)}) upon more such objects: at most"
            f" {commits} commits, about {commits * BYTES_A_COMMIT / 1e6:.1f} MB until the next pack; all deleted"
        )
    if longer.http and through_clients:
        yield (
            f"and the documents in the folder at the root are edited again and again for {longer.duration_s:g} s, at"
            f" most {max_rate:g} times a second"
        )
    if longer.history is not None:
        yield f"and {longer.history}, the history"


def _with_blobs(ways: Iterable[targets.ZeoTarget]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for way in ways:
        if way.blobs == "cache" and not way.not_written and not way.unreachable:
            found.setdefault(way.database, []).append(way.client)
    return found


def _http_writes(facts: Facts, inventory: Inventory, secret: str | NotGathered) -> Iterable[str]:
    if inventory.credentials is None:
        yield "write nothing through the running clients: clients.ini gives no user and password"
        return
    if isinstance(secret, NotGathered):
        yield f"it CANNOT write through the running clients, which will be UNKNOWN: {secret.reason}; {secret.hint}"
        return
    starters = [client.name for client in inventory.clients if not targets.may_start_http(facts, client)]
    if not starters:
        yield "write nothing through the running clients: none of them is known to use the server that clients.ini pins"
        return
    yield (
        f"this WILL write through the running clients, as user {inventory.credentials.user}: one folder zcheck-RUN at"
        f" the root, made through {starters[0]}, one document in it through each of {', '.join(inventory.writers)},"
        " each edited once; removed again; nothing where a virtual host mapping leads such a request elsewhere"
    )
    for place in targets.mounted_places(facts):
        where = f"at {place.path} (database {place.database})"
        barred = dict.fromkeys(targets.may_start_http(facts, client, place.path) for client in inventory.clients)
        if "" in barred:
            yield f"and the same {where}, where clients have a folder there"
        else:
            yield f"not {where}: {'; '.join(barred)}"
    if inventory.site is None:
        return
    reasons = "; ".join(dict.fromkeys(filter(None, (targets.site_not_written(facts, c) for c in inventory.clients))))
    if reasons:
        yield f"not edit a page inside {inventory.site}: {reasons}"
        return
    what = "one private page zcheck-RUN"
    if targets.site_keeps_blobs(facts):
        what += " and one private file zcheck-RUN-file"
    yield (
        f"this WILL add {what} to {inventory.site}, edited once through each of {', '.join(inventory.writers)}, and"
        " removed again; as with every edit there, it is indexed, and content rules, subscribers and workflows of the"
        " site take notice of it"
    )
