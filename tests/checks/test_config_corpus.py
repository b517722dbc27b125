"""Files that nobody on this project wrote: read without a crash, told for what they are, judged as a reader would."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from judging import facts_of_inventory, found, judged, read

from zcheck.facts import ZopeConf
from zcheck.parsers import clients_ini, zope_conf

READ = ("zope", "zope-fragment", "zope3", "zeo", "zodbconf")


def manifest(corpus: Path) -> list[dict[str, str]]:
    with (corpus / "MANIFEST.tsv").open(encoding="utf-8", newline="") as stream:
        return [row for row in csv.DictReader(stream, delimiter="\t") if row["kind"] in READ]


def not_there(path: str) -> str:
    raise OSError(2, "No such file or directory", path)


def parsed(corpus: Path, row: dict[str, str]) -> ZopeConf:
    return zope_conf.parse(read(str(corpus / row["file"])), row["file"], {}, not_there)


def test_literal_files_of_zope_are_read(corpus: Path) -> None:
    """Nothing is refused but what Zope refuses; an included file that the collection lacks is told at its line."""
    refused = {}
    for row in manifest(corpus):
        if (row["kind"], row["form"]) == ("zope", "literal"):
            conf = parsed(corpus, row)
            assert conf.databases, row["file"]
            for fault in conf.faults:
                if fault.kind == "unread":
                    assert fault.message.startswith("%include zodb_db_"), row["file"]
                else:
                    refused[row["file"]] = (fault.line, fault.message)
    assert refused == {
        "zope/zms-publishing__ZMS__docker__base__zope.conf": (
            13,
            "a second <environment> section; the first is at line 9",
        )
    }


def test_every_database_of_a_literal_file_has_a_storage_and_a_mount_point(corpus: Path) -> None:
    for row in manifest(corpus):
        if (row["kind"], row["form"]) == ("zope", "literal"):
            conf = parsed(corpus, row)
            if not conf.faults:
                assert all(d.leaf is not None and d.mount_points for d in conf.databases), row["file"]
                assert conf.root is not None, row["file"]


def test_templates_are_told_as_templates(corpus: Path) -> None:
    rows = [row for row in manifest(corpus) if row["form"] != "literal"]
    assert rows
    for row in rows:
        (fault,) = parsed(corpus, row).faults
        assert fault.message.startswith("this is a template, render it first"), row["file"]
        assert fault.line


@pytest.mark.parametrize(
    ("expected", "kind"),
    [
        pytest.param("this is a ZEO server's configuration", "zeo", id="ZEO server"),
        pytest.param("this is Zope 3's configuration", "zope3", id="Zope 3"),
    ],
)
def test_files_of_other_servers_are_told_apart(expected: str, kind: str, corpus: Path) -> None:
    rows = [row for row in manifest(corpus) if row["kind"] == kind and row["form"] == "literal"]
    assert rows
    for row in rows:
        (fault,) = parsed(corpus, row).faults
        assert fault.message.startswith(expected), row["file"]


# --- the sets, each read by hand -----------------------------------------------------------------


def ini_of(folder: Path, confs: dict[str, str], *, zeo: str, storage: str, **lines: str) -> str:
    """A clients.ini for files of one set, all on one machine; ``lines`` adds one to a client's section."""
    found = ["[cluster]", "name = set", f"zeo = {zeo}", f"storage = {storage}"]
    for number, (name, file) in enumerate(confs.items()):
        found += [f"[client:{name}]", f"address = 127.0.0.1:{8085 + number}", f"zope-conf = {folder / file}"]
        found += [lines[name]] if name in lines else []
    return "\n".join(found)


def said_of(folder: Path, ini: str) -> dict[str, list[tuple[str, str]]]:
    return found(judged(facts_of_inventory(clients_ini.parse(ini, str(folder / "clients.ini")))))


SOCKET = {"zeo": "/home/zope/var/zeosocket"}


def test_three_clients_of_one_container_on_one_socket(corpus: Path) -> None:
    """zms3-ubuntu: all on storage 1 of one socket, with caches and logs of their own.

    One instance home serves all of them: they write one process id file, and zeo is on a socket, so no name is open.
    8085 is read-only.  Sessions are in each process's memory.  Nothing else differs.
    """
    folder = corpus / "sets" / "zms3-ubuntu"
    confs = {f"app{port}": f"zope_{port}.conf" for port in (8085, 8086, 8087)}
    everybody = " ".join(confs)
    assert said_of(folder, ini_of(folder, confs, storage="1", **SOCKET)) == {
        "clients-are-writable": [("CRITICAL", "app8085")],
        "instance-homes-are-distinct": [("WARNING", everybody)],
        "sessions-are-shared": [("WARNING", everybody)],
    }


def test_the_same_with_roles_and_the_debugging_client(corpus: Path) -> None:
    """8080_debug is a worker: it may be read-only and in debug mode, and its sessions are nobody's."""
    folder = corpus / "sets" / "zms3-ubuntu"
    confs = {"debug": "zope_8080_debug.conf", "app8085": "zope_8085.conf", "app8086": "zope_8086.conf"}
    ini = ini_of(folder, confs, storage="1", debug="role = worker", app8085="role = read-only", **SOCKET)
    assert said_of(folder, ini) == {
        "instance-homes-are-distinct": [("WARNING", "app8085 app8086 debug")],
        "sessions-are-shared": [("WARNING", "app8085 app8086")],
    }


def test_clients_of_which_one_opens_the_file_of_the_server(corpus: Path) -> None:
    """zms-ubuntu: 8085, 8086, 8087 and 8889 are on the server's socket; zope.conf opens the server's own Data.fs.

    8085 and 8087 are read-only; 8087 and zope.conf are in debug mode, and 8087 has no <environment>.  ip-address in
    zope.conf is Zope 2's, and nothing of that starts it.  The wrappers of
    the database of zope.conf differ as well, but that it is private says all.
    """
    folder = corpus / "sets" / "zms-ubuntu"
    confs = {f"app{port}": f"zope_{port}.conf" for port in (8085, 8086, 8087, 8889)} | {"plain": "zope.conf"}
    everybody = " ".join(confs)
    assert said_of(folder, ini_of(folder, confs, storage="main", **SOCKET)) == {
        "no-private-storage": [("CRITICAL", "plain")],
        "clients-are-writable": [("CRITICAL", "app8085 app8087")],
        "instance-homes-are-distinct": [("WARNING", everybody)],
        "sessions-are-shared": [("WARNING", everybody)],
        "environment-agrees": [("WARNING", everybody)],
        "zope-conf-keys-are-known": [("WARNING", "plain")],
        "debug-mode-is-off": [("WARNING", "app8087 plain")],
    }


def test_containers_that_read_one_file(corpus: Path) -> None:
    """zms-docker: one file for all containers; sessions are on the server as well; debug switches were left on."""
    folder = corpus / "sets" / "zms-docker"
    confs = {"app1": "zope.conf", "app2": "zope.conf", "app3": "zope.conf"}
    ini = ini_of(folder, confs, zeo="zeo:8090", storage="main", **dict.fromkeys(confs, "listens = 80"))
    assert said_of(folder, ini) == {
        "debug-mode-is-off": [("WARNING", "app1 app2 app3"), ("WARNING", "app1 app2 app3")],
    }


def test_the_servers_own_files_are_no_clients(corpus: Path) -> None:
    for name in ("zms-docker", "zms-ubuntu", "zms3-ubuntu"):
        folder = corpus / "sets" / name
        (fault,) = zope_conf.parse(read(str(folder / "zeo.conf")), "zeo.conf", {}, not_there).faults
        assert fault.message == "this is a ZEO server's configuration, not a Zope client's"
