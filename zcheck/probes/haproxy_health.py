"""Ask a client what a balancer will ask it, once, and the same for a path that cannot exist."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence

from zcheck.facts import Balancers, Client, HealthAnswer, HealthAnswers, HealthRequest, LeftOut
from zcheck.parsers.redact import HIDDEN
from zcheck.probes.http_connection import HttpTrouble, Line, Reply, resolve

READS_ONLY = ("GET", "HEAD", "OPTIONS")
"""Other methods may change something, and are not sent."""

SLOW_S = 0.5
MORE_TRIES = 2
"""An answer that took longer is asked for again, so many times at most."""

MAX_BODY = 64 * 1024
"""Bytes of an answer that are read; HAProxy itself reads no more than the headers."""


def ask(
    client: Client, balancers: Balancers, run_id: str, timeout_s: float, hosts: Mapping[str, Sequence[str]]
) -> HealthAnswers | LeftOut:
    """What this client answers to each health check that may be meant for it; within ``timeout_s`` for each request."""
    wanted = list(dict.fromkeys(requests(client, balancers)))
    if not wanted:
        return LeftOut("no balancer asks it for its health by HTTP")
    return HealthAnswers(tuple(_ask(client, name, request, run_id, timeout_s, hosts) for name, request in wanted))


def requests(client: Client, balancers: Balancers) -> Iterator[tuple[str, HealthRequest]]:
    """The health checks of every section with a server that may be this client, each with its balancer's name."""
    for name, conf in balancers.confs.items():
        for section in conf.balancing:
            request = section.health
            servers = [server for server in section.servers if server.port in (None, client.address.port)]
            elsewhere = any({"port", "addr"} & set(server.options) for server in servers)
            if request is not None and servers and not elsewhere and _can_be_sent(request):
                yield name, request


def _can_be_sent(request: HealthRequest) -> bool:
    hidden = any(HIDDEN in value for _, value in request.headers)
    return request.method in READS_ONLY and request.path.startswith("/") and not hidden and "%[" not in request.path


def _ask(
    client: Client,
    balancer: str,
    request: HealthRequest,
    run_id: str,
    timeout_s: float,
    hosts: Mapping[str, Sequence[str]],
) -> HealthAnswer:
    try:
        line = Line(client, resolve(client.dialled.host, hosts, timeout_s))
    except HttpTrouble as trouble:
        return HealthAnswer(balancer, request, detail=trouble.words)
    try:
        # One slow answer may be a busy client's, or the first one of a page: what the check costs is its best.
        reply = _send(line, request, request.path, timeout_s)
        for _ in range(MORE_TRIES):
            if reply.elapsed_s > SLOW_S:
                reply = min(reply, _send(line, request, request.path, timeout_s), key=lambda one: one.elapsed_s)
        nothing = _status(line, request, no_such_path(request.path, run_id), timeout_s)
        return HealthAnswer(
            balancer, request, reply.status, "", round(reply.elapsed_s, 4), reply.location[:500], nothing
        )
    except HttpTrouble as trouble:
        return HealthAnswer(balancer, request, detail=trouble.words)
    finally:
        line.close()


def _send(line: Line, request: HealthRequest, path: str, timeout_s: float) -> Reply:
    headers = dict(request.headers)
    return line.ask(request.method, path, timeout_s=timeout_s, headers=headers, max_body=MAX_BODY, may_cut=True)


def _status(line: Line, request: HealthRequest, path: str, timeout_s: float) -> int | None:
    try:
        return _send(line, request, path, timeout_s).status
    except HttpTrouble:
        return None


def no_such_path(path: str, run_id: str) -> str:
    """A neighbour of ``path`` that nothing is called."""
    return posixpath.join(posixpath.dirname(path.partition("?")[0]), f"zcheck-no-such-page-{run_id}")
