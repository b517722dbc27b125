"""client-serves-http: where it fires, and beside it where it must not."""

from __future__ import annotations

from typing import Any

import pytest

from zcheck.checks.reach.client_port_answers import client_port_answers
from zcheck.checks.reach.client_serves_http import client_serves_http
from zcheck.facts import (
    Facts,
    HttpAnswer,
    NotGathered,
    PortAnswer,
)
from zcheck.runner import run
from zcheck.testing import inventory, judge

OPEN = PortAnswer("10.0.0.1:8080", "open", connect_ms=0.2)
ANSWERS: dict[str, tuple[HttpAnswer, str | None]] = {
    "a page": (HttpAnswer("http", status=200), None),
    "a login": (HttpAnswer("http", status=401), None),
    "a redirect": (HttpAnswer("http", status=302), None),
    "nothing at /": (HttpAnswer("http", status=404), None),
    "an error": (HttpAnswer("http", status=500), "answers a request for / with status 500"),
    "busy": (HttpAnswer("http", status=503), "answers a request for / with status 503"),
    "silent": (HttpAnswer("silent", "accepted the connection and said nothing"), "said nothing"),
    "slow": (HttpAnswer("too-slow", "had not finished its answer after 5 s"), "had not finished"),
    "ZEO": (HttpAnswer("not-http", "answers as a ZEO server does, not with HTTP"), "answers as a ZEO server does"),
    "reset": (HttpAnswer("reset", "broke the connection off"), "broke the connection off"),
    "TLS": (HttpAnswer("tls-error", "does not speak TLS"), "does not speak TLS"),
}


@pytest.mark.parametrize(("answer", "words"), ANSWERS.values(), ids=ANSWERS)
def test_client_serves_http(answer: HttpAnswer, words: str | None) -> None:
    findings = judge(client_serves_http, app1=answer).findings
    assert ([] if words is None else ["CRITICAL"]) == [finding.severity for finding in findings]
    assert all(words in finding.message and finding.hint for finding in findings if words)


def test_a_closed_port_is_one_finding() -> None:
    facts = _facts(
        app1={PortAnswer: PortAnswer("x", "refused"), HttpAnswer: NotGathered("its port is closed")},
        app2={PortAnswer: OPEN, HttpAnswer: HttpAnswer("http", status=200)},
    )
    judgement = run([client_port_answers, client_serves_http], facts)
    assert [("CRITICAL", "client-port-answers")] == [(f.severity, f.check) for f in judgement.findings]
    assert [("app1", "client-port-answers")] == [(s.client, s.because) for s in judgement.results[1].skipped_for]


def _facts(cluster: Any = None, **clients: dict[Any, Any]) -> Facts:
    lines = ["[cluster]", "name = x"]
    for number, name in enumerate(clients, 1):
        lines += [f"[client:{name}]", f"address = 10.0.0.{number}:8080"]
    facts = Facts().with_fact("", inventory("\n".join(lines)))
    if cluster is not None:
        facts = facts.with_fact("", cluster)
    for name, kinds in clients.items():
        for kind, fact in kinds.items():
            facts = facts.with_fact(name, fact, kind)
    return facts
