"""A ZEO server's own file: what it binds and serves, and what runzeo would refuse."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zcheck.facts import NotGathered, ZeoConf
from zcheck.parsers import clients_ini
from zcheck.parsers.zeo_conf import of_servers, parse


def nothing(path: str) -> str:
    raise FileNotFoundError(2, "No such file or directory", path)


def zeo(text: str, read: Callable[[str], str] = nothing, **env: str) -> ZeoConf:
    return parse(text, "etc/zeo.conf", env, read)


SERVER = "<zeo>\n  address 8100\n</zeo>\n"
ONE = "<filestorage 1>\n  path /srv/Data.fs\n</filestorage>\n"


def storage(name: str, kind: str = "filestorage") -> str:
    return f"<{kind} {name}>\n  path /srv/{name or 'x'}.fs\n</{kind}>\n"


def test_address_storages_and_lines() -> None:
    conf = zeo(
        "%define HOME /srv\n\n"
        + SERVER
        + "<filestorage Main>\n path $HOME/Data.fs\n blob-dir $HOME/b\n</filestorage>\n"
    )
    assert conf.address is not None
    assert ("8100", 4) == (conf.address.value, conf.address.line)
    (served,) = conf.storages
    path, blobs = served.setting("path"), served.setting("blob-dir")
    assert path is not None and blobs is not None
    assert ("main", "/srv/Data.fs", 7, "/srv/b", 8) == (served.name, path.value, path.line, blobs.value, blobs.line)
    assert (served, None) == (conf.storage("main"), conf.storage("Main"))
    assert () == conf.faults


CHAINS = {
    "file": ("1", ["filestorage"], ONE),
    "no name": ("1", ["filestorage"], storage("")),
    "blobstorage": (
        "1",
        ["blobstorage", "filestorage"],
        "<blobstorage 1>\nblob-dir /b\n<filestorage>\npath /d\n</filestorage>\n</blobstorage>\n",
    ),
    "an add-on around it": (
        "1",
        ["serverencryptingstorage", "filestorage"],
        "%import cipher.encryptingstorage\n<serverencryptingstorage 1>\nconfig /c\n<filestorage>\npath /d\n"
        "</filestorage>\n</serverencryptingstorage>\n",
    ),
    "replicated": (
        "1",
        ["zrs", "filestorage"],
        "%import zc.zrs\n<zrs 1>\nreplicate-to 5000\n<filestorage 1>\npath /d\n</filestorage>\n</zrs>\n",
    ),
}


@pytest.mark.parametrize(("name", "chain", "text"), CHAINS.values(), ids=CHAINS)
def test_chains_of_storages(name: str, chain: list[str], text: str) -> None:
    conf = zeo(SERVER + text)
    (served,) = conf.storages
    assert ((name, chain), ()) == ((served.name, [section.type for section in served.chain]), conf.faults)
    assert served.setting("path") is not None


def test_loggers_and_the_runner_are_no_storages() -> None:
    rest = "<eventlog>\n<logfile>\npath STDOUT\n</logfile>\n</eventlog>\n<runner>\nprogram runzeo\n</runner>\n"
    assert ["1"] == [served.name for served in zeo(SERVER + ONE + rest).storages]


FAULTS = {
    "empty": ("refused", "empty", 1, ""),
    "a Zope client's file": (
        "refused",
        "a Zope client's configuration",
        1,
        "<zodb_db main>\n<zeoclient>\nserver $(ZEO_ADDRESS)\n</zeoclient>\nmount-point /\n</zodb_db>\n",
    ),
    "no <zeo>": ("refused", "no <zeo>", 3, ONE),
    "two <zeo>": ("refused", "a second <zeo>", 4, SERVER + SERVER + ONE),
    "no address": ("refused", "no address", 1, "<zeo>\nread-only on\n</zeo>\n" + ONE),
    "no storage": ("refused", "no storage", 3, SERVER),
    "a name twice": ("refused", "the name is that of", 7, SERVER + storage("a") + storage("A")),
    "two without a name": ("refused", "has no name", 7, SERVER + storage("") + storage("")),
    "one without a name, and '1'": ("refused", "would be '1'", 4, SERVER + storage("") + storage("1")),
    "a section that does not end": ("refused", "never closed", 4, SERVER + "<filestorage 1>\npath /d\n"),
    "a template": ("refused", "template", 5, SERVER + "<filestorage 1>\npath ${buildout:directory}/d\n</filestorage>"),
    "an include": ("unread", "could not be read", 1, "%include storages.conf\n" + SERVER),
    "undefined": ("refused", "no definition", 5, SERVER + "<filestorage 1>\npath $HOME/d\n</filestorage>\n"),
}


@pytest.mark.parametrize(("kind", "message", "line", "text"), FAULTS.values(), ids=FAULTS)
def test_what_is_told(kind: str, message: str, line: int, text: str) -> None:
    (fault,) = zeo(text).faults
    assert (kind, line) == (fault.kind, fault.line)
    assert message in fault.message


# What runzeo itself makes of it: ZEO's schema, then the rules for names in ZEO/runzeo.py.
BY_RUNZEO = {
    "one": SERVER + ONE,
    "two": SERVER + storage("a") + storage("b"),
    "no name": SERVER + storage(""),
    "a definition": "%define PLACE /srv\n" + SERVER + "<filestorage 1>\n path $PLACE/Data.fs\n</filestorage>\n",
    "a wrapper": SERVER + CHAINS["blobstorage"][2].replace("/d\n", "/srv/d\n").replace("/b\n", "/srv/b\n"),
    **{name: FAULTS[name][3] for name in FAULTS if FAULTS[name][0] == "refused" and name not in ("a template",)},
}


@pytest.mark.parametrize("text", BY_RUNZEO.values(), ids=BY_RUNZEO)
def test_runzeo_agrees(text: str, tmp_path: Path) -> None:
    import ZConfig
    import ZEO

    schema = ZConfig.loadSchema(str(Path(ZEO.__file__).with_name("schema.xml")))
    try:
        config, _ = ZConfig.loadConfigFile(schema, io.StringIO(text.replace("/srv", str(tmp_path))))
        names = [opener.name or "1" for opener in config.storages]
        accepted = len(names) == len(set(names))
    except ZConfig.ConfigurationError:
        accepted, names = False, []
    conf = zeo(text)
    assert accepted == (not conf.faults)
    if accepted:
        assert names == [served.name for served in conf.storages]


def test_an_included_file_is_part_of_it() -> None:
    conf = zeo(SERVER + "%include storages.conf\n", {"etc/storages.conf": ONE}.__getitem__)
    line = conf.storages[0].setting("path")
    assert line is not None
    assert ("etc/storages.conf", 2, ()) == (line.file, line.line, conf.faults)


def test_a_variable_that_nobody_gives_is_no_fault() -> None:
    conf = zeo("<zeo>\naddress 0.0.0.0:$(ZEO_PORT)\n</zeo>\n" + ONE)
    assert conf.address is not None
    assert (("ZEO_PORT",), ()) == (conf.address.unresolved, conf.faults)
    known = zeo("<zeo>\naddress 0.0.0.0:$(ZEO_PORT)\n</zeo>\n" + ONE, ZEO_PORT="8100")
    assert known.address is not None
    assert "0.0.0.0:8100" == known.address.value


@settings(deadline=None, max_examples=200)
@given(st.text(max_size=200), st.text(alphabet="<>/zeo%define$( )\n1 ", max_size=120))
def test_nothing_is_raised(anything: str, syntax: str) -> None:
    for text in (anything, syntax, SERVER + syntax):
        assert isinstance(zeo(text), ZeoConf)


INI = """[cluster]
name = test
[client:app1]
address = 10.0.0.1:8080
[zeo:main]
address = zeo1:8100
conf = zeo1.conf
[zeo:other]
address = zeo2:8100
conf = zeo2.conf
[zeo:unknown]
address = zeo3:8100
"""


def test_the_files_of_the_servers() -> None:
    files = {"zeo1.conf": "%include rest.conf\n" + SERVER, "rest.conf": ONE}

    def read(path: str) -> str:
        if path not in files:
            raise PermissionError(13, "Permission denied", path)
        return files[path]

    found = of_servers(clients_ini.parse(INI, "clients.ini"), read, lambda path: read)
    assert found is not None
    assert ["main", "other"] == list(found.confs)
    main, other = found.confs["main"], found.confs["other"]
    assert isinstance(main, ZeoConf)
    assert ["1"] == [served.name for served in main.storages]
    assert isinstance(other, NotGathered)
    assert "Permission denied" in other.reason


def test_no_server_has_a_file() -> None:
    assert (
        of_servers(clients_ini.parse(INI.replace("conf =", "machine ="), "clients.ini"), nothing, lambda _: nothing)
        is None
    )


# --- files that nobody on this project wrote --------------------------------------------------------

Served = dict[str, tuple[str, str | None]]
CORPUS: dict[str, tuple[str, Served]] = {
    "BCCVL__zeoserver__files__zeoserver.conf": (
        "0.0.0.0:8100",
        {"1": ("$(ZEO_VAR)/filestorage/Data.fs", "$(ZEO_VAR)/blobstorage")},
    ),
    "Pylons__sdnet_buildout__etc__zeo.conf": (
        "127.0.0.1:9951",
        {"main": ("./var/Data.fs", "./var/blobs"), "audit": ("./var/audit.fs", "./var/blobs")},
    ),
    "dmnfarrell__peat__PEATDB__zeo.conf": (
        "peat.ucd.ie:8080",
        {
            "1": ("/peatdbserver/Data.fs", "/peatdbserver/Data.blob"),
            "hewlproject": ("/peatdbserver/hewlproject.fs", None),
            "large": ("/peatdbserver/large.fs", None),
        },
    ),
    "ecreall__nova-ideo__etc__zeo.conf": (
        "./var/zeo.sock",
        {"1": ("./var/filestorage/Data.fs", "./var/blobstorage")},
    ),
    "ryonagana__cbircbot__zope.conf": ("localhost:8100", {"1": ("Data.fs", "blobstorage")}),
    "wunderlins__todo__etc__zeo.conf": ("127.0.0.1:8090", {"1": ("var/db/notes.fs", None)}),
    "zms-publishing__ZMS__docker__base__zeo.conf": (
        "0.0.0.0:8090",
        {"main": ("/home/zope/var/Data.fs", None), "temporary": ("/home/zope/var/temporary.fs", None)},
    ),
    "zms-publishing__ZMS3__docker__variants__ubuntu__instance__etc__zeo.conf": (
        "/home/zope/var/zeosocket",
        {"1": ("/home/zope/var/Data.fs", None)},
    ),
}
TEMPLATES = (".in",)


def served_by(conf: ZeoConf) -> Served:
    found = {}
    for one in conf.storages:
        path, blobs = one.setting("path"), one.setting("blob-dir")
        found[one.name] = (path.value if path else "", blobs.value if blobs else None)
    return found


def test_every_server_of_the_corpus_is_read_rightly(corpus: Path) -> None:
    seen = 0
    for path in sorted([*(corpus / "zeo").iterdir(), *(corpus / "sets").glob("*/zeo.conf")]):
        conf = parse(path.read_text(encoding="utf-8", errors="surrogateescape"), str(path), {}, nothing)
        if path.name.endswith(TEMPLATES):
            assert ["template" in fault.message for fault in conf.faults] == [True], path
            continue
        assert ((), True) == (conf.faults, conf.address is not None and bool(conf.storages)), path
        if path.name in CORPUS:
            assert conf.address is not None
            assert CORPUS[path.name] == (conf.address.value, served_by(conf))
            seen += 1
    assert seen
