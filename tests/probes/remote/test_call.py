"""Looking from the clients' own machines: real commands, and machines that lie, hang or flood."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from patience import patient

from zcheck import cli
from zcheck.checks import CATALOGUE
from zcheck.commands import preflight
from zcheck.facts import Facts, Inventory, LeftOut, NotGathered, SeenThere, SharedBlobs, WsgiConf, ZopeConf
from zcheck.gather import brought as gathered
from zcheck.gather import saved as savedfacts
from zcheck.gather.collect import collect
from zcheck.gather.kinds import with_what_they_need
from zcheck.gather.settings import Settings
from zcheck.parsers.clients_ini import parse
from zcheck.probes.remote import answers as elsewhere
from zcheck.probes.remote import call

MARKED = "import re, sys\nmark = re.search('zcheck [0-9a-f]{24}', sys.stdin.read()).group()\n"
"""What a lying machine begins with: the mark is in the script that it is sent."""


def says(text: str) -> str:
    """A machine that answers this text between the right marks."""
    return f"{MARKED}print('\\n----- %s begins -----\\n' % mark + {text!r} + '\\n----- %s ends -----' % mark)"


def machine(tmp_path: Path, program: str, name: str = "machine.py") -> str:
    """The command of a machine that does this with what it is sent."""
    (tmp_path / name).write_text(program)
    return f"{sys.executable} {tmp_path / name}"


def inventory_of(tmp_path: Path, *sections: str) -> Inventory:
    """Clients app1, app2 ... of these lines each."""
    text = "[cluster]\nname = test\n"
    for number, section in enumerate(sections, 1):
        text += f"[client:app{number}]\naddress = 127.0.0.1:1808{number}\nmachine = m{number}\n{section}\n"
    return parse(text, str(tmp_path / "clients.ini"))


def gathering(inventory: Inventory, *kinds: type[Any], **settings: Any) -> Facts:
    given = {"run_id": "0a0b0c0d0e0f", "timeout_s": 2.0, "deadline_s": 30.0, **settings}
    wanted = with_what_they_need(kinds)
    return collect(inventory, Settings(**given), wanted, NotGathered("none")).facts


LOOK = {
    "host": "m1",
    "clock": 1700000000.0,
    "clients": {"app1": {"zope_conf": "/srv/zope.conf", "variables": {}}},
    "files": {"/srv/zope.conf": {"data": "aW5zdGFuY2Vob21lIC9zcnYK", "mtime": 1690000000.0}},
}


def changed(**changes: Any) -> str:
    return json.dumps({**LOOK, **changes})


def client_changed(**changes: Any) -> str:
    return changed(clients={"app1": {**LOOK["clients"]["app1"], **changes}})  # type: ignore[index]


NO_ANSWER = "via: what came back is no answer of zcheck's script: "
DEEP = "[" * 100_000 + "]" * 100_000

HOSTILE = {
    "nothing": ("", "via: it ended with code 0 and gave no answer"),
    "an exit code": ("import sys; sys.exit(255)", "via: it ended with code 255 and gave no answer"),
    "a complaint": (
        "import sys; sys.exit('Warning: Permanently added m1\\nssh: connect to host m1 port 22: Connection refused')",
        "via: ssh: connect to host m1 port 22: Connection refused",
    ),
    "a complaint with a login": (
        "import sys; sys.exit('cannot open https://zope:geheim@m1/')",
        "via: cannot open https://***@m1/",
    ),
    "a complaint with escapes": (
        "import sys; sys.exit('\\x1b[2J\\x07gone\\u202e')",
        "via: ?[2J?gone?",
    ),
    "a long complaint": ("import sys; sys.exit('x' * 100000)", f"via: {'x' * 200}"),
    "another mark": (
        says("{}").replace("% mark", "% ('zcheck ' + '0' * 24)"),
        "via: it ended with code 0 and gave no answer",
    ),
    "a begin without an end": (
        f"{MARKED}print('\\n----- %s begins -----\\n{{}}' % mark)",
        "via: it ended with code 0 and gave no answer",
    ),
    "no JSON": (says("<html>"), f"{NO_ANSWER}JSON is malformed: invalid character (byte 0)"),
    "nested deep": (says(DEEP), NO_ANSWER),
    "nested deep where nobody looks": (says(changed(x="X").replace('"X"', DEEP)), NO_ANSWER),
    "another type": (says("[]"), f"{NO_ANSWER}Expected `object`, got `array`"),
    "no clock": (says(json.dumps({"host": "m1", "clients": {}})), f"{NO_ANSWER}Object missing required field `clock`"),
    "a clock of no time": (says(changed(clock=-1)), NO_ANSWER),
    "no number": (says(changed().replace("1700000000.0", "NaN")), NO_ANSWER),
    "a process that is no process": (says(client_changed(process={"pid": "1; rm -rf /"})), NO_ANSWER),
    "a name that is a book": (says(changed(host="x" * 301)), NO_ANSWER),
    "too many distributions": (
        says(client_changed(distributions={str(number): "1" for number in range(5001)})),
        NO_ANSWER,
    ),
    "a file that is no file": (says(changed(files={"/srv/zope.conf": {"data": "%%%"}})), NO_ANSWER),
    "lone surrogates": (says(client_changed(python_version="X").replace("X", "\\ud800")), NO_ANSWER),
    "half a character": (
        f"{MARKED}import os; os.write(1, b'\\n----- %s begins -----\\n' % mark.encode())\n"
        "os.write(1, b'\"\\xff\"\\n----- %s ends -----' % mark.encode())",
        NO_ANSWER,
    ),
    "another client's name alone": (
        says(changed(clients={"app2": LOOK["clients"]["app1"]})),  # type: ignore[index]
        "via: the script was not done in time with this client",
    ),
    "a failure of the script": (
        says(changed(failed="ValueError: \x1b[31mno")),
        "via: the script failed there: ValueError: ?[31mno",
    ),
}


@pytest.mark.parametrize(("program", "reason"), HOSTILE.values(), ids=HOSTILE)
def test_a_machine_that_answers_something_else_makes_nothing_known(program: str, reason: str, tmp_path: Path) -> None:
    command = machine(tmp_path, program)
    facts = gathering(inventory_of(tmp_path, f"zope-conf = /srv/zope.conf\nvia = {command}"), ZopeConf, SeenThere)
    for kind in (ZopeConf, SeenThere):
        fact = facts.raw(kind, "app1")
        assert isinstance(fact, NotGathered)
        assert fact.reason.startswith(reason) and len(fact.reason) < 300 and fact.reason.isprintable()


def test_an_honest_answer_is_read_whatever_is_printed_around_it(tmp_path: Path) -> None:
    noise = "print('Welcome to m1!\\n----- zcheck begins -----\\n{\"host\": 1}')\n"
    program = noise + says(json.dumps(LOOK)) + "\nprint('logout')"
    inventory = inventory_of(tmp_path, f"zope-conf = /srv/zope.conf\nvia = {machine(tmp_path, program)}")
    conf = gathering(inventory, ZopeConf).raw(ZopeConf, "app1")
    assert isinstance(conf, ZopeConf)
    assert ("m1:/srv/zope.conf", 1690000000.0) == (conf.file, conf.mtime)
    assert {"m1:/srv/zope.conf"} == {setting.file for setting in conf.settings}


def test_lines_that_end_as_on_a_terminal_are_read(tmp_path: Path) -> None:
    text = says(json.dumps(LOOK)).replace("\\n", "\\r\\n")
    inventory = inventory_of(tmp_path, f"zope-conf = /srv/zope.conf\nvia = {machine(tmp_path, text)}")
    assert isinstance(gathering(inventory, ZopeConf).raw(ZopeConf, "app1"), ZopeConf)


FLOODS = {
    "an endless one": ("import os\nwhile True: os.write(1, b'x' * 65536)", "via: it printed more than 8 MiB"),
    "endless complaints": (
        "import os\nwhile True: os.write(2, b'x' * 65535 + b'\\n')",
        "via: no answer within 2 s: ",
    ),
    "a hanging one": ("import time; time.sleep(60)", "via: no answer within 2 s"),
    "one that does not end when it is told to": (
        "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(60)",
        "via: no answer within 2 s",
    ),
    "one that closes its output and goes on": (
        "import os, time\nos.close(1); os.close(2); time.sleep(60)",
        "via: no answer within 2 s",
    ),
}


@pytest.mark.parametrize(("program", "reason"), FLOODS.values(), ids=FLOODS)
def test_a_command_is_bounded_in_time_and_size_and_gone_afterwards(program: str, reason: str, tmp_path: Path) -> None:
    told = f"import os\nopen({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\n"
    began = time.monotonic()
    found = call.ask(machine(tmp_path, told + program), call.request("look", 2), call.Look, 2.0)
    assert isinstance(found, NotGathered) and found.reason.startswith(reason)
    assert time.monotonic() - began < patient(8)
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


COMMANDS = {
    "no such program": ("no-such-program-of-anybody -x", "via: no-such-program-of-anybody: No such file or directory"),
    "no program": ("/etc/passwd", "via: /etc/passwd: Permission denied"),
    "a shell's language": ("true; touch touched", "via: true;: No such file or directory"),
    "what it is sent is not read": ("true", "via: it ended with code 0 and gave no answer"),
}


@pytest.mark.parametrize(("command", "reason"), COMMANDS.values(), ids=COMMANDS)
def test_a_command_that_does_not_run(
    command: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert NotGathered(reason, call.BY_HAND) == call.ask(command, call.request("look", 5), call.Look, 5.0)
    assert [] == list(tmp_path.iterdir())


def test_a_command_has_no_terminal_on_which_to_ask(tmp_path: Path) -> None:
    program = "import sys\ntry: open('/dev/tty')\nexcept OSError as error: sys.exit('no terminal: %s' % error.strerror)"
    found = call.ask(machine(tmp_path, program), call.request("look", 5), call.Look, 5.0)
    assert isinstance(found, NotGathered) and "no terminal" in found.reason


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
PATHS = st.lists(
    st.sampled_from(["clients", "app1", "files", "/srv/zope.conf", "data", "mtime", "zope_conf", "process", "pid"])
    | st.sampled_from(["started_at", "distributions", "variables", "hashed", "started_with", "clock", "same_conf"]),
    min_size=1,
    max_size=4,
)
PIECES = [*"<>%$(){}/\n \0\\az", "%include ", "%define ", "<zodb_db a>", "server "]
CONFS = st.lists(st.sampled_from(PIECES), max_size=30).map("".join)


@given(changes=st.lists(st.tuples(PATHS, JSON), max_size=4), text=CONFS)
@settings(max_examples=300, deadline=None)
def test_whatever_a_machine_says_becomes_facts_or_nothing(changes: list[tuple[list[str], Any]], text: str) -> None:
    answer = json.loads(json.dumps(LOOK))
    answer["files"]["/srv/zope.conf"]["data"] = base64.b64encode(text.encode("utf-8", "replace")).decode()
    for path, value in changes:
        inner = answer
        for step in path[:-1]:
            inner = inner.get(step) if isinstance(inner, dict) else None
        if isinstance(inner, dict):
            inner[path[-1]] = value
    client = parse("[client:app1]\naddress = m1:80\nvia = x", "clients.ini").clients[0]

    def ask(request: Any, kind: type[Any]) -> Any:
        return call.decoded(json.dumps(answer).encode(), kind)

    found = elsewhere.looked("m1", (client,), ask, 5.0)["app1"]
    conf = elsewhere.zope_conf(client, found)
    assert isinstance(conf, ZopeConf | NotGathered)
    known = conf if isinstance(conf, ZopeConf) else None
    assert isinstance(elsewhere.wsgi_conf(known, found), WsgiConf | NotGathered | LeftOut)
    if not isinstance(found, NotGathered):
        assert isinstance(elsewhere.seen(known, found, call.Peers()), SeenThere)


# --- clients and files --------------------------------------------------------------------------------------


def test_clients_of_one_machine_share_a_call(tmp_path: Path) -> None:
    log = tmp_path / "calls"
    wrapper = f"import os, sys\nopen({str(log)!r}, 'a').write('x')\nos.execv({sys.executable!r}, ['python'])"
    command = machine(tmp_path, wrapper)
    sections = [f"via = {command}".replace("\n", "")] * 3
    inventory = inventory_of(tmp_path, *sections)
    same = msgspec.structs.replace(
        inventory, clients=tuple(msgspec.structs.replace(one, machine="m1") for one in inventory.clients)
    )
    gathering(same, ZopeConf)
    assert "x" == log.read_text()
    gathering(inventory, ZopeConf)
    assert "xxxx" == log.read_text()


def files_for(tmp_path: Path) -> Path:
    """A client's home with an included file, an ini, and a file of variables."""
    home = tmp_path / "home"
    (home / "etc").mkdir(parents=True)
    (home / "etc" / "zope.conf").write_text(
        "instancehome /srv\n%include zodb.conf\n<environment>\nAPI_KEY $(API_KEY)\nTZ $(TZ)\n</environment>\n"
    )
    (home / "etc" / "zodb.conf").write_text(
        "<zodb_db main>\n<zeoclient>\nserver $(ZEO_ADDRESS)\n</zeoclient>\nmount-point /\n</zodb_db>\n"
    )
    (home / "etc" / "zope.ini").write_text(
        "[server:main]\nuse = egg:waitress\nlisten = *:18081\nthreads = 7\n[app:zope]\nzope_conf = %(here)s/zope.conf\n"
    )
    (home / "env").write_text("ZEO_ADDRESS=localhost:18100\nTZ=UTC\nAPI_KEY=geheim\n")
    return home


def test_files_are_read_where_they_lie(tmp_path: Path) -> None:
    home = files_for(tmp_path)
    section = f"zope-conf = {home}/etc/zope.conf\nenv-file = {home}/env\nenv.TZ = CET\nvia = {sys.executable}"
    facts = gathering(inventory_of(tmp_path, section), ZopeConf, WsgiConf, SeenThere)
    conf, ini = facts.raw(ZopeConf, "app1"), facts.raw(WsgiConf, "app1")
    assert isinstance(conf, ZopeConf) and isinstance(ini, WsgiConf) and () == conf.faults
    (server,) = conf.databases[0].servers
    assert (f"m1:{home}/etc/zodb.conf", 3, "localhost:18100") == (server.file, server.line, server.value)
    assert (f"m1:{home}/etc/zope.ini", 7) == (ini.file, ini.threads)
    (environment,) = conf.top.nested("environment")
    assert {"API_KEY": "***", "TZ": "CET"} == {line.key: line.value for line in environment.settings}
    seen = facts.raw(SeenThere, "app1")
    assert isinstance(seen, SeenThere) and (home / "etc" / "zope.conf").stat().st_mtime == seen.conf_mtime


def test_a_relative_path_is_a_copy_here(tmp_path: Path) -> None:
    home = files_for(tmp_path)
    section = f"zope-conf = home/etc/zope.conf\nenv-file = home/env\nvia = {sys.executable}"
    conf = gathering(inventory_of(tmp_path, section), ZopeConf).raw(ZopeConf, "app1")
    assert isinstance(conf, ZopeConf) and str(home / "etc" / "zope.conf") == conf.file


MISSING = {
    "no such file": ("/no/such/zope.conf", "m1:/no/such/zope.conf: No such file or directory"),
    "a folder": ("/", "m1:/: is no regular file"),
    "not given, and no process": (
        "",
        "via: which zope.conf app1 runs with is not known: nothing listens on port 18081 there",
    ),
}


@pytest.mark.parametrize(("path", "reason"), MISSING.values(), ids=MISSING)
def test_a_conf_that_is_not_there(path: str, reason: str, tmp_path: Path) -> None:
    section = f"zope-conf = {path}\nvia = {sys.executable}" if path else f"via = {sys.executable}"
    conf = gathering(inventory_of(tmp_path, section), ZopeConf).raw(ZopeConf, "app1")
    assert isinstance(conf, NotGathered) and reason == conf.reason


def test_what_a_machine_tells_of_paths_is_never_opened_here(tmp_path: Path) -> None:
    """A path that climbs out of where it should be is a name among the files that were brought, and nothing else."""
    secret = tmp_path / "secret"
    secret.write_text("instancehome /geheim\n")
    files = {"/srv/zope.conf": {"data": "JWluY2x1ZGUgLi4vLi4vLi4vc2VjcmV0Cg=="}, str(secret): {"why": "", "data": ""}}
    told = {**LOOK["clients"]["app1"], "zope_conf": f"../../..{secret}"}  # type: ignore[index]
    for answer in (changed(files=files), changed(clients={"app1": told})):
        inventory = inventory_of(tmp_path, f"via = {machine(tmp_path, says(answer))}")
        assert "geheim" not in repr(gathering(inventory, ZopeConf).raw(ZopeConf, "app1"))


def test_what_another_machine_has_hidden_is_compared_by_its_seal(tmp_path: Path) -> None:
    """The password of one client comes from its process on its machine, that of another from a file here."""
    storage = "<zeoclient>\nserver zeo1:8100\npassword $(ZEO_PASSWORD)\n</zeoclient>"
    (tmp_path / "zope.conf").write_text(f"<zodb_db main>\n{storage}\nmount-point /\n</zodb_db>\n")
    environ = {**os.environ, "ZEO_PASSWORD": "geheim"}
    serve = (
        "import socket, sys, time\ns = socket.create_server(('127.0.0.1', 0))\n"
        "print(s.getsockname()[1], flush=True)\ntime.sleep(60)"
    )
    command = [sys.executable, "-c", serve, "-C", str(tmp_path / "zope.conf")]
    process = subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        ini = (
            f"[client:app1]\naddress = 127.0.0.1:{port}\nvia = {sys.executable}\n"
            f"[client:copied]\naddress = 127.0.0.1:{port}\nzope-conf = zope.conf\nvia = {sys.executable}\n"
            "env.ZEO_PASSWORD = of long ago\n"
            "[client:app2]\naddress = 127.0.0.1:2\nzope-conf = zope.conf\nenv.ZEO_PASSWORD = geheim\n"
            "[client:app3]\naddress = 127.0.0.1:3\nzope-conf = zope.conf\nenv.ZEO_PASSWORD = another\n"
        )
        facts = gathering(parse(ini, str(tmp_path / "clients.ini")), ZopeConf)
    finally:
        process.kill()
        process.wait(10)
        process.stdout.close()  # type: ignore[union-attr]
    confs = [facts.raw(ZopeConf, name) for name in ("app1", "app2", "app3", "copied")]
    passwords: list[Any] = [conf.databases[0].leaf.first("password") for conf in confs]  # type: ignore[union-attr]
    assert ["***"] * 4 == [line.value for line in passwords]
    # What the process has counts, not what clients.ini gave for the copy.
    assert passwords[0].seal == passwords[1].seal == passwords[3].seal != passwords[2].seal
    assert "geheim" not in repr(confs)


def test_offline_runs_no_command(tmp_path: Path) -> None:
    command = machine(tmp_path, f"open({str(tmp_path / 'ran')!r}, 'w')")
    inventory = inventory_of(tmp_path, f"zope-conf = /srv/zope.conf\nvia = {command}", f"via = {command}")
    facts = gathering(inventory, ZopeConf, WsgiConf, SeenThere, SharedBlobs, offline=True)
    for kind in (ZopeConf, WsgiConf, SeenThere):
        assert {LeftOut(elsewhere.OFFLINE)} == {facts.raw(kind, name) for name in ("app1", "app2")}
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("only", "expected"),
    [(["config", "identity"], ["zope-conf-parses"]), (["config", "reach", "identity"], [])],
    ids=["without a look at the ports", "with a look at the ports, which do not answer either"],
)
def test_a_way_that_leads_nowhere_is_told_once(only: list[str], expected: list[str], tmp_path: Path) -> None:
    sections = ["zope-conf = /srv/zope.conf\nvia = no-such-program-of-anybody", "via = no-such-program-of-anybody"]
    inventory = inventory_of(tmp_path, *sections)
    settings = Settings(run_id="0a0b0c0d0e0f", timeout_s=1.0, deadline_s=20.0, read_only=True)
    reasons = preflight.left_out(CATALOGUE, only, [], offline=False, read_only=True)
    report = preflight.run(
        inventory, CATALOGUE, settings, command="preflight", reasons=reasons, secret=NotGathered("none")
    )
    told = [(f.check, f.clients) for f in report.findings if "no-such-program" in f.message]
    assert [(check, ("app1", "app2")) for check in expected] == told
    assert ("reach" in only) == any(f.check == "client-port-answers" for f in report.findings)


# --- brought as files -----------------------------------------------------------------------------------------


def a_gathered(tmp_path: Path, **how: Any) -> tuple[Inventory, savedfacts.Gathered]:
    home = files_for(tmp_path)
    inventory = inventory_of(tmp_path, f"zope-conf = {home}/etc/zope.conf\nenv-file = {home}/env")
    return inventory, gathered.of_client(inventory, inventory.client("app1"), **how)


def test_what_was_gathered_on_the_machine_is_judged_elsewhere(tmp_path: Path) -> None:
    inventory, found = a_gathered(tmp_path)
    text = savedfacts.dump_gathered(found, "0")
    assert "geheim" not in text
    folder = tmp_path / "brought"
    folder.mkdir()
    (folder / "app1.json").write_text(text)
    (tmp_path / "home" / "etc" / "zope.conf").unlink()
    brought = gathered.read(str(folder), inventory)
    facts = gathering(inventory, ZopeConf, WsgiConf, SeenThere, offline=True, gathered=brought.facts)
    assert () == brought.remarks
    for kind in savedfacts.FROM_THERE:
        assert found.facts.raw(kind, "app1") == facts.raw(kind, "app1")
    conf = facts.raw(ZopeConf, "app1")
    assert isinstance(conf, ZopeConf) and "localhost:18100" == conf.databases[0].servers[0].value


def test_the_script_can_be_run_by_something_else(tmp_path: Path) -> None:
    inventory, found = a_gathered(tmp_path)
    answers: list[str] = []
    for _ in range(2):
        with pytest.raises(gathered.Shown) as shown:
            gathered.of_client(inventory, inventory.client("app1"), answers=answers, show=True)
        done = subprocess.run(
            [sys.executable], input=str(shown.value), capture_output=True, text=True, timeout=60, check=True
        )
        answers.append(f"some banner\n{done.stdout}")
    brought = gathered.of_client(inventory, inventory.client("app1"), answers=answers)
    assert found.facts.raw(ZopeConf, "app1") == brought.facts.raw(ZopeConf, "app1")
    one, other = (each.facts.raw(SeenThere, "app1") for each in (found, brought))
    assert isinstance(one, SeenThere) and isinstance(other, SeenThere) and one.servers == other.servers != ()


def written(folder: Path, name: str, **changes: Any) -> None:
    seen = SeenThere("m1", python_version="3.12.1", distributions={"zope": "6.3"})
    facts = Facts().with_fact(changes.get("client", "app1"), seen)
    document = {"cluster": "test", "client": "app1", "gathered_at": 1_700_000_000.0, "facts": facts, **changes}
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.json").write_text(savedfacts.dump_gathered(savedfacts.Gathered(**document), "0"))


ASIDE: dict[str, tuple[list[dict[str, Any]], list[str]]] = {
    "as it should be": ([{}], []),
    "a client that is not there": (
        [{"client": "app9"}],
        ["0.json: clients.ini has no client 'app9'; it is left aside"],
    ),
    "another cluster": ([{"cluster": "staging"}], ["0.json: it is of cluster 'staging', not 'test'; it is left aside"]),
    "two of one client": (
        [{}, {"gathered_at": 1_700_000_001.0}],
        ["0.json: 1.json is newer, of the same client; it is left aside"],
    ),
    "two of one client, the newer first": (
        [{"gathered_at": 1_700_000_001.0}, {}],
        ["1.json: 0.json is newer, of the same client; it is left aside"],
    ),
}


@pytest.mark.parametrize(("documents", "told"), ASIDE.values(), ids=ASIDE)
def test_what_does_not_count_is_told(documents: list[dict[str, Any]], told: list[str], tmp_path: Path) -> None:
    for number, document in enumerate(documents):
        written(tmp_path / "brought", str(number), **document)
    found = gathered.read(str(tmp_path / "brought"), inventory_of(tmp_path, ""), now=1_700_000_100.0)
    assert told == [remark.replace(f"{tmp_path}/brought/", "").replace(f"{tmp_path}/", "") for remark in found.remarks]


AGES = {
    "just now": (0.0, ""),
    "an hour": (3600.0, ""),
    "more": (7300.0, "was gathered 122 min ago, which is more than 60"),
    "a clock that is a little ahead": (-60.0, ""),
    "a clock that is wrong": (-7200.0, "was gathered 120 min from now: one of the two clocks is wrong"),
}


@pytest.mark.parametrize(("age_s", "why"), AGES.values(), ids=AGES)
def test_what_is_too_old_is_not_known(age_s: float, why: str, tmp_path: Path) -> None:
    written(tmp_path / "brought", "app1")
    found = gathered.read(str(tmp_path / "brought"), inventory_of(tmp_path, ""), now=1_700_000_000.0 + age_s)
    fact = found.facts.raw(SeenThere, "app1")
    assert isinstance(fact, NotGathered if why else SeenThere)
    assert not isinstance(fact, NotGathered) or fact.reason.endswith(f"app1.json {why}")


def test_facts_of_another_client_in_a_document_do_not_count(tmp_path: Path) -> None:
    facts = Facts().with_fact("app2", SeenThere("m2")).with_fact("app1", SeenThere("m1"))
    written(tmp_path / "brought", "app1", facts=facts)
    path = tmp_path / "brought" / "app1.json"
    document = json.loads(path.read_text())
    document["facts"] += [
        {**document["facts"][0], "subject": "app2"},
        {"kind": "Inventory", "subject": "", "state": "gathered", "value": {}},
        {"kind": "ControlPanel", "subject": "app1", "state": "gathered", "value": {"databases": []}},
    ]
    path.write_text(json.dumps(document))
    found = gathered.read(str(tmp_path / "brought"), inventory_of(tmp_path, "", ""), now=1_700_000_000.0)
    assert [("SeenThere", "app1")] == [(kind.__name__, subject) for kind, subject, _ in found.facts.items()]


BROKEN = {
    "empty": ("", "this is no JSON"),
    "no JSON": ("<html>", "this is no JSON"),
    "nested deep": ("[" * 100_000, "this is no JSON"),
    "another document": ('{"schema": "zcheck-facts/1"}', "this is no file of facts of one client"),
    "a list": ("[]", "this is no file of facts of one client"),
    "half of one": ('{"schema": "zcheck-gathered/1", "client": "app1"}', "the file is damaged"),
}


@pytest.mark.parametrize(("text", "why"), BROKEN.values(), ids=BROKEN)
def test_a_broken_document_is_refused_by_name(text: str, why: str, tmp_path: Path) -> None:
    (tmp_path / "app1.json").write_text(text)
    with pytest.raises(savedfacts.CannotRead, match=rf"app1\.json: {why}"):
        gathered.read(str(tmp_path), inventory_of(tmp_path, ""))


# --- a folder of blobs ------------------------------------------------------------------------------------------


def sharing(tmp_path: Path, *folders: str, via_of: Callable[[int], str] = lambda number: sys.executable) -> Inventory:
    sections = []
    for number, folder in enumerate(folders):
        conf = tmp_path / f"zope{number}.conf"
        conf.write_text(
            "<zodb_db main>\n<zeoclient>\nserver 127.0.0.1:1\nshared-blob-dir on\n"
            f"blob-dir {tmp_path / folder}\n</zeoclient>\nmount-point /\n</zodb_db>\n"
        )
        (tmp_path / folder / "tmp").mkdir(parents=True, exist_ok=True)
        sections.append(f"zope-conf = {conf.name}\nvia = {via_of(number)}")
    return inventory_of(tmp_path, *sections)


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*.marker") if path.is_file()]


def test_one_folder_is_proven_by_a_marker(tmp_path: Path) -> None:
    facts = gathering(sharing(tmp_path, "blobs", "blobs", "others"), SharedBlobs)
    blobs = facts.raw(SharedBlobs)
    assert isinstance(blobs, SharedBlobs)
    (marker,) = blobs.markers
    assert ("app1", {"app2": True, "app3": False}, {}) == (marker.writer, marker.seen_by, marker.unknown)
    assert [] == files_in(tmp_path)


def test_a_folder_that_takes_no_marker_is_tried_from_the_next_machine(tmp_path: Path) -> None:
    def barred(number: int) -> str:
        if number:
            return sys.executable
        # This machine shows its folder, and writes nothing into it.
        lines = "import sys\ntext = sys.stdin.read()\nimport os\n"
        lines += "if '\\\\\"task\\\\\": \\\\\"hold\\\\\"' in text: sys.exit('read-only file system')\n"
        lines += "exec(compile(text, 'there', 'exec'), {'__name__': '__main__'})"
        return machine(tmp_path, lines)

    facts = gathering(sharing(tmp_path, "blobs", "blobs", via_of=barred), SharedBlobs)
    blobs = facts.raw(SharedBlobs)
    assert isinstance(blobs, SharedBlobs) and ["app2"] == [marker.writer for marker in blobs.markers]
    assert {"app1": True} == blobs.markers[0].seen_by


def test_read_only_writes_no_marker(tmp_path: Path) -> None:
    facts = gathering(sharing(tmp_path, "blobs", "others"), SharedBlobs, read_only=True)
    assert SharedBlobs((), {"main": "no marker is written with --read-only"}) == facts.raw(SharedBlobs)


KILLED = """
import sys
sys.path[:0] = {path!r}
from zcheck.probes.remote import answers as elsewhere
from zcheck.probes.remote import call as via

def stop(jobs):
    print("held", flush=True)
    import time
    time.sleep(60)

members = tuple(elsewhere.Member(name, sys.executable, {folder!r}) for name in ("app1", "app2"))
elsewhere.blob_marker("main", members, "0a0b0c", 20.0, stop)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_no_marker_remains_when_zcheck_is_killed(number: signal.Signals, tmp_path: Path) -> None:
    code = KILLED.format(path=[path for path in sys.path if path], folder=str(tmp_path))
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        assert process.stdout is not None and b"held\n" == process.stdout.readline()
        assert 1 == len(files_in(tmp_path))
        process.send_signal(number)
        process.wait(15)
        wait_for(lambda: not files_in(tmp_path), 5)
    finally:
        process.kill()
        process.wait(10)
        process.stdout.close()  # type: ignore[union-attr]


# --- the command line ---------------------------------------------------------------------------------------------


def command(*arguments: Any) -> Any:
    return CliRunner().invoke(cli.zcheck, [str(argument) for argument in arguments], obj=0.0)


def written_ini(tmp_path: Path, *sections: str) -> Path:
    ini = tmp_path / "clients.ini"
    lines = ["[cluster]", "name = test"]
    for number, section in enumerate(sections, 1):
        lines += [f"[client:app{number}]", f"address = 127.0.0.1:1808{number}", section]
    ini.write_text("\n".join(lines))
    return ini


def test_the_script_is_printed_for_whoever_wants_to_read_it() -> None:
    assert call.script_text() == command("gather", "--show-script").stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--client", "app9"], "has no client 'app9'"),
        (["--answer", "x"], "need --client"),
        (["--show-script"], "need --client"),
        (["--client", "app1", "--answer", "/no/such/answer"], "/no/such/answer: No such file or directory"),
        (["--client", "app1", "--answer", "/etc/passwd"], "what came back is no answer of zcheck's script"),
    ],
    ids=["no such client", "an answer to nothing", "a question of nobody", "no such answer", "another file"],
)
def test_gather_refuses(arguments: list[str], told: str, tmp_path: Path) -> None:
    ini = written_ini(tmp_path, "role = worker")
    done = subprocess.run(
        [sys.executable, "-m", "zcheck", "gather", str(ini), *arguments], capture_output=True, text=True, check=False
    )
    assert (3, "") == (done.returncode, done.stdout) and told in done.stderr


def test_gather_prints_the_facts_of_the_whole_cluster(tmp_path: Path) -> None:
    home = files_for(tmp_path)
    ini = written_ini(tmp_path, f"zope-conf = {home}/etc/zope.conf\nvia = {sys.executable}\nenv.API_KEY = geheim")
    done = command("gather", ini, "--timeout", "2")
    assert 0 == done.exit_code and "geheim" not in done.stdout
    saved = savedfacts.load(done.stdout)
    assert ("gather", True) == (saved.run.command, saved.run.read_only)
    assert isinstance(saved.facts.raw(SeenThere, "app1"), SeenThere)


def test_what_was_brought_and_does_not_count_is_told_on_stderr(tmp_path: Path) -> None:
    ini = written_ini(tmp_path, "role = worker")
    written(tmp_path / "brought", "x", client="app9", gathered_at=time.time())
    done = subprocess.run(
        [sys.executable, "-m", "zcheck", "preflight", "--offline", "--gathered", str(tmp_path / "brought"), str(ini)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "x.json" in done.stderr and "has no client 'app9'; it is left aside" in done.stderr


PLANS: dict[str, tuple[list[str], list[str], list[str]]] = {
    "with a way in": (
        [],
        [
            "machine 127.0.0.1, for app1: by via = sshpass ... (",
            "this WILL put one file zcheck-RUN.marker",
            "app2:/srv",
        ],
        ["geheim"],
    ),
    "read-only": (["--read-only"], ["by via = sshpass ... ("], ["marker", "geheim"]),
    "offline": (["--offline"], ["contact nothing and write nothing"], ["via", "marker", "geheim"]),
    "the balancer's files alone": (["--only", "balancer"], [], ["marker", "geheim"]),
}


@pytest.mark.parametrize(("options", "there", "not_there"), PLANS.values(), ids=PLANS)
def test_plan_tells_what_is_run_and_never_how_it_logs_in(
    options: list[str], there: list[str], not_there: list[str], tmp_path: Path
) -> None:
    ini = written_ini(
        tmp_path,
        "zope-conf = /srv/app1/zope.conf\nvia = sshpass -p geheim ssh zope@app1 python3",
        "zope-conf = /srv/app2/zope.conf\nmachine = app2\nvia = ssh zope@app2 python3",
    )
    told = command("plan", ini, *options).stdout
    assert [] == [words for words in there if words not in told] + [words for words in not_there if words in told], told


def test_plan_leaves_out_the_marker_where_no_file_shares_blobs(tmp_path: Path) -> None:
    home = files_for(tmp_path)
    assert home.is_dir()
    told = command("plan", written_ini(tmp_path, "zope-conf = home/etc/zope.conf\nvia = python3")).stdout
    assert "by via = python3" in told and "marker" not in told


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_an_interrupted_run_leaves_no_command_behind(number: signal.Signals, tmp_path: Path) -> None:
    hanging = f"import os, time\nopen({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\ntime.sleep(60)"
    ini = written_ini(tmp_path, f"via = {machine(tmp_path, hanging)}")
    process = subprocess.Popen(
        [sys.executable, "-m", "zcheck", "preflight", "--no-state", str(ini)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(lambda: (tmp_path / "pid").exists() and bool((tmp_path / "pid").read_text()))
        process.send_signal(number)
        assert 3 == process.wait(15)
        wait_for(lambda: not is_alive(int((tmp_path / "pid").read_text())))
    finally:
        process.kill()
        process.wait(10)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def wait_for(condition: Callable[[], bool], limit_s: float = 10.0) -> None:
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, "it did not come about in time"
        time.sleep(0.05)
