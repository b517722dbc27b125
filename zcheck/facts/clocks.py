"""Clocks of the cluster as ranges of what they may be ahead of zcheck's own machine, in seconds."""

from __future__ import annotations

import calendar
from collections.abc import Collection, Iterable, Sequence
from email.utils import parsedate

import msgspec

from zcheck.facts import HttpAnswer, SeenThere, ZeoClocks


class Clock(msgspec.Struct, frozen=True):
    """One clock; ``name`` is empty for that of zcheck's own machine."""

    name: str
    clients: tuple[str, ...]
    least_s: float
    most_s: float

    @property
    def about_s(self) -> float:
        """How far it is ahead, as a person would say it."""
        return self.least_s if self.most_s == float("inf") else (self.least_s + self.most_s) / 2


def of_client(client: str, answer: HttpAnswer) -> Clock | None:
    """A ``Date`` has whole seconds, cut off; None where there is none."""
    parsed = parsedate(answer.headers.get("date", ""))
    if parsed is None or answer.asked_at is None or answer.answered_at is None:
        return None
    try:
        date_s = calendar.timegm(parsed)
    except (ValueError, OverflowError):
        return None
    return Clock(client, (client,), date_s - answer.answered_at, date_s + 1 - answer.asked_at)


def of_machine(client: str, seen: SeenThere | None) -> Clock | None:
    """What the client's own machine told of its clock; None where it was not asked from here."""
    if seen is None or seen.clock is None or seen.asked_at is None or seen.answered_at is None:
        return None
    return Clock(client, (client,), seen.clock - seen.answered_at, seen.clock - seen.asked_at)


def of_servers(known: ZeoClocks, judged: Collection[str]) -> list[Clock]:
    """A newest transaction may be old: it only tells that the clock is not behind it; one of our own tells all."""
    found: dict[str, Clock] = {}
    for reading in known.readings:
        clients = tuple(client for client in reading.clients if client in judged)
        if not clients:
            continue
        least_s = reading.tid_s - reading.answered_at
        most_s = reading.tid_s - reading.asked_at if reading.bracketed else float("inf")
        before = found.get(reading.server, Clock("", (), -float("inf"), float("inf")))
        found[reading.server] = Clock(
            f"the ZEO server {reading.server}",
            tuple(dict.fromkeys((*before.clients, *clients))),
            max(least_s, before.least_s),
            min(most_s, before.most_s),
        )
    return list(found.values())


def alike(clocks: Iterable[Clock], limit_s: float) -> list[list[Clock]]:
    """The clocks in groups; any two of one group may be within ``limit_s`` of each other."""
    groups: list[list[Clock]] = []
    for clock in clocks:
        for group in groups:
            if all(max(clock.least_s - one.most_s, one.least_s - clock.most_s) <= limit_s for one in group):
                group.append(clock)
                break
        else:
            groups.append([clock])
    return groups


def told(groups: Sequence[Sequence[Clock]]) -> str:
    """Every group in words; the first one has zcheck's own machine in it."""
    own, *others = groups
    said = []
    for group in others:
        ahead_s = sum(clock.about_s for clock in group) / len(group)
        way = "ahead of" if ahead_s > 0 else "behind"
        names = _names(group)
        said.append(f"{names} {'is' if len(group) == 1 else 'are'} {abs(ahead_s):.0f} s {way} zcheck's machine")
    with_us = [clock for clock in own if clock.name]
    if with_us:
        said.append(f"{_names(with_us)} agree{'s' * (len(with_us) == 1)} with it")
    return "; ".join(said)


def _names(clocks: Sequence[Clock]) -> str:
    return ", ".join(clock.name for clock in clocks)
