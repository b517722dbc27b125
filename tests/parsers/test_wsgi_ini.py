"""zope.ini as PasteDeploy and waitress read it; what cannot be known is left open, with its line."""

from __future__ import annotations

import configparser
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zcheck.facts import LeftOut, NotGathered, WsgiConf, ZopeConf
from zcheck.parsers import zope_conf as zopeconf
from zcheck.parsers.wsgi_ini import (
    _Fault,
    another_conf,
    candidates,
    from_zope2,
    is_started_with,
    of_client,
    parse,
    read_ini,
)

APP = "[app:zope]\nuse = egg:Zope#main\nzope_conf = %(here)s/zope.conf\n"
WAITRESS = "[server:main]\nuse = egg:waitress#main\n"
RECIPE = (
    "[server:main]\npaste.server_factory = plone.recipe.zope2instance:main\nuse = egg:plone.recipe.zope2instance#main\n"
)
PASTE = "[server:main]\nuse = egg:Paste#http\n"
PYRUVATE = "[server:main]\nuse = egg:pyruvate#main\n"


def listened(conf: WsgiConf) -> list[str]:
    """Where it listens: addresses, unix sockets, and ``?`` where there may be more."""
    return [*map(str, conf.listen), *conf.unix_sockets, *(["?"] if conf.listens_elsewhere else [])]


LISTENING = {
    "waitress, told nothing": (["*:8080"], WAITRESS),
    "waitress, host and port": (["127.0.0.1:8080"], WAITRESS + "host = 127.0.0.1\nport = 8080\n"),
    "waitress, host alone": (["10.0.0.1:8080"], WAITRESS + "host = 10.0.0.1\n"),
    "waitress, port alone": (["*:8081"], WAITRESS + "port: 8081\n"),
    "every interface by number": (["*:8081"], WAITRESS + "host = 0.0.0.0\nport = 8081\n"),
    "listen": (["a:1", "b:2", "*:3", "*:8080"], WAITRESS + "listen = a:1 b:2 [::]:3 *:8080\n"),
    "listen over several lines": (["a:1", "b:2"], WAITRESS + "listen =\n    a:1\n    b:2\n"),
    "listen without a port": (["localhost:8080"], WAITRESS + "listen = localhost\n"),
    "listen on an IPv6 address": (["[fd00::1]:8081"], WAITRESS + "listen = [fd00::1]:8081\n"),
    "listen on an IPv6 address without a port": (["[fd00::1]:8080"], WAITRESS + "listen = [fd00::1]\n"),
    "fastlisten": (
        ["*:8080", "127.0.0.1:8081"],
        "[server:main]\npaste.server_factory = waitress_fastlisten:main\nuse = egg:waitress_fastlisten#main\n"
        "fast-listen = 0.0.0.0:8080 127.0.0.1:8081\n",
    ),
    "fastlisten by its factory, told to listen": (
        ["10.0.0.1:8080"],
        "[server:main]\npaste.server_factory = waitress_fastlisten:server_factory\nlisten = 10.0.0.1:8080\n",
    ),
    "bjoern": (["*:8080"], "[server:main]\nuse = egg:dataflake.wsgi.bjoern#main\nport = 8080\n"),
    "bjoern, host and port": (
        ["10.0.0.1:8080"],
        "[server:main]\nuse = egg:dataflake.wsgi.bjoern#main\nhost = 10.0.0.1\nport = 8080\n",
    ),
    "bjoern, listen": (["*:8081"], "[server:main]\nuse = egg:dataflake.wsgi.bjoern#main\nlisten = 8081\n"),
    "bjoern, any port": (["?"], "[server:main]\nuse = egg:dataflake.wsgi.bjoern#main\n"),
    "cheroot, told nothing": (["*:8080"], "[server:main]\nuse = egg:dataflake.wsgi.cheroot#main\n"),
    "cheroot": (
        ["127.0.0.1:8081"],
        "[server:main]\nuse = egg:dataflake.wsgi.cheroot#main\nhost = 127.0.0.1\nport = 8081\n",
    ),
    "unix socket": (["/run/zope.sock"], WAITRESS + "unix_socket = /run/zope.sock\n"),
    "egg without an entry": (["*:8081"], "[server:main]\nuse = egg:Waitress\nport = 8081\n"),
    "the recipe": (["*:8080"], RECIPE + "fast-listen = 0.0.0.0:8080\n"),
    "the recipe, several": (["*:8080", "127.0.0.1:8081"], RECIPE + "fast-listen = 0.0.0.0:8080 127.0.0.1:8081\n"),
    "the recipe, every interface": (["*:8080"], RECIPE + "fast-listen = :8080\n"),
    "the recipe without fast-listen": (["*:8081"], RECIPE + "listen = 0.0.0.0:8081\n"),
    "the recipe by its factory": (
        ["*:8081"],
        "[server:main]\npaste.server_factory = plone.recipe.zope2instance:main\nfast-listen = 0.0.0.0:8081\n",
    ),
    "paste, told nothing": (["127.0.0.1:8080"], PASTE),
    "paste": (["10.0.0.1:8081"], PASTE + "host = 10.0.0.1\nport = 8081\n"),
    "paste, port in the host": (["10.0.0.1:8081"], PASTE + "host = 10.0.0.1:8081\n"),
    "paste, empty host": (["127.0.0.1:8081"], PASTE + "host =\nport = 8081\n"),
    "pyruvate": (["localhost:8080"], PYRUVATE + "socket = localhost:8080\nworkers = 2\n"),
    "pyruvate by systemd": (["?"], PYRUVATE + "workers = 2\n"),
    "gunicorn": (["?"], "[server:main]\nuse = egg:gunicorn#main\nhost = 0.0.0.0\nport = 8080\n"),
    "Zope's own name for a server": (["?"], "[server:main]\nuse = egg:Zope#main\nport = 8080\n"),
    "another file's server": (["?"], "[server:main]\nuse = config:server.ini\n"),
    "the only server": (["*:8081"], "[server:public]\nuse = egg:waitress\nport = 8081\n"),
    "main among several": (["*:8081"], WAITRESS + "port = 8081\n[server:other]\nuse = egg:waitress\nport = 8082\n"),
    "several and no main": (["?"], "[server:a]\nuse = egg:waitress\n[server:b]\nuse = egg:waitress\n"),
    "no server": (["?"], APP),
    "a variable of the command": (["?"], WAITRESS + "port = %(http_port)s\n"),
    "a variable that does not matter": (["*:8081"], WAITRESS + "port = 8081\nident = %(name)s\n"),
    "a default": (["*:8082"], "[DEFAULT]\nhttp_port = 8082\n" + WAITRESS + "port = %(http_port)s\n"),
    "a default of a default": (
        ["*:8082"],
        "[DEFAULT]\nbase = 80\nhttp_port = %(base)s82\n" + WAITRESS + "port = %(http_port)s\n",
    ),
    "a key of the section itself": (["*:8082"], WAITRESS + "backlog = 8082\nport = %(backlog)s\n"),
    "a key that is a default too": (["*:8080"], "[DEFAULT]\nport = 8082\n" + WAITRESS + "port = 8081\n"),
    "fetched from the defaults": (["*:8082"], "[DEFAULT]\nhttp = 8082\n" + WAITRESS + "get port = http\n"),
    "fetched from nowhere": (["?"], WAITRESS + "get port = http\n"),
    "comments": (["*:8081"], "# port = 1\n; port = 2\n" + WAITRESS + "; port = 3\nport = 8081\n  # port = 4\n"),
    "log formats": (["*:8081"], WAITRESS + "port = 8081\n[formatter_x]\nformat = %(asctime)s %d\n"),
    "Windows line ends": (["*:8081"], (WAITRESS + "port = 8081\n").replace("\n", "\r\n")),
    "bad interpolation": (["?"], WAITRESS + "port = 80%81\n"),
    "waitress refuses a mixture": (["?"], WAITRESS + "listen = *:8080\nport = 8080\n"),
    "waitress refuses a socket and a port": (["?"], WAITRESS + "unix_socket = /x\nport = 8080\n"),
    "fast-listen and listen": (["?"], RECIPE + "fast-listen = :8080\nlisten = :8080\n"),
    "a port for a host": (["?"], WAITRESS + "listen = 8080\n"),
    "no host": (["?"], WAITRESS + "listen = :8080\n"),
    "a service name": (["?"], WAITRESS + "port = http\n"),
    "no port that exists": (["?"], WAITRESS + "port = 80800\n"),
}


@pytest.mark.parametrize(("expected", "text"), LISTENING.values(), ids=LISTENING)
def test_where_it_listens(expected: list[str], text: str) -> None:
    conf = parse(text, "etc/zope.ini")
    assert expected == listened(conf)
    assert conf.listens_elsewhere == bool(conf.faults)


# The same files, as the programs that read them in earnest understand them.
BY_WAITRESS = [name for name in LISTENING if name.startswith(("waitress", "listen", "every", "a default", "a key"))]


@pytest.mark.parametrize("name", BY_WAITRESS)
def test_paste_and_waitress_agree(name: str, tmp_path: Path) -> None:
    from paste.deploy.loadwsgi import SERVER, loadcontext
    from waitress.adjustments import Adjustments

    expected, text = LISTENING[name]
    if any(word[:2] in ("a:", "b:") for word in expected):
        text = text.replace("a:1", "127.0.0.1:1").replace("b:2", "127.0.0.2:2").replace("[::]:3", "")
    path = tmp_path / "zope.ini"
    path.write_text(text.replace("fd00::1", "::1"))
    options = loadcontext(SERVER, f"config:{path}", global_conf={}).local_conf
    if expected == ["?"]:
        with pytest.raises(ValueError):
            Adjustments(**options)
        return
    theirs = {(address[0], address[1]) for *_, address in Adjustments(**options).listen}
    ours = parse(path.read_text(), str(path))
    for host, port in theirs:
        assert (host if host not in ("0.0.0.0", "::") else "*", port) in {
            ("127.0.0.1" if listen.host == "localhost" and host == "127.0.0.1" else listen.host, listen.port)
            for listen in ours.listen
        } or host == "::1"
    assert {port for _, port in theirs} == {listen.port for listen in ours.listen}


FAULTS = {
    "before any section": ("refused", "stands before any [section]", 1, "port = 8080\n"),
    "no key": ("refused", "'key = value'", 3, WAITRESS + "port\n"),
    "a key twice": ("refused", "a second port", 4, WAITRESS + "port = 1\nport = 2\n"),
    "a section twice": ("refused", "a second [server:main]", 3, WAITRESS + WAITRESS),
    "no server named": ("refused", "which server", None, "[server:main]\nport = 8080\n"),
    "mixture": ("refused", "listen together with port", 4, WAITRESS + "listen = *:8080\nport = 8080\n"),
    "threads": ("refused", "no number", 3, WAITRESS + "threads = many\n"),
    "a lone percent sign": ("refused", "'%'", 3, WAITRESS + "port = 100%\n"),
    "itself": ("refused", "references", 3, WAITRESS + "port = %(port)s\n"),
    "unknown server": ("unread", "egg:gunicorn#main", 2, "[server:main]\nuse = egg:gunicorn#main\n"),
    "unknown variable": ("unread", "%(http_port)s", 3, WAITRESS + "port = %(http_port)s\n"),
    "buildout": ("refused", "template", 3, WAITRESS + "port = ${ports:plone}\n"),
    "buildout's own lines": ("refused", "template", 2, "[server:main]\n${part:lines}\n"),
    "Python's formatting": ("refused", "template", 2, "[server:main]\n%(server_main)s\n"),
    "Python's formatting of a key": ("refused", "template", 3, RECIPE[:14] + "use = x\n%(fast)slisten = :80\n"),
    "a skeleton": ("refused", "template", 3, WAITRESS + "host = <<HOST>>\n"),
    "too large": ("unread", "MiB", None, "#" * (1024 * 1024 + 1)),
}


@pytest.mark.parametrize(("kind", "message", "line", "text"), FAULTS.values(), ids=FAULTS)
def test_what_is_told(kind: str, message: str, line: int | None, text: str) -> None:
    (fault,) = parse(text, "zope.ini").faults
    assert (kind, line) == (fault.kind, fault.line)
    assert message in fault.message


THREADS = {
    "waitress": (4, WAITRESS),
    "waitress, told": (2, WAITRESS + "threads = 2\n"),
    "the recipe": (8, RECIPE + "fast-listen = :8080\nthreads = 8\n"),
    "paste": (10, PASTE),
    "pyruvate": (2, PYRUVATE + "socket = :8080\nworkers = 2\n"),
    "not known": (None, "[server:main]\nuse = egg:gunicorn#main\nthreads = 3\n"),
}


@pytest.mark.parametrize(("expected", "text"), THREADS.values(), ids=THREADS)
def test_threads(expected: int | None, text: str) -> None:
    assert expected == parse(text, "zope.ini").threads


ZOPE_CONFS = {
    "here": ("app1/etc/zope.conf", APP),
    "absolute": ("/srv/zope.conf", "[app:zope]\nuse = egg:Zope#main\nzope_conf = /srv/./zope.conf\n"),
    "none": (None, WAITRESS),
    "unknown variable": (None, "[app:zope]\nzope_conf = %(here)s/%(config_file)s\n"),
    "up and down": ("app1/zope.conf", "[app:zope]\nzope_conf = %(here)s/../zope.conf\n"),
    "two, one is served": (
        "app1/etc/b.conf",
        "[app:a]\nzope_conf = a.conf\n[app:b]\nzope_conf = %(here)s/b.conf\n[pipeline:main]\npipeline =\n x\n b\n",
    ),
    "two, none is served": (None, "[app:a]\nzope_conf = a.conf\n[app:b]\nzope_conf = b.conf\n"),
}


@pytest.mark.parametrize(("expected", "text"), ZOPE_CONFS.values(), ids=ZOPE_CONFS)
def test_the_zope_conf_it_names(expected: str | None, text: str) -> None:
    conf = parse(text, "app1/etc/zope.ini")
    assert expected == conf.zope_conf
    if expected is not None:
        line = conf.first("zope_conf")
        assert line is not None
        assert text.splitlines()[line.line - 1].startswith("zope_conf")


def test_variables_of_the_command_are_used_where_they_are_known() -> None:
    text = "[app:zope]\nzope_conf = %(here)s/%(config_file)s\n" + WAITRESS + "port = %(http_port)s\n"
    conf = parse(text, "/etc/zope.ini", {"http_port": "8085", "config_file": "zeo.conf"})
    assert (["*:8085"], "/etc/zeo.conf", ()) == (listened(conf), conf.zope_conf, conf.faults)


def test_a_default_wins_over_a_variable_of_the_command() -> None:
    text = "[DEFAULT]\nhttp_port = 8082\n" + WAITRESS + "port = %(http_port)s\n"
    assert ["*:8082"] == listened(parse(text, "zope.ini", {"http_port": "8085"}))


def test_lines_are_kept() -> None:
    conf = parse(APP + "\n" + WAITRESS + "host = 127.0.0.1\nport = 8080\nthreads = 2\n", "zope.ini")
    lines = {setting.key: setting.line for setting in conf.settings}
    assert {"zope_conf": 3, "use": 6, "host": 7, "port": 8, "threads": 9} == lines


def test_a_file_at_the_folder_of_the_run() -> None:
    assert "zope.conf" == parse(APP, "zope.ini").zope_conf


def test_nothing_secret_is_kept() -> None:
    text = WAITRESS + "port = 8080\nsecret_key = hunter2\nurl = http://u:hunter2@host/\nhost = http://u:hunter2@h\n"
    assert "hunter2" not in repr(parse(text, "zope.ini"))


@settings(deadline=None, max_examples=400)
@given(
    st.lists(
        st.one_of(
            st.sampled_from(
                ["[a]", "[b]", "[DEFAULT]", "k = v", " w", "\tw = x", "", "  ", "# c", " ; c", "k2: v", "= x"]
            ),
            st.text(alphabet="[]=: #;ak\t", max_size=8),
        ),
        max_size=12,
    )
)
def test_the_syntax_is_that_of_configparser(lines: list[str]) -> None:
    text = "\n".join(lines)
    theirs = configparser.RawConfigParser()
    theirs.optionxform = str  # type: ignore[assignment,method-assign]
    try:
        theirs.read_string(text)
        expected = {name: dict(theirs._sections[name]) for name in theirs.sections()}  # type: ignore[attr-defined]
        expected |= {"DEFAULT": dict(theirs.defaults())} if theirs.defaults() else {}
    except configparser.Error:
        with pytest.raises(_Fault):
            read_ini(text)
        return
    ours = {name: {k: option.value for k, option in keys.items()} for name, keys in read_ini(text).items()}
    assert expected == {name: keys for name, keys in ours.items() if keys or name != "DEFAULT"}


@settings(deadline=None, max_examples=300)
@given(st.text(max_size=300), st.text(alphabet="%()s{}$<>[]=:\n ak", max_size=120))
def test_nothing_is_raised(anything: str, syntax: str) -> None:
    for text in (anything, syntax, WAITRESS + syntax, "[server:main]\nuse=egg:waitress\nport=" + syntax):
        assert isinstance(parse(text, "zope.ini"), WsgiConf)


HOSTILE = {
    "references to references": "".join(f"k{n} = " + f"%(k{n + 1})s" * 1000 + "\n" for n in range(9))
    + "port = %(k0)s\n",
    "half references": "port = " + "%(" * 200_000,
    "half placeholders": "port = " + "${" * 200_000 + "{{" * 100_000,
    "blanks": "port = 1\nx" + " " * 900_000 + "y\n",
    "brackets": "[" * 900_000,
    "continuations": "port =\n" + " 1\n" * 300_000,
    "many options": "".join(f"k{n} = 1\n" for n in range(70_000)),
    "many sections": "".join(f"[s{n}]\n" for n in range(90_000)),
    "NUL": "port = 80\0\n",
    "escape sequences": "port = \x1b[31m80\n",
}


@pytest.mark.parametrize("lines", HOSTILE.values(), ids=HOSTILE)
def test_hostile_files_take_little_time(lines: str) -> None:
    started = time.process_time()
    conf = parse(WAITRESS + lines, "zope.ini")
    assert isinstance(conf, WsgiConf)
    assert time.process_time() - started < 5


# --- which file a client is started with ----------------------------------------------------------


def ini(zope_conf: str, file: str = "app1/etc/zope.ini") -> WsgiConf:
    return parse(f"[app:zope]\nzope_conf = {zope_conf}\n", file)


STARTED = {
    "beside it": (True, ini("%(here)s/zope.conf"), "app1/etc/zope.conf"),
    "another spelling": (True, ini("%(here)s/../etc/zope.conf"), "./app1/etc/zope.conf"),
    "another file beside it": (False, ini("%(here)s/zope_8085.conf"), "app1/etc/zope.conf"),
    "a copy": (None, ini("/srv/app1/etc/zope.conf"), "app1/etc/zope.conf"),
    "a copy of a Windows file": (None, ini("C:\\app1\\etc\\zope.conf"), "app1/etc/zope.conf"),
    "another name": (False, ini("/srv/app1/etc/zeo.conf"), "app1/etc/zope.conf"),
    "not known": (None, ini("%(config_file)s"), "app1/etc/zope.conf"),
    "not named": (None, parse(WAITRESS, "zope.ini"), "zope.conf"),
    "here is the folder of the run": (True, ini("%(here)s/zope.conf", "zope.ini"), "zope.conf"),
}


@pytest.mark.parametrize(("expected", "conf", "zope_conf"), STARTED.values(), ids=STARTED)
def test_whether_it_starts_this_zope_conf(expected: bool | None, conf: WsgiConf, zope_conf: str) -> None:
    assert expected is is_started_with(conf, zope_conf)
    fault = another_conf(conf, zope_conf)
    assert (expected is False) == (fault is not None)
    assert fault is None or (fault.kind, fault.line, fault.file) == ("unread", 2, conf.file)


def test_candidates_stand_beside_zope_conf() -> None:
    assert ("app1/etc/zope.ini", "app1/etc/wsgi.ini") == candidates("app1/etc/zope.conf")
    assert ("zope.ini", "wsgi.ini") == candidates("zope.conf")


def zope2(text: str, **env: str) -> ZopeConf:
    def read(path: str) -> str:
        raise OSError(path)

    return zopeconf.parse(text, "etc/zope.conf", env, read)


SERVER = "<http-server>\n address {}\n</http-server>\n"
ZOPE2 = {
    "a port": (["*:8080"], SERVER.format("8080")),
    "host and port": (["127.0.0.1:8080"], SERVER.format("127.0.0.1:8080")),
    "IPv6": (["[fd00::1]:8080"], SERVER.format("[fd00::1]:8080")),
    "port-base": (["*:9080"], "port-base 1000\n" + SERVER.format("8080")),
    "ip-address": (["10.0.0.1:8080"], "ip-address 10.0.0.1\n" + SERVER.format("8080")),
    "ip-address and a host": (["10.0.0.2:8080"], "ip-address 10.0.0.1\n" + SERVER.format("10.0.0.2:8080")),
    "two servers": (["*:8080", "*:8081"], SERVER.format("8080") + SERVER.format("8081")),
    "a definition": (["*:8085"], "%define HTTP_PORT 8085\n" + SERVER.format("$HTTP_PORT")),
    "a variable": (["*:8085"], SERVER.format("$(PORT)")),
    "an unknown variable": (["?"], SERVER.format("$(NOBODY)")),
    "no port": (["?"], SERVER.format("localhost")),
    "no such server": (None, "debug-mode on\n"),
}


@pytest.mark.parametrize(("expected", "text"), ZOPE2.values(), ids=ZOPE2)
def test_zope_2_says_it_in_zope_conf(expected: list[str] | None, text: str) -> None:
    conf = from_zope2(zope2(text, PORT="8085"))
    assert expected == (None if conf is None else listened(conf))


def test_threads_of_zope_2() -> None:
    conf = from_zope2(zope2("zserver-threads 3\n" + SERVER.format("8080")))
    assert conf is not None
    assert 3 == conf.threads


class Disk:
    """Files by path; what is no string cannot be read."""

    def __init__(self, files: Mapping[str, str | None]) -> None:
        self.files = files

    def read(self, path: str) -> str | None:
        if path in self.files and self.files[path] is None:
            raise PermissionError(f"{path}: Permission denied")
        return self.files.get(path)


BOTH = APP + WAITRESS + "port = {}\n"
ANOTHERS = BOTH.format(1).replace("zope.conf", "zope_8085.conf")
OF_CLIENT = {
    "beside zope.conf": (["*:8081"], {"etc/zope.ini": BOTH.format(8081)}, None, ""),
    "the recipe's": (["*:8081"], {"etc/wsgi.ini": BOTH.format(8081)}, None, ""),
    "zope.ini before wsgi.ini": (["*:1"], {"etc/zope.ini": BOTH.format(1), "etc/wsgi.ini": BOTH.format(2)}, None, ""),
    "of another client": (["*:2"], {"etc/zope.ini": ANOTHERS, "etc/wsgi.ini": BOTH.format(2)}, None, ""),
    "named": (["*:3"], {"etc/zope.ini": BOTH.format(1), "x.ini": BOTH.format(3)}, "x.ini", ""),
    "named and missing": (NotGathered, {"etc/zope.ini": BOTH.format(1)}, "x.ini", ""),
    "named and unreadable": (NotGathered, {"x.ini": None}, "x.ini", ""),
    "beside and unreadable": (NotGathered, {"etc/zope.ini": None}, None, ""),
    "Zope 2": (["*:8080"], {}, None, SERVER.format("8080")),
    "none": (LeftOut, {}, None, "debug-mode on\n"),
}  # fmt: skip


@pytest.mark.parametrize(("expected", "files", "named", "conf"), OF_CLIENT.values(), ids=OF_CLIENT)
def test_the_file_of_a_client(
    expected: list[str] | type, files: Mapping[str, str | None], named: str | None, conf: str
) -> None:
    found = of_client("etc/zope.conf", named, zope2(conf), Disk(files).read)
    if isinstance(expected, type):
        assert isinstance(found, expected)
    else:
        assert isinstance(found, WsgiConf)
        assert expected == listened(found)


# --- files that nobody on this project wrote --------------------------------------------------------

CORPUS: dict[str, tuple[list[str], int | None, str | None]] = {
    "EU-OSHA__oira.application.buildout__templates__wsgi.ini": (["?"], None, "template"),
    "PythonMexico__pythonmx_site__templates__plone.ini.in": (["?"], None, "template"),
    "collective__collective.imagemaps__instance__etc__zope.ini": (["localhost:8080"], 2, None),
    "collective__plone-classicui-pdm-installer__skel__etc__zope.ini.in": (["127.0.0.1:8080"], 4, None),
    "collective__plone4wsgi.buildout__etc__zope2.ini": (["127.0.0.1:8080"], 10, None),
    "euphorie__euphorie-project__templates__wsgi.ini": (["?"], None, "template"),
    "gandie__ZopeBoyAdvanced__zope__etc__zope.ini": (["127.0.0.1:8080"], 4, None),
    "plone__buildout.coredev__instance__etc__zope.ini": (["localhost:8080"], 4, None),
    "plone__buildout.coredev__templates__waitress.ini": (["?"], None, "template"),
    "plumi__plumi.app__templates__development.in": (["?"], None, "template"),
    "plumi__plumi.app__templates__production.in": (["?"], None, "template"),
    "sixfeetup__dietplonedocker__etc__wsgi.ini": (["*:8080"], 2, None),
    "zms-publishing__ZMS3__docker__zope__etc__zope.ini": (["127.0.0.1:8080"], 4, None),
    "zms-publishing__ZMS__docker__alpine__etc__zope.ini": (["?"], None, "%(http_port)s"),
    "zms-publishing__ZMS__docker__base__zope.ini": (["?"], None, "%(http_port)s"),
    "zms-publishing__ZMS__docker__variants__alpine__etc__zope.ini": (["?"], None, "%(http_port)s"),
    "zms-publishing__ZMS__docker__variants__relstorage__etc__zope.ini": (["*:8080"], 4, None),
    "zms-publishing__ZMS__docker__variants__relstorage__etc__zope_debug.ini": (["*:8081"], 4, None),
    "zms-publishing__ZMS__docker__variants__ubuntu__etc__zope.ini": (["*:8080"], 4, "%(http_port)s"),
    "zms-publishing__ZMS__docker__variants__ubuntu__etc__zope_8085.ini": (["*:8080"], 4, None),
    "zms-publishing__ZMS__docker__variants__ubuntu__etc__zope_8086.ini": (["*:8080"], 4, None),
    "zms-publishing__ZMS__docker__zope.ini": (["?"], None, "%(http_port)s"),
    "zms-publishing__ZMS__docker__zope__etc__zope.ini": (["*:80"], 4, None),
}


def test_every_ini_of_the_corpus_is_read_rightly(corpus: Path) -> None:
    found = {}
    for path in sorted((corpus / "wsgi").iterdir()):
        conf = parse(path.read_text(encoding="utf-8", errors="surrogateescape"), str(path))
        expected = CORPUS.get(path.name)
        # A file that this table does not know is read without a crash, and told as what it is.
        if expected is not None:
            fault = conf.faults[0].message if conf.faults else None
            named = expected[2] if fault is not None and expected[2] is not None and expected[2] in fault else fault
            found[path.name] = (listened(conf), conf.threads, named)
    assert {name: CORPUS[name] for name in found} == found
    assert found


def test_an_ini_of_the_corpus_may_start_a_zope_conf_that_is_not_there(corpus: Path) -> None:
    folder = corpus / "sets" / "zms-ubuntu"
    path = folder / "zope_8085.ini"
    conf = parse(path.read_text(encoding="utf-8"), str(path))
    assert is_started_with(conf, str(folder / "zope_8085.conf")) is False
    assert str(folder / "zope_zope_8085.conf") == conf.zope_conf


@pytest.mark.parametrize("line", ["{% if threads %}", "<% if threads %>", "{# a note #}", "threads = {% x %}"])
def test_what_another_program_fills_in_is_told_as_a_template(line: str) -> None:
    (fault,) = parse(f"{APP}{WAITRESS}{line}\n", "zope.ini").faults
    assert "this is a template" in fault.message


FILTER = "[filter:errors]\nuse = egg:Zope#httpexceptions\n"


@pytest.mark.parametrize(
    ("lacks", "text"),
    [
        pytest.param(True, "[pipeline:main]\npipeline = zope\n", id="Zope alone"),
        pytest.param(True, "[pipeline:main]\npipeline =\n  egg:paste#evalerror\n  zope\n", id="another filter"),
        pytest.param(False, "[pipeline:main]\npipeline = egg:Zope#httpexceptions zope\n", id="by its egg"),
        pytest.param(False, "[pipeline:main]\npipeline = errors zope\n" + FILTER, id="by a section"),
        pytest.param(
            False,
            "[pipeline:main]\npipeline = mine zope\n[filter:mine]\npaste.filter_factory = a:b\n",
            id="who knows what that does",
        ),
        pytest.param(False, "[pipeline:main]\npipeline = nowhere zope\n", id="a section that is not there"),
        pytest.param(False, "", id="no pipeline"),
    ],
)
def test_a_pipeline_without_httpexceptions(lacks: bool, text: str) -> None:
    conf = parse(APP + WAITRESS + text, "zope.ini")
    assert lacks == (conf.lacks_httpexceptions is not None)


def test_variables_of_urls_stand_in_nobodys_way() -> None:
    conf = parse(APP + WAITRESS + "port = 8080\ntrusted_proxy = %(proxy)s\nurl_scheme = https\n", "zope.ini")
    assert ["*:8080"] == listened(conf)
    assert () == conf.faults
    proxy, scheme = conf.url_settings
    assert ("trusted_proxy", ("trusted_proxy",)) == (proxy.key, proxy.unresolved)
    assert ("url_scheme", "https", ()) == (scheme.key, scheme.value, scheme.unresolved)
    known = parse(APP + WAITRESS + "trusted_proxy = %(proxy)s\n", "zope.ini", {"proxy": "10.0.0.9"})
    assert ["10.0.0.9"] == [setting.value for setting in known.url_settings]
