"""Databases beside the root's, through running clients: what is proven where they are mounted, what is left alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
import requests
from cluster.whole_runs import (
    ROOT_CONTAINER,
    Contents,
    Outcome,
    assert_only_ours,
    in_process,
    preflight,
    unchanged,
    write_ini,
)

from zcheck.commands.demo import ClientSpec, Cluster, ZeoSpec, specs

LIMIT_S = 20.0
ARCHIVE = """
<zodb_db archive>
  <zeoclient>
    server ZEO_ADDRESS
    storage {storage}
    var $INSTANCE/var
  </zeoclient>
  mount-point /archive
</zodb_db>
"""
MOUNTED = ARCHIVE.format(storage="archive")
ALL = ("app1", "app2", "app3")
EVERY_PAIR = {(one, other): True for one in ALL for other in ALL if one != other}
ARCHIVE_FOLDER = (4).to_bytes(8, "big")
"""The folder that was made in the other database when it was mounted."""
ONE_ZEO = [ZeoSpec(empty=("archive", "other"))]

pytest.importorskip("Products.ZODBMountPoint", reason="what makes mount objects is not installed")


def post(cluster: Cluster, path: str, client: str = "app1", **data: str) -> None:
    answer = requests.post(
        cluster.clients[client].url + path,
        data=data,
        auth=(cluster.user, cluster.password),
        allow_redirects=False,
        timeout=LIMIT_S,
    )
    assert answer.status_code in (200, 302), answer.text


def status(cluster: Cluster, path: str, client: str) -> int:
    return requests.get(cluster.clients[client].url + path, timeout=LIMIT_S).status_code


def mount(cluster: Cluster, path: str = "/archive") -> None:
    """The object in the tree that leads to the other database."""
    post(
        cluster,
        "/manage_addProduct/ZODBMountPoint/manage_addMounts",
        **{"paths:list": path, "create_mount_points:int": "1"},
    )
    until = time.monotonic() + LIMIT_S
    for name in cluster.clients:
        # The others hear of it a moment later.
        while status(cluster, f"{path}/title_or_id", name) != 200:
            assert time.monotonic() < until, f"{name} does not show {path}"
            time.sleep(0.02)


def free(cluster: Cluster) -> Outcome:
    """A run that clients.ini does not keep from any storage."""
    return preflight(write_ini(cluster, "free", pinned=False))


def notes(outcome: Outcome) -> str:
    return " ".join(remark["message"] for remark in outcome.report["remarks"])


@pytest.fixture(scope="module")
def with_a_mount(share_cluster: Callable[..., Cluster]) -> Cluster:
    cluster = share_cluster(specs(3, every={"more": MOUNTED}), zeo=ONE_ZEO)
    mount(cluster)
    return cluster


@pytest.fixture
def mounted(with_a_mount: Cluster) -> Iterator[Cluster]:
    """Three clients with a second database in the tree; a client that is changed is as before after the test."""
    yield with_a_mount
    for name, client in with_a_mount.clients.items():
        if client.spec.more != MOUNTED:
            with_a_mount.restart_client(name, more=MOUNTED)


def test_a_mounted_database_is_proven_and_left_as_it_was(mounted: Cluster) -> None:
    files = {mounted.main_zeo.data_fs("1"): ROOT_CONTAINER, mounted.main_zeo.data_fs("archive"): ARCHIVE_FOLDER}
    before = [Contents.of(file) for file in files]
    outcome = free(mounted)
    assert (0, EVERY_PAIR, EVERY_PAIR) == (outcome.code, outcome.pairs("http"), outcome.pairs("http", "archive"))
    for (file, container), contents in zip(files.items(), before, strict=True):
        assert_only_ours(contents, Contents.of(file), [outcome.report["run"]["id"]], container)
    for name in ALL:
        assert 404 == status(mounted, f"/archive/zcheck-{outcome.report['run']['id']}", name)
    # Over ZEO three commits a client and a removal in each, through the clients the folder and its removal beside.
    assert outcome.report["consistency"]["receipt"]["transactions"] == 2 * (6 + 1) + 2 * (6 + 3)


def test_what_clients_ini_pins_is_all_that_is_written_to(mounted: Cluster) -> None:
    with unchanged(mounted.main_zeo.data_fs("archive")):
        outcome = preflight(mounted)
    assert (0, EVERY_PAIR) == (outcome.code, outcome.pairs("http"))
    assert {None} == set(outcome.pairs("http", "archive").values())
    assert "archive is not proven through the running clients: clients.ini pins storage 1" in notes(outcome)


def test_two_databases_at_one_mount_point_are_found(mounted: Cluster) -> None:
    mounted.restart_client("app3", more=ARCHIVE.format(storage="other"))
    outcome = free(mounted)
    assert EVERY_PAIR == outcome.pairs("http")
    seen = outcome.pairs("http", "archive")
    assert (True, False) == (seen["app1", "app2"], seen["app1", "app3"])
    finding = outcome.finding("edits-are-seen-everywhere")
    assert ("CRITICAL", list(ALL)) == (finding["severity"], finding["clients"])
    assert "at /archive (database archive), app3 does not show what is saved through app1, app2" in finding["message"]
    assert "nothing-is-left-behind" not in [check for _, check, _ in outcome.told]


def test_nothing_is_written_through_a_client_whose_mount_failed(mounted: Cluster) -> None:
    # What is added to a mount object that is not mounted goes into the root, by acquisition.
    mounted.restart_client("app3", more="")
    before = Contents.of(mounted.main_zeo.data_fs())
    outcome = free(mounted)
    finding = outcome.finding("edits-are-seen-everywhere")
    assert "what is at /archive is no folder: the database is not mounted there" in finding["message"]
    assert "mount-points-agree" in outcome.of("CRITICAL")
    assert EVERY_PAIR == outcome.pairs("http")
    assert (True, False) == tuple(outcome.pairs("http", "archive")["app1", reader] for reader in ("app2", "app3"))
    assert_only_ours(before, Contents.of(mounted.main_zeo.data_fs()), [outcome.report["run"]["id"]])
    posts = [line for line in mounted.clients["app3"].access_log.read_text().splitlines() if '"POST /archive' in line]
    assert [] == posts


def test_a_mount_that_is_not_in_the_tree_is_told(make_cluster: Callable[..., Cluster]) -> None:
    cluster = make_cluster(specs(2, every={"more": MOUNTED}), zeo=ONE_ZEO)
    outcome = free(cluster)
    assert (0, {None}) == (outcome.code, set(outcome.pairs("http", "archive").values()) or {None})
    assert "nothing is at /archive on any client: the tree has no mount object there" in notes(outcome)


def test_a_plain_folder_where_a_database_is_mounted_proves_nothing_of_it(make_cluster: Callable[..., Cluster]) -> None:
    cluster = make_cluster(specs(2, every={"more": MOUNTED}), zeo=ONE_ZEO)
    post(cluster, "/manage_addProduct/OFSP/manage_addFolder", id="archive", title="an ordinary one")
    outcome = free(cluster)
    assert 0 == outcome.code
    assert "what is at /archive is not in database archive, which is not in the tree" in notes(outcome)
    assert True not in outcome.pairs("http", "archive").values()
    assert 404 == status(cluster, f"/archive/zcheck-{outcome.report['run']['id']}", "app2")


def test_what_a_killed_run_left_in_a_mounted_database_is_found_and_removed(mounted: Cluster) -> None:
    title = "Test folder of zcheck run 4f2a at /archive, which removes it itself; may be deleted"
    post(mounted, "/archive/manage_addProduct/OFSP/manage_addFolder", id="zcheck-4f2a", title=title)
    post(mounted, "/archive/manage_addProduct/OFSP/manage_addFolder", id="zcheck-notes", title="What we know of zcheck")
    ini = write_ini(mounted, "free", pinned=False)
    found = in_process("leftovers", ini)
    assert (1, True) == (found.code, "folder /archive/zcheck-4f2a" in found.out)
    assert "zcheck-notes" not in found.out
    assert 0 == in_process("leftovers", ini, "--remove", "--force").code
    assert [404, 200] == [status(mounted, f"/archive/zcheck-{name}/title_or_id", "app2") for name in ("4f2a", "notes")]


def test_plan_tells_where_else_a_folder_is_added(mounted: Cluster) -> None:
    text = in_process("plan", write_ini(mounted, "free", pinned=False)).out
    assert "the same at /archive (database archive)" in text
    assert "not at /archive (database archive): clients.ini pins storage 1" in in_process("plan", mounted.ini).out


def test_a_client_of_which_no_file_tells_is_proven_with_the_others(mounted: Cluster) -> None:
    ini = write_ini(mounted, "bare", pinned=False, instead={"app3": {"zope-conf": ""}})
    assert EVERY_PAIR == preflight(ini).pairs("http", "archive")


def test_a_database_that_no_file_tells_of_is_told_as_not_proven(mounted: Cluster) -> None:
    outcome = preflight(write_ini(mounted, "bare", pinned=False, without=("zope-conf",)))
    assert EVERY_PAIR == outcome.pairs("http")
    assert {None} == set(outcome.pairs("http", "archive").values())
    assert "database archive is not proven through the running clients: no zope.conf tells" in notes(outcome)


def test_a_database_of_one_process_is_left_alone(make_cluster: Callable[..., Cluster]) -> None:
    own = "<zodb_db sessions>\n<mappingstorage>\n</mappingstorage>\nmount-point /sessions\n</zodb_db>\n"
    cluster = make_cluster([ClientSpec(name=name, more=own) for name in ("app1", "app2")])
    mount(cluster, "/sessions")
    outcome = free(cluster)
    assert {} == outcome.pairs("http", "sessions")
    assert "sessions" not in notes(outcome)
