"""Every ZEO server that a client's zope.conf names answers as one.

What it examines
    Every ``server`` line of every database: it is dialled from here, its hello is read, and it is asked ``ruok``, which
    registers nothing. A port that is closed, silent, or speaks HTTP, TLS or another protocol is told apart. Where the
    client has an ``<ssl>`` section the server is asked by TLS, with that section's own files where they can be read.
Why it matters
    A client whose ZEO server is gone goes on serving the pages it has in its caches; every edit fails after minutes,
    and a client that is restarted does not come up. A second ``server`` line that nobody answers is no fallback.
What it does not prove
    That the clients reach it: they stand elsewhere in the network. Where it cannot be reached from here, and every
    running client that names it says "(connected)" or reaches it from its own machine (``via``), the check is skipped,
    and so is the proof over ZEO. What a client's own machine does not reach is client-is-connected-to-zeo's finding.
How to repair it
    Start the server, or correct the line. Where the server is reached from the clients' network alone, give a way to it
    in clients.ini: a section ``[zeo:NAME]`` with ``address`` and ``connect``.

>>> from zcheck.testing.examples import zeo_answer
>>> show(zeo_server_answers, app1=zeo_answer(), app2=zeo_answer(server="10.0.0.5:8100"))
OK
>>> show(zeo_server_answers, app1=zeo_answer("refused"), app2=zeo_answer("refused"))
CRITICAL app1, app2: the ZEO server zeo1:8100 of app1, app2 refuses connections
>>> show(zeo_server_answers, app1=zeo_answer("http", detail="answers HTTP: 'HTTP/1.1 404 Not Found'"))
CRITICAL app1: the ZEO server zeo1:8100 of app1 is none: it answers HTTP: 'HTTP/1.1 404 Not Found'
>>> connected = ControlPanel((DatabasePage("main", "zeostorage", True),))
>>> show(zeo_server_answers, app1=[zeo_answer("unreachable"), connected], app2=zeo_answer("unreachable"))
skipped: the ZEO server zeo1:8100 cannot be reached from here, and app1 says it is connected to it
>>> there = SeenThere("app1", process=ListeningProcess(7), distributions={"zope": "6.3"},
...     servers=(ServerFromThere("main", "zeo1:8100", "zope.conf", 3, "answers"),))
>>> show(zeo_server_answers, app1=[zeo_answer("unreachable"), there], app2=[zeo_answer("unreachable"), there])
skipped: the ZEO server zeo1:8100 cannot be reached from here, and from the machine of app1, app2 it answers
>>> show(zeo_server_answers, app1=zeo_answer(), app2=NotGathered("not done before zcheck's own deadline"))
UNKNOWN app2: not done before zcheck's own deadline
"""

from __future__ import annotations

from collections.abc import Iterator

from zcheck.check import Problem, Severity, Skipped, Unknown, check
from zcheck.facts import ControlPanel, Facts, Names, SeenThere, ZeoAnswers, ZopeConf, addresses
from zcheck.rules.zeo_servers import Asked, by_server

NOT_FROM_HERE = frozenset({"refused", "unreachable", "unknown-name", "timeout"})

PHRASES = {
    "refused": "refuses connections",
    "unreachable": "cannot be reached",
    "unknown-name": "has a name that nothing here resolves",
    "timeout": "does not answer the connect",
    "silent": "is silent",
    "http": "is none",
    "foreign": "is none",
    "tls": "speaks TLS, and their zope.conf has no <ssl> section for it",
    "not-tls": "speaks ZEO without TLS, and their zope.conf has an <ssl> section",
    "tls-failed": "and they do not come to terms by TLS",
}
HINTS = {
    "refused": "start the ZEO server, or correct the 'server' line",
    "unreachable": "see routes and firewalls; 'connect' in a [zeo:NAME] section gives another way to it",
    "unknown-name": "correct the name, or give its address in [hosts]",
    "timeout": "see whether the machine is up and whether a firewall drops connections to this port",
    "silent": "see the ZEO server's log: its process may be stopped or hang; restart it",
    "http": "the line names a web server's port: give the ZEO server's",
    "foreign": "the line names another server's port: give the ZEO server's",
    "tls": "add an <ssl> section with a certificate to the <clientstorage>, or give the port without TLS",
    "not-tls": "add an <ssl> section to the <zeo> section of the server, or remove the clients'",
    "tls-failed": "see the certificates of both sides: who signed them, until when they are good, and for which names",
}


@check(
    "zeo-server-answers",
    stage="reach",
    needs=[ZeoAnswers],
    uses=[ControlPanel, Names, SeenThere, ZopeConf],
    severity=Severity.CRITICAL,
)
def zeo_server_answers(facts: Facts) -> Iterator[Problem | Unknown | Skipped]:
    """One finding for each server that does not answer, whoever names it."""
    for asked in by_server(facts):
        outcome, name = asked.first.outcome, asked.name
        if outcome == "answers":
            continue
        connected = _connected(asked, facts)
        if outcome == "too-old":
            yield Skipped(asked.clients, f"the ZEO server {name} {asked.first.detail}")
        elif outcome in NOT_FROM_HERE and connected and not (outcome == "refused" and asked.first.here):
            reason = f"the ZEO server {name} cannot be reached from here, and {connected}"
            yield Skipped(asked.clients, reason, f"[zeo:NAME] with address = {asked.first.server} and connect = ...")
        elif outcome == "tls":
            yield from _tls(asked, facts)
        elif outcome == "tls-failed":
            yield from _tls_failed(asked, facts)
        else:
            yield _problem(asked)


def _problem(asked: Asked) -> Problem:
    answer = asked.first
    told = ("silent", "http", "foreign", "tls-failed")
    detail = f": it {answer.detail}" if answer.detail and answer.outcome in told else ""
    if answer.outcome == "unreachable" and answer.detail:
        detail = f": {answer.detail}"
    message = f"the ZEO server {asked.name} of {', '.join(asked.clients)} {PHRASES[answer.outcome]}{detail}"
    return Problem(asked.clients, message, asked.places, HINTS[answer.outcome], about=answer.dialled)


def _connected(asked: Asked, facts: Facts) -> str:
    """Who reaches it, and how that is known; empty where nobody can say so or somebody does not reach it.

    A client that names several servers for this database may be connected to another one: it cannot say so.
    """
    panels, found, seen = facts.each(ControlPanel), facts.each(ZeoAnswers), facts.each(SeenThere)
    says, reaches = {}, {}
    for client, answer in asked.answers:
        page = panels[client].database(answer.database) if client in panels else None
        others = [a for a in found[client].answers if a.database == answer.database and a.dialled != answer.dialled]
        there = [s for s in seen[client].servers if s.server == answer.server] if client in seen else []
        if there and seen[client].is_inside:
            reaches[client] = there[0].works
        elif page is not None and page.connected is not None:
            says[client] = page.connected and not others
    if not all((*says.values(), *reaches.values())):
        return ""
    told = [f"{', '.join(says)} {'says' if len(says) == 1 else 'say'} it is connected to it"] if says else []
    told += [f"from the machine of {', '.join(reaches)} it answers"] if reaches else []
    return "; ".join(told)


def _tls(asked: Asked, facts: Facts) -> Iterator[Problem | Unknown]:
    """With an <ssl> section of the client's it is as it should be, and what zcheck lacks are its certificates."""
    confs = facts.each(ZopeConf)
    prepared = [client for client, answer in asked.answers if _has_ssl(confs.get(client), answer.database)]
    others = [client for client in asked.clients if client not in prepared]
    if prepared:
        some = asked.only(prepared)
        detail = some.first.detail if "<ssl>" in some.first.detail else "zcheck has no certificate for it"
        message = f"the ZEO server {some.name} of {', '.join(some.clients)} speaks TLS: {detail}"
        yield Unknown(some.clients, message, some.places, about=asked.first.dialled)
    if others:
        yield _problem(asked.only(others))


def _tls_failed(asked: Asked, facts: Facts) -> Iterator[Problem | Unknown]:
    """Where the client runs elsewhere, what is read here may be other files of the same names."""
    names = facts.maybe(Names)
    machines = {client: facts.inventory.client(client).machine for client in asked.clients}
    at_hand = [client for client in asked.clients if addresses.is_here(machines[client], facts.inventory, names)]
    others = [client for client in asked.clients if client not in at_hand]
    if at_hand:
        yield _problem(asked.only(at_hand))
    if others:
        some = asked.only(others)
        message = (
            f"the ZEO server {some.name} of {', '.join(others)} {some.first.detail}, by the files that are here under"
            " the names of their <ssl> section"
        )
        yield Unknown(some.clients, message, some.places, about=asked.first.dialled)


def _has_ssl(conf: ZopeConf | None, name: str) -> bool:
    database = conf.database(name) if conf is not None else None
    return database is not None and database.leaf is not None and bool(database.leaf.nested("ssl"))
