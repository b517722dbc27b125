"""What changed between two runs: files, addresses, versions, processes, servers, findings.  Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import msgspec

from zcheck.facts import (
    Balancers,
    ControlPanel,
    Facts,
    Names,
    PortAnswer,
    Section,
    SeenThere,
    WsgiConf,
    ZeoAnswers,
    ZeoConfs,
    ZopeConf,
)
from zcheck.report.structs import Finding, Report


class Change(msgspec.Struct, frozen=True):
    """One thing that is not as it was.  ``where`` is a line of a file, where it has one."""

    topic: str
    subject: str
    what: str
    where: str = ""

    def __str__(self) -> str:
        begin = f"{self.where}: " if self.where else ""
        return (
            f"{begin}{self.topic}: {self.subject}: {self.what}" if self.subject else f"{begin}{self.topic}: {self.what}"
        )


def differences(old: Facts, new: Facts, old_report: Report, new_report: Report) -> tuple[Change, ...]:
    """Every change, causes before what follows from them."""
    return (
        *_inventory(old, new),
        *_files(old, new),
        *_names(old, new),
        *_running(old, new),
        *_servers(old, new),
        *_findings(old_report.findings, new_report.findings),
    )


def _inventory(old: Facts, new: Facts) -> Iterator[Change]:
    befores = {client.name: client for client in old.inventory.clients}
    afters = {client.name: client for client in new.inventory.clients}
    yield from (Change("client", name, "is gone") for name in befores if name not in afters)
    yield from (Change("client", name, "is new") for name in afters if name not in befores)
    for name in befores.keys() & afters.keys():
        one, other = befores[name], afters[name]
        for field in ("address", "connect", "machine", "role", "tls", "host_header", "listens"):
            told = field.replace("_", "-")
            yield from _changed("client", name, told, getattr(one, field), getattr(other, field))
    yield from _changed("cluster", "", "zeo", " ".join(old.inventory.pinned_zeo), " ".join(new.inventory.pinned_zeo))
    yield from _changed("cluster", "", "storage", old.inventory.pinned_storage, new.inventory.pinned_storage)


def _changed(topic: str, subject: str, what: str, before: Any, after: Any) -> Iterator[Change]:
    if before != after:
        yield Change(topic, subject, f"{what} was {_or_none(before)}, is {_or_none(after)}")


def _or_none(value: Any) -> str:
    return "not given" if value is None or value == "" else str(value)


# --- files ---------------------------------------------------------------------------------------

Line = tuple[str, str]
"""A key with the sections around it, and its value."""


def _files(old: Facts, new: Facts) -> Iterator[Change]:
    for client in new.inventory.client_names:
        yield from _of_kind(old, new, client, ZopeConf, _of_conf)
        yield from _of_kind(old, new, client, WsgiConf, _of_ini)
    yield from _of_kind(old, new, "", ZeoConfs, _of_servers)
    yield from _of_kind(old, new, "", Balancers, _of_balancers)


def _of_kind(
    old: Facts, new: Facts, subject: str, kind: type[Any], told: Callable[[Any], list[tuple[Line, str]]]
) -> Iterator[Change]:
    before, after = old.raw(kind, subject), new.raw(kind, subject)
    if isinstance(before, kind) and isinstance(after, kind):
        yield from _lines(subject, told(before), told(after))


def _of_conf(conf: Any) -> list[tuple[Line, str]]:
    return list(_tree("", conf.top))


def _tree(path: str, section: Section) -> Iterator[tuple[Line, str]]:
    for setting in section.settings:
        yield (f"{path}{setting.key}", setting.value), f"{setting.file}:{setting.line}"
    for inner in section.sections:
        head = " ".join(filter(None, (inner.type, inner.name)))
        yield (f"{path}<{head}>", ""), f"{inner.file}:{inner.line}"
        yield from _tree(f"{path}<{head}> ", inner)


def _of_ini(conf: Any) -> list[tuple[Line, str]]:
    return [((setting.key, setting.value), f"{setting.file}:{setting.line}") for setting in conf.settings]


def _of_servers(confs: Any) -> list[tuple[Line, str]]:
    read = (conf for conf in confs.confs.values() if hasattr(conf, "sections"))
    return [
        line
        for conf in read
        for line in _tree("", Section("", None, conf.file, 1, conf.lines, conf.settings, conf.sections))
    ]


def _of_balancers(balancers: Any) -> list[tuple[Line, str]]:
    return [
        ((f"{section.kind} {section.name}: {line.keyword}", " ".join(line.arguments)), f"{line.file}:{line.line}")
        for conf in balancers.confs.values()
        for section in conf.sections
        for line in section.lines
    ]


def _lines(client: str, before: list[tuple[Line, str]], after: list[tuple[Line, str]]) -> Iterator[Change]:
    """Lines that came and went, whatever their order; a key that has one line on either side has changed its value."""
    gone = _only(before, after)
    come = _only(after, before)
    for (key, value), where in come:
        olds = [line for line, _ in gone if line[0] == key]
        news = [line for line, _ in come if line[0] == key]
        if len(olds) == 1 and len(news) == 1:
            yield Change("conf", client, f"{key} was {_or_none(olds[0][1])}, is {_or_none(value)}", where)
        else:
            yield Change("conf", client, f"new: {key} {value}".rstrip(), where)
    changed = {line[0] for line, _ in come}
    for (key, value), where in gone:
        same = [line for line, _ in gone if line[0] == key]
        if key not in changed or len(same) > 1 or sum(line[0] == key for line, _ in come) > 1:
            yield Change("conf", client, f"gone: {key} {value}".rstrip(), where)


def _only(ones: list[tuple[Line, str]], others: list[tuple[Line, str]]) -> list[tuple[Line, str]]:
    left = Counter(line for line, _ in others)
    found = []
    for line, where in ones:
        if left[line]:
            left[line] -= 1
        else:
            found.append((line, where))
    return found


# --- what ran ------------------------------------------------------------------------------------


def _names(old: Facts, new: Facts) -> Iterator[Change]:
    before, after = old.raw(Names), new.raw(Names)
    if isinstance(before, Names) and isinstance(after, Names):
        ones, others = {**before.addresses, **old.inventory.hosts}, {**after.addresses, **new.inventory.hosts}
        for name in sorted(ones.keys() & others.keys()):
            yield from _changed("address", name, "it", ", ".join(sorted(ones[name])), ", ".join(sorted(others[name])))


def _running(old: Facts, new: Facts) -> Iterator[Change]:
    fields: tuple[tuple[str, type[Any], str, Callable[[Any], Any]], ...] = (
        ("port", PortAnswer, "its port", lambda port: port.outcome),
        ("version", ControlPanel, "Zope", lambda panel: panel.zope_version),
        ("version", ControlPanel, "Python", lambda panel: panel.python_version),
        ("version", SeenThere, "Python there", lambda seen: seen.python_version),
        ("process", ControlPanel, "its process", lambda panel: panel.process_id),
        ("process", SeenThere, "what listens on its port", _listener),
        ("database", ControlPanel, "its databases", _databases),
    )
    for client in new.inventory.client_names:
        for topic, kind, what, value in fields:
            before, after = old.raw(kind, client), new.raw(kind, client)
            if isinstance(before, kind) and isinstance(after, kind):
                yield from _changed(topic, client, what, value(before), value(after))
        yield from _products(client, old.raw(SeenThere, client), new.raw(SeenThere, client))


def _listener(seen: SeenThere) -> str:
    return f"process {seen.process.pid}: {seen.process.command}" if seen.process is not None else ""


def _products(client: str, before: object, after: object) -> Iterator[Change]:
    """What its machine installed, removed, or brought to another version."""
    if not isinstance(before, SeenThere) or not isinstance(after, SeenThere):
        return
    ones, others = before.distributions, after.distributions
    if ones is None or others is None:
        return
    for name in sorted(ones.keys() | others.keys()):
        yield from _changed("product", client, name, ones.get(name), others.get(name))


def _databases(panel: ControlPanel) -> str:
    state = {True: " (connected)", False: " (disconnected)", None: ""}
    return ", ".join(f"{page.name} at {page.location}{state[page.connected]}" for page in panel.databases)


def _servers(old: Facts, new: Facts) -> Iterator[Change]:
    befores, afters = _answers(old), _answers(new)
    for key in sorted(befores.keys() & afters.keys()):
        before, after = befores[key], afters[key]
        for what, one in before.items():
            yield from _changed("server", key, what, one, after.get(what))


def _answers(facts: Facts) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for client in facts.inventory.client_names:
        fact = facts.raw(ZeoAnswers, client)
        for answer in fact.answers if isinstance(fact, ZeoAnswers) else ():
            told = {
                "it": answer.outcome,
                "its protocol": answer.protocol or "",
                "its storages": " ".join(sorted(answer.storages)),
            }
            for name, storage in answer.storages.items():
                told[f"the start of storage {name}"] = storage.start
            found[answer.dialled] = told
    return found


# --- what was found ------------------------------------------------------------------------------


def _findings(old: Iterable[Finding], new: Iterable[Finding]) -> Iterator[Change]:
    befores = {finding.fingerprint: finding for finding in old}
    afters = {finding.fingerprint: finding for finding in new}
    yield from (_finding("new", one) for mark, one in afters.items() if mark not in befores)
    yield from (_finding("gone", one) for mark, one in befores.items() if mark not in afters)


def _finding(what: str, finding: Finding) -> Change:
    place = finding.places[0] if finding.places else None
    where = "" if place is None else place.file if place.line is None else f"{place.file}:{place.line}"
    return Change("finding", what, f"{finding.severity.lower()}: {finding.check}: {finding.message}", where)


def counted(changes: Iterable[Change]) -> Mapping[str, int]:
    """How many changes of each topic there are."""
    return Counter(change.topic for change in changes)
