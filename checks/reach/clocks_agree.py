"""The clocks of all clients and ZEO servers agree.

What it examines
    The ``Date`` of each client's answer, and the time in the transaction ids of each ZEO server, between the moments at
    which zcheck asked and was answered. More than 5 s between two of them is a finding, or more than ``clocks-agree``
    in ``[zcheck]`` of clients.ini says. Where all agree and only zcheck's own machine differs, that is told and is no
    finding. A date that a cache may have kept is not used, but what the client's own machine tells (``via``).
Why it matters
    Sessions and log-ins expire early on one client and late on the other, publication dates take effect at two times,
    caches keep what is old, and nobody can put two logs side by side. A ZEO server whose clock was once ahead goes on
    with transaction ids in the future.
What it does not prove
    That the time is right, or the time zones.
How to repair it
    Let every machine take its time from the network (chrony, systemd-timesyncd).

>>> def client(date): return HttpAnswer("http", headers={"date": date}, asked_at=1700000000.0, answered_at=1700000000.2)
>>> right, wrong = "Tue, 14 Nov 2023 22:13:20 GMT", "Tue, 14 Nov 2023 22:15:00 GMT"
>>> show(clocks_agree, app1=client(right), app2=client(right))
OK
>>> show(clocks_agree, app1=client(right), app2=client(wrong), app3=client(right))
WARNING app1, app2, app3: the clocks differ: app2 is 100 s ahead of zcheck's machine; app1, app3 agree with it
>>> ahead = TidReading("zeo1:8100", ("app1",), 1700003600.0, 1700000000.0, 1700000000.2)
>>> show(clocks_agree, ZeoClocks((ahead,)), app1=client(right))
WARNING app1: the clocks differ: the ZEO server zeo1:8100 is 3600 s ahead of zcheck's machine; app1 agrees with it
>>> show(clocks_agree, app1=client(right), app2=NotGathered("not done before the deadline"))
UNKNOWN app2: not done before the deadline
"""

from __future__ import annotations

from collections.abc import Iterator

from zcheck.check import Note, Problem, Severity, Skipped, check
from zcheck.facts import Facts, HttpAnswer, OwnClock, SeenThere, Thresholds, ZeoClocks
from zcheck.facts.clocks import Clock, alike, of_client, of_machine, of_servers, told
from zcheck.rules.client_ports import proxy_headers
from zcheck.rules.own_clock import OWN_CLOCK_WAS_SET, own_clock_was_set


@check(
    "clocks-agree",
    stage="reach",
    needs=[HttpAnswer],
    uses=[OwnClock, SeenThere, ZeoClocks, Thresholds],
    severity=Severity.WARNING,
    after=["client-port-answers", "client-serves-http"],
)
def clocks_agree(facts: Facts) -> Iterator[Problem | Note | Skipped]:
    """Each clock is a range of what it may be ahead of ours; ranges that are too far apart are two times."""
    if own_clock_was_set(facts):
        yield Skipped(facts.clients, OWN_CLOCK_WAS_SET)
        return
    limit_s = (facts.maybe(Thresholds) or Thresholds()).clocks_agree_s
    answers = facts.each(HttpAnswer)
    there = facts.each(SeenThere)
    dated = [clock for client, a in answers.items() if (clock := _clock(client, a, there.get(client)))]
    clocks = [*dated, *of_servers(facts.maybe(ZeoClocks) or ZeoClocks(), answers)]
    groups = alike([Clock("", (), 0.0, 0.0), *clocks], limit_s)
    message = f"the clocks differ: {told(groups)}"
    clients = tuple(client for client in facts.clients if any(client in clock.clients for clock in clocks))
    if len(groups) > 1 and len(clocks) > 1 and len(alike(clocks, limit_s)) == 1:
        yield Note(clients, f"this machine's own clock differs: {told(groups)}")
    elif len(groups) > 1:
        yield Problem(clients, message, hint="let every machine take its time from the network (chrony, timesyncd)")
    named = {client for clock in dated for client in clock.clients}
    yield Skipped(tuple(client for client in answers if client not in named), "its answer has no date of its own")


def _clock(client: str, answer: HttpAnswer, seen: SeenThere | None) -> Clock | None:
    return (None if proxy_headers(answer) else of_client(client, answer)) or of_machine(client, seen)
