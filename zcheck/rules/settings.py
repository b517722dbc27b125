"""Values of one key, side by side for all clients; what differs by right is left out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import msgspec

from zcheck.check import Place, Problem
from zcheck.facts import Facts, Section, Setting, ZopeConf
from zcheck.rules.databases import everybody, is_partial, place_of_end, sides, spelt_out

NOT_SET = "not set"

# What the role explains: a worker's or a read-only client's own debugging, threads and caches.
BY_ROLE = re.compile(r"debug|verbose-security|threads|cache|pool-size|read-only")

_PATH = re.compile(r"/|[a-zA-Z]:[\\/]|\\\\|file://")


class Seen(msgspec.Struct, frozen=True):
    """One client's value: ``same`` is equal for equal values, ``shown`` is what a person reads."""

    same: str
    shown: str
    line: Setting | None = None


def is_path(value: str) -> bool:
    """Whether a value is a path, or a list of paths: those are each client's own."""
    return _PATH.match(value) is not None


def neutral(value: str, client: str, conf: ZopeConf) -> str:
    """The value with what is this client's own taken out: its instance home, and its name as a word."""
    home = conf.top.value("instancehome", "")
    if len(home) > 1:
        value = value.replace(home, "<instancehome>")
    return re.sub(rf"(?<![^\W_]){re.escape(client)}(?![^\W_])", "<client>", value) if client in value else value


def differences(
    facts: Facts, where: str, key: str, values: Mapping[str, Seen], sections: Mapping[str, Section]
) -> Iterator[Problem]:
    """The problem of a key of which the clients have different values; none where they agree.

    A client whose file could not be read as a whole is not blamed for what it does not set.
    """
    confs = facts.each(ZopeConf)
    told_of = {c: seen for c, seen in values.items() if seen.line is not None or not is_partial(confs[c])}
    parts = sides({client: seen.same for client, seen in told_of.items()})
    if len(parts) < 2:
        return
    if len({seen.line.seal.partition(":")[0] for seen in told_of.values() if seen.line and seen.line.seal}) > 1:
        return  # Hidden values that were read by different runs of zcheck cannot be compared.
    said = spelt_out([f"{told_of[clients[0]].shown} for {', '.join(clients)}" for clients in parts.values()])
    places = tuple(_place(clients[0], told_of, sections, key) for clients in parts.values())
    yield Problem(
        everybody(parts),
        f"{key}{where} is {said}",
        places,
        f"give every client the same '{key}' line",
        about=f"{where} {key}",
    )


def _place(client: str, values: Mapping[str, Seen], sections: Mapping[str, Section], key: str) -> Place:
    line = values[client].line
    if line is not None:
        return Place.of(line)
    section = sections[client]
    if not section.type:
        return Place(section.file, max(section.end_line, 1), note=f"{client} does not set {key}")
    return place_of_end(section, f"{client} does not set {key}")
