"""Containers whose files are the same everywhere and whose environments differ, as plone-backend has them.

Three files that take every value from the environment: the start script chooses relstorage.conf where RELSTORAGE_DSN
is set, zeo.conf (a Zope client's, in spite of its name) where ZEO_ADDRESS is, and zope.conf with a database of its own
where neither is; it also sets the defaults, which are in no file.  The files here are written after that description.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.usefixtures("slow")

Judge = Callable[[Path], set[tuple[str, str, str]]]

TOP = """\
%define INSTANCE /app
instancehome $INSTANCE
%define CLIENTHOME $(CLIENT_HOME)
clienthome $CLIENTHOME

debug-mode $(DEBUG_MODE)
security-policy-implementation $(SECURITY_POLICY_IMPLEMENTATION)
verbose-security $(VERBOSE_SECURITY)
default-zpublisher-encoding utf-8

<environment>
    CHAMELEON_CACHE $INSTANCE/var/cache
</environment>

"""
STORAGES = {
    "zeo.conf": """\
<zodb_db main>
    cache-size $(ZODB_CACHE_SIZE)
    <zeoclient>
        read-only $(ZEO_READ_ONLY)
        read-only-fallback $(ZEO_CLIENT_READ_ONLY_FALLBACK)
        blob-dir /data/blobstorage
        shared-blob-dir $(ZEO_SHARED_BLOB_DIR)
        server $(ZEO_ADDRESS)
        storage $(ZEO_STORAGE)
        name zeostorage
        cache-size $(ZEO_CLIENT_CACHE_SIZE)
    </zeoclient>
    mount-point /
</zodb_db>
""",
    "relstorage.conf": """\
%import relstorage
<zodb_db main>
    cache-size $(ZODB_CACHE_SIZE)
    <relstorage>
        blob-dir /data/blobstorage
        shared-blob-dir $(RELSTORAGE_SHARED_BLOB_DIR)
        keep-history $(RELSTORAGE_KEEP_HISTORY)
        name $(RELSTORAGE_NAME)
        read-only off
        <postgresql>
            dsn $(RELSTORAGE_DSN)
        </postgresql>
    </relstorage>
    mount-point /
</zodb_db>
""",
    "zope.conf": """\
<zodb_db main>
    cache-size $(ZODB_CACHE_SIZE)
    <filestorage>
        path /data/filestorage/Data.fs
        blob-dir /data/blobstorage
    </filestorage>
    mount-point /
</zodb_db>
""",
}
ZOPE_INI = """\
[app:zope]
use = egg:Zope#main
zope_conf = %(here)s/%(config_file)s

[server:main]
use = egg:waitress#main
listen = 0.0.0.0:8080
threads = 4

[pipeline:main]
pipeline =
    egg:Zope#httpexceptions
    zope

[formatter_generic]
format = %(asctime)s %(levelname)-7.7s [%(name)s:%(lineno)s] %(message)s
"""
# What the start script sets where nobody else does.
DEFAULTS = {
    "DEBUG_MODE": "off",
    "SECURITY_POLICY_IMPLEMENTATION": "C",
    "VERBOSE_SECURITY": "off",
    "ZODB_CACHE_SIZE": "50000",
    "ZEO_READ_ONLY": "false",
    "ZEO_CLIENT_READ_ONLY_FALLBACK": "false",
    "ZEO_SHARED_BLOB_DIR": "off",
    "ZEO_STORAGE": "1",
    "ZEO_CLIENT_CACHE_SIZE": "128MB",
    "RELSTORAGE_SHARED_BLOB_DIR": "false",
    "RELSTORAGE_KEEP_HISTORY": "true",
    "RELSTORAGE_NAME": "storage",
}
SERVER = """\
%define INSTANCE /app
<zeo>
  address 0.0.0.0:8100
  read-only false
  invalidation-queue-size 100
  pid-filename $INSTANCE/var/zeoserver.pid
</zeo>
<filestorage 1>
  path /data/filestorage/Data.fs
  blob-dir /data/blobstorage
</filestorage>
"""
ZEO = {"ZEO_ADDRESS": "db:8100"}
DSN = "dbname='plone' user='plone' host='db' password='{}'"
IN_POSTGRES = {"RELSTORAGE_DSN": DSN.format("x")}


def containers(folder: Path, conf: str, *environments: dict[str, str], confs: tuple[str, ...] = ()) -> Path:
    """A clients.ini for containers of one image; of each what was added to the environment."""
    etc = folder / "etc"
    etc.mkdir()
    for name, storage in STORAGES.items():
        (etc / name).write_text(TOP + storage)
    (etc / "zope.ini").write_text(ZOPE_INI)
    (etc / "server.conf").write_text(SERVER)
    text = "[cluster]\nname = containers\n[zeo:db]\naddress = db:8100\nconf = etc/server.conf\n"
    for number, environment in enumerate(environments, 1):
        home = {"CLIENT_HOME": f"/data/backend{number}/host{number}"}
        values = {**DEFAULTS, **home, **environment}
        (folder / f"backend{number}.env").write_text("".join(f"{key}={value}\n" for key, value in values.items()))
        named = confs[number - 1] if confs else conf
        text += f"[client:backend{number}]\naddress = backend{number}:8080\n"
        text += f"zope-conf = etc/{named}\nenv-file = backend{number}.env\n"
    path = folder / "clients.ini"
    path.write_text(text)
    return path


BOTH, ALL = "backend1 backend2", "backend1 backend2 backend3"
CLUSTERS: dict[str, tuple[str, tuple[dict[str, str], ...], set[tuple[str, str, str]]]] = {
    "one ZEO server": ("zeo.conf", (ZEO, ZEO, ZEO), set()),
    "shared blobs for all": ("zeo.conf", ({**ZEO, "ZEO_SHARED_BLOB_DIR": "on"},) * 3, set()),
    "one PostgreSQL": ("relstorage.conf", (IN_POSTGRES,) * 2, set()),
    "one PostgreSQL, spelled otherwise": (
        "relstorage.conf",
        (IN_POSTGRES, {"RELSTORAGE_DSN": "host=db dbname=plone user=plone password=y"}),
        set(),
    ),
    "another ZEO server for one": (
        "zeo.conf",
        (ZEO, {"ZEO_ADDRESS": "db:8101"}, ZEO),
        {("zeo-servers-agree", "CRITICAL", ALL)},
    ),
    "no ZEO server for one": (
        "zeo.conf",
        (ZEO, {}, ZEO),
        {
            ("zeo-addresses-are-valid", "UNKNOWN", "backend2"),
            ("zeo-servers-agree", "UNKNOWN", "backend2"),
        },
    ),
    "another storage for one": (
        "zeo.conf",
        (ZEO, {**ZEO, "ZEO_STORAGE": "staging"}),
        {
            ("storage-names-agree", "CRITICAL", BOTH),
            ("zeo-conf-serves-the-storages", "CRITICAL", "backend2"),
        },
    ),
    "one that only reads": (
        "zeo.conf",
        (ZEO, {**ZEO, "ZEO_READ_ONLY": "true"}),
        {("clients-are-writable", "CRITICAL", "backend2")},
    ),
    "a database of its own each": (
        "zope.conf",
        ({}, {}),
        {("no-private-storage", "CRITICAL", BOTH)},
    ),
    "another database of PostgreSQL for one": (
        "relstorage.conf",
        (IN_POSTGRES, {"RELSTORAGE_DSN": DSN.format("x").replace("'plone'", "'staging'")}),
        {("relstorage-databases-agree", "CRITICAL", BOTH)},
    ),
    "another name for PostgreSQL's machine": (
        "relstorage.conf",
        (IN_POSTGRES, {"RELSTORAGE_DSN": DSN.format("x").replace("'db'", "'other'")}),
        {("relstorage-databases-agree", "UNKNOWN", BOTH)},
    ),
    "blobs in PostgreSQL for one alone": (
        "relstorage.conf",
        (IN_POSTGRES, {**IN_POSTGRES, "RELSTORAGE_SHARED_BLOB_DIR": "true"}),
        {("blob-storage-agrees", "CRITICAL", BOTH)},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("conf", "environments", "expected"), CLUSTERS.values(), ids=CLUSTERS)
def test_containers_of_one_image(
    conf: str,
    environments: tuple[dict[str, str], ...],
    expected: set[tuple[str, str, str]],
    tmp_path: Path,
    judge: Judge,
) -> None:
    assert expected == judge(containers(tmp_path, conf, *environments))


def test_a_container_that_was_given_no_address_starts_on_a_file_of_its_own(tmp_path: Path, judge: Judge) -> None:
    # Its start script takes zope.conf then; the others wait for nothing and start as well.
    ini = containers(tmp_path, "", ZEO, {}, ZEO, confs=("zeo.conf", "zope.conf", "zeo.conf"))
    told = judge(ini)
    assert ("no-private-storage", "CRITICAL", "backend2") in told
    assert {severity for _, severity, _ in told} == {"CRITICAL"}


def test_the_environment_of_whoever_runs_it_counts_for_nothing(
    tmp_path: Path, judge: Judge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZEO_ADDRESS", "db:8100")
    told = judge(containers(tmp_path, "zeo.conf", ZEO, {}))
    assert ("zeo-addresses-are-valid", "UNKNOWN", "backend2") in told
