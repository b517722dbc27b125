"""No secret that stands in a configuration is printed: not by any format, not in saved facts, not in an error.

Each planted secret is a word of its own that nothing else holds, in every spelling that a file of its kind knows.  The
two clients have different secrets, and different settings beside them, so that checks have something to say of both.
"""

from __future__ import annotations

import contextlib
import io
import time
from pathlib import Path

import pytest

from zcheck import cli
from zcheck.parsers import redact

FORMATS = ("json", "html", "nagios", "junit", "github", "sarif", "prometheus")
SECRET = "Zq7xK2"
"""A part of every planted secret; ``%`` and ``N`` in a spelling become it and the number of the client."""

POSTGRESQL = """\
%%import relstorage
instancehome /srv/app%(n)d
<zodb_db main>
  <relstorage>
    <postgresql>
      %(line)s
    </postgresql>
  </relstorage>
  mount-point /
</zodb_db>
"""
MYSQL = POSTGRESQL.replace("postgresql>", "mysql>")
ORACLE = POSTGRESQL.replace("postgresql>", "oracle>")
TOP = """\
%(line)s
instancehome /srv/app%(n)d
<zodb_db main>
  <zeoclient>
    server zeo%(n)d:8100
  </zeoclient>
  mount-point /
</zodb_db>
"""
ZEO = """\
instancehome /srv/app%(n)d
<zodb_db main>
  <zeoclient>
    server zeo%(n)d:8100
    %(line)s
  </zeoclient>
  mount-point /
</zodb_db>
"""

CONFS: dict[str, tuple[str, str]] = {
    "key=value": (POSTGRESQL, "dsn host=pgN dbname=zodb user=zope password=SECRETN"),
    "key=value, the password first": (POSTGRESQL, "dsn password=SECRETN host=pgN dbname=zodb"),
    "blanks around =": (POSTGRESQL, "dsn host = pgN dbname = zodb password = SECRETN"),
    "capitals": (POSTGRESQL, "dsn HOST=pgN DBNAME=zodb PASSWORD=SECRETN"),
    "quoted": (POSTGRESQL, "dsn host='pgN' dbname='zodb' password='SECRETN'"),
    "quoted, with a blank": (POSTGRESQL, "dsn host=pgN password='a SECRETN b' dbname=zodb"),
    "quoted, with an escaped quote": (POSTGRESQL, r"dsn host=pgN password='a\'SECRETN b' dbname=zodb"),
    "escaped blanks": (POSTGRESQL, r"dsn host=pgN password=a\ SECRETN\ SECRETb dbname=zodb"),
    "a quote that is not closed": (POSTGRESQL, "dsn host=pgN dbname=zodb password='a SECRETN"),
    "the whole in quotes": (POSTGRESQL, 'dsn "host=pgN dbname=zodb password=SECRETN"'),
    "the whole in single quotes": (POSTGRESQL, "dsn 'host=pgN dbname=zodb password=SECRETN'"),
    "sslpassword": (POSTGRESQL, "dsn host=pgN dbname=zodb sslpassword=SECRETN passfile=/x"),
    "a URL": (POSTGRESQL, "dsn postgresql://zope:SECRETN@pgN/zodb"),
    "a URL with several hosts": (POSTGRESQL, "dsn postgresql://zope:SECRETN@pgN:5432,pg9:5433/zodb"),
    "a URL with a slash in the password": (POSTGRESQL, "dsn postgresql://zope:a/SECRETN@pgN/zodb"),
    "a URL with an @ in the password": (POSTGRESQL, "dsn postgresql://zope:a@SECRETN@pgN/zodb"),
    "a URL with a : in the password": (POSTGRESQL, "dsn postgresql://zope:a:SECRETN@pgN/zodb"),
    "a URL with a ? in the password": (POSTGRESQL, "dsn postgresql://zope:a?SECRETN@pgN/zodb"),
    "a URL with a # in the password": (POSTGRESQL, "dsn postgresql://zope:a#SECRETN@pgN/zodb"),
    "a URL with a blank in the password": (POSTGRESQL, "dsn postgresql://zope:a SECRETN@pgN/zodb"),
    "a URL that is escaped": (POSTGRESQL, "dsn postgresql://zope:%41SECRETN@pgN/zodb"),
    "a URL without a user": (POSTGRESQL, "dsn postgresql://:SECRETN@pgN/zodb"),
    "a URL with the password behind": (POSTGRESQL, "dsn postgresql://pgN/zodb?user=zope&password=SECRETN"),
    "a URL without a host": (POSTGRESQL, "dsn postgresql:///zodb?host=pgN&password=SECRETN"),
    "a URL with IPv6": (POSTGRESQL, "dsn postgresql://zope:SECRETN@[2001:db8::N]:5432/zodb"),
    "a URL, the user escaped": (POSTGRESQL, "dsn postgres://zo%40pe:SECRETN@pgN/zodb?sslmode=require"),
    "a URL in quotes": (POSTGRESQL, "dsn 'postgresql://zope:SECRETN@pgN/zodb'"),
    "a definition": (TOP, "%define DSN host=pgN password=SECRETN"),
    "a definition that is used": ("%%define DSN host=pgN dbname=zodb password=SECRETN\n" + POSTGRESQL, "dsn $DSN"),
    "a definition of the password alone": (
        "%%define DBPW SECRETN\n" + POSTGRESQL,
        "dsn host=pgN dbname=zodb password=$DBPW",
    ),
    "MySQL's passwd": (MYSQL, "passwd SECRETN\n      host myN\n      db zodb"),
    "MySQL's passwd, quoted": (MYSQL, "passwd 'SECRETN x'\n      host myN\n      db zodb"),
    "MySQL's password": (MYSQL, "password SECRETN\n      host myN\n      db zodb"),
    "Oracle's password": (ORACLE, "user zope\n      password SECRETN\n      dsn orN"),
    "Oracle, all in one": (ORACLE, "dsn zope/SECRETN@orN:1521/zodb"),
    "ZEO's own": (ZEO, "username zope\n    password SECRETN"),
    "an unknown key": (ZEO, "passwort SECRETN"),
    "an environment": (TOP, "<environment>\n  ADMIN_PASSWORD SECRETN\n  API_TOKEN SECRETN\n</environment>"),
    "an environment with a dsn": (TOP, "<environment>\n  PG_DSN host=pgN password=SECRETN\n</environment>"),
    "an environment with a URL": (TOP, "<environment>\n  DB postgres://u:SECRETN@pgN/x\n</environment>"),
    "an environment with a connection string": (
        TOP,
        "<environment>\n  SQLALCHEMY host=pgN dbname=x password=SECRETN\n</environment>",
    ),
    "an environment with JSON": (TOP, '<environment>\n  CONF {"host": "pgN", "password": "SECRETN"}\n</environment>'),
    "a mail host's URL": (TOP, "<environment>\n  MAIL smtp://u:SECRETN@mx/?starttls=1\n</environment>"),
    "a product's section": (
        TOP,
        "<product-config x>\n  url mysql://u:SECRETN@my/x\n  secret SECRETN\n</product-config>",
    ),
    "a product's dsn": (TOP, "<product-config x>\n  connection host=pgN user=u password=SECRETN\n</product-config>"),
    "an event log by mail": (
        TOP,
        "<eventlog>\n  <email-notifier>\n    to a@b.c\n    smtp-username u\n    smtp-password SECRETN\n"
        "  </email-notifier>\n</eventlog>",
    ),
    "a line that is none": (TOP, "<password=SECRETN"),
    "a key given twice": (TOP, "dsn password=SECRETN\ndsn password=SECRETN"),
    "a definition given twice": (TOP, "%define PASSWORD SECRETN\n%define PASSWORD x"),
    "an include": (TOP, "%include https://u:SECRETN@example.com/x.conf"),
    "a comment": (TOP, "# dsn password=SECRETN\nport-bsae 8"),
    "another storage": (
        "<zodb_db main>\n  <neostorage>\n    %(line)s\n  </neostorage>\n  mount-point /\n</zodb_db>\n",
        "masters n1:10000\n    name x\n    password SECRETN\n    uri neo://u:SECRETN@n1/x",
    ),
}


def write(path: str, text: str, number: int = 1) -> str:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(text.replace("SECRET", SECRET).replace("pgN", f"pg{number}").replace("myN", f"my{number}"))
    return path


def planted(conf: str, line: str, number: int) -> str:
    text = conf.replace("%(line)s", line).replace("%(n)d", str(number)).replace("%%", "%")
    return text.replace("SECRETN", f"SECRET{number}").replace("::N]", f"::{number}]").replace("orN", f"or{number}")


def cluster(*, more: str = "", keys: str = "") -> str:
    text = f"[cluster]\nname = x\n{more}"
    for number in (1, 2):
        text += f"\n[client:app{number}]\naddress = 192.0.2.1{number}:8080\nzope-conf = app{number}/zope.conf\n"
        text += keys.replace("SECRETN", f"SECRET{number}")
    return write("clients.ini", text)


def everything_said() -> str:
    """What commands print and write about the cluster of the current folder."""
    said = io.StringIO()
    outputs = [word for one in FORMATS for word in ("-o", f"{one}:said/{one}")]
    Path("said").mkdir(exist_ok=True)
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        codes = [
            cli.main(["preflight", "--offline", "-v", *outputs, "--save-facts", "said/facts", "clients.ini"]),
            cli.main(["plan", "clients.ini"]),
            cli.main(["gather", "clients.ini"]),
            cli.main(["init", *map(str, sorted(Path().rglob("*.conf"))), *map(str, sorted(Path().rglob("*.cfg")))]),
        ]
    assert all(code in (0, 1, 2, 3) for code in codes)
    texts = [said.getvalue(), *(path.read_text() for path in Path("said").iterdir())]
    state = Path("state")
    texts += [path.read_text("utf-8", "replace") for path in state.rglob("*") if path.is_file()]
    return "\n".join(texts)


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def shown(text: str) -> list[str]:
    """The lines in which a secret is."""
    return [line[max(0, line.find(SECRET) - 80) :][:160] for line in text.splitlines() if SECRET in line]


@pytest.mark.parametrize(("conf", "line"), CONFS.values(), ids=CONFS)
def test_a_secret_of_a_zope_conf(conf: str, line: str) -> None:
    for number in (1, 2):
        write(f"app{number}/zope.conf", planted(conf, line, number), number)
    cluster()
    said = everything_said()
    assert [] == shown(said)
    assert "app1/zope.conf" in said


VARIABLES = {
    "a dsn": ("RELSTORAGE_DSN", "host=pg1 dbname=zodb password=SECRETN", "dsn $(RELSTORAGE_DSN)"),
    "a dsn by another name": ("DATABASE", "host=pg1 dbname=zodb password=SECRETN", "dsn $(DATABASE)"),
    "a URL": ("DATABASE", "postgresql://zope:SECRETN@pg1/zodb", "dsn $(DATABASE)"),
    "a password": ("DBPASSWORD", "SECRETN", "dsn host=pg1 dbname=zodb password=$(DBPASSWORD)"),
    "a password by another name": ("X", "SECRETN", "dsn host=pg1 dbname=zodb password=$(X)"),
    "a password in a URL": ("X", "SECRETN", "dsn postgresql://zope:$(X)@pg1/zodb"),
    "a part of a URL": ("LOGIN", "zope:SECRETN", "dsn postgresql://$(LOGIN)@pg1/zodb"),
    "nothing that is used": ("APP_KEY", "SECRETN", "dsn host=pg1"),
}


@pytest.mark.parametrize(("name", "value", "line"), VARIABLES.values(), ids=VARIABLES)
@pytest.mark.parametrize("where", ["clients.ini", "env file", "quoted in an env file"])
def test_a_secret_of_the_environment(where: str, name: str, value: str, line: str) -> None:
    for number in (1, 2):
        write(f"app{number}/zope.conf", planted(POSTGRESQL, line, number), number)
        own = value.replace("SECRETN", f"SECRET{number}")
        write(
            f"app{number}.env",
            f'{name}="{own}"\n' if where == "quoted in an env file" else f"{name}={own}\n",
        )
    if where == "clients.ini":
        cluster(keys=f"env.{name} = {value}\n")
    else:
        cluster()
        text = Path("clients.ini").read_text()
        for number in (1, 2):
            text = text.replace(f"app{number}/zope.conf\n", f"app{number}/zope.conf\nenv-file = app{number}.env\n")
        Path("clients.ini").write_text(text)
    assert [] == shown(everything_said())


INIS = {
    "a URL": "[app:x]\nsqlalchemy.url = postgresql://u:SECRETN@pg1/x",
    "a password": "[DEFAULT]\npassword = SECRETN",
    "a line that is none": "[app:x]\npassword SECRETN",
    "a line before any section": "password=SECRETN\n[app:x]",
    "a key given twice": "[app:x]\nsecret = SECRETN\nsecret = SECRETN",
    "a key of the server": "[server:main]\nuse = egg:waitress#main\nlisten = http://u:SECRETN@h:8080\ntoken = SECRETN",
    "a log handler": "[handler_mail]\nargs = ('mx', 'a@b', ['c@d'], 'subject', ('user', 'SECRETN'))",
}


@pytest.mark.parametrize("ini", [pytest.param(ini, id=name) for name, ini in INIS.items()])
def test_a_secret_of_an_ini(ini: str) -> None:
    for number in (1, 2):
        write(f"app{number}/zope.conf", planted(TOP, "", number), number)
        server = "" if "[server:main]" in ini else "\n[server:main]\nuse = egg:waitress#main\nlisten = *:8080\n"
        tail = f"\n[app:zope]\nuse = egg:Zope#main\nzope_conf = %(here)s/zope.conf{server}\n"
        write(f"app{number}/zope.ini", ini.replace("SECRETN", f"SECRET{number}") + tail, number)
    cluster()
    assert [] == shown(everything_said())


HAPROXY = {
    "the status page": "  stats auth admin:SECRET1",
    "a header": '  http-request set-header Authorization "Basic SECRET1"',
    "a header that is checked": '  option httpchk\n  http-check send meth GET uri / hdr Authorization "Basic SECRET1"',
    "an old health check": r"  option httpchk GET / HTTP/1.0\r\nAuthorization:\ Basic\ SECRET1",
    "an old health check, bearer": r"  option httpchk GET / HTTP/1.1\r\nHost:\ x\r\nAuthorization:\ Bearer\ SECRET1",
    "a key of cookies": "  cookie x insert dynamic\n  dynamic-cookie-key SECRET1",
    "a URL": "  http-request redirect location http://u:SECRET1@example.com/",
    "a user": "userlist u\n  user a insecure-password SECRET1\n  user b password $6$SECRET1",
    "a quote that is not closed": '  stats auth "admin:SECRET1',
    "a token that is compared": "  acl ok req.hdr(X-Token) -m str SECRET1",
    "a key of an API": "  option httpchk\n  http-check send hdr X-Api-Key SECRET1",
    "a server's address": "  server c http://u:SECRET1@192.0.2.13:8080",
    "an environment": "global\n  setenv DB_PASSWORD SECRET1\n  presetenv API_TOKEN SECRET1",
}


@pytest.mark.parametrize("lines", [pytest.param(lines, id=name) for name, lines in HAPROXY.items()])
def test_a_secret_of_an_haproxy_cfg(lines: str) -> None:
    for number in (1, 2):
        write(f"app{number}/zope.conf", planted(TOP, "", number), number)
    servers = "".join(f"  server app{number} 192.0.2.1{number}:8080\n" for number in (1, 2))
    write("haproxy.cfg", f"frontend www\n  bind *:80\n  default_backend zope\nbackend zope\n{servers}{lines}\n")
    cluster()
    ini = Path("clients.ini")
    ini.write_text(ini.read_text() + "\n[balancer:front]\ntype = haproxy\nconfig = haproxy.cfg\nbackend = zope\n")
    assert [] == shown(everything_said())


WRONG = {
    "the password": "user = admin\npassword = SECRET1",
    "a key misspelt": "user = admin\npasswrod = SECRET1",
    "a key unknown": "dsn = host=pg1 password=SECRET1",
    "no equals sign": "user = admin\npassword SECRET1",
    "a password given twice": "user = admin\npassword = SECRET1\npassword = SECRET1",
    "a user in an address": "zeo = u:SECRET1@zeo1:8100",
    "a URL for an address": "zeo = http://u:SECRET1@zeo1:8100",
    "an indented line": "user = admin\n  password = SECRET1",
    "a variable of a broken name": "env.A-B = SECRET1",
}


@pytest.mark.parametrize("lines", [pytest.param(lines, id=name) for name, lines in WRONG.items()])
def test_a_secret_of_clients_ini(lines: str) -> None:
    for number in (1, 2):
        write(f"app{number}/zope.conf", planted(TOP, "", number), number)
    cluster(more=f"{lines}\n")
    assert [] == shown(everything_said())


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param("authentication-protocol digest\n  authentication-database /x/SECRET1.pw", id="a path"),
        pytest.param("password SECRET1", id="a key"),
        pytest.param("authentication-realm SECRET1 ", id="a realm"),
    ],
)
def test_a_secret_of_a_zeo_conf(lines: str) -> None:
    for number in (1, 2):
        write(f"app{number}/zope.conf", planted(TOP, "", number), number)
    storage = "<relstorage 1>\n<postgresql>\ndsn postgresql://u:SECRET1@pg1/x\n</postgresql>\n</relstorage>"
    write("zeo.conf", f"<zeo>\n  address 8100\n  {lines if 'password' in lines else ''}\n</zeo>\n{storage}\n")
    cluster()
    ini = Path("clients.ini")
    ini.write_text(ini.read_text() + "\n[zeo:main]\naddress = zeo1:8100\nconf = zeo.conf\n")
    assert [] == shown(everything_said())


@pytest.mark.parametrize("text", ["=" + "_" * 65_000, "passw" * 13_000 + "=", "://a:b@" * 9_000, "/@" * 30_000 + "?x="])
def test_no_value_is_looked_at_for_long(text: str) -> None:
    """Work that grows with the square of a value's length would take minutes here."""
    began = time.monotonic()
    for value in (text, f"postgresql://{text}"):
        redact.redacted("dsn", value)
        redact.redacted("other", value)
    assert time.monotonic() - began < 60
