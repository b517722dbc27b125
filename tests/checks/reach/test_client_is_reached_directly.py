"""client-is-reached-directly: where it fires, and beside it where it must not."""

from __future__ import annotations

import pytest

from zcheck.checks.reach.client_is_reached_directly import client_is_reached_directly
from zcheck.facts import (
    HttpAnswer,
)
from zcheck.report.structs import Judgement
from zcheck.testing import judge


def severities(judgement: Judgement) -> list[str]:
    return [finding.severity for finding in judgement.findings]


HEADERS: dict[str, tuple[dict[str, str], bool]] = {
    "Zope's own": ({"server": "waitress", "date": "x"}, False),
    "Zope's own, where the application names a server": ({"server": "Zope/(4.8)", "via": "waitress"}, False),
    "Zope 2": ({"server": "Zope/(2.13.30, python 2.7.18, linux2) ZServer/1.1"}, False),
    "what applications set": ({"x-powered-by": "Zope", "vary": "Accept", "cache-control": "max-age=0"}, False),
    "Varnish": ({"via": "1.1 varnish-6.6", "x-varnish": "3 4", "age": "17"}, True),
    "a cache that has it fresh": ({"age": "0"}, True),
    "Varnish behind Zope's own": ({"via": "waitress, 1.1 varnish-6.6"}, True),
    "Squid": ({"x-cache": "MISS from proxy", "via": "1.1 proxy (squid/5.7)"}, True),
    "a delivery network": ({"cf-ray": "8f-FRA", "server": "cloudflare"}, True),
}


@pytest.mark.parametrize(("headers", "proxied"), HEADERS.values(), ids=HEADERS)
def test_client_is_reached_directly(headers: dict[str, str], proxied: bool) -> None:
    judgement = judge(client_is_reached_directly, app1=HttpAnswer("http", status=200, headers=headers))
    assert (["WARNING"] if proxied else []) == severities(judgement)
