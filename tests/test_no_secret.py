"""No secret is printed or kept: planted ones are looked for in every format and file that a run gives out."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any

import msgspec
import pytest

from zcheck import __version__, cli
from zcheck.checks import CATALOGUE
from zcheck.cli.output import FORMATS, rendered
from zcheck.commands import diff, export, preflight, receipt
from zcheck.facts import ControlPanel, Facts, HttpAnswer, Inventory, PortAnswer
from zcheck.gather import saved
from zcheck.parsers import clients_ini
from zcheck.probes import haproxy_socket, http
from zcheck.report.structs import Run
from zcheck.testing import zope_conf
from zcheck.testing.examples import http_run

SECRET = "Pl4nted"

# What RelStorage's Control Panel row may show: each adapter's str() with a connection string in all its spellings.
LOCATIONS = {
    "libpq": "RelStorage: PostgreSQLAdapter, history free, dsn='host={host} dbname=plone user=zope password=Pl4nted'",
    "libpq, spaces": "RelStorage: PostgreSQLAdapter, dsn='host={host} dbname=plone password = Pl4nted'",
    "libpq, quoted": "RelStorage: PostgreSQLAdapter, dsn=\"host={host} password='a Pl4nted b' dbname=plone\"",
    "libpq, escaped": "RelStorage: PostgreSQLAdapter, dsn='host={host} password=\\'a host=Pl4nted\\' dbname=plone'",
    "an object": '<PostgreSQLAdapter at 7f5e11223344 dsn="host={host} dbname=plone password=Pl4nted">',
    "a URL": "RelStorage: PostgreSQLAdapter, dsn='postgresql://zope:Pl4nted@{host}:5432/plone'",
    "a URL's query": "RelStorage: PostgreSQLAdapter, dsn='postgresql://{host}/plone?user=zope&password=Pl4nted'",
    "a URL that is not escaped": "RelStorage: PostgreSQLAdapter, dsn='postgresql://zope:a/b@Pl4nted@{host}/plone'",
    "a bare URL": "mysql://zope:Pl4nted@{host}/plone",
    "MySQL": "RelStorage: MySQLAdapter(db='plone', host='{host}', passwd='Pl4nted', user='zope')",
    "MySQL, a quote": "RelStorage: MySQLAdapter(host='{host}', passwd=\"it's host=Pl4nted\", db='plone')",
    "Oracle": "RelStorage: OracleAdapter zope/Pl4nted@{host}",
    "unknown": "RelStorage: zope:Pl4nted:{host}@somewhere",
    "no words": "user=zope;pwd=Pl4nted;server={host}",
}
ZEO = "[cluster]\nname = x\nuser = admin\npassword = Pl4nted-of-zope\n" + "".join(
    f"[client:app{n}]\naddress = 10.0.0.{n}:8080\nzope-conf = app{n}.conf\nenv.DB_PASSWORD = Pl4nted-env\n"
    for n in (1, 2)
)


def page(location: str) -> http.DatabasePage:
    """As the page of a database shows it."""
    text = f"<tr><td>Database Location</td><td>{html.escape(location)}</td></tr>"
    found = http.database_page("main", text)
    assert found is not None
    return found


def split(*locations: str) -> Facts:
    """Two clients that show different locations, and not each other's edits."""
    found: Inventory = clients_ini.parse(ZEO, "clients.ini")
    facts = Facts().with_fact("", found).with_fact("", http_run("app1 > !app2", "app2 > !app1"))
    for name, location in zip(("app1", "app2"), locations, strict=True):
        facts = facts.with_fact(name, ControlPanel((page(location),), process_id=7, running_for="9 sec", read_at=100.0))
        facts = facts.with_fact(name, PortAnswer("10.0.0.1:8080", "open")).with_fact(
            name, HttpAnswer("http", status=200)
        )
        facts = facts.with_fact(name, zope_conf(server="zeo1:8100"))
    return facts


def all_that_is_given_out(facts: Facts) -> dict[str, str]:
    run = Run(id="0", command="preflight", started="2026-11-20T12:00:00Z", duration_s=1.0)
    report = preflight.judge_again(saved.Saved(run, {}, facts), CATALOGUE, {})
    other = split(LOCATIONS["libpq"].format(host="pg9"), LOCATIONS["a URL"].format(host="pg9"))
    given = {form: rendered(report, form, verbose=True) for form in FORMATS}
    given["saved facts"] = saved.dump(saved.Saved(run, {}, facts), __version__)
    given["diff"] = "\n".join(map(str, diff.differences(other, facts, report, report)))
    given["export"] = export.text(export.export(facts.inventory, report.findings, {}), "json")
    proven = msgspec.structs.replace(report.coverage, pairs_proven=2, pairs_total=2)
    paper = receipt.make(msgspec.structs.replace(report, coverage=proven), facts)
    given["receipt"] = msgspec.json.encode(paper).decode()
    return given


@pytest.mark.parametrize("spelling", LOCATIONS)
def test_no_secret_of_a_control_panel_is_given_out(spelling: str) -> None:
    facts = split(*(LOCATIONS[spelling].format(host=host) for host in ("pg1", "pg2")))
    given = all_that_is_given_out(facts)
    assert [] == [what for what, text in given.items() if SECRET in text]


@pytest.mark.parametrize("spelling", [name for name in LOCATIONS if name not in ("Oracle", "unknown", "no words")])
def test_what_tells_two_databases_apart_is_kept(spelling: str) -> None:
    one, other = (
        http.database_page("main", "") or page(LOCATIONS[spelling].format(host=host)) for host in ("pg1", "pg2")
    )
    assert "pg1" in one.location
    assert one.location != other.location


@pytest.mark.parametrize(
    "location",
    ["[('127.0.0.1', 8100)]", "zeostorage", "/srv/var/Data.fs", "/srv/a=b/Data.fs", "main on zeo1", "temporary"],
)
def test_a_location_without_a_secret_is_shown_as_it_is(location: str) -> None:
    assert location == page(location).location


def test_equal_databases_look_equal_whatever_their_place_in_memory() -> None:
    shown = {
        page(f"<PostgreSQLAdapter at {at} dsn='host=pg1 dbname=plone'>").location for at in ("7f5e11223344", "7f5e99")
    }
    assert {"RelStorage: PostgreSQLAdapter host=pg1 dbname=plone"} == shown


def test_what_haproxys_socket_says_of_a_check_is_redacted() -> None:
    state = {"srv_name": "app1", "be_name": "zope", "srv_op_state": "2", "srv_admin_state": "0"}
    figures: dict[str, Any] = {"last_chk": "error at http://zope:Pl4nted@app1/ok?password=Pl4nted"}
    assert SECRET not in haproxy_socket._server(state, figures).last_check


def test_a_crash_shows_no_value(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def crash(*arguments: object, **options: object) -> None:
        raise OSError(None, "postgresql://zope:Pl4nted@pg1/plone")

    monkeypatch.setattr(preflight, "examine", crash)
    ini = str(Path(__file__).parents[1] / "sample-confs" / "healthy" / "clients.ini")
    assert 3 == cli.main(["preflight", "--offline", ini])
    assert SECRET not in "".join(capsys.readouterr())
