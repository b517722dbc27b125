"""A draft, completed as its comments ask and in no other way, gives the verdict that is right.

:func:`completed` refuses an answer for which the draft has no comment.
"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from zcheck import cli
from zcheck.commands.init import draft

SAMPLES = Path(__file__).resolve().parents[2] / "sample-confs"

Answers = dict[str, dict[str, str] | None]
"""By section: what is written for the keys that its comments speak of; None for one that a comment asks to remove."""


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(path: str, text: str) -> str:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(text)
    return path


def completed(text: str, answers: Answers) -> str:
    """The draft with the answers in it."""
    heads = re.compile(r"^(?:; )?\[([a-z]+(?::[^\]]+)?)\]$")
    section, sections = "", {"": []}
    for line in text.splitlines():
        head = heads.match(line)
        if head is not None:
            section = head[1]
            sections[section] = []
        sections[section].append(line)
    for name, given in answers.items():
        assert name in sections, f"the draft does not speak of [{name}]"
        if given is None:
            assert "emove" in text, "no comment asks to remove a section"
            del sections[name]
            continue
        lines = sections[name]
        lines[0] = lines[0].removeprefix("; ")
        for key, value in given.items():
            asked = [one for one in lines if re.search(rf"(^|[ ;]){re.escape(key)}( =|:)", one) and one.startswith(";")]
            asked = asked or [one for one in lines if one.startswith(";") and re.search(rf"\b{re.escape(key)}\b", one)]
            assert asked, f"no comment of [{name}] speaks of {key}:\n" + "\n".join(lines)
            sections[name] = lines = [one for one in lines if not one.startswith(f"{key} = ")]
            lines.insert(1, f"{key} = {value}")
    return "\n".join(line for lines in sections.values() for line in lines) + "\n"


def findings(capsys: pytest.CaptureFixture[str], answers: Answers, *given: str) -> dict[str, str]:
    """By check: the severity that an offline run of the completed draft finds; advice is left out."""
    Path("clients.ini").write_text(completed(draft(given), answers))
    capsys.readouterr()
    cli.main(["preflight", "--offline", "-o", "json", "clients.ini"])
    out = capsys.readouterr()
    assert out.out, out.err
    told = json.loads(out.out)["findings"]
    return {one["check"]: one["severity"] for one in told if one["severity"] != "ADVICE"}


APPS = ("app1", "app2", "app3")
ADDRESSES: Answers = {f"client:{name}": {"address": f"192.0.2.{11 + at}:8080"} for at, name in enumerate(APPS)}


def confs(*, storage: str = "1", server: str = "zeo1:8100", odd: str = "", section: str = "") -> None:
    """Three clients' confs; ``odd``: the server of the last one."""
    for name in APPS:
        dialled = odd if odd and name == APPS[-1] else server
        inner = section or f"<zeoclient>\nserver {dialled}\nstorage {storage}\n</zeoclient>"
        write(f"{name}/zope.conf", f"instancehome /srv/{name}\n<zodb_db main>\n{inner}\nmount-point /\n</zodb_db>\n")
        ini = "[app:zope]\nuse = egg:Zope#main\nzope_conf = %(here)s/zope.conf\n"
        write(f"{name}/zope.ini", f"{ini}[server:main]\nuse = egg:waitress#main\nlisten = 0.0.0.0:8080\nthreads = 4\n")


def test_three_machines_that_spell_one_server_in_three_ways(capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(SAMPLES / "healthy", "confs")
    given = ("confs/app1", "confs/app2", "confs/app3", "confs/zeo1")
    hosts = {"zeo1.example.com": "192.0.2.5", "zeo1": "192.0.2.5"}
    answers: Answers = {**ADDRESSES, "cluster": {"zeo": "zeo1.example.com:8100"}, "hosts": hosts}
    assert {} == findings(capsys, answers, *given)


def test_a_client_on_another_server(capsys: pytest.CaptureFixture[str]) -> None:
    confs(odd="zeo2:8100")
    answers: Answers = {
        **ADDRESSES,
        "hosts": {"zeo1": "192.0.2.5", "zeo2": "192.0.2.6"},
        "cluster": {"zeo": "zeo1:8100"},
    }
    assert {"zeo-servers-agree": "CRITICAL", "zeo-server-is-the-pinned-one": "CRITICAL"} == findings(
        capsys, answers, *APPS
    )


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        pytest.param("1", {}, id="healthy"),
        pytest.param("2", {"storage-names-agree": "CRITICAL", "zeo-server-is-the-pinned-one": "CRITICAL"}, id="split"),
    ],
)
def test_variables(last: str, expected: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    """No variable is a pin; given their values, the pin that a comment asks for is right."""
    confs(server="$(ZEO_ADDRESS)", storage="$(ZEO_STORAGE)")
    answers: Answers = {"cluster": {"zeo": "zeo1:8100", "storage": "1"}}
    for at, name in enumerate(APPS):
        storage = last if name == APPS[-1] else "1"
        variables = {"env.ZEO_ADDRESS": "zeo1:8100", "env.ZEO_STORAGE": storage}
        answers[f"client:{name}"] = {"address": f"192.0.2.{11 + at}:8080", **variables}
    found = findings(capsys, answers, *APPS)
    assert expected == {check: severity for check, severity in found.items() if check != "environment-agrees"}


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        pytest.param("plone", {}, id="healthy"),
        pytest.param("staging", {"relstorage-databases-agree": "CRITICAL"}, id="split"),
    ],
)
def test_clients_in_relstorage(last: str, expected: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    """They are asked for no ZEO server; a password is asked for in a file of its own."""
    dsn = "dsn host=pg1 dbname=plone user=zope password=$(DB_PASSWORD)"
    confs(section=f"<relstorage>\n<postgresql>\n{dsn}\n</postgresql>\n</relstorage>")
    for name, database in zip(APPS, ("plone", "plone", last), strict=True):
        conf = Path(name, "zope.conf")
        conf.write_text("%import relstorage\n" + conf.read_text().replace("dbname=plone", f"dbname={database}"))
    answers: Answers = {}
    for at, name in enumerate(APPS):
        write(f"{name}.env", "DB_PASSWORD=hunter2\n")
        answers[f"client:{name}"] = {"address": f"192.0.2.{11 + at}:8080", "env-file": f"{name}.env"}
    assert "its root database" not in draft(APPS)
    assert expected == findings(capsys, answers, *APPS)


# --- balancers -------------------------------------------------------------------------------------

TOP = """\
global
  maxconn 2000
defaults
  mode http
  option redispatch 1
  retries 3
  timeout http-request 10s
  timeout queue 60s
  timeout connect 5s
  timeout client 300s
  timeout server 300s
  timeout check 5s
frontend www
  bind *:80
  default_backend zope
backend zope
  balance leastconn
  cookie serverid insert indirect httponly
  option httpchk
  http-check send meth GET uri /ok
  http-check expect status 200
  default-server check inter 2s fall 3 maxconn 5
"""
SERVERS = "".join(f"  server {name} 192.0.2.{11 + at}:8080 cookie {name}\n" for at, name in enumerate(APPS))


def test_a_balancer_with_peers_and_a_ring(capsys: pytest.CaptureFixture[str]) -> None:
    confs()
    more = (
        "peers lbs\n  bind :10000\n  server lb1\n  server lb2 192.0.2.3:10000\nring logs\n  server log 192.0.2.9:6514\n"
    )
    write("haproxy.cfg", TOP + SERVERS + more)
    assert {} == findings(capsys, {}, *APPS, "haproxy.cfg")


def test_two_backends(capsys: pytest.CaptureFixture[str]) -> None:
    """Which has the Zope clients is asked; with the answer the other is left alone."""
    confs()
    write("haproxy.cfg", TOP + SERVERS + "backend media\n  balance roundrobin\n  server m1 192.0.2.31:8080\n")
    answers: Answers = {"balancer:front": {"backend": "zope"}, "client:m1": None}
    assert {} == findings(capsys, answers, *APPS, "haproxy.cfg")


def test_a_backend_that_is_not_sticky_is_found_whichever_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is hidden by a choice that nobody made."""
    session = "<zodb_db temporary>\n<temporarystorage>\n</temporarystorage>\nmount-point /temp_folder\n</zodb_db>\n"
    confs()
    for name in APPS:
        conf = Path(name, "zope.conf")
        conf.write_text(conf.read_text() + session)
    plain = SERVERS.replace("server ", "server anon_").replace(" cookie app1", "")
    plain = re.sub(r" cookie \w+", "", plain)
    more = f"backend anonymous\n  balance roundrobin\n{plain}"
    text = TOP.replace(
        "  default_backend zope\n",
        "  acl in hdr_sub(cookie) __ac\n  use_backend zope if in\n  default_backend anonymous\n",
    )
    write("haproxy.cfg", text + SERVERS + more)
    assert (
        "CRITICAL"
        == findings(capsys, {"balancer:front": {"backend": "anonymous"}}, *APPS, "haproxy.cfg")["sessions-stick"]
    )


def test_servers_of_a_template(capsys: pytest.CaptureFixture[str]) -> None:
    """One name stands for three clients: each is asked for, and what the name resolves to."""
    write("haproxy.cfg", TOP + "  server-template app 3 tasks.backend:8080\n")
    answers: Answers = {**ADDRESSES, "hosts": {"tasks.backend": "192.0.2.11 192.0.2.12 192.0.2.13"}}
    assert "every-server-is-a-client" not in findings(capsys, answers, "haproxy.cfg")


def test_quoted_addresses(capsys: pytest.CaptureFixture[str]) -> None:
    confs()
    quoted = re.sub(r"(192\S+)", r'"\1"', SERVERS)
    write("haproxy.cfg", TOP + quoted)
    assert {} == findings(capsys, {}, *APPS, "haproxy.cfg")


# --- compose ---------------------------------------------------------------------------------------

IMAGE = "image: plone/plone-backend:6.1"
CONF = """\
instancehome /app
<zodb_db main>
  <zeoclient>
    server $(ZEO_ADDRESS)
    storage $(ZEO_STORAGE)
  </zeoclient>
  mount-point /
</zodb_db>
"""


def compose(second: str) -> None:
    first = "{ZEO_ADDRESS: 'zeo:8100', ZEO_STORAGE: '1'}"
    services = f"  one: {{{IMAGE}, environment: {first}}}\n  two: {{{IMAGE}, environment: {second}}}\n"
    write("compose.yaml", f"services:\n{services}  zeo: {{image: plone/plone-zeo}}\n")
    for name in ("one", "two"):
        write(f"{name}/zope.conf", CONF)


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        pytest.param("{ZEO_ADDRESS: 'zeo:8100', ZEO_STORAGE: '1'}", {}, id="healthy"),
        pytest.param(
            "{ZEO_ADDRESS: 'other:8100', ZEO_STORAGE: '1'}",
            {"zeo-servers-agree": "UNKNOWN", "zeo-server-is-the-pinned-one": "UNKNOWN"},
            id="perhaps split",
        ),
        pytest.param(
            "{ZEO_ADDRESS: 'zeo:8100', ZEO_STORAGE: '2'}",
            {"storage-names-agree": "CRITICAL", "zeo-server-is-the-pinned-one": "CRITICAL"},
            id="split",
        ),
    ],
)
def test_services(second: str, expected: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    compose(second)
    answers: Answers = {f"client:{name}": {"zope-conf": f"{name}/zope.conf"} for name in ("one", "two")}
    pins = {
        key: "zeo:8100" if key == "zeo" else "1"
        for key in ("zeo", "storage")
        if f"; {key} = " in draft(["compose.yaml"])
    }
    found = findings(capsys, {**answers, "cluster": pins}, "compose.yaml")
    assert expected == {check: severity for check, severity in found.items() if check != "environment-agrees"}


def test_a_service_that_the_image_starts_on_a_file_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    """Its conf, copied from the container as the draft asks, shows it."""
    compose("{ZEO_ADRESS: 'zeo:8100'}")
    storage = "<filestorage>\npath /data/Data.fs\n</filestorage>"
    write("two/zope.conf", f"instancehome /app\n<zodb_db main>\n{storage}\nmount-point /\n</zodb_db>\n")
    answers: Answers = {f"client:{name}": {"zope-conf": f"{name}/zope.conf"} for name in ("one", "two")}
    assert "CRITICAL" == findings(capsys, answers, "compose.yaml")["no-private-storage"]


def test_several_env_files(capsys: pytest.CaptureFixture[str]) -> None:
    write("common.env", "ZEO_ADDRESS=zeo:8100\nZEO_STORAGE=2\n")
    write("plone.env", "ZEO_STORAGE=1\n")
    service = f"{{{IMAGE}, env_file: [common.env, plone.env]}}"
    write("compose.yaml", f"services:\n  one: {service}\n  two: {service}\n")
    answers: Answers = {}
    for name in ("one", "two"):
        answers[f"client:{name}"] = {"zope-conf": write(f"{name}/zope.conf", CONF)}
    assert {} == findings(capsys, answers, "compose.yaml")
