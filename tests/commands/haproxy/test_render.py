"""What is rendered is complete, passes HAProxy and every check of the balancer stage, and says why it differs."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from zcheck.checks import CATALOGUE
from zcheck.commands.haproxy import render
from zcheck.facts import (
    Balancers,
    BalancerSection,
    BalancerVerdict,
    BalancerVerdicts,
    Facts,
    HealthAnswers,
    IniSection,
    Inventory,
    LeftOut,
    RunningBalancers,
    WsgiConf,
    ZopeConf,
)
from zcheck.parsers import clients_ini, haproxy_cfg
from zcheck.probes import haproxy
from zcheck.runner import run

needs_haproxy = pytest.mark.skipif(haproxy.program() is None, reason="haproxy is not installed")
STAGE = [check for check in CATALOGUE if check.stage == "balancer"]

CLIENTS = """[cluster]
name = test
[client:app1]
address = 10.0.0.1:8080
[client:app2]
address = 10.0.0.2:8080
[client:app3]
address = [2001:db8::3]:8080
role = candidate
[client:debug]
address = 10.0.0.1:8089
role = worker
"""
BALANCER = "[balancer:front]\ntype = haproxy\nconfig = haproxy.cfg\n"


def cluster(balancer: str = "", clients: str = CLIENTS) -> Inventory:
    return clients_ini.parse(clients + BALANCER + balancer, "clients.ini")


def rendered(ini: Inventory, verified: tuple[str, ...] = (), threads: dict[str, int] | None = None) -> str:
    return render.haproxy_cfg(
        ini, ini.balancers[0], threads if threads is not None else {"app1": 4, "app2": 2}, verified
    )


def servers(text: str) -> dict[str, str]:
    """By name: the rest of each server line."""
    return dict(re.findall(r"^  server (\S+) (.*)$", text, re.MULTILINE))


def test_servers_are_closed_unless_a_receipt_covers_them() -> None:
    found = servers(rendered(cluster(), ("app1", "app3")))
    assert {
        "app1": "10.0.0.1:8080 cookie app1 maxconn 5",
        "app2": "10.0.0.2:8080 cookie app2 maxconn 3 disabled",
        "app3": "[2001:db8::3]:8080 cookie app3 maxconn 5 disabled",
    } == found


def test_a_worker_is_left_out_and_told() -> None:
    assert "# debug is left out: its role is worker" in rendered(cluster())


OPTIONS = {
    "nothing": "",
    "a backend": "backend = plone\n",
    "a user": "user = nobody\ngroup = nogroup\n",
    "a log": "log = 127.0.0.1:514 local6\n",
    "timeouts": "timeout-queue = 5s\ntimeout-tunnel = 1h\n",
    "another way to choose": "balance = roundrobin\nmaxconn = 100\n",
    "a socket on a port": "admin-socket = 127.0.0.1:9999\n",
    "addresses": "public-bind = 127.0.0.1:8000,[::1]:8000\nstatus-bind = 127.0.0.1:8001\n",
    "a page": "health-path = /zcheck/ok?x=1\n",
}


@needs_haproxy
@pytest.mark.parametrize("balancer", OPTIONS.values(), ids=OPTIONS)
def test_haproxy_accepts_it_without_a_warning(balancer: str, tmp_path: Path) -> None:
    file = tmp_path / "haproxy.cfg"
    file.write_text(rendered(cluster(balancer)))
    done = subprocess.run(
        [haproxy.program() or "", "-c", "-dW", "-f", file], capture_output=True, text=True, timeout=20, check=False
    )
    assert 0 == done.returncode, done.stderr


@needs_haproxy
def test_names_that_nobody_knows_do_not_keep_it_from_starting(tmp_path: Path) -> None:
    names = CLIENTS.replace("10.0.0.1:8080", "app1.invalid:8080").replace("10.0.0.2", "app2.invalid")
    file = tmp_path / "haproxy.cfg"
    file.write_text(rendered(cluster("", names)))
    done = subprocess.run([haproxy.program() or "", "-c", "-f", file], capture_output=True, timeout=20, check=False)
    assert 0 == done.returncode
    known = rendered(clients_ini.parse(names + BALANCER + "[hosts]\napp1.invalid = 10.1.1.1\n", "clients.ini"))
    assert servers(known)["app1"].startswith("10.1.1.1:8080 ")


@needs_haproxy
def test_clients_that_speak_tls_are_verified(tmp_path: Path) -> None:
    file = tmp_path / "haproxy.cfg"
    tls = CLIENTS.replace("address = 10.0.0.1:8080", "address = 127.0.0.1:8443\ntls = yes")
    file.write_text(rendered(cluster("", tls)))
    assert "ssl verify required ca-file @system-ca" in file.read_text()
    done = subprocess.run([haproxy.program() or "", "-c", "-f", file], capture_output=True, timeout=20, check=False)
    assert 0 == done.returncode, done.stderr


@pytest.mark.parametrize("balancer", OPTIONS.values(), ids=OPTIONS)
def test_every_check_of_the_stage_is_content(balancer: str) -> None:
    ini = cluster(balancer)
    text = rendered(ini, ("app1",))
    facts = Facts().with_fact("", ini)
    facts = facts.with_fact(
        "", Balancers({"front": haproxy_cfg.parse([("haproxy.cfg", text)], ini.balancers[0].values.get("backend"))})
    )
    facts = facts.with_fact("", BalancerVerdicts({"front": BalancerVerdict(("haproxy.cfg",))}))
    facts = facts.with_fact("", LeftOut("HAProxy does not run yet"), RunningBalancers)
    for client, threads in (("app1", 4), ("app2", 2), ("app3", 4), ("debug", 1)):
        facts = facts.with_fact(client, WsgiConf("zope.ini", threads=threads))
        facts = facts.with_fact(client, LeftOut("-"), ZopeConf).with_fact(client, LeftOut("-"), HealthAnswers)
    assert [] == [(finding.check, finding.message) for finding in run(STAGE, facts).findings]


def test_the_health_check_fits_what_the_clients_are() -> None:
    assert "uri / ver" in rendered(cluster())
    assert "uri /ok ver" in rendered(cluster("", CLIENTS.replace("name = test", "name = test\nsite = /Plone")))
    assert "uri /mine ver" in rendered(cluster("health-path = /mine\n"))


KEPT_OF_2010 = (
    "option abortonclose",
    "retries 3",
    "option redispatch",
    "timeout connect 7s",
    "monitor-uri /haproxy-ping",
    "stats uri /haproxy-status",
    "cookie serverid insert indirect",
    "req.cook(__ac)",
    "maxconn 5",
    "slowstart",
    "check inter",
    "user haproxy",
    "group haproxy",
    "log stdout",
)


@pytest.mark.parametrize("line", KEPT_OF_2010)
def test_what_the_configuration_of_2010_gave_is_kept(line: str) -> None:
    assert line in rendered(cluster("user = haproxy\ngroup = haproxy\n"))


def test_without_a_state_file_none_is_named_and_with_one_it_is() -> None:
    assert "state-file" not in rendered(cluster())
    text = rendered(cluster("state-file = /var/lib/haproxy/state\n"))
    assert "server-state-file /var/lib/haproxy/state" in text
    assert "load-server-state-from-file global" in text


REFUSED = {
    "a line end in a bind": "public-bind = *:80 {}\n",
    "a backend's name": "backend = a;b\n",
    "a path that is none": "health-path = ok\n",
    "a number that is none": "maxconn = many\n",
    "a quote": 'balance = "x"\n',
}


@pytest.mark.parametrize("balancer", REFUSED.values(), ids=REFUSED)
def test_what_cannot_stand_in_the_file_is_refused(balancer: str) -> None:
    with pytest.raises(render.CannotRender):
        rendered(cluster(balancer))


def test_no_name_reaches_beyond_its_comment() -> None:
    text = rendered(
        clients_ini.parse(CLIENTS.replace("name = test", "name = a\\nserver x 1.2.3.4:5") + BALANCER, "c.ini")
    )
    assert {"app1", "app2", "app3"} == set(servers(text))


def test_a_cluster_without_a_balancer_section_can_be_rendered() -> None:
    ini = clients_ini.parse(CLIENTS, "clients.ini")
    text = render.haproxy_cfg(ini, BalancerSection("front", IniSection("balancer:front", 1)), {}, ())
    assert "backend zope" in text
    assert "threads not known" in text


# --- buildout ------------------------------------------------------------------------------------


def buildout() -> str:
    ini = cluster()
    return render.buildout(ini, ini.balancers[0], {"app1": 4, "app2": 2}, ())


def sections(text: str) -> dict[str, dict[str, str]]:
    """A buildout's parts as zc.buildout reads them: an indented line goes on with the value before it."""
    found: dict[str, dict[str, str]] = {}
    part, key = "", ""
    for line in text.splitlines():
        if line.startswith("#") or not line.strip():
            key = "" if not line.strip() else key
            continue
        if line.startswith("["):
            part = line.strip("[]")
            found[part] = {}
        elif line[0].isspace():
            assert key, f"no value goes on here: {line!r}"
            found[part][key] += f"\n{line}"
        else:
            key, _, value = (word.strip() for word in line.partition("="))
            key = key.rstrip("+ ")
            found[part][key] = value
    return found


def test_the_parts_of_a_buildout() -> None:
    found = sections(buildout())
    assert "haproxy-conf" in found["buildout"]["parts"]
    assert "collective.recipe.template" == found["haproxy-conf"]["recipe"]
    assert "collective.recipe.supervisor" == found["supervisor"]["recipe"]
    assert "${haproxy-conf:output}" in found["supervisor"]["programs"]


def test_the_ports_are_those_of_the_instances() -> None:
    text = buildout()
    assert "server app1 10.0.0.1:${app1:http-address} " in text
    assert "server app3 [2001:db8::3]:${app3:http-address} " in text


@needs_haproxy
def test_what_the_buildout_makes_passes_haproxy(tmp_path: Path) -> None:
    """As collective.recipe.template writes it: the value's own line ends alone, and every variable filled in."""
    part = sections(buildout())["haproxy-conf"]
    lines = part["input"].removeprefix("inline:").strip().splitlines()
    text = "\n".join(line.strip() for line in lines).replace("${haproxy-conf:end}", part["end"])
    file = tmp_path / "haproxy.cfg"
    file.write_text(re.sub(r"\$\{\w+:http-address\}", "8080", text))
    done = subprocess.run(
        [haproxy.program() or "", "-c", "-dW", "-f", file], capture_output=True, timeout=20, check=False
    )
    assert 0 == done.returncode, done.stderr


def test_a_path_relative_to_the_inventory_is_written_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from zcheck import cli

    text = "[client:app1]\naddress = 10.0.0.1:8080\n[client:app2]\naddress = 10.0.0.2:8080\n"
    (tmp_path / "clients.ini").write_text(text + "[balancer:front]\ntype = haproxy\nadmin-socket = run/admin.sock\n")
    monkeypatch.chdir(tmp_path)
    assert cli.main(["haproxy", "render", "clients.ini"]) == 0
    assert f"stats socket {tmp_path}/run/admin.sock " in capsys.readouterr().out
