"""A persistent ZEO cache that was filled from a copy, read raw and held against the right server: real servers."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import transaction
import ZODB
from cluster.zeo_servers import ZeoServer, zeo_server
from ZEO.ClientStorage import ClientStorage
from ZODB.serialize import referencesf

from zcheck.checks.identity.storage_caches_are_clean import storage_caches_are_clean
from zcheck.facts import CacheThere, Facts, LeftOut, NotGathered, StorageCaches
from zcheck.gather.collect import collect
from zcheck.gather.kinds import with_what_they_need
from zcheck.gather.settings import Settings
from zcheck.gather.waves.caches import is_wrong
from zcheck.parsers.clients_ini import parse
from zcheck.runner import run as run_checks

PAGES = 20


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ZeoServer]:
    with zeo_server(tmp_path / "zeo") as running:
        with opened(running) as root:
            for number in range(PAGES):
                root[f"page{number}"] = page("as it was")
        yield running


def page(text: str) -> Any:
    from persistent.mapping import PersistentMapping

    return PersistentMapping({"text": text})


@contextmanager
def opened(server: ZeoServer, **cache: Any) -> Iterator[Any]:
    """The root of the server's database, for one transaction; ``cache``: with a cache file that stays."""
    database = ZODB.DB(ClientStorage((server.address.host, server.address.port), wait_timeout=20, **cache))
    connection = database.open()
    try:
        yield connection.root()
        transaction.commit()
    finally:
        transaction.abort()
        connection.close()
        database.close()


def edit(server: ZeoServer, name: str, text: str, **cache: Any) -> None:
    with opened(server, **cache) as root:
        root[name]["text"] = text


def visit(server: ZeoServer, **cache: Any) -> list[str]:
    """What a client shows."""
    with opened(server, **cache) as root:
        return [root[f"page{number}"]["text"] for number in range(PAGES)]


def gathered(tmp_path: Path, server: ZeoServer, *, via: str = sys.executable, cache: bool = True, **more: Any) -> Facts:
    conf = tmp_path / "zope.conf"
    keys = f"client app1\nvar {tmp_path}\n" if cache else ""
    conf.write_text(
        f"<zodb_db main>\n<zeoclient>\nserver {server.address}\n{keys}</zeoclient>\nmount-point /\n</zodb_db>\n"
    )
    ini = tmp_path / "clients.ini"
    lines = f"via = {via}\n" if via else ""
    ini.write_text(f"[cluster]\nname = test\n[client:app1]\naddress = 127.0.0.1:1\nzope-conf = {conf}\n{lines}")
    inventory = parse(ini.read_text(), str(ini))
    settings = Settings(run_id="0a0b0c0d0e0f", timeout_s=10.0, deadline_s=60.0, **more)
    return collect(inventory, settings, with_what_they_need([StorageCaches]), NotGathered("none")).facts


def kept(facts: Facts) -> CacheThere:
    found = facts.raw(StorageCaches, "app1")
    assert isinstance(found, StorageCaches), found
    (cache,) = found.caches
    return cache


def severities(facts: Facts) -> list[str]:
    return [finding.severity for finding in run_checks([storage_caches_are_clean], facts, today="2026-01-01").findings]


@contextmanager
def copy_of(server: ZeoServer, folder: Path) -> Iterator[ZeoServer]:
    folder.mkdir()
    shutil.copyfile(server.data, folder / "Data.fs")
    with zeo_server(folder) as running:
        yield running


def test_a_cache_that_was_filled_from_a_copy(server: ZeoServer, tmp_path: Path) -> None:
    cache = {"client": "app1", "var": str(tmp_path)}
    with copy_of(server, tmp_path / "copy") as copy:
        visit(copy, **cache)
        edit(copy, "page3", "edited on the copy", **cache)
    edit(server, "page5", "the right server goes on")
    # It is what it is: the client shows another site, on the right server.
    shown = visit(server, **cache)
    assert "edited on the copy" in shown
    facts = gathered(tmp_path, server)
    assert (1, "") == (kept(facts).wrong, kept(facts).why_not), kept(facts)
    assert kept(facts).compared > PAGES
    assert ["WARNING"] == severities(facts)
    # The hint, followed to the letter.
    Path(kept(facts).path).unlink()
    assert "edited on the copy" not in visit(server, **cache)
    facts = gathered(tmp_path, server)
    assert 0 == kept(facts).wrong
    assert kept(facts).compared > PAGES
    assert [] == severities(facts)


def test_what_the_copy_never_heard_of(server: ZeoServer, tmp_path: Path) -> None:
    cache = {"client": "app1", "var": str(tmp_path)}
    with copy_of(server, tmp_path / "copy") as copy:
        visit(copy, **cache)
        edit(server, "page5", "edited on the right server")
        edit(copy, "page3", "edited on the copy", **cache)
    edit(server, "page7", "the right server goes on")
    assert "edited on the right server" not in visit(server, **cache)
    assert 2 == kept(gathered(tmp_path, server)).wrong


def test_a_client_that_is_behind_is_clean(server: ZeoServer, tmp_path: Path) -> None:
    cache = {"client": "app1", "var": str(tmp_path)}
    visit(server, **cache)
    edit(server, "page3", "while the client was stopped")
    with opened(server) as root:
        del root["page4"]
    storage = ClientStorage((server.address.host, server.address.port), wait_timeout=20)
    storage.pack(time.time(), referencesf, wait=True)
    storage.close()
    found = kept(gathered(tmp_path, server))
    assert (0, "") == (found.wrong, found.why_not)
    assert found.compared > PAGES


def test_a_client_that_runs_and_writes(server: ZeoServer, tmp_path: Path) -> None:
    with opened(server, client="app1", var=str(tmp_path)) as root:
        for number in range(PAGES):
            root[f"page{number}"]["text"] = "again"
            transaction.commit()
        # Its lock is held; none is taken, and nothing is changed.
        before = (tmp_path / "app1-1.zec").stat().st_mtime_ns
        found = kept(gathered(tmp_path, server))
        assert (0, "") == (found.wrong, found.why_not)
        assert before == (tmp_path / "app1-1.zec").stat().st_mtime_ns


UNREAD: dict[str, tuple[Callable[[Path], Any], str]] = {
    "no file": (lambda path: None, "No such file or directory"),
    "another format": (lambda path: path.write_bytes(b"ZEC2" + b"\0" * 100), "no cache file of a format"),
    "torn": (lambda path: path.write_bytes(b"ZEC3" + b"\0" * 8 + b"a" + b"\0" * 60), "changed while it was read"),
    "cut off": (lambda path: path.write_bytes(b"ZEC3" + b"\0" * 8 + b"a\0\0"), "unpack"),
    "a folder": (lambda path: path.mkdir(), "irectory"),
    "a pipe": (lambda path: subprocess.run(["mkfifo", str(path)], check=True), "is no regular file"),
}


@pytest.mark.parametrize(("make", "why"), UNREAD.values(), ids=UNREAD)
def test_a_file_that_cannot_be_read(server: ZeoServer, tmp_path: Path, make: Callable[[Path], Any], why: str) -> None:
    make(tmp_path / "app1-1.zec")
    facts = gathered(tmp_path, server)
    assert why in kept(facts).why_not
    assert [] == severities(facts)
    (result,) = run_checks([storage_caches_are_clean], facts, today="2026-01-01").results
    assert "skipped" == result.outcome


def test_nobody_is_asked_where_there_is_nothing_to_ask(server: ZeoServer, tmp_path: Path) -> None:
    assert StorageCaches() == gathered(tmp_path, server, cache=False).raw(StorageCaches, "app1")
    without = gathered(tmp_path, server, via="").raw(StorageCaches, "app1")
    assert isinstance(without, LeftOut)
    assert "no via" in without.reason


def test_a_server_that_is_gone_tells_nothing(server: ZeoServer, tmp_path: Path) -> None:
    visit(server, client="app1", var=str(tmp_path))
    server.stop()
    found = kept(gathered(tmp_path, server))
    assert found.why_not
    assert 0 == found.compared


RULES = {
    "the same": ("05", "05", "09", "09", False),
    "replaced before the cache's last": ("05", "07", "09", "09", True),
    "replaced after it": ("05", "0a", "09", "0b", False),
    "newer than the server's current one": ("08", "05", "09", "0b", True),
    "newer than all that the server knows": ("08", "05", "09", "07", False),
    "packed away": ("05", "", "09", "0b", False),
}


@pytest.mark.parametrize(("cached", "current", "last", "server_last", "expected"), RULES.values(), ids=RULES)
def test_the_rule(cached: str, current: str, last: str, server_last: str, *, expected: bool) -> None:
    assert expected is is_wrong(cached, current, cache_last=last, server_last=server_last)
