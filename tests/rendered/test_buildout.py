"""Clusters as today's recipes render them: what is healthy passes, and what was broken in the buildout is told."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

Render = Callable[..., Path]
Judge = Callable[[Path], set[tuple[str, str, str]]]

BUILDOUT = """
[buildout]
parts = zeoserver {instances}
newest = false
offline = true

[zeoserver]
recipe = plone.recipe.zeoserver
zeo-address = {address}
{zeoserver}

[instance]
recipe = plone.recipe.zope2instance
user = admin:admin
eggs = Zope
zeo-client = on
zeo-address = {zeo_address}
zodb-temporary-storage = off
{instance}
"""
ARCHIVE = "    <{kind} archive>\n      path ${{buildout:directory}}/var/filestorage/archive.fs\n    </{kind}>\n"


def buildout(
    address: str = "127.0.0.1:8100",
    *,
    zeo_address: str = "${zeoserver:zeo-address}",
    zeoserver: str = "",
    instance: str = "",
    names: tuple[str, ...] = ("app1", "app2", "app3"),
    **parts: str,
) -> str:
    """A buildout with a server and several instances; ``app2="read-only = on"`` adds to one part."""
    text = BUILDOUT.format(
        instances=" ".join(names), address=address, zeo_address=zeo_address, zeoserver=zeoserver, instance=instance
    )
    for number, name in enumerate(names, 1):
        port = "" if "http-address" in parts.get(name, "") else f"http-address = 127.0.0.1:808{number}\n"
        text += f"\n[{name}]\n<= instance\n{port}{parts.get(name, '')}\n"
    return text


def one_machine(folder: Path, address: str = "127.0.0.1:8100", extra: Mapping[str, str] = {}) -> Path:
    """clients.ini for the instances of one buildout, run where it was rendered."""
    text = f"[cluster]\nname = buildout\n[zeo:main]\naddress = {address}\nconf = parts/zeoserver/etc/zeo.conf\n"
    for number in (1, 2, 3):
        text += f"[client:app{number}]\naddress = 127.0.0.1:808{number}\nzope-conf = parts/app{number}/etc/zope.conf\n"
        text += extra.get(f"app{number}", "")
    path = folder / "clients.ini"
    path.write_text(text)
    return path


ALL = "app1 app2 app3"
ARCHIVED = {
    "zeoserver": "zeo-conf-additional =\n    <filestorage archive>\n"
    "      path ${buildout:directory}/var/filestorage/archive.fs\n"
    "      blob-dir ${buildout:directory}/var/blobs-archive\n    </filestorage>",
    "instance": "zope-conf-additional =\n    <zodb_db archive>\n      <zeoclient>\n"
    "        server ${zeoserver:zeo-address}\n        storage archive\n"
    "        blob-dir ${buildout:directory}/var/cache-archive\n      </zeoclient>\n"
    "      mount-point /archive\n    </zodb_db>",
}
HEALTHY: dict[str, tuple[str, str]] = {
    "as the recipes have it": ("127.0.0.1:8100", buildout()),
    "a bare port": ("8100", buildout("8100")),
    "localhost": ("localhost:8100", buildout("localhost:8100")),
    "every interface, dialled locally": ("127.0.0.1:8100", buildout("0.0.0.0:8100", zeo_address="8100")),
    "a unix socket": ("/tmp/zeo.sock", buildout("/tmp/zeo.sock")),
    "shared blobs": (
        "127.0.0.1:8100",
        buildout(instance="shared-blob = on\nblob-storage = ${buildout:directory}/var/blobstorage"),
    ),
    "a named storage": (
        "127.0.0.1:8100",
        buildout(zeoserver="storage-number = main", instance="zeo-storage = main"),
    ),
    "persistent caches": (
        "127.0.0.1:8100",
        buildout(
            app1="zeo-client-client = one\nzeo-var = ${buildout:directory}/var",
            app2="zeo-client-client = two\nzeo-var = ${buildout:directory}/var",
            app3="zeo-client-client = three\nzeo-var = ${buildout:directory}/var",
        ),
    ),
    "two databases": ("127.0.0.1:8100", buildout(**ARCHIVED)),
    "without fast-listen": ("127.0.0.1:8100", buildout(instance="http-fast-listen = off")),
    "garbage is kept, time is limited": ("127.0.0.1:8100", buildout(zeoserver="pack-gc = false")),
    "an environment": ("127.0.0.1:8100", buildout(instance="environment-vars =\n    TZ UTC\n    zope_i18n x")),
}


@pytest.mark.parametrize(("address", "text"), HEALTHY.values(), ids=HEALTHY)
def test_what_is_healthy_passes(address: str, text: str, render: Render, judge: Judge) -> None:
    assert set() == judge(one_machine(render(text), address))


BROKEN: dict[str, tuple[str, set[tuple[str, str, str]]]] = {
    "sessions in memory": (
        buildout().replace("zodb-temporary-storage = off\n", ""),
        {("sessions-are-shared", "WARNING", ALL)},
    ),
    "another server for one": (
        buildout(app2="zeo-address = 127.0.0.1:8101"),
        {("zeo-servers-agree", "CRITICAL", ALL)},
    ),
    "a database of its own": (
        buildout(app2="zeo-client = off"),
        {("no-private-storage", "CRITICAL", "app2")},
    ),
    "another storage for one": (
        buildout(app2="zeo-storage = 2"),
        {("storage-names-agree", "CRITICAL", ALL), ("zeo-conf-serves-the-storages", "CRITICAL", "app2")},
    ),
    "another port": (
        buildout(app2="http-address = 127.0.0.1:9082"),
        {("listen-address-matches", "CRITICAL", "app2")},
    ),
    "a storage that is not served": (
        buildout(**{**ARCHIVED, "zeoserver": ""}),
        {("zeo-conf-serves-the-storages", "CRITICAL", ALL)},
    ),
    "a server that only reads": (
        buildout(zeoserver="read-only = true"),
        {("zeo-conf-serves-the-storages", "CRITICAL", ALL)},
    ),
    "the server's blobs for a cache": (
        buildout(app2="blob-storage = ${buildout:directory}/var/blobstorage"),
        {("zeo-conf-serves-the-storages", "CRITICAL", "app2")},
    ),
    "one shares, another keeps a cache there": (
        buildout(app1="shared-blob = on\nblob-storage = ${buildout:directory}/var/blobcache"),
        {
            ("blob-storage-agrees", "CRITICAL", ALL),
            ("zeo-conf-serves-the-storages", "CRITICAL", "app1"),
        },
    ),
}


@pytest.mark.parametrize(("text", "expected"), BROKEN.values(), ids=BROKEN)
def test_what_is_broken_is_told(text: str, expected: set[tuple[str, str, str]], render: Render, judge: Judge) -> None:
    assert expected == judge(one_machine(render(text)))


def test_one_buildout_a_machine(render: Render, judge: Judge, tmp_path: Path) -> None:
    # The same buildout on each of three machines, and the server's on a fourth: names in [hosts], different addresses.
    client = buildout(zeo_address="zeo1.example.com:8100", names=("instance",)).replace(
        "[instance]\n<= instance\n", "[ignored]\n"
    )
    for name in ("app1", "app2", "app3"):
        text = client.replace("parts = zeoserver instance", "parts = instance")
        render(text.replace("eggs = Zope", "eggs = Zope\nhttp-address = 0.0.0.0:8080", 1), name)
    render(buildout("0.0.0.0:8100", names=()), "zeo1")
    ini = """
        [cluster]
        name = machines
        zeo = zeo1.example.com:8100
        storage = 1
        [zeo:main]
        address = zeo1.example.com:8100
        conf = zeo1/parts/zeoserver/etc/zeo.conf
        [hosts]
        zeo1.example.com = 192.0.2.5
        """
    for number in (1, 2, 3):
        ini += f"""
        [client:app{number}]
        address = 192.0.2.1{number}:8080
        zope-conf = app{number}/parts/instance/etc/zope.conf
        """
    path = tmp_path / "clients.ini"
    path.write_text(textwrap.dedent(ini))
    assert set() == judge(path)
    # The recipe's default address is the client's own machine.
    conf = tmp_path / "app2" / "parts" / "instance" / "etc" / "zope.conf"
    conf.write_text(conf.read_text().replace("server zeo1.example.com:8100", "server 8100"))
    told = judge(path)
    assert ("zeo-servers-agree", "CRITICAL", ALL) in told
    assert ("zeo-server-is-the-pinned-one", "CRITICAL", "app2") in told
