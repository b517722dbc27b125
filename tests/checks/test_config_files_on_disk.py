"""What only the files themselves show: byte order marks, variables, inis that start something else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from zcheck import cli

ZOPE_CONF = "instancehome /srv/{0}\n<zodb_db main>\n<zeoclient>\nserver {1}\n</zeoclient>\nmount-point /\n</zodb_db>\n"
INI = "[app:zope]\nuse = egg:Zope#main\nzope_conf = %(here)s/{0}\n[server:main]\nuse = egg:waitress#main\nport = 8080\n"
HOSTS = "[hosts]\nzeo1 = 10.0.1.1\nzeo2 = 10.0.1.2\n"
LOGGING = "[loggers]\nkeys = root\n[handlers]\nkeys = log\n[handler_log]\nclass = FileHandler\nargs = {0}\n"


class Folder:
    """A folder with clients a and b, each healthy, and what zcheck says of it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.more = ""
        self.lines = {"a": "", "b": ""}
        for name in "ab":
            (path / name).mkdir()
            self.write(f"{name}/zope.conf", ZOPE_CONF.format(name, "zeo1:8100"))
            self.write(f"{name}/zope.ini", INI.format("zope.conf"))

    def write(self, name: str, text: str) -> None:
        (self.path / name).write_text(text, encoding="utf-8")

    def found(self, capsys: pytest.CaptureFixture[str]) -> list[tuple[str, str, str, str]]:
        """Severity, clients, check and message of each finding but advice."""
        text = "[cluster]\nname = x\n"
        for number, (name, lines) in enumerate(self.lines.items(), 1):
            text += f"[client:{name}]\naddress = 10.0.0.{number}:8080\nzope-conf = {name}/zope.conf\n{lines}\n"
        self.write("clients.ini", text + self.more + HOSTS)
        cli.main(["preflight", "--offline", "-o", "json", str(self.path / "clients.ini")])
        findings = json.loads(capsys.readouterr().out)["findings"]
        return [
            (one["severity"], " ".join(one["clients"]), one["check"], one["message"])
            for one in findings
            if one["severity"] != "ADVICE"
        ]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_healthy(folder: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    assert [] == folder.found(capsys)


def test_a_byte_order_mark(folder: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    folder.write("a/zope.conf", "\ufeff" + ZOPE_CONF.format("a", "zeo1:8100"))
    ((severity, clients, check, message),) = folder.found(capsys)
    assert ("CRITICAL", "a", "zope-conf-parses") == (severity, clients, check)
    assert "byte order mark" in message


def test_a_byte_order_mark_in_an_included_file(folder: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    folder.write("a/zope.conf", ZOPE_CONF.format("a", "zeo1:8100") + "%include more.conf\n")
    folder.write("b/zope.conf", ZOPE_CONF.format("b", "zeo1:8100") + "%include more.conf\n")
    folder.write("a/more.conf", "\ufeff<environment>\nTZ UTC\n</environment>\n")
    folder.write("b/more.conf", "<environment>\nTZ UTC\n</environment>\n")
    ((severity, clients, check, _),) = folder.found(capsys)
    assert ("CRITICAL", "a", "zope-conf-parses") == (severity, clients, check)


def test_a_byte_order_mark_in_zeo_conf(folder: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    folder.more = "[zeo:main]\naddress = zeo1:8100\nmachine = zeo1\nconf = zeo.conf\n"
    conf = "<zeo>\naddress 8100\n</zeo>\n<filestorage 1>\npath /srv/Data.fs\n</filestorage>\n"
    folder.write("zeo.conf", conf)
    assert [] == folder.found(capsys)
    folder.write("zeo.conf", "\ufeff" + conf)
    ((severity, _, check, _),) = folder.found(capsys)
    assert ("CRITICAL", "zeo-conf-is-valid") == (severity, check)


def test_an_ini_that_starts_another_conf(folder: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    folder.write("b/zope.ini", INI.format("zope_prod.conf"))
    folder.write("b/zope_prod.conf", ZOPE_CONF.format("b", "zeo2:8100"))
    ((severity, clients, check, message),) = folder.found(capsys)
    assert ("UNKNOWN", "b", "zope-conf-parses") == (severity, clients, check)
    assert "zope_prod.conf" in message


def test_an_ini_that_starts_another_client(folder: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    """Two clients of one folder, of which one alone has an ini there."""
    folder.write("a/second.conf", ZOPE_CONF.format("a2", "zeo1:8100"))
    folder.lines["b"] = ""
    text = folder.found(capsys)
    assert [] == text
    (folder.path / "b" / "zope.ini").unlink()
    folder.write("b/zope.conf", ZOPE_CONF.format("b", "zeo1:8100"))
    assert [] == folder.found(capsys)


@pytest.mark.parametrize(
    ("ok", "args"),
    [
        (True, "('/srv/a/log/event.log', 'a')"),
        (True, r"(r'C:\Users\a\event.log',)"),
        (True, "('%(here)s/event.log',)"),
        (False, r"('C:\Users\a\event.log',)"),
        (False, r"('C:\xlogs\event.log',)"),
        (False, "('/srv/a/log/event.log'"),
    ],
)
def test_a_log_handler_that_python_cannot_read(
    ok: bool, args: str, folder: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    folder.write("a/zope.ini", INI.format("zope.conf") + LOGGING.format(args))
    found = folder.found(capsys)
    assert ([] if ok else [("CRITICAL", "a")]) == [one[:2] for one in found]


def test_python_itself_refuses_such_a_handler() -> None:
    with pytest.raises(SyntaxError):
        eval(r"('C:\Users\a\event.log',)")


@pytest.mark.parametrize(
    ("expected", "a", "b"),
    [
        ([], "env.TZ = UTC", "env.TZ = UTC"),
        (["TZ, which clients.ini gives, is one for a, another for b"], "env.TZ = UTC", "env.TZ = CET"),
        (
            ["RELSTORAGE_DSN, which clients.ini gives, is set for b; not set for a"],
            "env.TZ = UTC",
            "env.TZ = UTC\nenv.RELSTORAGE_DSN = host=db password=hunter2",
        ),
        (["ZEO_ADDRESS, which", "ZEO_ADDRES, which"], "env.ZEO_ADDRESS = zeo:8100", "env.ZEO_ADDRES = zeo:8100"),
        ([], "env.LISTEN_PORT = 8081\nenv.HOSTNAME = a", "env.LISTEN_PORT = 8082\nenv.HOSTNAME = b"),
        ([], "env.DATA = /data/1", "env.DATA = /data/2"),
        ([], "env.LABEL_OF = site-a", "env.LABEL_OF = site-b"),
        ([], "env.TZ = UTC", ""),
        ([], "env.TZ = UTC", "env.TZ = UTC\nenv.QUEUE = 1\nrole = worker"),
        (["TOKEN, which clients.ini gives, is one for a, another for b"], "env-file = one.env", "env-file = two.env"),
    ],
)
def test_variables_that_no_file_uses(
    expected: list[str], a: str, b: str, folder: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    folder.write("one.env", "TOKEN=hunter2\n")
    folder.write("two.env", "TOKEN=hunter3\n")
    folder.lines = {"a": a, "b": b}
    found = [one for one in folder.found(capsys) if one[2] == "environment-agrees"]
    assert expected == [message[: len(wanted)] for (*_, message), wanted in zip(found, expected, strict=False)]
    assert len(expected) == len(found)
    assert "hunter" not in repr(found)


@pytest.mark.parametrize(
    ("expected", "text"),
    [
        ([], "ZEO=zeo1:8100\n"),
        ([], "ZEO_HOST=zeo1\nZEO=${ZEO_HOST}:8100\n"),
        ([], 'ZEO_HOST=zeo1\nZEO="${ZEO_HOST}:8100"\n'),
        ([], "ZEO_HOST=zeo1\nZEO=$ZEO_HOST:8100\n"),
        (["UNKNOWN"], "ZEO=$ZEO_HOST:8100\n"),
        (["UNKNOWN"], "ZEO=${ZEO_HOST}:8100\n"),
        (["UNKNOWN"], "ZEO=${ZEO_HOST:-zeo1}:8100\n"),
    ],
)
def test_variables_that_compose_fills_in(
    expected: list[str], text: str, folder: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    folder.write("b/zope.conf", ZOPE_CONF.format("b", "$(ZEO)"))
    folder.write("one.env", text)
    folder.lines["b"] = "env-file = one.env"
    found = folder.found(capsys)
    assert expected == sorted({severity for severity, *_ in found})


def test_the_variables_of_a_zeo_server(folder: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    folder.more = "[zeo:main]\naddress = zeo1:8100\nmachine = zeo1\nconf = zeo.conf\n"
    folder.write("zeo.conf", "<zeo>\naddress 0.0.0.0:$(ZEO_PORT)\n</zeo>\n<filestorage 1>\npath /d\n</filestorage>\n")
    ((severity, _, check, _),) = folder.found(capsys)
    assert ("UNKNOWN", "zeo-conf-serves-the-storages") == (severity, check)
    folder.more += "env.ZEO_PORT = 8100\n"
    assert [] == folder.found(capsys)
    folder.more = folder.more.replace("env.ZEO_PORT = 8100", "env-file = zeo.env")
    folder.write("zeo.env", "ZEO_PORT=8200\n")
    ((severity, _, check, _),) = folder.found(capsys)
    assert ("CRITICAL", "zeo-conf-serves-the-storages") == (severity, check)
