"""Every running client is registered with its ZEO server.

What it examines
    How many clients each ZEO server says are registered for a storage, before zcheck itself connects, against the
    clients that serve pages and whose zope.conf mounts that storage on ``/``. A client that names several servers is
    expected at none of them, and one that says itself that it has lost its server is not expected either.
Why it matters
    A client that is missing here runs on another server than its zope.conf names, or on a connection that the server
    has long given up: it shows old pages, and says that it is connected.
What it does not prove
    Who is missing: the server counts and tells no names. Nor, where the count is right, that these are the clients:
    a script or another site's client is counted as well.
How to repair it
    Compare "Database Location" on the Control Panels of the clients that are named, and restart the one that is not
    where its zope.conf says.

>>> from zcheck.testing.examples import zeo_answer
>>> serves = HttpAnswer("http", status=200)
>>> def client(**changes): return [zeo_answer(connections=2), serves, zope_conf(server="zeo1:8100")]
>>> show(zeo_sees_every_client, app1=client(), app2=client())
OK
>>> show(zeo_sees_every_client, app1=client(), app2=client(), app3=client())
WARNING app1, app2, app3: 2 clients are registered for storage 1 on zeo1:8100; app1, app2, app3 should be
>>> show(zeo_sees_every_client, app1=client(), app2=NotGathered("not done before zcheck's own deadline"))
UNKNOWN app2: not done before zcheck's own deadline
"""

from __future__ import annotations

from collections.abc import Iterator

from zcheck.check import Problem, Severity, Skipped, check
from zcheck.facts import ControlPanel, Facts, HttpAnswer, ZeoAnswer, ZeoAnswers, ZopeConf
from zcheck.rules.zeo_servers import Asked, by_storage, unanswered

MOST_NAMES = 20
"""In a message; the finding names them all."""


@check(
    "zeo-sees-every-client",
    stage="reach",
    needs=[ZeoAnswers],
    uses=[HttpAnswer, ControlPanel, ZopeConf],
    severity=Severity.WARNING,
    after=["zeo-server-answers", "zeo-storage-exists"],
)
def zeo_sees_every_client(facts: Facts) -> Iterator[Problem | Skipped]:
    """More than are expected is no finding: nobody knows who else may be registered."""
    for asked in by_storage(facts):
        storage = asked.first.storages.get(asked.first.storage)
        expected = tuple(dict.fromkeys(c for c, answer in asked.answers if _is_expected(facts, c, answer)))
        if storage is not None and storage.connections < len(expected):
            yield _problem(asked.only(expected), storage.connections)
    yield Skipped(unanswered(facts), "zeo-server-answers")


def _is_expected(facts: Facts, client: str, answer: ZeoAnswer) -> bool:
    """A database beside the root's is opened, and its server connected to, when somebody first looks into it."""
    conf, page = facts.each(ZopeConf).get(client), facts.each(HttpAnswer).get(client)
    if page is None or page.outcome != "http" or conf is None or conf.root is None or conf.root.name != answer.database:
        return False
    servers = {one.dialled for one in facts.each(ZeoAnswers)[client].answers if one.database == answer.database}
    panel = facts.each(ControlPanel).get(client)
    shown = panel.database(answer.database) if panel is not None else None
    return len(servers) == 1 and not (shown is not None and shown.connected is False)


def _problem(asked: Asked, count: int) -> Problem:
    more = len(asked.clients) - MOST_NAMES
    named = ", ".join(asked.clients[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")
    are = "client is" if count == 1 else "clients are"
    message = f"{count} {are} registered for storage {asked.first.storage} on {asked.name}; {named} should be"
    hint = f"compare 'Database Location' on the Control Panels of {named}; restart the one that is not where it belongs"
    return Problem(asked.clients, message, asked.places, hint, f"{asked.first.dialled} {asked.first.storage}")
