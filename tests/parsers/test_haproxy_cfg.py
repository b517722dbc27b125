"""haproxy.cfg is split into words, sections and servers as HAProxy does it."""

from __future__ import annotations

import csv
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zcheck.facts import HaproxyConf, HaproxyRun, HaproxySection
from zcheck.facts.balancer import milliseconds
from zcheck.parsers import haproxy_cfg
from zcheck.probes import haproxy as program

needs_haproxy = pytest.mark.skipif(program.program() is None, reason="haproxy is not installed")


def parsed(text: str, backend: str | None = None) -> HaproxyConf:
    return haproxy_cfg.parse([("haproxy.cfg", text)], backend)


def section(text: str, name: str = "zope") -> HaproxySection:
    found = parsed(text).proxy(name, "backend", "listen", "frontend")
    assert found is not None
    return found


WORDS = {
    "blanks": ("server  a\t127.0.0.1:1 ", ["server", "a", "127.0.0.1:1"]),
    "a comment": ("maxconn 5 # five", ["maxconn", "5"]),
    "a comment without a blank": ("maxconn 5#five", ["maxconn", "5"]),
    "an escaped blank": (r"realm Haproxy\ statistics", ["realm", "Haproxy statistics"]),
    "an escaped sharp": (r"uri /\#x", ["uri", "/#x"]),
    "double quotes": ('realm "Haproxy statistics"', ["realm", "Haproxy statistics"]),
    "single quotes": ("path_reg '^/a b#c'", ["path_reg", "^/a b#c"]),
    "quotes within a word": ('a"b c"d', ["ab cd"]),
    "an empty word": ('a "" b', ["a", "", "b"]),
    "a backslash in single quotes": (r"'a\ b'", [r"a\ b"]),
    "a quote in double quotes": (r'"a\"b"', ['a"b']),
    "a single quote in double quotes": ('"it\'s"', ["it's"]),
    "line ends": (r"HTTP/1.1\r\nHost:\ www", ["HTTP/1.1\r\nHost: www"]),
    "hexadecimal": (r"a\x41b", ["aAb"]),
    "other backslashes stay": (r"^([^\ ]*)\1\.", ["^([^ ]*)\\1\\."]),
    "a backslash of a backslash": (r"a\\ b", ["a\\", "b"]),
    "a dollar outside of quotes": ("a$HOME b", ["a$HOME", "b"]),
    "an escaped dollar": (r'"\$HOME"', ["$HOME"]),
    "a variable is left as it is": ('"${APP1}:8080"', ["${APP1}:8080"]),
}


@pytest.mark.parametrize(("text", "expected"), WORDS.values(), ids=WORDS)
def test_words(text: str, expected: list[str]) -> None:
    assert tuple(expected) == haproxy_cfg.words_of(text)


MISTAKES = {
    "an open double quote": 'a "b',
    "an open single quote": "a 'b",
    "no hexadecimal digits": r"a\xzz",
    "a dollar that names nothing": '"a$"',
}


@pytest.mark.parametrize("text", MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_told_with_its_line_and_the_rest_is_read(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        haproxy_cfg.words_of(text)
    found = parsed(f"backend zope\n {text}\n server a 127.0.0.1:1\n")
    assert [("refused", 2)] == [(fault.kind, fault.line) for fault in found.faults]
    assert ["a"] == [server.name for server in found.balancing[0].servers]


@needs_haproxy
@pytest.mark.parametrize("text", MISTAKES.values(), ids=MISTAKES)
def test_haproxy_refuses_it_as_well(text: str, tmp_path: Path) -> None:
    assert haproxy(tmp_path, f"global\n node {text}\n")[0] == 1


def haproxy(tmp_path: Path, text: str) -> tuple[int, str]:
    file = tmp_path / "haproxy.cfg"
    file.write_text(text)
    done = subprocess.run(
        [program.program() or "", "-c", "-f", file], capture_output=True, text=True, timeout=20, env={}, check=False
    )
    return done.returncode, done.stderr


@needs_haproxy
@pytest.mark.parametrize("text", [text for text, _ in WORDS.values() if "HOME" not in text and "APP1" not in text])
def test_haproxy_splits_it_alike(text: str, tmp_path: Path) -> None:
    """HAProxy names the unknown keyword that a line begins with: our first word."""
    code, said = haproxy(tmp_path, f"global\n {text}x\n" if text == WORDS["blanks"][0] else f"global\n q{text}\n")
    first = ("q" if text != WORDS["blanks"][0] else "") + haproxy_cfg.words_of(text)[0]
    assert code == 1
    assert first.split("\r")[0].split("\n")[0][:20] in said


# --- sections ------------------------------------------------------------------------------------


NAMED = """
defaults one
  retries 1
  option redispatch
defaults two from one
  retries 2
frontend plain
  bind :80
backend first from one
  server a 127.0.0.1:1
backend second from two
  no option redispatch
  server a 127.0.0.1:1
defaults
  retries 9
listen third
  bind :81
  server a 127.0.0.1:1
"""


@pytest.mark.parametrize(
    ("expected", "name"), [("2", "plain"), ("1", "first"), ("2", "second"), ("9", "third")], ids=lambda value: value
)
def test_a_proxy_takes_the_defaults_that_it_names_or_the_last_ones(expected: str, name: str) -> None:
    line = section(NAMED, name).last("retries")
    assert line is not None
    assert line.arguments == (expected,)


def test_no_takes_an_option_back() -> None:
    assert section(NAMED, "first").last("option", "redispatch") is not None
    assert section(NAMED, "second").last("option", "redispatch") is None


def test_defaults_that_are_not_there_are_told() -> None:
    (fault,) = parsed("backend zope from nowhere\n server a 127.0.0.1:1\n").faults
    assert (fault.kind, fault.line, "nowhere" in fault.message) == ("refused", 1, True)


def test_indented_headers_and_files_in_order() -> None:
    found = haproxy_cfg.parse(
        [("1.cfg", " defaults\n  retries 1\n"), ("2.cfg", "  backend zope\n server a 127.0.0.1:1\n")]
    )
    (zope,) = found.balancing
    assert zope.last("retries") is not None
    assert ("2.cfg", 2) == (zope.servers[0].line.file, zope.servers[0].line.line)


def test_a_line_before_any_section_is_told() -> None:
    (fault,) = parsed("retries 3\n").faults
    assert (fault.kind, fault.line) == ("refused", 1)


def test_a_file_that_begins_anew_has_no_section() -> None:
    found = haproxy_cfg.parse([("1.cfg", "backend zope\n"), ("2.cfg", "server a 127.0.0.1:1\n")])
    assert [("2.cfg", 1)] == [(fault.file, fault.line) for fault in found.faults]


# --- servers -------------------------------------------------------------------------------------

SERVERS = """backend zope
  server before 127.0.0.1:1
  default-server check inter 2s maxconn 5
  server app1 10.0.0.1:8080 cookie a
  server app2 10.0.0.2:8080 no-check maxconn 7 disabled
  default-server disabled
  server app3 10.0.0.3:8080 enabled
  server app4 10.0.0.4:8080 cookie check
  server-template web 1-3 www.example.com:8080 check
"""


def test_default_servers_apply_to_the_servers_below_them() -> None:
    servers = {server.name: server for server in section(SERVERS).servers}
    assert {} == servers["before"].options
    assert {"check": "", "inter": "2s", "maxconn": "5", "cookie": "a"} == servers["app1"].options
    assert {"inter": "2s", "maxconn": "7", "disabled": ""} == servers["app2"].options
    assert not servers["app3"].disabled
    assert servers["app4"].disabled
    assert "check" == servers["app4"].cookie
    assert 3 == servers["web"].count


ADDRESSES = {
    "10.0.0.1:8080": ("10.0.0.1", 8080),
    "www.example.com:80": ("www.example.com", 80),
    "[::1]:8080": ("::1", 8080),
    "::1:8080": ("::1", 8080),
    "ipv4@www:80": ("www", 80),
    "www": ("www", None),
    ":8080": ("", 8080),
    "*:8080": ("", 8080),
    "10.0.0.1:+10": ("10.0.0.1", None),
    "/run/zope.sock": ("", None),
    "unix@/run/zope.sock": ("", None),
    "abns@zope": ("", None),
}


@pytest.mark.parametrize(("text", "expected"), ADDRESSES.items(), ids=ADDRESSES)
def test_addresses(text: str, expected: tuple[str, int | None]) -> None:
    assert expected == haproxy_cfg.read_address(text)


def test_a_second_server_of_one_name_is_told() -> None:
    text = "backend zope\n server a 127.0.0.1:1\n server a 127.0.0.1:2\n"
    (fault,) = parsed(text).faults
    assert ("refused", 3) == (fault.kind, fault.line)


@needs_haproxy
def test_haproxy_refuses_a_second_server_of_one_name(tmp_path: Path) -> None:
    code, said = haproxy(tmp_path, "backend zope\n server a 127.0.0.1:1\n server a 127.0.0.1:2\n")
    assert (code, "haproxy.cfg:3" in said) == (1, True)


def test_the_backend_that_clients_ini_names() -> None:
    text = "backend zope\n server a 127.0.0.1:1\nbackend other\n server b 127.0.0.1:2\n"
    assert ["zope", "other"] == [one.name for one in parsed(text).balancing]
    assert ["other"] == [one.name for one in parsed(text, "other").balancing]
    (fault,) = parsed(text, "zop").faults
    assert ("unread", True) == (fault.kind, "zope, other" in fault.message)


TIMES = {"7s": 7000, "500ms": 500, "500": 500, "1m": 60_000, "2h": 7_200_000, "1d": 86_400_000, "3000us": 3, "x": None}


@pytest.mark.parametrize(("text", "expected"), TIMES.items(), ids=TIMES)
def test_times(text: str, expected: int | None) -> None:
    assert expected == milliseconds(text)


# --- the health check ----------------------------------------------------------------------------

HEALTH: dict[str, tuple[str, tuple[str, str, str] | None]] = {
    "none": ("", None),
    "the default": ("option httpchk", ("OPTIONS", "/", "")),
    "a path": ("option httpchk /ok", ("OPTIONS", "/ok", "")),
    "method and path": ("option httpchk HEAD /ok HTTP/1.0", ("HEAD", "/ok", "")),
    "send": ("option httpchk\nhttp-check send meth GET uri /ok ver HTTP/1.1 hdr Host www", ("GET", "/ok", "")),
    "send adds to the option": ("option httpchk GET /a\nhttp-check send uri /b", ("GET", "/b", "")),
    "expect": ("option httpchk GET /ok\nhttp-check expect status 200", ("GET", "/ok", "status 200")),
    "taken back": ("option httpchk\nno option httpchk", None),
    "overruled": ("option httpchk\noption tcp-check", None),
}


@pytest.mark.parametrize(("lines", "expected"), HEALTH.values(), ids=HEALTH)
def test_the_request_of_a_health_check(lines: str, expected: tuple[str, str, str] | None) -> None:
    found = section(f"backend zope\n{lines}\nserver a 127.0.0.1:1\n").health
    assert expected == (None if found is None else (found.method, found.path, found.expect))


# --- what cannot be read -------------------------------------------------------------------------


def test_templates_and_conditions_are_told_as_such() -> None:
    for text in (
        "bind ${haproxy:bind}",
        'bind "${haproxy:bind}"',
        "bind {{ bind }}",
        "bind <<BIND>>",
        ".if defined(X)",
        "{% if tls %}",
        "bind %(address)s:80",
        "<%= bind %>",
    ):
        (fault,) = parsed(f"frontend www\n {text}\n").faults
        assert ("unread", 2) == (fault.kind, fault.line), text


def test_what_looks_alike_is_no_template() -> None:
    for text in (
        r"log-format %{+Q}o\ %t",
        r'log-format "%ci %(who)s"',
        "http-request set-header X %[src]",
        "acl a path_reg ^/a{2,3}$ # ${a:b}",
    ):
        assert () == parsed(f"frontend www\n {text}\n").faults, text


def test_a_variable_that_setenv_gives_is_known_and_another_is_told() -> None:
    text = 'global\n setenv PORT 8080\nbackend zope\n server a "10.0.0.1:${PORT}"\n server b "${B}:1"\n'
    found = parsed(text)
    first, second = found.balancing[0].servers
    assert ("10.0.0.1", 8080) == (first.host, first.port)
    assert ("${B}:1", ("B",)) == (second.address, second.line.unresolved)
    assert [5] == [line.line for line in found.unresolved]


SECRETS = {
    "the status page's password": "stats auth admin:geheim",
    "a user's password": "user admin insecure-password geheim",
    "a key of cookies": "dynamic-cookie-key geheim",
    "a header of the health check": "http-check send hdr Authorization geheim",
    "credentials in a word": r"option httpchk GET / HTTP/1.1\r\nAuthorization:\ Basic\ geheim",
    "a variable": "setenv DB_PASSWORD geheim",
    "a header that is set": "http-request set-header X-Api-Key geheim if TRUE",
    "a URL": "redirect location http://me:geheim@example.com/",
}


@pytest.mark.parametrize("line", SECRETS.values(), ids=SECRETS)
def test_no_secret_is_kept(line: str) -> None:
    head = "global" if line.startswith("setenv") else "listen zope"
    found = parsed(f"{head}\n {line}\n server a 127.0.0.1:1\n")
    assert "geheim" not in repr(found)
    assert "***" in repr(found)


@given(st.text(alphabet="abc :#'\"\\$x{}[]/.0123\n\r\t%<>-@*é", max_size=300))
def test_nothing_raises(text: str) -> None:
    found = parsed(f"listen zope\n{text}")
    assert found.files == ("haproxy.cfg",)


def test_a_huge_file_is_refused() -> None:
    (fault,) = parsed("#" * (haproxy_cfg.MAX_CHARACTERS + 1)).faults
    assert "unread" == fault.kind


# --- files that nobody here wrote ----------------------------------------------------------------


def haproxy_rows(corpus: Path) -> list[dict[str, str]]:
    with (corpus / "MANIFEST.tsv").open(encoding="utf-8", newline="") as stream:
        return [row for row in csv.DictReader(stream, delimiter="\t") if row["kind"] == "haproxy"]


def test_the_corpus_is_read_as_it_is_described(corpus: Path) -> None:
    """Backends, listen sections and servers as counted by hand; a template is one, and a literal file is none."""
    rows = haproxy_rows(corpus)
    assert len(rows) > 30
    for row in rows:
        found = haproxy_cfg.parse([(row["file"], (corpus / row["file"]).read_text())])
        counted = (
            f"{len(found.of('backend'))} backend, {len(found.of('listen'))} listen, "
            f"{sum(len(one.servers) for one in found.sections)} server"
        )
        assert row["features"].startswith(counted), row["file"]
        is_template = any(fault.message.startswith("this is a template") for fault in found.faults)
        assert (row["form"] == "template") == is_template, row["file"]


@needs_haproxy
def test_what_haproxy_says_of_the_corpus(corpus: Path) -> None:
    """No file of those years starts a HAProxy of today, and the line that it names is one that we have read."""
    for row in haproxy_rows(corpus):
        if row["form"] != "literal":
            continue
        file = corpus / row["file"]
        run = program.check([str(file)], 20.0)
        assert isinstance(run, HaproxyRun)
        assert 1 == run.exit_code
        lines = {line.line for one in haproxy_cfg.parse([(str(file), file.read_text())]).sections for line in one.lines}
        named = {alert.line for alert in run.alerts if alert.line is not None}
        heads = {one.head.line for one in haproxy_cfg.parse([(str(file), file.read_text())]).sections}
        assert named <= lines | heads | {len(file.read_text().split("\n"))}, row["file"]


# --- haproxy -c ----------------------------------------------------------------------------------


@needs_haproxy
@pytest.mark.parametrize(
    ("code", "starts", "only_here", "text"),
    [
        pytest.param(0, True, [], "listen zope\n bind 127.0.0.1:1\n mode http\n{t}", id="valid"),
        pytest.param(1, True, [False], "listen zope\n bind 127.0.0.1:1\n mode http\n", id="a warning"),
        pytest.param(1, False, [False], "listen zope\n bind 127.0.0.1:1\n frobnicate\n", id="an unknown keyword"),
        pytest.param(
            1, False, [True], "listen zope\n bind 127.0.0.1:1\n mode http\n{t} server a nobody.invalid:1\n", id="a name"
        ),
        pytest.param(1, False, [True], "global\n user nobody-is-called-so\n", id="a user"),
        pytest.param(1, False, [True], "listen zope\n bind 127.0.0.1:1 ssl crt /nowhere.pem\n{t}", id="a file"),
    ],
)
def test_the_exit_code_counts(code: int, starts: bool, only_here: list[bool], text: str, tmp_path: Path) -> None:
    file = tmp_path / "haproxy.cfg"
    file.write_text(text.format(t=" timeout client 1s\n timeout connect 1s\n timeout server 1s\n"))
    run = program.check([str(file)], 20.0)
    assert isinstance(run, HaproxyRun)
    assert (code, starts) == (run.exit_code, run.starts)
    assert only_here == [alert.only_here for alert in run.alerts]
    assert run.version[0].isdigit()


@needs_haproxy
def test_the_environment_of_zcheck_is_not_haproxys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOPE_SERVER", "127.0.0.1:1")
    file = tmp_path / "haproxy.cfg"
    file.write_text('listen zope\n bind 127.0.0.1:1\n server a "${ZOPE_SERVER}"\n')
    run = program.check([str(file)], 20.0)
    assert isinstance(run, HaproxyRun)
    assert run.exit_code == 1
    verdict = program.verdict(haproxy_cfg.parse([(str(file), file.read_text())]), offline=False, timeout_s=20.0)
    assert "ZOPE_SERVER" in repr(verdict.run)


def test_folders_and_several_files_as_haproxy_takes_them(tmp_path: Path) -> None:
    from zcheck.parsers import clients_ini

    folder = tmp_path / "conf.d"
    folder.mkdir()
    for name in ("20-b.cfg", "10-a.cfg", ".hidden.cfg", "30-c.cfg.orig", "15-B.cfg"):
        (folder / name).write_text(f"backend {name[3]}\n server a 127.0.0.1:1\n")
    (tmp_path / "main.cfg").write_text("backend main\n server a 127.0.0.1:1\n")
    text = "[client:a]\naddress = a:1\n[balancer:front]\ntype = haproxy\nconfig = main.cfg conf.d\n"
    found = clients_ini.parse(text, str(tmp_path / "clients.ini"))
    read = program.read_config(found.balancers[0], found, lambda path: Path(path).read_text())
    assert ["main", "a", "B", "b"] == [one.name for one in read.balancing]
    shutil.rmtree(folder)
    read = program.read_config(found.balancers[0], found, lambda path: Path(path).read_text())
    assert ["unread"] == [fault.kind for fault in read.faults]


# --- variables outside of quotes -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        pytest.param("refused", "timeout connect $TC", id="a time"),
        pytest.param("refused", "balance $WAY", id="the way of balancing"),
        pytest.param("refused", "log 127.0.0.1 local0 $LEVEL", id="a log's level"),
        pytest.param("refused", "server a 127.0.0.1:1 check inter $INTER", id="an interval"),
        pytest.param("refused", "server a 127.0.0.1:1 check fall $FALL", id="a count of checks"),
        pytest.param("unmeant", "retries $RETRIES", id="a number that becomes 0"),
        pytest.param("unmeant", "server a 127.0.0.1:1 weight $WEIGHT", id="a weight that becomes 0"),
        pytest.param("unmeant", "server a 127.0.0.1:1 maxconn $MAX", id="a limit that becomes none"),
        pytest.param("unmeant", "cookie $NAME insert", id="a name"),
    ],
)
@needs_haproxy
def test_a_variable_outside_of_quotes_is_what_haproxy_takes_it_for(kind: str, line: str, tmp_path: Path) -> None:
    text = f"""global
 maxconn 100
defaults
 mode http
 timeout connect 1s
 timeout client 1s
 timeout server 1s
frontend www
 bind 127.0.0.1:1
 default_backend zope
backend zope
 {line}
"""
    (fault,) = parsed(text).faults
    assert (kind, 12) == (fault.kind, fault.line)
    assert "with the quotes" in fault.hint
    path = tmp_path / "haproxy.cfg"
    path.write_text(text)
    judged = program.check([str(path)], 30.0)
    assert isinstance(judged, HaproxyRun)
    assert (kind == "refused") == (not judged.starts)


def test_in_addresses_variables_count_without_quotes_too() -> None:
    text = "global\n setenv H 10.0.0.1\nbackend zope\n server a $H:${P}\n server b ${H}:8080\n server c 10.0.0.3:$P\n"
    found = parsed(text)
    assert () == found.faults
    first, second, third = found.balancing[0].servers
    assert ("10.0.0.1:${P}", ("P",)) == (first.address, first.line.unresolved)
    assert ("10.0.0.1", 8080, ()) == (second.host, second.port, second.line.unresolved)
    assert ("10.0.0.3", None, None) == (third.host, third.port, third.shift)


def test_a_weight_that_is_no_number_is_0_as_for_haproxy() -> None:
    (server,) = section("backend zope\n server a 10.0.0.1:1 weight $W\n").servers
    assert server.is_weightless


@pytest.mark.parametrize(
    ("expected", "address"),
    [(None, "10.0.0.1:8080"), (0, "10.0.0.1"), (1000, "10.0.0.1:+1000"), (-1, "[::1]:-1"), (0, "[::1]"), (None, "/s")],
)
def test_what_is_added_to_the_port_by_which_the_user_came(expected: int | None, address: str) -> None:
    (server,) = section(f"backend zope\n server a {address}\n").servers
    assert expected == server.shift


def test_a_configuration_that_listens_nowhere_is_told(tmp_path: Path) -> None:
    text = "defaults\n mode http\nbackend zope\n server a 127.0.0.1:1\n"
    (fault,) = haproxy_cfg.no_listener(parsed(text))
    assert ("refused", 3) == (fault.kind, fault.line)
    for more in ("frontend www\n bind :80\n", "listen www 127.0.0.1:80\n", "frontend a\n bind unix@/run/x\n"):
        assert [] == list(haproxy_cfg.no_listener(parsed(text + more)))
    if program.program() is not None:
        path = tmp_path / "haproxy.cfg"
        path.write_text(text)
        judged = program.check([str(path)], 30.0)
        assert isinstance(judged, HaproxyRun)
        assert not judged.starts
        assert "no listener" in judged.alerts[0].text


def test_a_last_line_of_blanks_is_refused_as_well() -> None:
    (fault,) = parsed("frontend www\n bind :80\n   ").faults
    assert "no line end" in fault.message
