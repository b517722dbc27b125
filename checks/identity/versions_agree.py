"""All clients run the same versions of Zope, Python and Plone.

What it examines
    The versions on each client's Control Panel, those that its ``Server`` header tells, and where ``site`` is given
    what the site's REST API says of Plone. Builds and compilers are not compared.
Why it matters
    All clients unpickle the same objects. What a newer version writes, an older one may not be able to read, or reads
    and writes back without what it does not know; the same page is then right or wrong by chance.
What it does not prove
    That add-ons agree: see products-agree.
How to repair it
    Finish the upgrade, one client after the other, each out of the balancer meanwhile. Where it is under way on
    purpose, a ``[suppress:NAME]`` section with an expiry says so.

>>> def panel(zope, python="3.12.1 (main, Dec  8 2023)"):
...     return ControlPanel((), zope_version=zope, python_version=python)
>>> show(versions_agree, app1=panel("6.3"), app2=panel("6.3", "3.12.1 (main, Jan  2 2024)"))
OK
>>> show(versions_agree, app1=panel("6.3"), app2=panel("5.13"), app3=panel("6.3"))
WARNING app1, app2, app3: Zope is 5.13 on app2; 6.3 on app1, app3
>>> show(versions_agree, app1=panel("6.3"), app2=NotGathered("the user lacks the permission"))
UNKNOWN app2: the user lacks the permission
"""

from __future__ import annotations

from collections.abc import Iterator

from zcheck.check import Problem, Severity, Skipped, check
from zcheck.facts import ControlPanel, Facts, HttpAnswer
from zcheck.facts.versions import versions


@check(
    "versions-agree",
    stage="identity",
    needs=[ControlPanel],
    uses=[HttpAnswer],
    severity=Severity.WARNING,
    after=["client-port-answers", "client-serves-http", "client-is-connected-to-zeo"],
)
def versions_agree(facts: Facts) -> Iterator[Problem | Skipped]:
    """No vote is taken: every version is told with who runs it."""
    answers = facts.each(HttpAnswer)
    said = {client: versions(panel, answers.get(client)) for client, panel in facts.each(ControlPanel).items()}
    for product in ("Zope", "Python", "Plone"):
        groups: dict[str, list[str]] = {}
        for client, found in said.items():
            if product in found:
                groups.setdefault(found[product], []).append(client)
        if len(groups) > 1:
            yield _problem(product, groups, facts.clients)
    yield Skipped(tuple(client for client, found in said.items() if not found), "it tells no version")


def _problem(product: str, groups: dict[str, list[str]], order: tuple[str, ...]) -> Problem:
    clients = tuple(client for client in order if any(client in names for names in groups.values()))
    sides = sorted(groups.items(), key=lambda side: len(side[1]))
    told = "; ".join(f"{version} on {', '.join(names)}" for version, names in sides)
    hint = f"bring every client to one version of {product}"
    return Problem(clients, f"{product} is {told}", hint=hint, about=product)
