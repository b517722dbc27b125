"""What differs by right and what does not: paths of Windows, settings, variables, folders of two servers."""

from __future__ import annotations

from typing import Any

import pytest
from zeo_clusters import FILE, HOSTS, client, said

from zcheck.facts.paths import is_below, is_windows, normal_path

CACHES = "cache-files-are-distinct"
HOMES = "instance-homes-are-distinct"
BLOBS = "blob-storage-agrees"
SETTINGS = "settings-agree"
SERVES = "zeo-conf-serves-the-storages"
ONE = {"app1": "machine = m", "app2": "machine = m"}
THREE = {**ONE, "app3": "machine = m"}


def cached(name: str, var: str, home: str = r"C:\Zope\a") -> str:
    return f"instancehome {home}\n" + client("zeo1:8100", "1", f"client {name}", f"var {var}")


def blobs(folder: str, shared: str) -> str:
    return client("zeo1:8100", "1", f"blob-dir {folder}", f"shared-blob-dir {shared}")


def product(name: str = "collective.solr", *lines: str) -> str:
    return "\n".join([f"<product-config {name}>", *lines, "</product-config>", client("zeo1:8100")])


MAIN = "[zeo:main]\naddress = zeo1:8100\nmachine = zeo1\n[zeo:second]\naddress = zeo1:8200\nmachine = zeo1\n" + HOSTS


def data(path: str, blob_dir: str = "") -> str:
    text = FILE.format("1").replace("/srv/Data.fs", path)
    return text.replace("</file", f"blob-dir {blob_dir}\n</file") if blob_dir else text


CASES: dict[str, tuple[str, str, tuple[str, ...], dict[str, Any], list[str]]] = {
    "one cache of Windows": (
        CACHES,
        HOSTS,
        (cached("main", r"C:\Zope\cache"), cached("MAIN", "c:/zope/CACHE")),
        ONE,
        ["CRITICAL app1 app2: one cache file for database main of app1 and database main of app2: c:\\zope\\cache"],
    ),
    "two caches of Windows": (
        CACHES,
        HOSTS,
        (cached("main", r"C:\Zope\cache1"), cached("main", r"C:\Zope\cache2")),
        ONE,
        [],
    ),
    "one cache on a share": (
        CACHES,
        HOSTS,
        (cached("main", r"\\nas\zope\cache"), cached("main", r"\\NAS\Zope\Cache")),
        ONE,
        ["CRITICAL app1 app2: one cache file"],
    ),
    "one relative cache of one home of Windows": (
        CACHES,
        HOSTS,
        (cached("main", "var", r"C:\Zope"), cached("main", r"VAR", "c:/zope")),
        ONE,
        ["CRITICAL app1 app2: one cache file"],
    ),
    "case matters elsewhere": (CACHES, HOSTS, (cached("main", "/a", "/s"), cached("main", "/A", "/s")), ONE, []),
    "one home of Windows": (
        HOMES,
        HOSTS,
        ("instancehome C:\\Zope\\a\n" + client("zeo1:8100"), "instancehome c:/zope/A\n" + client("zeo1:8100")),
        ONE,
        ["WARNING app1 app2: app1, app2 share the instance home c:\\zope\\a on m"],
    ),
    "one log of Windows": (
        HOMES,
        HOSTS,
        tuple(
            f"instancehome C:\\Zope\\{home}\n<eventlog>\n<logfile>\npath {log}\n</logfile>\n</eventlog>\n"
            + client("zeo1:8100")
            for home, log in (("a", r"D:\Log\event.log"), ("b", "d:/log/Event.LOG"))
        ),
        ONE,
        ["WARNING app1 app2: app1, app2 share the log d:\\log\\event.log on m"],
    ),
    "two modes of one blob folder of Windows": (
        BLOBS,
        HOSTS,
        (blobs(r"D:\Blobs", "on"), blobs("d:/blobs/", "off")),
        ONE,
        ["CRITICAL app1 app2: database main: d:\\blobs is shared for app1, a cache for app2, on one machine"],
    ),
    "two modes of two blob folders": (BLOBS, HOSTS, (blobs("/Blobs", "on"), blobs("/blobs", "off")), ONE, []),
    "shared folders that each machine calls otherwise": (
        BLOBS,
        HOSTS,
        (blobs("/data/1/blobs", "on"), blobs("/data/2/blobs", "on")),
        {},
        ["note app1 app2: database main: shared-blob-dir is on, and the folder is /data/1/blobs for app1, /data/2"],
    ),
    "a shared folder that all call alike": (BLOBS, HOSTS, (blobs("/nfs", "on"), blobs("/nfs", "on")), {}, []),
    # settings-agree
    "a product's section that one lacks": (
        SETTINGS,
        HOSTS,
        (product("collective.solr", "url x"), client("zeo1:8100")),
        {},
        ["WARNING app1 app2: app1 has <product-config collective.solr>; app2 has none"],
    ),
    "a worker's own product section": (
        SETTINGS,
        HOSTS,
        (client("zeo1:8100"), product("collective.solr", "url x")),
        {"app2": "role = worker"},
        [],
    ),
    "a worker without the product's section": (
        SETTINGS,
        HOSTS,
        (product("a", "b c"), product("a", "b c"), client("zeo1:8100")),
        {"app3": "role = worker"},
        [],
    ),
    "a worker's own value": (
        SETTINGS,
        HOSTS,
        (product("a", "threads 1"), product("a", "threads 9")),
        {"app2": "role = worker"},
        [],
    ),
    "another value of a product": (
        SETTINGS,
        HOSTS,
        (product("a", "b c"), product("a", "b d")),
        {},
        ["WARNING app1 app2: b of <product-config a> is c for app1; d for app2"],
    ),
    "limits that one lacks": (
        SETTINGS,
        HOSTS,
        ("<dos_protection>\nform-memory-limit 4MB\n</dos_protection>\n" + client("zeo1:8100"), client("zeo1:8100")),
        {},
        ["WARNING app1 app2: form-memory-limit of <dos_protection> is 4MB for app1; 1MB (the default) for app2"],
    ),
    "one encoding": (
        SETTINGS,
        HOSTS,
        tuple(f"default-zpublisher-encoding {name}\n" + client("zeo1:8100") for name in ("utf-8", "UTF8", "utf_8")),
        {},
        [],
    ),
    "two encodings": (
        SETTINGS,
        HOSTS,
        tuple(f"default-zpublisher-encoding {name}\n" + client("zeo1:8100") for name in ("utf-8", "latin-1")),
        {},
        ["WARNING app1 app2: default-zpublisher-encoding is utf-8 for app1; latin-1 for app2"],
    ),
    # two servers' folders
    "one relative file of two servers": (
        SERVES,
        MAIN,
        (client("zeo1:8100"),) * 2,
        {"zeo": {"main": data("var/Data.fs"), "second": data("./var/Data.fs").replace("8100", "8200")}},
        ["UNKNOWN app1 app2: storage 1 of main.conf and storage 1 of second.conf keep their data in var/Data.fs, each"],
    ),
    "one relative blob folder of two servers": (
        SERVES,
        MAIN,
        (client("zeo1:8100", "1", "blob-dir /c"),) * 2,
        {"zeo": {"main": data("/a", "var/b"), "second": data("/b", "var/b").replace("8100", "8200")}},
        ["UNKNOWN app1 app2: storage 1 of main.conf and storage 1 of second.conf keep their blobs in var/b, each"],
    ),
    "one file of two servers of Windows": (
        SERVES,
        MAIN,
        (client("zeo1:8100"),) * 2,
        {"zeo": {"main": data(r"D:\zeo\Data.fs"), "second": data("d:/ZEO/data.fs").replace("8100", "8200")}},
        ["CRITICAL app1 app2: storage 1 of main.conf and storage 1 of second.conf keep their data in d:\\zeo\\data.fs"],
    ),
    "two relative files of two servers": (
        SERVES,
        MAIN,
        (client("zeo1:8100"),) * 2,
        {"zeo": {"main": data("var/Data.fs"), "second": data("var/Other.fs").replace("8100", "8200")}},
        [],
    ),
}


@pytest.mark.parametrize(("check", "ini", "confs", "more", "expected"), CASES.values(), ids=CASES)
def test_paths_and_settings(
    check: str, ini: str, confs: tuple[str, ...], more: dict[str, Any], expected: list[str]
) -> None:
    found = said(check, ini, *confs, **more)
    assert expected == [message[: len(wanted)] for message, wanted in zip(found, expected, strict=False)], found
    assert len(expected) == len(found), found


@pytest.mark.parametrize("path", ["C:\\Zope", "c:/zope", "\\\\nas\\zope", "var\\cache"])
def test_a_path_of_windows_shows_it(path: str) -> None:
    assert is_windows(path)


@pytest.mark.parametrize("path", ["/srv/zope", "var/cache", "zeo1:8100", "", "//srv"])
def test_any_other_path_is_posix(path: str) -> None:
    assert not is_windows(path)
    assert "\\" not in normal_path(path, "/srv")


def test_what_lies_in_a_folder() -> None:
    assert is_below(normal_path(r"C:\Zope\Var"), normal_path("c:/zope"))
    assert is_below("/srv/a/var", "/srv/a")
    assert not is_below("/srv/ab", "/srv/a")
