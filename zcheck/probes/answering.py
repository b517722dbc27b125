"""Which processes answer at a client's address?  Its Control Panel is asked over several connections.

A service address, a name with several addresses, a port that several workers share: one address may lead to several
processes, and each connection, or each request, to another of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

import msgspec

from zcheck.facts import AnsweringProcesses, Client, NotGathered, Process
from zcheck.facts.processes import at_one_time, distinct
from zcheck.probes.http import NO_HOSTS, process_on
from zcheck.probes.http_connection import HttpTrouble, Line, resolve

LOOKS = 8
"""Connections to each address, as long as one process answers on all of them."""
WITHOUT_NEW = 12
"""Where there are several: the looks in a row that bring no further one, after which all are taken to be known."""
MOST_LOOKS = 60
ALL_S = 10.0
"""What the looks at one client may take in all."""


def look(
    client: Client,
    user: str,
    password: str,
    timeout_s: float,
    left: Callable[[], float],
    hosts: Mapping[str, Sequence[str]] = NO_HOSTS,
    *,
    verify: bool = True,
) -> AnsweringProcesses | NotGathered:
    """Every process that answers at the addresses of this client's name, within ``left`` seconds."""
    try:
        addresses = resolve(client.dialled.host, hosts, timeout_s)
    except HttpTrouble as trouble:
        return NotGathered(f"{client.name} {trouble.words}")
    end = time.monotonic() + min(ALL_S, left())
    found: list[Process] = []
    silent: dict[str, str] = {}
    for address in addresses:

        def ask(address: str = address) -> Process | None:
            line = Line(client, (address,), user=user, password=password, verify=verify)
            try:
                return process_on(line, max(min(timeout_s, end - time.monotonic()), 0.05))
            finally:
                line.close()

        try:
            answers = _answers(ask, end)
        except HttpTrouble as trouble:
            silent[address] = f"it {trouble.words}"
            continue
        if answers:
            found += [msgspec.structs.replace(one, address=address) for one in at_one_time(answers)]
        else:
            silent[address] = "it does not say which process it is"
    if not found:
        return NotGathered("; ".join(f"{address}: {why}" for address, why in silent.items()) or "it was not asked")
    return AnsweringProcesses(distinct(found), tuple(addresses), silent)


def _answers(ask: Callable[[], Process | None], end: float) -> list[Process]:
    """Who answered, in this order; :exc:`HttpTrouble` where nobody did."""
    answers: list[Process] = []
    since_new = 0
    for number in range(MOST_LOOKS):
        several = len(distinct(answers)) > 1
        if since_new >= (WITHOUT_NEW if several else LOOKS) or (number and time.monotonic() > end):
            break
        try:
            process = ask()
        except HttpTrouble:
            if not answers and number >= 1:
                raise
            since_new += 1
            continue
        if process is None:
            break
        is_new = not any(process.may_be(known) for known in answers)
        since_new = 1 if is_new else since_new + 1
        answers.append(process)
    return answers
