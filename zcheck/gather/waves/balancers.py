"""The balancers: their files, what HAProxy says of them, and what each client answers to their health checks."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from zcheck.facts import (
    Balancers,
    BalancerVerdicts,
    HealthAnswers,
    HttpAnswer,
    LeftOut,
    NotGathered,
    RunningBalancers,
)
from zcheck.facts.balancer import BACKEND
from zcheck.gather.run import Run, side_by_side
from zcheck.probes import files, haproxy


def read(run: Run) -> None:
    """The balancers' files, and what HAProxy itself says of them where it is asked."""
    confs, verdicts = haproxy.gather(
        run.inventory,
        files.read_text,
        judge=BalancerVerdicts in run.wanted,
        offline=run.settings.offline,
        timeout_s=min(run.settings.timeout_s, run.deadline.left()),
    )
    run.keep("", confs, Balancers)
    run.keep("", verdicts, BalancerVerdicts)


def see_what_runs(run: Run) -> None:
    """What each HAProxy does now, where this user may open its socket; nothing is changed there."""
    if not run.inventory.balancers:
        run.keep("", LeftOut("no balancer section in clients.ini"), RunningBalancers)
        return
    if run.settings.offline:
        run.keep("", LeftOut("left out by --offline"), RunningBalancers)
        return
    from zcheck.probes import haproxy_socket

    jobs: dict[str, Callable[[], Any]] = {}
    found: dict[str, Any] = {}
    for section in run.inventory.balancers:
        socket = section.values.get("admin-socket")
        if socket is None:
            found[section.name] = LeftOut(f"[{section.section.name}] names no admin-socket")
        else:
            backend = section.values.get("backend", BACKEND)
            jobs[section.name] = partial(haproxy_socket.running, socket, backend, run.settings.timeout_s)
    found |= side_by_side(jobs, run.deadline.left)
    run.keep("", RunningBalancers(found, run.settings.judges_rotation))


def ask_health(run: Run) -> None:
    """The balancers' health checks, of every client that speaks HTTP."""
    from zcheck.probes import haproxy_health

    balancers = run.facts.raw(Balancers)
    jobs: dict[str, Callable[[], Any]] = {}
    for client in run.inventory.clients:
        answer = run.facts.raw(HttpAnswer, client.name)
        if not isinstance(balancers, Balancers):
            run.keep(client.name, LeftOut("no balancer's configuration was read"), HealthAnswers)
        elif not isinstance(answer, HttpAnswer) or answer.outcome != "http":
            run.keep(client.name, NotGathered(f"{client.dialled} does not answer"), HealthAnswers)
        else:
            run_id, timeout_s = run.settings.run_id, run.settings.timeout_s
            jobs[client.name] = partial(haproxy_health.ask, client, balancers, run_id, timeout_s, run.inventory.hosts)
    for name, found in side_by_side(jobs, run.deadline.left).items():
        run.keep(name, found, HealthAnswers)
