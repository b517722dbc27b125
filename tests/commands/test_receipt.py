"""What a receipt says of files: none is dropped, and what cannot be looked at is not called unchanged."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec
import pytest

from zcheck import cli
from zcheck.commands import receipt
from zcheck.facts import ControlPanel, Facts, ZopeConf
from zcheck.parsers import clients_ini, zope_conf
from zcheck.probes import files
from zcheck.report.structs import Report

CONF = "instancehome /srv/{0}\n<zodb_db main>\n<zeoclient>\nserver {1}\n</zeoclient>\nmount-point /\n</zodb_db>\n"
PANEL = ControlPanel((), process_id=7, running_for="10 sec", read_at=1000.0)


def of_machines(ini: str, server: str = "zeo1:8100", **read: str) -> Facts:
    """What two clients' own machines showed; their files are not on this one."""
    facts = Facts().with_fact("", clients_ini.parse(ini, "/nowhere/clients.ini"))
    for name in ("app1", "app2"):
        conf = zope_conf.parse(
            CONF.format(name, read.get(name, server)), f"{name}:/srv/zope.conf", {}, files.read_as_it_is
        )
        facts = facts.with_fact(name, conf, ZopeConf).with_fact(name, PANEL)
    return facts


INI = "[cluster]\nname = x\n" + "".join(
    f"[client:app{n}]\naddress = 10.0.0.{n}:8080\nvia = ssh app{n} python3\nzope-conf = /srv/zope.conf\n"
    for n in (1, 2)
)


def made(facts: Facts) -> receipt.Receipt:
    from cases import made as report

    from zcheck.report.structs import Level, Pair

    seen = Level("http", "main", (Pair("app1", "app2", True, 1.0), Pair("app2", "app1", True, 1.0)))
    found: Report = report(levels=(seen,), clients=("app1", "app2"))
    paper = receipt.make(found, facts, now=1000.0)
    # clients.ini itself is on no disk here.
    return msgspec.structs.replace(paper, unread=())


def judged(paper: receipt.Receipt, facts: Facts | None) -> receipt.Judged:
    return receipt.judge(paper, max_age_s=60.0, facts=facts, now=1001.0)


def test_files_on_the_clients_own_machines_are_compared_there() -> None:
    paper = made(of_machines(INI))
    assert {"app1", "app2"} == set(paper.readings)
    assert receipt.Judged("good") == judged(paper, of_machines(INI))
    changed = judged(paper, of_machines(INI, app2="zeo2:8100"))
    assert ("bad", ("app2:/srv/zope.conf changed",)) == (changed.outcome, changed.reasons)


def test_a_machine_that_does_not_answer_has_not_unchanged_files() -> None:
    paper = made(of_machines(INI))
    silent = Facts().with_fact("", clients_ini.parse(INI, "/nowhere/clients.ini"))
    for name in ("app1", "app2"):
        silent = silent.with_fact(name, PANEL)
    found = judged(paper, silent)
    assert "unknown" == found.outcome
    assert "app1: app1:/srv/zope.conf cannot be read now" in found.reasons


def test_a_file_that_could_not_be_read_is_not_dropped() -> None:
    plain = INI.replace("via = ssh app1 python3\n", "").replace("via = ssh app2 python3\n", "")
    paper = made(of_machines(plain))
    assert {} == paper.readings
    paper = msgspec.structs.replace(paper, unread=("/srv/zope.conf",))
    assert "unknown" == judged(paper, of_machines(plain)).outcome
    assert judged(paper, None).reasons[0].startswith("/srv/zope.conf: could not be read")


def test_a_receipt_opens_what_is_rendered(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ini = tmp_path / "clients.ini"
    ini.write_text(
        "[cluster]\nname = x\n[client:app1]\naddress = 10.0.0.1:8080\n[client:app2]\naddress = 10.0.0.2:8080\n"
    )
    facts = Facts().with_fact("", clients_ini.parse(ini.read_text(), str(ini)))
    paper = msgspec.structs.replace(made(facts), made_at=time.time())
    receipt.write(paper, str(tmp_path / "paper.json"))
    assert 0 == cli.main(["haproxy", "render", "--receipt", str(tmp_path / "paper.json"), str(ini)])
    servers = [line for line in capsys.readouterr().out.splitlines() if " server app" in line]
    assert [False, False] == ["disabled" in line for line in servers]
    ini.write_text(ini.read_text() + "role = candidate\n")
    assert 3 == cli.main(["haproxy", "render", "--receipt", str(tmp_path / "paper.json"), str(ini)])
    assert "does not hold" in capsys.readouterr().err
