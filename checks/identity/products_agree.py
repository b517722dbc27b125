"""All clients run the same versions of the same distributions.

What it examines
    The installed distributions, add-ons and libraries alike, that the process on each client's port can import, found
    by the client's own machine (``via`` in clients.ini, or ``zcheck gather`` there): on the search path of that
    process, or among the eggs of the buildout's script that started it. What only installs others (pip, setuptools) is
    left out, and so is what versions-agree tells: Zope, Python and Plone, where it could read them.
Why it matters
    All clients unpickle the same objects. A client with other product code writes what the others cannot read, or reads
    it as broken objects and saves these; a worker writes as well as the others do.
What it does not prove
    That equal versions are equal code: a checkout under development keeps its version while it changes. Nor that a
    process was restarted since something was installed: what it can import now is compared, not what it has loaded.
How to repair it
    Install the same set on every client, from one list of pinned versions, and restart those that were changed.

>>> from zcheck.testing.examples import seen_there
>>> show(products_agree, app1=seen_there("products-foo=1.0 pip=23.1"), app2=seen_there("products-foo=1.0"))
OK
>>> show(products_agree, app1=seen_there("products-foo=1.0 six=1.16"), app2=seen_there("products-foo=1.1"))
WARNING app1, app2: 2 distributions differ: products-foo is 1.0 on app1, 1.1 on app2; six is 1.16 on app1, absent on
app2
>>> nobody = seen_there(process=None, why_no_distributions="nothing listens on port 8080 there")
>>> show(products_agree, app1=seen_there("six=1.16"), app2=nobody, app3=seen_there("six=1.16"))
UNKNOWN app2: what app2 runs with is not known: nothing listens on port 8080 there
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from zcheck.check import Problem, Severity, Skipped, Unknown, check
from zcheck.facts import ControlPanel, Facts, SeenThere
from zcheck.rules.machines import alone, told

TOLD = 10
INSTALLERS = frozenset({"pip", "setuptools", "wheel", "distribute", "virtualenv", "zc-buildout", "zc-recipe-egg"})
BY_VERSIONS_AGREE = frozenset({"zope", "zope2", "python", "plone", "products-cmfplone"})
Versions = dict[str, str]


@check(
    "products-agree",
    stage="identity",
    needs=[SeenThere],
    uses=[ControlPanel],
    severity=Severity.WARNING,
    after=["client-port-answers"],
)
def products_agree(facts: Facts) -> Iterator[Problem | Unknown | Skipped]:
    """One finding for all distributions that differ; no vote is taken."""
    seen = facts.each(SeenThere)
    known: dict[str, Versions] = {}
    for client, found in seen.items():
        if found.distributions is None:
            reason = found.why_no_distributions or found.why_no_process or "its machine does not tell"
            hint = "let the command of 'via' run as the client's user" if "may not look" in reason else ""
            yield Unknown((client,), f"what {client} runs with is not known: {reason}", hint=hint)
        else:
            known[client] = {**found.distributions, "python": found.python_version}
    yield from alone(known)
    left_out = INSTALLERS | (BY_VERSIONS_AGREE if _read_by_versions_agree(facts, known) else set())
    differing = {name: sides for name, sides in _sides(known).items() if name not in left_out}
    if differing:
        yield _problem(facts, differing, tuple(known))


def _read_by_versions_agree(facts: Facts, clients: Mapping[str, Versions]) -> bool:
    panels = facts.each(ControlPanel)
    return all(client in panels and panels[client].zope_version and panels[client].python_version for client in clients)


def _sides(known: Mapping[str, Versions]) -> dict[str, dict[str, list[str]]]:
    """By distribution, the clients of each version, where there is more than one; most clients have the same set."""
    alike: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for client, versions in known.items():
        alike.setdefault(tuple(sorted(versions.items())), []).append(client)
    sets = [(dict(versions), clients) for versions, clients in alike.items()]
    found: dict[str, dict[str, list[str]]] = {}
    for name in sorted({name for versions, _ in sets for name in versions}):
        sides: dict[str, list[str]] = {}
        for versions, clients in sets:
            sides.setdefault(versions.get(name, "absent"), []).extend(clients)
        # A Python whose version is not known differs from none.
        if len(sides) > 1 and not (name == "python" and "" in sides):
            found[name] = sides
    return found


def _problem(facts: Facts, differing: Mapping[str, dict[str, list[str]]], clients: tuple[str, ...]) -> Problem:
    sentences = [
        f"{name} is {', '.join(f'{version} on {told(facts, names)}' for version, names in sides.items())}"
        for name, sides in differing.items()
    ]
    more = [f"and {len(sentences) - TOLD} more"] if len(sentences) > TOLD else []
    many = f"{len(sentences)} distributions differ" if len(sentences) > 1 else "a distribution differs"
    message = f"{many}: {'; '.join([*sentences[:TOLD], *more])}"
    return Problem(clients, message, hint="install one list of pinned versions on every client, and restart them")
