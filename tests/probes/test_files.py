"""Files are read bounded, never waited for, and what cannot be read is told in words."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zcheck.facts import Inventory, NotGathered, SecretFile, SecretFiles
from zcheck.parsers.clients_ini import parse
from zcheck.probes import files
from zcheck.probes.files import CannotRead, conf_reader, parse_env, read_text

LONGEST_WAIT_S = 5


def within(seconds: float, call: Callable[[], object]) -> object:
    """The result of a call or what it raised; fails where it has not come back by then."""
    found: list[object] = []

    def work() -> None:
        try:
            found.append(call())
        except Exception as error:
            found.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(seconds)
    assert found, f"still reading after {seconds} s"
    return found[0]


TEXTS = {
    "plain": (b"a\nb\n", "a\nb\n"),
    "empty": (b"", ""),
    "byte order mark": (b"\xef\xbb\xbfa", "a"),
    "not UTF-8": (b"f\xfcr", "f\udcfcr"),
    "lines of Windows stay": (b"a\r\nb", "a\r\nb"),
    "NUL": (b"a\0b", "a\0b"),
    "as large as allowed": (b"x" * 10, "x" * 10),
}


@pytest.mark.parametrize(("data", "text"), TEXTS.values(), ids=TEXTS)
def test_what_is_read(tmp_path: Path, data: bytes, text: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(data)
    assert text == read_text(str(path), 10)


def plant_link_to_itself(path: Path) -> None:
    path.symlink_to(path)


def plant_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        # The path of a socket may have about 100 bytes; relative to its folder it always fits.
        here = Path.cwd()
        os.chdir(path.parent)
        try:
            server.bind(path.name)
        finally:
            os.chdir(here)


PLANTED: dict[str, tuple[Callable[[Path], object], str]] = {
    "nothing": (lambda path: None, "No such file or directory"),
    "a folder": (Path.mkdir, "is a directory, not a file"),
    "a FIFO that nobody writes to": (os.mkfifo, "is a FIFO, not a file"),
    "a socket": (plant_socket, "is a socket, not a file"),
    "a link to a device": (lambda path: path.symlink_to("/dev/zero"), "is a device, not a file"),
    "a link to itself": (plant_link_to_itself, "Too many levels of symbolic links"),
    "one byte too many": (
        lambda path: path.write_bytes(b"x" * 11),
        "larger than 10 bytes, which no file of this kind is",
    ),
}


@pytest.mark.parametrize(("plant", "why"), PLANTED.values(), ids=PLANTED)
def test_what_cannot_be_read(tmp_path: Path, plant: Callable[[Path], object], why: str) -> None:
    path = tmp_path / "file"
    plant(path)
    error = within(LONGEST_WAIT_S, lambda: read_text(str(path), 10))
    assert isinstance(error, CannotRead)
    assert (f"{path}: {why}", str(path), why) == (str(error), error.path, error.why)


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_what_may_not_be_read(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"")
    path.chmod(0)
    with pytest.raises(CannotRead, match="Permission denied"):
        read_text(str(path))


def test_a_path_that_no_file_can_have() -> None:
    with pytest.raises(CannotRead, match="is no path that a file could have"):
        read_text("a\0b")


def test_the_usual_limit_is_told_in_words(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * (files.LIMIT + 1))
    with pytest.raises(CannotRead, match=r": larger than 1 MiB, which no file of this kind is$"):
        read_text(str(path))


def test_when_a_file_was_changed(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"")
    os.utime(path, (1, 1234.5))
    assert 1234.5 == files.modified(str(path))
    assert None is files.modified(str(tmp_path / "other"))


def test_a_file_that_may_be_missing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a")
    assert "a" == files.read_if_there(str(tmp_path / "file"))
    assert None is files.read_if_there(str(tmp_path / "other"))
    assert None is files.read_if_there(str(tmp_path / "file/other"))
    with pytest.raises(CannotRead, match="is a directory"):
        files.read_if_there(str(tmp_path))


# --- env files -------------------------------------------------------------------------------------

ENV = {
    "plain": ("A=1\nB=two words\n", {"A": "1", "B": "two words"}),
    "comments and blank lines": ("# a\n; b\n\n  # c\nA=1", {"A": "1"}),
    "Windows lines": ("A=1\r\nB=2\r\n", {"A": "1", "B": "2"}),
    "double quotes": ('A="a b"', {"A": "a b"}),
    "single quotes": ("A='a b'", {"A": "a b"}),
    "quotes within": ("A=a\"b\"c'd'", {"A": "a\"b\"c'd'"}),
    "quotes that are not closed": ('A="a', {"A": '"a'}),
    "escaped within double quotes": (r'A="a\"b\\c\$d\n"', {"A": r'a"b\c$d\n'}),
    "not escaped within single quotes": (r"A='a\b'", {"A": r"a\b"}),
    "quotes and a comment": ("A=\"a # b\" # c\nB='d' ; e", {"A": "a # b", "B": "d"}),
    "comment behind a bare value": ("A=zeo1:8100 # main", {"A": "zeo1:8100"}),
    "hash within a bare value": ("A=a#b", {"A": "a#b"}),
    "export": ("export A=1", {"A": "1"}),
    "a name that begins with export": ("exported=1", {"exported": "1"}),
    "blanks around": ("  A = 1 ", {"A": "1"}),
    "empty": ("A=\nB=''", {"A": "", "B": ""}),
    "equals sign in the value": ("A=dbname=zodb host=db", {"A": "dbname=zodb host=db"}),
    "case": ("a=1\nA=2", {"a": "1", "A": "2"}),
    "the last one counts": ("A=1\nA=2", {"A": "2"}),
    "continued": ("A=a\\\nb\nB=1", {"A": "ab", "B": "1"}),
    "continued past the end": ("A=a\\", {"A": "a"}),
    "a backslash in pairs": ("A=a\\\\\nB=1", {"A": "a\\\\", "B": "1"}),
    "a name alone, filled from elsewhere": ("A\nB=1", {"B": "1"}),
    "no name": ("=1\n1A=2\nA-B=3", {}),
}


@pytest.mark.parametrize(("text", "expected"), ENV.values(), ids=ENV)
def test_env_files(tmp_path: Path, text: str, expected: dict[str, str]) -> None:
    path = tmp_path / "env"
    path.write_bytes(text.encode())
    assert expected == parse_env(text)
    assert expected == files.read_env_file(str(path))


@settings(deadline=None)
@given(st.text())
def test_any_text_is_an_env_file(text: str) -> None:
    assert all(name.isidentifier() and name.isascii() for name in parse_env(text))


@settings(deadline=None)
@given(st.dictionaries(st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,9}", fullmatch=True), st.text("ab =#;'$\"\\`")))
def test_what_is_quoted_as_systemd_has_it_is_read_back(variables: dict[str, str]) -> None:
    def quoted(value: str) -> str:
        for character in '\\"$`':
            value = value.replace(character, f"\\{character}")
        return f'"{value}"'

    assert variables == parse_env("\n".join(f"{name}={quoted(value)}" for name, value in variables.items()))


# --- passwords -------------------------------------------------------------------------------------


def inventory_with(folder: Path, *lines: str) -> tuple[Inventory, str]:
    """An inventory in ``folder`` whose cluster has these lines, and its text."""
    text = "\n".join(["[cluster]", *lines, "[client:app1]", "address = app1:8080", ""])
    path = folder / "clients.ini"
    path.write_text(text)
    path.chmod(0o640)
    return parse(text, str(path)), text


FILE = ("user = admin", "password-file = secret")
FOUND = {
    "a file": (FILE, b"hunter2\n", "hunter2"),
    "the first line of a file": (FILE, b"hunter2\nand more\n", "hunter2"),
    "a file without a newline": (FILE, b"hunter2", "hunter2"),
    "a file of Windows": (FILE, b"\xef\xbb\xbfhunter2\r\n", "hunter2"),
    "blanks are part of it": (FILE, b" hunter 2 \n", " hunter 2 "),
    "not of ASCII": (
        FILE,
        "f\N{LATIN SMALL LETTER U WITH DIAERESIS}r".encode(),
        "f\N{LATIN SMALL LETTER U WITH DIAERESIS}r",
    ),
    "a variable": (("user = admin", "password-env = SECRET"), b"", "from the environment"),
    "clients.ini itself": (("user = admin", "password = hunter 2 ;x"), b"", "hunter 2 ;x"),
}


@pytest.mark.parametrize(("lines", "data", "expected"), FOUND.values(), ids=FOUND)
def test_the_password(tmp_path: Path, lines: tuple[str, ...], data: bytes, expected: str) -> None:
    (tmp_path / "secret").write_bytes(data)
    inventory, text = inventory_with(tmp_path, *lines)
    assert expected == files.password(inventory, text, {"SECRET": "from the environment"})


NOT_FOUND = {
    "no credentials": ((), None, "clients.ini gives no user and password-file"),
    "a user alone": (("user = admin",), None, "clients.ini gives no user and password-file"),
    "no such file": (FILE, None, "{folder}/secret: No such file or directory"),
    "an empty file": (FILE, b"", "{folder}/secret: no password in it"),
    "an empty first line": (FILE, b"\nhunter2\n", "{folder}/secret: no password in it"),
    "another file": (
        FILE,
        b"hunter2\n" * 1000,
        "{folder}/secret: larger than 4096 bytes, which no file of this kind is",
    ),
    "not UTF-8": (FILE, b"hunter2\xfc\n", "{folder}/secret: the password is not UTF-8"),
    "no such variable": (
        ("user = admin", "password-env = SECRET"),
        None,
        "the environment's SECRET: no password in it",
    ),
}


@pytest.mark.parametrize(("lines", "data", "reason"), NOT_FOUND.values(), ids=NOT_FOUND)
def test_no_password(tmp_path: Path, lines: tuple[str, ...], data: bytes | None, reason: str) -> None:
    if data is not None:
        (tmp_path / "secret").write_bytes(data)
    inventory, text = inventory_with(tmp_path, *lines)
    found = files.password(inventory, text, {})
    assert isinstance(found, NotGathered)
    assert reason.format(folder=tmp_path) == found.reason
    assert found.hint
    assert "hunter2" not in repr(found)


def test_the_modes_of_what_holds_a_password(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"hunter2")
    (tmp_path / "secret").chmod(0o604)
    ini = str(tmp_path / "clients.ini")
    by_file, _ = inventory_with(tmp_path, *FILE)
    assert SecretFiles((SecretFile(str(tmp_path / "secret"), 0o604, 3),)) == files.secret_files(by_file)
    inline, _ = inventory_with(tmp_path, "user = admin", "password = hunter2")
    assert SecretFiles((SecretFile(ini, 0o640, 3),)) == files.secret_files(inline)
    by_variable, _ = inventory_with(tmp_path, "user = admin", "password-env = SECRET")
    assert SecretFiles() == files.secret_files(by_variable)
    none, _ = inventory_with(tmp_path)
    assert SecretFiles() == files.secret_files(none)
    (tmp_path / "secret").unlink()
    assert NotGathered(f"{tmp_path}/secret: No such file or directory") == files.secret_files(by_file)


# --- included files --------------------------------------------------------------------------------


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder with an inventory's folder, a client's, and one that is neither's."""
    for name in ("site/app1/etc/own.conf", "site/shared.conf", "site/app1/etc/a b.conf", "other/secret", "site2/near"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"it is {name}")
    return tmp_path


def reader(site: Path) -> Callable[[str], str]:
    conf, ini = site / "site/app1/etc/zope.conf", site / "site/clients.ini"
    return conf_reader(files.folders_of(str(conf), str(ini)))


INCLUDED = {
    "a path": "{site}/site/app1/etc/own.conf",
    "a file: URL": "file://{site}/site/app1/etc/own.conf",
    "a file: URL with a host": "file://localhost{site}/site/app1/etc/own.conf",
    "a file: URL with a blank": "file://{site}/site/app1/etc/a%20b.conf",
    "a path with a blank": "{site}/site/app1/etc/a b.conf",
    "of the inventory's folder": "{site}/site/shared.conf",
    "by way of a parent": "{site}/site/app1/etc/../../shared.conf",
    "by way of a folder outside": "{site}/other/../site/shared.conf",
}


@pytest.mark.parametrize("url", INCLUDED.values(), ids=INCLUDED)
def test_what_may_be_included(site: Path, url: str) -> None:
    assert reader(site)(url.format(site=site)).startswith("it is site/")


OUTSIDE = "{path}: refused: it lies outside of the folders of this conf and of clients.ini"
REFUSED = {
    "outside": ("{site}/other/secret", OUTSIDE),
    "a folder whose name begins alike": ("{site}/site2/near", OUTSIDE),
    "by way of a parent": ("{site}/site/../other/secret", OUTSIDE),
    "by way of a parent in a URL": ("file://{site}/site/%2e%2e/other/secret", OUTSIDE),
    "by way of a link": ("{site}/site/link", OUTSIDE),
    "by way of a folder that is a link": ("{site}/site/folder/secret", OUTSIDE),
    "a file that everybody may read": ("/etc/passwd", OUTSIDE),
    "missing": ("{site}/site/none", "{path}: No such file or directory"),
    "a folder": ("{site}/site/app1", "{path}: is a directory, not a file"),
    "the web": ("http://127.0.0.1:1/a", "a http: URL: refused: nothing but files is included"),
    "the web, with a password": ("https://u:hunter2@x/a", "a https: URL: refused: nothing but files is included"),
    "another scheme": ("package:Zope2", "a package: URL: refused: nothing but files is included"),
    "data": ("data:,a", "a data: URL: refused: nothing but files is included"),
    "another machine": ("file://x{site}/site/shared.conf", "a file: URL: refused: it names another machine"),
}


@pytest.mark.parametrize(("url", "message"), REFUSED.values(), ids=REFUSED)
def test_what_may_not_be_included(site: Path, url: str, message: str) -> None:
    (site / "site/link").symlink_to(site / "other/secret")
    (site / "site/folder").symlink_to(site / "other")
    url = url.format(site=site)
    with pytest.raises(CannotRead) as refused:
        reader(site)(url)
    path = url.removeprefix("file://").replace("%2e", ".")
    assert message.format(path=path) == str(refused.value)


def test_a_fifo_is_never_waited_for(site: Path) -> None:
    os.mkfifo(site / "site/fifo")
    error = within(LONGEST_WAIT_S, lambda: reader(site)(str(site / "site/fifo")))
    assert isinstance(error, CannotRead)


def test_relative_folders(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(site / "site")
    read = conf_reader(files.folders_of("app1/etc/zope.conf", "clients.ini"))
    assert "it is site/shared.conf" == read("shared.conf")
    with pytest.raises(CannotRead, match="refused"):
        read("../other/secret")


def test_a_link_to_the_folder_itself_is_followed(site: Path) -> None:
    (site / "current").symlink_to(site / "site")
    read = conf_reader([str(site / "current")])
    assert "it is site/shared.conf" == read(str(site / "current/shared.conf"))
