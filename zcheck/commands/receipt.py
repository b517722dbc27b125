"""An OK on paper: what was verified, so that somebody can find out later whether it still holds.

A receipt is JSON.  It names every file that was read, with a hash of it, and every client's process; it is good as long
as no file has changed, every client is still the same process, and it is not too old.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Collection, Iterable, Iterator
from typing import Literal

import msgspec

from zcheck import __version__
from zcheck.facts import Balancers, ControlPanel, Facts, Inventory, Section, WsgiConf, ZeoConf, ZeoConfs, ZopeConf
from zcheck.probes import files
from zcheck.probes.remote import answers
from zcheck.report.ages import spoken
from zcheck.report.structs import Coverage, Report
from zcheck.system import atomic_write

SCHEMA = "zcheck-receipt/1"
MAX_AGE_S = 600.0
"""Seconds for which a receipt is fresh by default."""

SAME_START_S = 1.0
"""Seconds by which two readings of when a process began may be apart: clocks are set a little now and then."""


class VerifiedClient(msgspec.Struct, frozen=True):
    """One client as it was verified."""

    address: str
    threads: int | None = None
    process_id: int | None = None
    """None where no Control Panel could be read: whether it is the same process cannot be told then."""
    started_at: tuple[float, float] | None = None
    """The earliest and the latest moment at which it can have begun, by zcheck's clock."""
    zope_version: str | None = None
    python_version: str | None = None


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What a run that ended with exit code 0 had verified."""

    schema: str = SCHEMA
    zcheck_version: str
    run_id: str
    cluster: str
    ini: str
    """The absolute path of clients.ini."""
    made_at: float
    """Seconds since the epoch."""
    status: str
    coverage: Coverage
    clients: dict[str, VerifiedClient]
    files: dict[str, str]
    """By absolute path: the SHA-256 of its content."""
    balancer_files: tuple[str, ...] = ()
    """Those of ``files`` that are a balancer's."""
    readings: dict[str, dict[str, str]] = {}
    """By client whose files are read on its own machine, by path: the SHA-256 of what was read of each."""
    unread: tuple[str, ...] = ()
    """Files that the run named and that could not be read for their hash: whether they change is not known."""


class Judged(msgspec.Struct, frozen=True):
    """Whether a receipt still holds: ``good``, ``bad``, or ``unknown``; each reason is a line."""

    outcome: Literal["good", "bad", "unknown"]
    reasons: tuple[str, ...] = ()


class NoReceipt(ValueError):
    """The file is no receipt; the message names it and says why."""


def make(report: Report, facts: Facts, *, now: float | None = None) -> Receipt:
    """The receipt of a run; whoever calls this has seen to it that it ended with 0.

    Raises :exc:`NoReceipt` for a run that left out the proof: servers are opened by what this says.
    """
    if (lacking := _unproven(report.coverage)) is not None:
        raise NoReceipt(lacking)
    balancers = [os.path.realpath(path) for path in _balancer_files(facts)]
    readings = {name: found for name in facts.inventory.client_names if (found := _readings(facts, name))}
    elsewhere = {path for found in readings.values() for path in found}
    read = dict.fromkeys((*(path for path in _files(facts) if not _lies_in(path, elsewhere)), *balancers))
    digests = {path: _digest(path) for path in map(os.path.realpath, read)}
    return Receipt(
        zcheck_version=__version__,
        run_id=report.run.id,
        cluster=report.cluster.name,
        ini=os.path.realpath(facts.inventory.file),
        made_at=time.time() if now is None else now,
        status=report.verdict.status,
        coverage=report.coverage,
        clients={name: client_of(facts, name) for name in facts.inventory.client_names},
        files={path: digest for path, digest in digests.items() if digest is not None},
        balancer_files=tuple(dict.fromkeys(balancers)),
        readings=readings,
        unread=tuple(path for path, digest in digests.items() if digest is None),
    )


def write(receipt: Receipt, path: str) -> None:
    """Put it into a file whole; OSError where that cannot be done."""
    atomic_write.write(path, msgspec.json.format(msgspec.json.encode(receipt), indent=1) + b"\n")


def read(path: str) -> Receipt:
    """A receipt from its file.  Raises :exc:`NoReceipt`."""
    try:
        receipt = msgspec.json.decode(files.read_text(path, 8 * 1024 * 1024), type=Receipt)
    except files.CannotRead as error:
        raise NoReceipt(str(error)) from None
    except (msgspec.DecodeError, ValueError):
        raise NoReceipt(f"{path}: no receipt of zcheck") from None
    if receipt.schema != SCHEMA:
        raise NoReceipt(f"{path}: a receipt of another kind ({receipt.schema[:40]})")
    return receipt


def judge(
    receipt: Receipt,
    *,
    max_age_s: float,
    facts: Facts | None,
    processes: bool = True,
    with_balancer: bool = True,
    now: float | None = None,
) -> Judged:
    """Whether it still holds.

    ``facts`` holds what the clients' own machines and their Control Panels say now; None: only what is in reach of
    this machine's files is looked at.  ``processes``: whether the processes are looked at too.  ``with_balancer``:
    whether a balancer's files must be what they were as well.
    """
    bad = [*_too_old(receipt, max_age_s, time.time() if now is None else now), *_changed(receipt, with_balancer)]
    bad += [lacking] if (lacking := _unproven(receipt.coverage)) is not None else []
    unknown = [
        f"{path}: could not be read when the receipt was made, nor whether it changes" for path in receipt.unread
    ]
    for name, client in receipt.clients.items() if facts is not None else ():
        assert facts is not None
        compared = [_compare_readings(name, receipt.readings[name], facts)] if name in receipt.readings else []
        compared += [compare_process(name, client, facts.raw(ControlPanel, name))] if processes else []
        bad += [problem for problem, _ in compared if problem]
        unknown += [doubt for _, doubt in compared if doubt]
    if bad:
        return Judged("bad", (*bad, *unknown))
    return Judged("unknown", tuple(unknown)) if unknown else Judged("good")


def _unproven(coverage: Coverage) -> str | None:
    """What is missing for an OK to be a proof; None where every pair of clients was proven."""
    if coverage.pairs_total and coverage.pairs_proven == coverage.pairs_total:
        return None
    return f"{coverage.pairs_proven} of {coverage.pairs_total} pairs were proven through the running clients"


def _too_old(receipt: Receipt, max_age_s: float, now: float) -> Iterator[str]:
    age_s = now - receipt.made_at
    if age_s < -60:
        yield "it was made in the future: a clock is wrong"
    elif age_s > max_age_s:
        yield f"it is {spoken(age_s)} old, and good for {spoken(max_age_s)}"


def _changed(receipt: Receipt, with_balancer: bool) -> Iterator[str]:
    for path, digest in receipt.files.items():
        if path in receipt.balancer_files and not with_balancer:
            continue
        now = _digest(path)
        if now != digest:
            yield f"{path} {'has changed' if now is not None else 'cannot be read any more'}"


def _readings(facts: Facts, name: str) -> dict[str, str]:
    """By path the hash of what was read of a client's files on its own machine; empty where they lie on this one."""
    client = facts.inventory.client(name)
    if client.via is None:
        return {}
    kinds = [ZopeConf] * answers.conf_is_there(client) + [WsgiConf] * answers.ini_is_there(client)
    found = (facts.raw(kind, name) for kind in kinds)
    return {
        fact.file: hashlib.sha256(msgspec.json.encode(fact, order="sorted")).hexdigest()
        for fact in found
        if isinstance(fact, ZopeConf | WsgiConf)
    }


def _lies_in(path: str, elsewhere: Collection[str]) -> bool:
    """Whether a file is one of those, or was read on the same machine as they were."""
    machines = {one.partition(":/")[0] for one in elsewhere if ":/" in one}
    return path in elsewhere or path.partition(":/")[0] in machines


def _compare_readings(name: str, before: dict[str, str], facts: Facts) -> tuple[str, str]:
    """Which of a client's files on its own machine has changed, and which cannot be read now."""
    now = _readings(facts, name)
    changed = [path for path, digest in before.items() if path in now and now[path] != digest]
    unread = [path for path in before if path not in now]
    return (
        f"{', '.join(changed)} changed" if changed else "",
        f"{name}: {', '.join(unread)} cannot be read now" if unread else "",
    )


def compare_process(name: str, client: VerifiedClient, panel: object) -> tuple[str, str]:
    """What is wrong with a client's process, and what cannot be told of it."""
    if client.process_id is None:
        return "", f"{name}: which process was verified is not known; give a user with the role Manager in clients.ini"
    if not isinstance(panel, ControlPanel):
        return "", f"{name}: which process it is now cannot be learnt"
    if panel.process_id != client.process_id:
        return f"{name} is another process: {panel.process_id}, not {client.process_id}", ""
    before, now = client.started_at, panel.started_at
    if before is None or now is None:
        return "", f"{name}: when its process began cannot be learnt"
    if max(before[0], now[0]) - SAME_START_S > min(before[1], now[1]):
        return f"{name} was restarted", ""
    return "", ""


def client_of(facts: Facts, name: str) -> VerifiedClient:
    """A client as a run has seen it."""
    panel, wsgi = facts.raw(ControlPanel, name), facts.raw(WsgiConf, name)
    threads = wsgi.threads if isinstance(wsgi, WsgiConf) else None
    address = str(facts.inventory.client(name).address)
    if not isinstance(panel, ControlPanel):
        return VerifiedClient(address, threads)
    return VerifiedClient(
        address, threads, panel.process_id, panel.started_at, panel.zope_version, panel.python_version
    )


def _files(facts: Facts) -> Iterator[str]:
    """Every file that the run has read, but for passwords and the balancers' files."""
    inventory: Inventory = facts.inventory
    yield inventory.file
    for client in inventory.clients:
        if client.env_file is not None and "env-file" not in client.lie_there:
            yield client.env_file
        conf, wsgi = facts.raw(ZopeConf, client.name), facts.raw(WsgiConf, client.name)
        if isinstance(conf, ZopeConf):
            yield from (conf.file, *_of_section(conf.top))
        if isinstance(wsgi, WsgiConf):
            yield wsgi.file
    zeo = facts.raw(ZeoConfs)
    for own in zeo.confs.values() if isinstance(zeo, ZeoConfs) else ():
        if isinstance(own, ZeoConf):
            yield own.file


def _of_section(section: Section) -> Iterable[str]:
    """Where a section's lines came from: included files too."""
    yield section.file
    yield from (setting.file for setting in section.settings)
    for inner in section.sections:
        yield from _of_section(inner)


def _balancer_files(facts: Facts) -> Iterator[str]:
    balancers = facts.raw(Balancers)
    for conf in balancers.confs.values() if isinstance(balancers, Balancers) else ():
        yield from dict.fromkeys(line.head.file for line in conf.sections)


def _digest(path: str) -> str | None:
    try:
        return hashlib.sha256(files.read_text(path).encode("utf-8", "surrogateescape")).hexdigest()
    except files.CannotRead:
        return None
