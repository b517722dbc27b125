"""Every client answers a request for its front page quickly.

What it examines
    How long one anonymous request for ``/`` takes, from connecting to the last byte. Where it takes long, a second one
    is made and counts: the first page after a start is slow on every Zope. More than 2 s is a finding, or more than
    ``client-answers-quickly`` in ``[zcheck]`` of clients.ini says.
Why it matters
    A client that is slow for one visitor has its few threads occupied under load: the queue in front of it grows, the
    balancer's health check times out, and its share falls upon the others.
What it does not prove
    That other pages are quick, or that this one is under load.
How to repair it
    Look at the load and the memory of its machine, and at what its threads do. If the page at ``/`` is expensive by
    design, raise the threshold.

>>> def took(ms): return HttpAnswer("http", status=200, elapsed_ms=ms)
>>> show(client_answers_quickly, app1=took(12.0), app2=took(1900.0))
OK
>>> show(client_answers_quickly, app1=took(12.0), app2=took(3210.0))
WARNING app2: app2 at 10.0.0.2:8080 takes 3.2 s for /; more than 2 s is too long
>>> show(client_answers_quickly, app1=took(12.0), app2=NotGathered("not done before the deadline"))
UNKNOWN app2: not done before the deadline
"""

from __future__ import annotations

from collections.abc import Iterator

from zcheck.check import Problem, Severity, check
from zcheck.facts import Facts, HttpAnswer, Thresholds
from zcheck.rules.client_ports import address_of


@check(
    "client-answers-quickly",
    stage="reach",
    needs=[HttpAnswer],
    uses=[Thresholds],
    severity=Severity.WARNING,
    after=["client-port-answers", "client-serves-http"],
)
def client_answers_quickly(facts: Facts) -> Iterator[Problem]:
    """The client's own time: a port that does not answer at all is another finding."""
    limit_s = (facts.maybe(Thresholds) or Thresholds()).client_answers_quickly_s
    for client, answer in facts.each(HttpAnswer).items():
        if answer.elapsed_ms is not None and answer.elapsed_ms > limit_s * 1000:
            took = f"{answer.elapsed_ms / 1000:.1f} s"
            where = f"{client} at {facts.inventory.client(client).dialled}"
            message = f"{where} takes {took} for /; more than {limit_s:g} s is too long"
            hint = "see the load of its machine and what its threads do; the threshold is client-answers-quickly"
            yield Problem((client,), message, (address_of(facts.inventory, client),), hint)
