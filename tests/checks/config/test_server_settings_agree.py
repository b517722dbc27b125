"""server-settings-agree: what waitress makes of it is compared, not its spelling."""

from __future__ import annotations

import pytest

from zcheck.checks.config.server_settings_agree import server_settings_agree
from zcheck.facts import WsgiConf
from zcheck.parsers import wsgi_ini
from zcheck.testing import inventory, judge

WAITRESS = "[server:main]\nuse = egg:waitress#main\nlisten = *:8080\n"
TRUST = "trusted_proxy = 10.0.0.9\n"
HEADERS = "trusted_proxy_headers = x-forwarded-host x-forwarded-proto\n"


def conf(*lines: str, start: str = WAITRESS) -> WsgiConf:
    return wsgi_ini.parse(start + "".join(lines), "zope.ini")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param((), (), id="told nothing"),
        pytest.param((TRUST, HEADERS), (HEADERS, TRUST), id="another order of lines"),
        pytest.param(
            (TRUST, HEADERS), (TRUST, "trusted_proxy_headers = X-Forwarded-Proto, x-forwarded-host\n"), id="of headers"
        ),
        pytest.param((TRUST, "trusted_proxy_count = 1\n"), (TRUST,), id="the default count"),
        pytest.param(("url_scheme = http\n",), (), id="the default scheme"),
        pytest.param(("url_prefix = /cms/\n",), ("url_prefix = cms\n",), id="slashes"),
        pytest.param(("clear_untrusted_proxy_headers = yes\n",), (), id="the default of what is removed"),
        pytest.param(("threads = 8\n", "ident = x\n"), ("threads = 2\n",), id="what changes no address"),
    ],
)
def test_what_agrees(one: tuple[str, ...], other: tuple[str, ...]) -> None:
    assert () == tuple(judge(server_settings_agree, app1=conf(*one), app2=conf(*other)).findings)


@pytest.mark.parametrize(
    ("part", "hint", "one", "other"),
    [
        pytest.param(
            "trusted_proxy is 10.0.0.9 for app1; not set for app2",
            "of app2: trusted_proxy = 10.0.0.9; trusted_proxy_headers = x-forwarded-host x-forwarded-proto",
            (TRUST, HEADERS),
            (),
            id="trust, one finding with its headers",
        ),
        pytest.param("trusted_proxy is 10.0.0.9", "the same", (TRUST,), ("trusted_proxy = *\n",), id="another proxy"),
        pytest.param("trusted_proxy_headers is", "of app2", (TRUST, HEADERS), (TRUST,), id="other headers"),
        pytest.param("trusted_proxy_count is 2", "of app1", (TRUST,), (TRUST, "trusted_proxy_count = 2\n"), id="count"),
        pytest.param("url_scheme is https", "of app1", (), ("url_scheme = https\n",), id="scheme"),
        pytest.param("url_prefix is /cms", "of app1", (), ("url_prefix = /cms\n",), id="prefix"),
    ],
)
def test_what_differs(part: str, hint: str, one: tuple[str, ...], other: tuple[str, ...]) -> None:
    (finding,) = judge(server_settings_agree, app1=conf(*one), app2=conf(*other)).findings
    assert ("WARNING", ("app1", "app2")) == (finding.severity, finding.clients)
    assert part in finding.message or part.split(" is ")[1] in finding.message
    assert hint in finding.hint
    assert all(place.line is None or place.text for place in finding.places)


def test_a_worker_may_differ() -> None:
    ini = inventory(
        "[cluster]\nname = x\n[client:app1]\naddress = a:1\n[client:app2]\naddress = b:1\n[client:job]\naddress = c:1\n"
        "role = worker\n"
    )
    found = judge(server_settings_agree, ini, app1=conf(TRUST), app2=conf(TRUST), job=conf())
    assert () == tuple(found.findings)


def test_a_variable_of_the_command_is_not_known() -> None:
    (finding,) = judge(server_settings_agree, app1=conf(TRUST), app2=conf("trusted_proxy = %(proxy)s\n")).findings
    assert ("UNKNOWN", ("app2",)) == (finding.severity, finding.clients)
    assert "ini-vars" in finding.hint


def test_another_server_is_not_compared() -> None:
    other = conf(start="[server:main]\nuse = egg:gunicorn#main\n")
    assert () == tuple(judge(server_settings_agree, app1=conf(TRUST), app2=other).findings)


def test_a_pipeline_without_httpexceptions() -> None:
    app = "[app:zope]\nuse = egg:Zope#main\n[pipeline:main]\npipeline = {}zope\n"
    good, bad = conf(app.format("egg:Zope#httpexceptions ")), conf(app.format(""))
    assert () == tuple(judge(server_settings_agree, app1=good, app2=good).findings)
    (finding,) = judge(server_settings_agree, app1=good, app2=bad).findings
    assert ("WARNING", ("app2",)) == (finding.severity, finding.clients)
    assert "pipeline = egg:Zope#httpexceptions zope" in finding.hint
