"""zope.conf: read as ZConfig reads it, with lines, without effects, and never beyond the limits."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import pytest
import ZConfig
from hypothesis import given
from hypothesis import strategies as st
from patience import patient
from ZConfig.substitution import substitute

from zcheck.facts import ConfFault, Setting, ZopeConf
from zcheck.parsers import zope_conf

HEALTHY = """\
%define INSTANCE /srv/app1
instancehome $INSTANCE
Debug-Mode off

<zodb_db Main>
  cache-size 30000
  <ZEOClient>
    server zeo1:8100
    server zeo2:8100
    Blob-Dir ${instance}/var/blobs
  </zeoclient>
  mount-point /
</zodb_db>
"""


def nothing_to_include(path: str) -> str:
    raise OSError(2, "No such file or directory", path)


def files(**texts: str) -> Callable[[str], str]:
    """A ``read`` that knows these files; ``__`` in a name is a slash, ``_`` a dot."""
    known = {name.replace("__", "/").replace("_", "."): text for name, text in texts.items()}

    def read(path: str) -> str:
        if path not in known:
            raise OSError(2, "No such file or directory", path)
        return known[path]

    return read


def parse(text: str, url: str = "app1/etc/zope.conf", **env: str) -> ZopeConf:
    return zope_conf.parse(text, url, env, nothing_to_include)


def faults(conf: ZopeConf) -> list[tuple[str, int | None, str]]:
    return [(fault.kind, fault.line, fault.message) for fault in conf.faults]


def value(conf: ZopeConf, key: str) -> str:
    setting = conf.top.first(key)
    assert setting is not None
    return setting.value


def test_each_key_has_its_file_and_line_in_lower_case() -> None:
    conf = parse(HEALTHY)
    assert () == conf.faults
    assert conf.settings == (
        Setting("instancehome", "/srv/app1", "app1/etc/zope.conf", 2),
        Setting("debug-mode", "off", "app1/etc/zope.conf", 3),
    )
    (database,) = conf.databases
    assert ("main", 5, 13) == (database.name, database.section.line, database.section.end_line)
    assert [("zeo1:8100", 8), ("zeo2:8100", 9)] == [(s.value, s.line) for s in database.servers]
    leaf = database.leaf
    assert leaf is not None
    assert ("zeoclient", 7, 11, "/srv/app1/var/blobs") == (
        leaf.type,
        leaf.line,
        leaf.end_line,
        leaf.value("blob-dir", ""),
    )
    assert (13, True) == (conf.lines, database.mounts_root)


@pytest.mark.parametrize(
    ("expected", "text"),
    [
        pytest.param("a/b", "%define x a\nword $x/b", id="define"),
        pytest.param("ab", "%define x a\nword ${X}b", id="braces, other case"),
        pytest.param("a b", "%define x a\n%define y $x b\nword $y", id="define of a define"),
        pytest.param("$x", "%define x a\nword $$x", id="literal dollar"),
        pytest.param("", "%define x\nword $x", id="empty define"),
        pytest.param("a", "%define x a\n%define X a\nword $x", id="defined twice alike"),
        pytest.param("inner", "<s>\n%define x inner\n</s>\nword $x", id="define within a section holds beyond it"),
        pytest.param("from env", "word $(GIVEN)", id="environment"),
        pytest.param("", "word $(EMPTY)", id="empty variable"),
        pytest.param("value # no comment", "word value # no comment", id="there are no inline comments"),
        pytest.param("", "word", id="no value"),
        pytest.param("a=b", "word   a=b   ", id="blanks around"),
        pytest.param("(x)", "word(x)", id="a parenthesis ends the key"),
        pytest.param("v", "word v\r", id="line ends of Windows"),
    ],
)
def test_values_are_substituted_as_zconfig_does(expected: str, text: str) -> None:
    conf = parse(text, GIVEN="from env", EMPTY="")
    assert () == conf.faults
    assert expected == value(conf, "word")


def test_the_environment_of_zcheck_itself_is_never_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZEO_ADDRESS", "somewhere:8100")
    conf = parse("%define z $(ZEO_ADDRESS)\n%define both $z and $(OTHER)\nword $both\nserver $(ZEO_ADDRESS)")
    assert os.environ["ZEO_ADDRESS"] not in repr(conf)
    assert () == conf.faults
    assert [
        ("$(ZEO_ADDRESS) and $(OTHER)", ("ZEO_ADDRESS", "OTHER")),
        ("$(ZEO_ADDRESS)", ("ZEO_ADDRESS",)),
    ] == [(setting.value, setting.unresolved) for setting in conf.settings]


DATABASE = "<zodb_db {}>\n<zeoclient>\nserver zeo1:8100\n</zeoclient>\nmount-point {}\n</zodb_db>\n"


@pytest.mark.parametrize(
    ("line", "message", "text"),
    [
        pytest.param(2, "no definition for '$nowhere'", "a b\nword $nowhere", id="undefined name"),
        pytest.param(1, "a '$' that begins", "word 10$", id="lone dollar"),
        pytest.param(1, "a '$' that begins", "word $(NOT-A-NAME)", id="no name in parentheses"),
        pytest.param(2, "cannot redefine 'x'", "%define x 1\n%define X 2", id="redefined"),
        pytest.param(1, "no name of letters", "%define 1x y", id="illegal name"),
        pytest.param(1, "unknown directive: 'inclde'", "%inclde x", id="unknown directive"),
        pytest.param(1, "missing argument", "%include", id="no argument"),
        pytest.param(2, "malformed configuration data", "a b\n(x)", id="no key"),
        pytest.param(1, "malformed section start", "<zodb_db main", id="no end of a header"),
        pytest.param(1, "malformed section header", "<zodb_db two names>", id="two names"),
        pytest.param(2, "<zeoclient> is never closed", "<zodb_db main>\n<zeoclient>\nserver a:1", id="not closed"),
        pytest.param(
            3, "</zodb_db> where <zeoclient> of line 2", "<zodb_db a>\n<zeoclient>\n</zodb_db>", id="unbalanced"
        ),
        pytest.param(2, "unexpected section end", "a b\n</zodb_db>", id="never opened"),
        pytest.param(1, "<zodb_db> has no name", DATABASE.format("", "/"), id="database without a name"),
        pytest.param(1, "has no storage", "<zodb_db a>\nmount-point /\n</zodb_db>", id="database without a storage"),
        pytest.param(
            1, "no mount-point", "<zodb_db a>\n<zeoclient>\nserver a:1\n</zeoclient>\n</zodb_db>", id="unmounted"
        ),
        pytest.param(
            4,
            "a second storage",
            "<zodb_db a>\n<mappingstorage/>\nmount-point /\n<zeoclient>\nserver a:1\n</zeoclient>\n</zodb_db>",
            id="two storages",
        ),
        pytest.param(
            5, "does not begin with a slash", DATABASE.format("a", "archive"), id="mount point without a slash"
        ),
        pytest.param(5, "what follows '~'", DATABASE.format("a", "/a:~Root"), id="special root without a path"),
        pytest.param(
            7,
            "the name is that of <zodb_db main>",
            DATABASE.format("main", "/") + DATABASE.format("MAIN", "/a"),
            id="name twice",
        ),
        pytest.param(
            11,
            "as is database a at line 5",
            DATABASE.format("a", "/") + DATABASE.format("b", "/:/x"),
            id="mount point twice",
        ),
        pytest.param(
            3,
            "a second <environment>",
            "<environment>\n</environment>\n<environment>\n</environment>",
            id="two environments",
        ),
        pytest.param(1, "the file is empty", "\n \n", id="empty"),
        pytest.param(2, "a NUL byte", "a b\nc \0d", id="NUL"),
        pytest.param(2, "no UTF-8", "a b\n# caf\udce9", id="Latin 1"),
        pytest.param(1, "a byte order mark", "\ufeffa b", id="byte order mark"),
        pytest.param(3, "a ZEO server's configuration", "\n\n<zeo>\naddress 8100\n</zeo>", id="ZEO server"),
        pytest.param(1, "Zope 3's", "site-definition site.zcml\n<zodb>\n<mappingstorage/>\n</zodb>", id="Zope 3"),
        pytest.param(2, "Zope 3's or a script's", "a b\n<zodb>\n<mappingstorage/>\n</zodb>", id="zodb alone"),
        pytest.param(1, "a template, render it first", "%define a ${buildout:directory}", id="buildout"),
        pytest.param(2, "a template, render it first", "# {{ no }}\nserver {{ zeo_address }}", id="Jinja"),
        pytest.param(1, "a template, render it first", "%define INSTANCE <<INSTANCE_HOME>>", id="skeleton"),
        pytest.param(1, "a template, render it first", "server <%= @zeo %>", id="ERB"),
        pytest.param(1, "a template, render it first", "{% if zeo %}", id="Django"),
        pytest.param(1, "a template, render it first", "server ${ZEO_ADDRESS:-zeo:8100}", id="shell"),
    ],
)
def test_what_zope_refuses_is_told_with_its_line(line: int, message: str, text: str) -> None:
    kind, at, said = faults(parse(text))[0]
    assert ("refused", line) == (kind, at)
    assert message in said


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(HEALTHY, id="healthy"),
        pytest.param(DATABASE.format("main", "/") + DATABASE.format("a", "/a:~Root/x"), id="special root"),
        pytest.param(DATABASE.format("main", "$(MOUNT)"), id="unresolved mount point"),
        pytest.param("<environment>\nX {{ any }} <<VALUE>> {% %}\n</environment>", id="braces in the environment"),
        pytest.param("<formatter x>\nformat %(asctime)s {{ }}\n</formatter>", id="braces in a format"),
        pytest.param("# caf\udce9\n<http-server>\naddress 8080\n</http-server>", id="Latin 1 under Zope 2"),
        pytest.param("<a x>\n<b x>\n</b>\n</a>", id="one name at two levels"),
        pytest.param("<logger access>\n</logger>\n<logger trace>\n</logger>", id="one type, two names"),
        pytest.param("<s/>", id="empty section"),
        pytest.param("word 100\u00a0000", id="a character beyond ASCII"),
    ],
)
def test_what_zope_accepts_is_no_fault(text: str) -> None:
    assert () == parse(text).faults


def test_after_a_bad_line_the_others_are_still_read() -> None:
    conf = parse("a $nowhere\nb 2\n%define\nc 3\n" + DATABASE.format("main", "/"))
    assert [1, 3] == [fault.line for fault in conf.faults]
    assert ["a", "b", "c"] == [setting.key for setting in conf.settings]
    assert conf.root is not None


def test_after_a_syntax_error_what_was_read_is_kept() -> None:
    conf = parse(DATABASE.format("main", "/") + "<zodb_db archive>\n<zeoclient>\nserver zeo1:8100\n</zodb_db>\nlate x")
    assert [("refused", 10)] == [(fault.kind, fault.line) for fault in conf.faults]
    assert ["main", "archive"] == [database.name for database in conf.databases]
    archive = conf.database("archive")
    assert archive is not None
    assert ["zeo1:8100"] == [setting.value for setting in archive.servers]
    assert () == conf.settings


# --- %include ------------------------------------------------------------------------------------


def test_included_files_keep_their_own_names_and_lines_and_share_the_definitions() -> None:
    read = files(
        app1__etc__main_conf="%define here there\n<zodb_db main>\n%include storage.conf\nmount-point /\n</zodb_db>\n",
        app1__etc__storage_conf="<zeoclient>\nserver $SERVER\n</zeoclient>\n",
    )
    conf = zope_conf.parse("%define server zeo1:8100\n%include main.conf\nlate $here\n", "app1/etc/zope.conf", {}, read)
    assert () == conf.faults
    root = conf.root
    assert root is not None
    assert ("app1/etc/main.conf", 2, 5) == (root.section.file, root.section.line, root.section.end_line)
    assert [Setting("server", "zeo1:8100", "app1/etc/storage.conf", 2)] == list(root.servers)
    assert [Setting("late", "there", "app1/etc/zope.conf", 3)] == list(conf.settings)


@pytest.mark.parametrize(
    ("expected", "target"),
    [
        pytest.param("app1/etc/x.conf", "x.conf", id="beside"),
        pytest.param("app1/x.conf", "../x.conf", id="above"),
        pytest.param("/srv/x.conf", "/srv/x.conf", id="absolute"),
        pytest.param("/srv/x.conf", "file:///srv/x.conf", id="URL of a file"),
        pytest.param("/srv/x.conf", "file://localhost/srv/x.conf", id="URL of a file of localhost"),
        pytest.param("app1/etc/a b.conf", "a%20b.conf", id="quoted"),
        pytest.param("app1/etc/sub/x.conf", "$(SUB)/x.conf", id="by the environment"),
    ],
)
def test_where_an_included_file_is_looked_for(expected: str, target: str) -> None:
    asked = []

    def read(path: str) -> str:
        asked.append(path)
        return "word value"

    conf = zope_conf.parse(f"%include {target}", "app1/etc/zope.conf", {"SUB": "sub"}, read)
    assert ([expected], "value") == (asked, value(conf, "word"))


@pytest.mark.parametrize(
    ("message", "text"),
    [
        pytest.param("could not be read: No such file", "%include gone.conf", id="missing"),
        pytest.param("is no file", "%include http://example.com/x.conf", id="web"),
        pytest.param("is no file", "%include file://example.com/x.conf", id="another machine"),
        pytest.param("is no file", "%include package:Zope2:x.conf", id="package"),
        pytest.param("is no file", "%include x.conf#part", id="fragment"),
        pytest.param("no value for $(WHERE)", "%include $(WHERE)/x.conf", id="variable without a value"),
    ],
)
def test_an_include_that_cannot_be_had_is_unread_and_the_rest_is_judged(message: str, text: str) -> None:
    conf = parse(f"a 1\n{text}\n{DATABASE.format('main', '/')}")
    ((kind, line, said),) = faults(conf)
    assert ("unread", 2) == (kind, line)
    assert message in said
    assert conf.root is not None


def test_no_password_of_a_url_is_shown() -> None:
    assert "hunter2" not in repr(parse("%include http://me:hunter2@example.com/x.conf"))


def test_a_file_that_includes_itself_is_refused() -> None:
    read = files(app1__etc__a_conf="%include b.conf", app1__etc__b_conf="%include ../etc/a.conf")
    conf = zope_conf.parse("%include a.conf", "app1/etc/zope.conf", {}, read)
    ((kind, line, message),) = faults(conf)
    assert ("refused", 1, "app1/etc/b.conf") == (kind, line, conf.faults[0].file)
    assert "includes itself" in message


def test_an_included_template_is_told_as_one() -> None:
    conf = zope_conf.parse("a b\n%include a.conf", "zope.conf", {}, files(a_conf="\nserver ${zeo:address}"))
    (fault,) = conf.faults
    assert ("a.conf", 2) == (fault.file, fault.line)
    assert "template" in fault.message


# --- hostile files -------------------------------------------------------------------------------

DOUBLING = "%define a0 xx\n" + "".join(f"%define a{n + 1} $a{n}$a{n}\n" for n in range(100))


@pytest.mark.parametrize(
    ("message", "text"),
    [
        pytest.param("64 KiB after substitution", DOUBLING, id="a define that doubles"),
        pytest.param("10,000 definitions", "".join(f"%define a{n} b\n" for n in range(100_000)), id="100 000 defines"),
        pytest.param("8 MiB of substitutions", f"%define a {'x' * 60_000}\n" + "k $a\n" * 50_000, id="large uses"),
        pytest.param("32 deep", "<a>\n" * 100_000, id="deep"),
        pytest.param("200,000 lines", "a b\n" * 300_000, id="long"),
        pytest.param("4 MiB", "x" * 5_000_000, id="large"),
        pytest.param("20 faults", "(\n" * 100_000, id="a fault a line"),
        pytest.param("64 KiB after substitution", "k " + "$$" * 1_000_000, id="dollars"),
        pytest.param("a NUL byte", "\0" * 1_000_000, id="nothing but NUL"),
        pytest.param("template", "k " + "${" * 500_000 + "}", id="braces"),
        pytest.param("a '$' that begins", "k " + "${" * 500_000, id="open braces"),
        pytest.param("no definition", "k $x" + "{{" * 500_000, id="open double braces"),
        pytest.param("no definition", "k $x" + "<%" * 500_000, id="open tags"),
    ],
)
def test_hostile_text_is_bounded_and_told(message: str, text: str) -> None:
    began = time.perf_counter()
    conf = parse(text)
    assert time.perf_counter() - began < patient(5)
    assert any(message in fault.message for fault in conf.faults), conf.faults
    assert all(fault.line for fault in conf.faults)
    assert len(conf.faults) <= zope_conf.MAX_FAULTS + 1


def test_includes_that_multiply_are_bounded() -> None:
    def read(path: str) -> str:
        number = int(path.removeprefix("a").removesuffix(".conf"))
        return f"%include a{number + 1}.conf\n" * 4

    began = time.perf_counter()
    conf = zope_conf.parse("%include a0.conf", "zope.conf", {}, read)
    assert time.perf_counter() - began < patient(5)
    assert "unread" in {fault.kind for fault in conf.faults}


line_of_conf = st.one_of(
    st.text(max_size=30),
    st.sampled_from(
        [
            "<zodb_db main>",
            "</zodb_db>",
            "<zeoclient>",
            "</zeoclient>",
            "<a/>",
            "server $(X)",
            "%define x $y",
            "%include z",
            "mount-point /",
            "mount-point /a:~b",
            "k ${x}",
            "%import ZEO",
            "<environment>",
            "</environment>",
            "<zeo>",
        ]
    ),
)


@given(st.lists(line_of_conf, max_size=40).map("\n".join))
def test_no_text_makes_it_raise(text: str) -> None:
    conf = parse(text)
    assert all(fault.line is not None and fault.message for fault in conf.faults)


# --- against ZConfig -----------------------------------------------------------------------------


@given(st.text(alphabet="ab$(){}_ xX/0\u00e9", max_size=20))
def test_substitution_is_that_of_zconfig(text: str) -> None:
    defines = {"a": "1", "ab": "two", "x": ""}
    os.environ.pop("ab", None)
    try:
        expected = substitute(text, defines)
    except ZConfig.ConfigurationError:
        expected = None
    context = zope_conf._Context({}, nothing_to_include)
    context.defines = {name: (given, ()) for name, given in defines.items()}
    try:
        seen: str | None
        seen, unresolved = context.substituted(text)
    except zope_conf._Refused:
        seen, unresolved = None, ()
    if not unresolved:
        assert expected == seen


# --- secrets -------------------------------------------------------------------------------------


def test_secrets_are_not_in_the_facts_and_can_still_be_compared() -> None:
    text = (
        "<environment>\nDB_PASSWORD hunter2\nJWT_SECRET hunter3\nSOLR http://me:hunter4@solr/x\nPLAIN $(API_TOKEN)\n"
        "</environment>\n"
        "<zodb_db main>\n<relstorage>\n<postgresql>\n"
        "dsn host=db user=zope password='hunter5 5' dbname=zodb\n</postgresql>\n"
        "<mysql>\npasswd hunter6\n</mysql>\n</relstorage>\nmount-point /\n</zodb_db>\n"
    )
    one, two = parse(text, API_TOKEN="hunter7"), parse(text.replace("hunter3", "hunter8"), API_TOKEN="hunter7")
    assert "hunter" not in repr(one)
    assert "host=db user=zope password=*** dbname=zodb" in repr(one)
    (environment,), (other,) = (conf.top.nested("environment") for conf in (one, two))
    alike = {a.key: a.seal == b.seal for a, b in zip(environment.settings, other.settings, strict=True)}
    assert {"DB_PASSWORD": True, "JWT_SECRET": False, "SOLR": True, "PLAIN": True} == alike


def test_faults_are_hashable_so_that_clients_can_share_them() -> None:
    assert {ConfFault("refused", "x", "f", 1)} == {ConfFault("refused", "x", "f", 1)}
