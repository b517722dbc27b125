"""The balancer's health check is quick, and its answer means something.

What it examines
    The request of ``option httpchk`` and ``http-check send``, by its form: not ``OPTIONS``, which Zope answers with 200
    for every path; not a login or a page of the management interface; not the front page of the site. In a run that
    reaches the clients it is asked of each of them, with a time limit of 1 s for the best of three: it must be
    answered, in a way that HAProxy takes for well, without a redirect, and not alike for a path that cannot exist.
Why it matters
    It is asked of every client every few seconds. A page that takes long, or waits for a thread, makes HAProxy take a
    busy client out of rotation, and its load pushes the next one over. An answer that comes for any path is no sign of
    health, and one that HAProxy does not accept keeps the client out for ever.
What it does not prove
    That a client that passes it can write: pages come from its cache while ZEO is away. See edits-are-seen-everywhere.
How to repair it
    ``http-check send meth GET uri /ok`` on Plone; a small page of your own, or ``/``, on plain Zope.

>>> text = '''backend zope
...  option httpchk GET /ok
...  server app1 10.0.0.1:8080 check
... '''
>>> balancers = haproxy_conf(text)
>>> request = balancers.confs["front"].sections[0].health
>>> fine = HealthAnswers((HealthAnswer("front", request, 200, elapsed_s=0.004, status_of_nothing=404),))
>>> show(health_check_is_cheap, balancers, app1=fine)
OK
>>> slow = HealthAnswers((HealthAnswer("front", request, 200, elapsed_s=2.5, status_of_nothing=404),))
>>> show(health_check_is_cheap, balancers, app1=slow)
WARNING app1: GET /ok, the balancer's health check, takes longer than 1 s on app1 (2.5 s)
>>> show(health_check_is_cheap, haproxy_conf(text.replace("GET /ok", "OPTIONS /Plone")), app1=[])
WARNING app1: OPTIONS /Plone, the balancer's health check, is answered with 200 whatever the path: it proves nothing
>>> show(health_check_is_cheap, (Balancers, NotGathered("ssh: timed out after 5 s")), app1=[])
UNKNOWN app1: ssh: timed out after 5 s
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from zcheck.check import Problem, Severity, Skipped, Unknown, check
from zcheck.facts import Balancers, Facts, HaproxySection, HealthAnswer, HealthAnswers, HealthRequest, Names
from zcheck.rules.haproxy import balancing, client_of, concerned, place, unread

LIMIT_S = 1.0
_LOGIN = re.compile(r"login|require_login|cookie_auth|manage(?:_\w+)?$|@@manage", re.IGNORECASE)
_STATUSES = re.compile(r"\d{3}(?:-\d{3})?(?:,\d{3}(?:-\d{3})?)*")


@check(
    "health-check-is-cheap",
    stage="balancer",
    needs=[Balancers],
    uses=[HealthAnswers, Names],
    severity=Severity.WARNING,
    after=["client-port-answers", "client-serves-http"],
)
def health_check_is_cheap(facts: Facts) -> Iterator[Problem | Skipped | Unknown]:
    """By its form one finding a backend; by its answers one finding for all clients of which the same is wrong."""
    yield from unread(facts)
    asked = [(conf, section) for conf, section in balancing(facts) if section.health is not None]
    if not asked:
        yield Skipped(facts.clients, "nothing to examine: no backend has an HTTP health check")
    for _, section in asked:
        assert section.health is not None
        why = _wrong_form(section.health, facts.inventory.site)
        if why:
            yield _problem(section.health, concerned(facts, section), why, section.name)
        else:
            yield from _by_answers(facts, section, section.health)


def _wrong_form(request: HealthRequest, site: str | None) -> str:
    """What is wrong whatever a client answers; empty where nothing is."""
    path = request.path.partition("?")[0]
    if request.method == "OPTIONS":
        return "is answered with 200 whatever the path: it proves nothing"
    if _LOGIN.search(path):
        return "is a login or a management page"
    if site and path.rstrip("/") == site:
        return "is the front page of the site: every client renders it every few seconds"
    return ""


def _by_answers(facts: Facts, section: HaproxySection, request: HealthRequest) -> Iterator[Problem]:
    served = {client_of(server, facts)[0] for server in section.servers}
    wrong: dict[str, list[tuple[str, str]]] = {}
    for client, found in facts.each(HealthAnswers).items():
        for answer in found.answers:
            if answer.request == request and (client in served or None in served):
                why, seen = _wrong_answer(answer)
                if why:
                    wrong.setdefault(why, []).append((client, seen))
    for why, told in wrong.items():
        clients = tuple(client for client, _ in told)
        seen = ", ".join(dict.fromkeys(value for _, value in told if value))
        message = f"{why} on {', '.join(clients)}" + (f" ({seen})" if seen else "")
        yield _problem(request, clients, message, f"{section.name}:{why}")


def _wrong_answer(answer: HealthAnswer) -> tuple[str, str]:
    """What is wrong, and the value that was seen; empty where nothing is."""
    if answer.status is None:
        return "is not answered", answer.detail
    accepts = accepted(answer.request.expect, answer.status)
    if accepts is False:
        return f"is answered with {answer.status}, which HAProxy takes for down", ""
    if answer.location:
        to_login = _LOGIN.search(answer.location.partition("?")[0]) is not None
        return f"is redirected{' to a login' if to_login else ''}, which HAProxy takes for well", answer.location[:200]
    if answer.elapsed_s is not None and answer.elapsed_s > LIMIT_S:
        return f"takes longer than {LIMIT_S:g} s", f"{answer.elapsed_s:.1f} s"
    same = answer.status_of_nothing is not None and accepted(answer.request.expect, answer.status_of_nothing)
    if accepts and same and answer.request.path != "/":
        return f"is answered with {answer.status_of_nothing} for a path that cannot exist as well", ""
    return "", ""


def accepted(expect: str, status: int) -> bool | None:
    """Whether HAProxy takes this status for well; None where the rule asks for something else than a status."""
    if not expect:
        return 200 <= status < 400
    words = [word for word in expect.split() if not word.startswith(("min-recv", "comment"))]
    negated = words[:1] == ["!"]
    words = words[1:] if negated else words
    if words[:1] != ["status"] or len(words) != 2 or not _STATUSES.fullmatch(words[1]):
        return None
    ranges = [one.partition("-") for one in words[1].split(",")]
    return negated != any(int(low) <= status <= int(high or low) for low, _, high in ranges)


def _problem(request: HealthRequest, clients: tuple[str, ...], why: str, about: str) -> Problem:
    message = f"{request.method} {request.path}, the balancer's health check, {why}"
    hint = "ask for a small page that only a working client answers: http-check send meth GET uri /ok"
    return Problem(clients, message, (place(request.line),), hint, about=about)
