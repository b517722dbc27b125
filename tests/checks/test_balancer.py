"""The checks of the balancer stage: each with cases that fire, and cases beside them that must not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from zcheck.checks import CATALOGUE
from zcheck.facts import (
    Balancers,
    BalancerVerdict,
    BalancerVerdicts,
    Facts,
    HaproxyAlert,
    HaproxyRun,
    HealthAnswer,
    HealthAnswers,
    HostPort,
    HttpAnswer,
    Inventory,
    LeftOut,
    Names,
    NotGathered,
    WsgiConf,
    ZopeConf,
)
from zcheck.parsers import clients_ini, wsgi_ini, zope_conf
from zcheck.parsers import haproxy_cfg as haproxy
from zcheck.probes import haproxy as program
from zcheck.report.structs import Judgement
from zcheck.runner import run

SAMPLES = Path(__file__).resolve().parents[2] / "sample-confs"
CHECKS = {check.name: check for check in CATALOGUE if check.stage == "balancer"}

OF_FILES = [check for name, check in CHECKS.items() if name != "servers-are-open"]
"""Those that are judged without a running HAProxy."""

DEFAULTS = """defaults
  mode http
  option redispatch
  option httpchk
  http-check send meth GET uri /ok
  timeout http-request 10s
  timeout connect 7s
  timeout client 300s
  timeout server 300s
"""
FRONTEND = """frontend www
  bind *:80
  monitor-uri /ping
  acl zope_down nbsrv(zope) lt 1
  monitor fail if zope_down
  default_backend zope
"""
BACKEND = """backend zope
  cookie serverid insert indirect
  server app1 10.0.0.1:8080 check maxconn 5 cookie app1
  server app2 10.0.0.2:8080 check maxconn 5 cookie app2
"""
HEALTHY = DEFAULTS + FRONTEND + BACKEND

TEMPORARY = """<zodb_db main>
<zeoclient>
server 10.0.0.5:8100
</zeoclient>
mount-point /
</zodb_db>
<zodb_db temporary>
<temporarystorage/>
mount-point /temp_folder
</zodb_db>"""
PLAIN = TEMPORARY.partition("<zodb_db temporary>")[0]


def cluster(clients: int = 2, extra: str = "", **keys: str) -> Inventory:
    text = "[cluster]\nname = test\nsite = /Plone\n"
    for number in range(1, clients + 1):
        stated = keys.get(f"app{number}", f"address = 10.0.0.{number}:8080")
        text += f"[client:app{number}]\n{stated}\n"
    return clients_ini.parse(text + extra, "clients.ini")


def zope(text: str) -> ZopeConf:
    return zope_conf.parse(text, "zope.conf", {}, lambda path: "")


def judge(
    name: str,
    text: str,
    ini: Inventory | None = None,
    *,
    cluster_facts: tuple[Any, ...] = (),
    backend: str | None = None,
    **clients: Any,
) -> Judgement:
    facts = Facts().with_fact("", ini or cluster())
    balancers = Balancers({"front": haproxy.parse([("haproxy.cfg", text)], backend)})
    facts = facts.with_fact("", balancers)
    for fact in cluster_facts:
        facts = facts.with_fact("", fact)
    for client, given in clients.items():
        for fact in given if isinstance(given, list) else [given]:
            kind = fact[0] if isinstance(fact, tuple) else None
            facts = facts.with_fact(client, fact[1] if isinstance(fact, tuple) else fact, kind)
    for client in facts.inventory.client_names:
        for kind, usual in ((ZopeConf, zope(PLAIN)), (WsgiConf, WsgiConf("zope.ini", threads=4))):
            if facts.raw(kind, client) is None:
                facts = facts.with_fact(client, usual)
    return run([CHECKS[name]], facts, today="2026-11-20")


def told(judgement: Judgement) -> list[tuple[str, str, str]]:
    return [(f.severity, " ".join(f.clients), f.message) for f in judgement.findings]


def changed(old: str, new: str, text: str = HEALTHY) -> str:
    assert old in text
    return text.replace(old, new)


OF_OTHER_TESTS = {"haproxy-config-is-valid", "servers-are-open"}


@pytest.mark.parametrize("name", sorted(set(CHECKS) - OF_OTHER_TESTS))
def test_a_healthy_balancer_has_no_finding(name: str) -> None:
    assert [] == told(judge(name, HEALTHY))


NAMED = cluster(
    app1="address = www1.example.com:8080",
    app2="address = www2.example.com:8080",
    extra="[hosts]\nwww1.example.com = 10.0.0.1\n",
)
LOCAL = cluster(app1="address = 127.0.0.1:8081", app2="address = 127.0.0.1:8082")
WORKER = cluster(app2="address = 10.0.0.2:8080\nrole = worker")
CANDIDATE = cluster(3, app3="address = 10.0.0.3:8080\nrole = candidate")

FIRES: list[Any] = []
SILENT: list[Any] = []


def fires(name: str, id: str, severity: str, clients: str, part: str, text: str, **given: Any) -> None:
    FIRES.append(pytest.param(name, severity, clients, part, text, given, id=f"{name}: {id}"))


def silent(name: str, id: str, text: str, **given: Any) -> None:
    SILENT.append(pytest.param(name, text, given, id=f"{name}: {id}"))


C = "every-server-is-a-client"
STRANGER = HEALTHY + "  server old 10.0.0.9:8080 check\n"
fires(C, "a server of no client", "CRITICAL", "app1 app2", "server old (10.0.0.9:8080)", STRANGER)
silent(C, "which is disabled", STRANGER.replace("9:8080 check", "9:8080 check disabled"))
silent(
    C, "which is disabled by default-server", changed("  cookie s", "  default-server disabled\n  cookie s", STRANGER)
)
silent(C, "in a backend that clients.ini does not name", HEALTHY + "backend b\n server x 10.9.9.9:1\n", backend="zope")
MIXED = HEALTHY + "backend b\n server x 10.9.9.9:1\n server y 10.0.0.1:8080\n"
fires(C, "beside a client in any backend", "CRITICAL", "app1", "server x (10.9.9.9:1) of backend b", MIXED)
silent(C, "in the backend of another service", HEALTHY + "backend solr\n server x 10.9.9.9:8983\n")
fires(
    C, "where nobody is a client", "CRITICAL", "app1 app2", "server x", DEFAULTS + "backend b\n server x 10.9.9.9:1\n"
)
fires(C, "another port", "CRITICAL", "app1 app2", "at 10.0.0.2:8081; client app2 is", changed("2:8080", "2:8081"))
fires(C, "a unix socket", "CRITICAL", "app1 app2", "/run/z", changed("10.0.0.2:8080", "/run/z"))
fires(C, "a worker", "CRITICAL", "app2", "is app2, a worker", HEALTHY, ini=WORKER)
fires(C, "a name that nobody knows", "UNKNOWN", "app1 app2", "cannot be told", changed("10.0.0.2", "zzz"))
fires(C, "a variable", "UNKNOWN", "app1 app2", "cannot be told", changed("10.0.0.2:8080", '"${APP2}:8080"'))
fires(C, "this machine, whichever", "UNKNOWN", "app1 app2", "cannot be told", changed("10.0.0.2", "127.0.0.1"))
silent(
    C, "the names of [hosts] and DNS", HEALTHY, ini=NAMED, cluster_facts=(Names({"www2.example.com": ("10.0.0.2",)}),)
)
silent(C, "the same name twice", changed("10.0.0.2", "WWW2.example.com"), ini=NAMED)
silent(
    C,
    "loopback on both sides",
    changed("10.0.0.1:8080", "localhost:8081").replace("10.0.0.2:8080", "127.0.0.1:8082"),
    ini=LOCAL,
)
silent(C, "a variable that is set", "global\n setenv A 10.0.0.2\n" + changed("10.0.0.2:8080", '"${A}:8080"'))

BESIDE = HEALTHY + "backend old\n server old 10.9.9.9:8080 check\n"
HOW = "  use_backend old if { path_beg /old }\n"
fires(C, "another backend of the same frontend", "UNKNOWN", "app1 app2", "server old (10.9.9.9:8080) of backend old",
      BESIDE.replace("  default_backend", f"{HOW}  default_backend"), backend="zope")  # fmt: skip
fires(C, "the same where clients.ini names no backend", "UNKNOWN", "app1 app2", "of backend old as well",
      BESIDE.replace("  default_backend", f"{HOW}  default_backend"))  # fmt: skip
fires(C, "a backend's name from the request", "UNKNOWN", "app1 app2", "by a name that it makes from the request",
      BESIDE.replace("  default_backend", "  use_backend %[req.hdr(X-Where)]\n  default_backend"))  # fmt: skip
fires(C, "a name from a map", "UNKNOWN", "app1 app2", "from the request",
      BESIDE.replace("  default_backend", "  use_backend %[path,map_beg(m)]\n  default_backend"))  # fmt: skip
silent(C, "a backend that no frontend of theirs reaches", BESIDE, backend="zope")
silent(C, "another backend with the same clients", BESIDE.replace("10.9.9.9", "10.0.0.1").replace(
    "  default_backend", f"{HOW}  default_backend"), backend="zope")  # fmt: skip
silent(C, "a name from the request, and nothing but clients", HEALTHY.replace(
    "  default_backend", "  use_backend %[req.hdr(X-Where)]\n  default_backend"))  # fmt: skip
silent(C, "another frontend's backend", BESIDE + "frontend other\n bind :81\n default_backend old\n", backend="zope")
SORRY = HEALTHY + "  server sorry 127.0.0.1:8099 backup\n"
fires(C, "a page that says sorry", "ADVICE", "app1 app2", "it is a backup", SORRY)
fires(C, "a backup that may be a Zope", "WARNING", "app1 app2", "it is a backup", SORRY.replace(
    "127.0.0.1:8099", "10.0.0.9:8080"))  # fmt: skip
fires(
    C,
    "no port of its own",
    "CRITICAL",
    "app1 app2",
    "by which the user came (80)",
    changed("10.0.0.2:8080", "10.0.0.2"),
)
silent(C, "no port, and users come by the clients'", changed("10.0.0.2:8080", "10.0.0.2").replace("*:80", "*:8080"))
silent(C, "a port that is moved", changed("10.0.0.2:8080", "10.0.0.2:+8000"))
fires(C, "two clients' names exchanged", "WARNING", "app1 app2", "server app1 of backend zope leads to app2",
      HEALTHY.replace("server app1 10.0.0.1", "server app1 10.0.0.2") + "  server x 10.0.0.1:8080 check\n")  # fmt: skip
DNS = Names({"zopes": ("10.0.0.1", "10.0.0.2")})
TEMPLATE = changed(HEALTHY[HEALTHY.index("  server app1") :], "  server-template z 4 zopes:8080 check maxconn 5\n")
silent(C, "a template whose name has the clients' addresses", TEMPLATE, cluster_facts=(DNS,))
fires(C, "a template with a stranger's address", "CRITICAL", "app1", "10.0.0.9:8080) of", TEMPLATE,
      cluster_facts=(Names({"zopes": ("10.0.0.1", "10.0.0.9")}),))  # fmt: skip
fires(C, "a template whose name nothing knows", "UNKNOWN", "app1 app2", "cannot be told", TEMPLATE)
fires(C, "a variable in an address, without quotes", "UNKNOWN", "app1 app2", "cannot be told",
      changed("10.0.0.2:8080", "$APP2:8080"))  # fmt: skip
silent(C, "a variable without quotes that is set", "global\n setenv A 10.0.0.2\n" + changed("10.0.0.2:", "${A}:"))

C = "every-client-is-balanced"
fires(C, "weight 0", "WARNING", "app2", "has weight 0", changed("cookie app2", "cookie app2 weight 0"))
fires(C, "weight 0 by default-server", "WARNING", "app2", "has weight 0",
      changed("  server app2", "  default-server weight 0\n  server app2"))  # fmt: skip
fires(C, "a weight that is no variable", "WARNING", "app2", "has weight 0", changed("cookie app2", "weight $W"))
fires(C, "a backup", "WARNING", "app2", "is a backup", changed("cookie app2", "cookie app2 backup"))
silent(C, "weight 0 beside another server", changed("cookie app2", "weight 0") + "  server b 10.0.0.2:8080 check\n")
silent(C, "a weight", changed("cookie app2", "cookie app2 weight 50"))
silent(C, "behind a template", TEMPLATE, cluster_facts=(DNS,))
fires(C, "another one's address", "WARNING", "app2", "server app2 leads to app1", changed("10.0.0.2", "10.0.0.1"))
fires(C, "a client is missing", "WARNING", "app3", "app3 (10.0.0.3:8080) is no server", HEALTHY, ini=cluster(3))
silent(C, "which is a candidate", HEALTHY, ini=CANDIDATE)
silent(C, "a disabled server counts", changed("cookie app2", "cookie app2 disabled"))
silent(C, "in another backend", HEALTHY + "backend b\n server app3 10.0.0.3:8080\n", ini=cluster(3))
fires(C, "not in the named one", "WARNING", "app3", "is no server", HEALTHY + "backend b\n server app3 10.0.0.3:8080\n",
      ini=cluster(3), backend="zope")  # fmt: skip
fires(C, "cannot be told", "UNKNOWN", "app2", "cannot be told", changed("10.0.0.2", "zzz"))

C = "cookies-are-distinct"
fires(C, "a value twice", "CRITICAL", "app1 app2", "servers app1 and app2", changed("cookie app2", "cookie app1"))
silent(C, "no cookie line", changed("cookie serverid insert indirect", "").replace("cookie app2", "cookie app1"))
silent(C, "in two backends", HEALTHY + "backend b\n cookie b insert\n server x 10.0.0.1:8080 cookie app1\n")
silent(C, "dynamic", changed("insert indirect", "insert dynamic").replace("cookie app2", "cookie app1"))
fires(C, "a template's", "CRITICAL", "app1 app2", "w1 to w3", HEALTHY + " server-template w 3 h:1 cookie w\n")

C = "sessions-stick"
STICKLESS = changed("cookie serverid insert indirect", "").replace("cookie app1", "").replace("cookie app2", "")
IN_MEMORY = {"app1": zope(TEMPORARY), "app2": zope(TEMPORARY)}
fires(C, "no cookie", "CRITICAL", "app1 app2", "keeps no user on one server", STICKLESS, **IN_MEMORY)
fires(C, "a server without a value", "CRITICAL", "app1 app2", "keeps", changed("cookie app2", ""), **IN_MEMORY)
silent(C, "a cookie", HEALTHY, **IN_MEMORY)
silent(C, "a stick table", STICKLESS + "  stick on req.cook(__ac)\n", **IN_MEMORY)
silent(C, "by address", STICKLESS + "  balance source\n", **IN_MEMORY)
fires(C, "round robin", "CRITICAL", "app1 app2", "keeps", STICKLESS + "  balance roundrobin\n", **IN_MEMORY)
silent(C, "no sessions in memory", STICKLESS)
fires(C, "a cookie that nobody sets", "CRITICAL", "app1 app2", "keeps", changed(" insert indirect", ""), **IN_MEMORY)
fires(C, "a cookie to rewrite", "CRITICAL", "app1 app2", "keeps", changed("insert indirect", "rewrite"), **IN_MEMORY)
silent(C, "Zope's own cookie with a prefix", changed("serverid insert indirect", "_ZopeId prefix"), **IN_MEMORY)
for way in ("hdr(Cookie)", "hdr(Referer)", "uri", "hash path", "hash req.hdr(cookie)", "rdp-cookie", "leastconn"):
    fires(C, way, "CRITICAL", "app1 app2", "keeps", f"{STICKLESS}  balance {way}\n", **IN_MEMORY)
for way in ("hdr(X-Forwarded-For)", "hash src", "hash req.cook(_ZopeId)", "url_param s"):
    silent(C, way, f"{STICKLESS}  balance {way}\n", **IN_MEMORY)
fires(C, "stuck on what changes", "CRITICAL", "app1 app2", "keeps", STICKLESS + "  stick on path\n", **IN_MEMORY)
fires(C, "a cookie in mode tcp", "CRITICAL", "app1 app2", "keeps", changed("mode http", "mode tcp"), **IN_MEMORY)
fires(C, "a template of several", "CRITICAL", "app1 app2", "keeps", TEMPLATE.replace("cookie serverid", "# "),
      cluster_facts=(DNS,), **IN_MEMORY)  # fmt: skip
silent(C, "a second server for when the first is down", STICKLESS.replace("2:8080 check", "2:8080 check backup"),
       **IN_MEMORY)  # fmt: skip
silent(C, "one server", STICKLESS.partition("  server app2")[0], **IN_MEMORY)
fires(
    C,
    "one client not read",
    "UNKNOWN",
    "app2",
    "ssh",
    HEALTHY,
    app1=zope(TEMPORARY),
    app2=(ZopeConf, NotGathered("ssh")),
)

C = "haproxy-keywords-are-current"
for line in ("appsession __ac len 32 timeout 1d", r"rspadd X:\ y", "redispatch", "clitimeout 50000", "mode health"):
    fires(C, line, "WARNING", "app1 app2", line.split()[0], f"{HEALTHY}  {line}\n")
fires(C, "nbproc", "WARNING", "app1 app2", "nbproc", f"global\n nbproc 1\n{HEALTHY}")
fires(C, "a header behind the version", "WARNING", "app1 app2", "headers behind the version",
      changed("option httpchk", r"option httpchk GET /ok HTTP/1.1\r\nHost:\ www"))  # fmt: skip
fires(C, "an address on the head", "WARNING", "app1 app2", "'listen'", f"{HEALTHY}listen stats :8404\n")
silent(C, "the word as a name", HEALTHY + "backend block\n  server reqrep 10.0.0.1:8080\n")
silent(C, "httpclose is fine", HEALTHY + "  option httpclose\n")

C = "servers-are-health-checked"
fires(C, "no check", "WARNING", "app2", "server app2 of", changed("2:8080 check", "2:8080"))
fires(C, "an agent alone", "WARNING", "app2", "server app2", changed("2:8080 check", "2:8080 agent-check agent-port 9"))
silent(
    C, "by default-server", changed("8080 check", "8080").replace("  cookie s", "  default-server check\n  cookie s")
)
fires(C, "tracks another client", "WARNING", "app2", "nothing is learnt of app2",
      changed("2:8080 check", "2:8080 track zope/app1"))  # fmt: skip
fires(C, "merely connects", "WARNING", "app1 app2", "only connects", changed("option httpchk", ""))
fires(C, "expects nothing", "WARNING", "app1 app2", "only connects", changed("option httpchk", "option tcp-check"))
silent(C, "expects something", changed("option httpchk", "option tcp-check\n tcp-check expect string imok"))

CHECKED_BELOW = HEALTHY.replace("option httpchk\n", "").replace("http-check", "# http-check")
CHECKED_BELOW = CHECKED_BELOW.replace("backend zope", "backend zope\n option httpchk GET /ok")
silent(C, "a backend that tracks", CHECKED_BELOW + "backend up\n server a 10.0.0.1:8080 track zope/app1\n")
fires(C, "tracks one that is not checked", "WARNING", "app1 app2", "servers app1, app2",
      changed("1:8080 check", "1:8080 track app2").replace("2:8080 check", "2:8080"))  # fmt: skip
fires(C, "one late answer", "WARNING", "app2", "fall 1", changed("2:8080 check", "2:8080 check fall 1"))
fires(
    C, "haste", "WARNING", "app2", "inter 200ms and fall 3", changed("2:8080 check", "2:8080 check inter 200ms fall 3")
)
silent(C, "haste with patience", changed("2:8080 check", "2:8080 check inter 200ms fall 3") + "  timeout check 5s\n")
silent(C, "often, and patient enough", changed("2:8080 check", "2:8080 check inter 1s fall 3"))
LISTENING = WsgiConf("zope.ini", listen=(HostPort("*", 8080), HostPort("127.0.0.1", 9080)), threads=4)
fires(C, "another port", "WARNING", "app2", "asks port 9080", changed("2:8080 check", "2:8080 check port 9080"))
silent(C, "another port where it listens", changed("2:8080 check", "2:8080 check port 9080"), app2=LISTENING)
silent(C, "the same port", changed("2:8080 check", "2:8080 check port 8080"))
MONITOR = zope(PLAIN + "<product-config five.z2monitor>\nbind 127.0.0.1:9080\n</product-config>")
silent(C, "a monitor's port", changed("2:8080 check", "2:8080 check port 9080"), app2=MONITOR)
fires(C, "another machine", "WARNING", "app2", "asks 10.0.0.7", changed("2:8080 check", "2:8080 check addr 10.0.0.7"))
fires(C, "another port by a rule", "WARNING", "app1 app2", "asks port 9080",
      changed("  http-check send", "  http-check connect port 9080\n  http-check send"))  # fmt: skip
silent(C, "a page that says sorry is not checked", SORRY)

C = "haproxy-speaks-as-the-client"
PLAIN_INI = {
    name: WsgiConf("zope.ini", listen=(HostPort("*", 8080),), threads=4, is_plain=True) for name in ("app1", "app2")
}
TLS = changed("2:8080 check", "2:8080 check ssl verify none")
fires(C, "TLS to a plain port", "CRITICAL", "app2", "speaks TLS", TLS, **PLAIN_INI)
fires(C, "TLS by default-server", "CRITICAL", "app1 app2", "speaks TLS",
      changed("  cookie s", "  default-server ssl verify none\n  cookie s"), **PLAIN_INI)  # fmt: skip
fires(C, "TLS to a client that answered without", "CRITICAL", "app2", "speaks TLS", TLS,
      app2=HttpAnswer("http", status=200))  # fmt: skip
fires(C, "TLS to who knows what", "UNKNOWN", "app2", "speaks TLS; whether app2 does is not known", TLS)
silent(C, "TLS to a client with TLS", TLS, ini=cluster(app2="address = 10.0.0.2:8080\ntls = yes"), **PLAIN_INI)
fires(C, "plain to a client with TLS", "CRITICAL", "app2", "speaks without TLS", HEALTHY,
      ini=cluster(app2="address = 10.0.0.2:8080\ntls = yes"))  # fmt: skip
silent(C, "the users' own TLS", changed("mode http", "mode tcp"),
       ini=cluster(app2="address = 10.0.0.2:8080\ntls = yes"))  # fmt: skip
for word in ("send-proxy", "send-proxy-v2", "proto h2"):
    fires(C, word, "CRITICAL", "app2", "app2", changed("2:8080 check", f"2:8080 check {word}"), **PLAIN_INI)
for word in ("check-ssl", "check-send-proxy"):
    fires(C, word, "CRITICAL", "app2", "no check passes", changed("2:8080 check", f"2:8080 check {word}"), **PLAIN_INI)
fires(C, "a rule of the check", "CRITICAL", "app1 app2", "no check passes",
      changed("  http-check send", "  http-check connect ssl\n  http-check send"), **PLAIN_INI)  # fmt: skip
TAKEN_BACK = HEALTHY.replace("8080 check", "8080 check no-ssl").replace(
    "  cookie s", "  default-server ssl\n  cookie s"
)
silent(C, "taken back", TAKEN_BACK, **PLAIN_INI)
silent(C, "as they listen", HEALTHY, **PLAIN_INI)

C = "health-check-is-cheap"
fires(C, "OPTIONS", "WARNING", "app1 app2", "OPTIONS /Plone", changed("meth GET uri /ok", "meth OPTIONS uri /Plone"))
fires(C, "a login", "WARNING", "app1 app2", "is a login", changed("uri /ok", "uri /Plone/login"))
fires(C, "the front page", "WARNING", "app1 app2", "front page", changed("uri /ok", "uri /Plone/"))
silent(C, "the root", changed("uri /ok", "uri /"))


def answers(status: int | None = 200, text: str = HEALTHY, **more: Any) -> HealthAnswers:
    request = haproxy.parse([("haproxy.cfg", text)]).balancing[0].health
    assert request is not None
    more = {"elapsed_s": 0.01, "status_of_nothing": 404, **more}
    return HealthAnswers((HealthAnswer("front", request, status, **more),))


FINE = answers()
ONLY_200 = changed("uri /ok", "uri /ok\n http-check expect status 200")
fires(
    C, "slow", "WARNING", "app2", "takes longer than 1 s on app2 (3.0 s)", HEALTHY, app1=FINE, app2=answers(elapsed_s=3)
)
fires(C, "no answer", "WARNING", "app2", "is not answered on app2 (said nothing)", HEALTHY, app1=FINE,
      app2=answers(None, detail="said nothing"))  # fmt: skip
fires(C, "not found", "WARNING", "app1 app2", "with 404", HEALTHY, app1=answers(404), app2=answers(404))
fires(C, "to a login", "WARNING", "app1", "redirected to a login", HEALTHY, app1=answers(302, location="/login?x=1"))
fires(C, "any path", "WARNING", "app1", "path that cannot exist", HEALTHY, app1=answers(status_of_nothing=200))
fires(C, "204 is not 200", "WARNING", "app1", "with 204", ONLY_200, app1=answers(204, ONLY_200))
silent(C, "fine", HEALTHY, app1=FINE, app2=FINE)
silent(C, "200 as expected", ONLY_200, app1=answers(200, ONLY_200))
silent(C, "an answer to another balancer's request", HEALTHY, app1=answers(404, changed("uri /ok", "uri /x")))
EXPECTS = changed("uri /ok", "uri /ok\n http-check expect string fine")
silent(C, "a rule about the text", EXPECTS, app1=answers(404, EXPECTS))
silent(C, "the root is there for any check", changed("uri /ok", "uri /"),
       app1=answers(200, changed("uri /ok", "uri /"), status_of_nothing=200))  # fmt: skip

C = "connections-fit-threads"
fires(C, "one", "WARNING", "app1 app2", "maxconn 1:", changed("maxconn 5", "maxconn 1"))
fires(C, "too few", "WARNING", "app1 app2", "maxconn 3 is fewer", changed("maxconn 5", "maxconn 3"))
fires(C, "too many", "WARNING", "app1 app2", "maxconn 9 is more", changed("maxconn 5", "maxconn 9"))
fires(C, "no limit", "WARNING", "app1 app2", "no maxconn", changed("maxconn 5", ""))
fires(C, "one of two", "WARNING", "app2", "app2", changed("maxconn 5 cookie app2", "maxconn 20 cookie app2"))
silent(C, "as many as threads", changed("maxconn 5", "maxconn 4"))
silent(C, "four more", changed("maxconn 5", "maxconn 8"))
silent(C, "threads not known", changed("maxconn 5", "maxconn 1"), app1=WsgiConf("x"), app2=WsgiConf("x"))
silent(
    C,
    "as the user has it",
    changed("maxconn 5", "maxconn 20"),
    ini=cluster(extra="[zcheck]\nconnections-fit-threads = 16\n"),
)
fires(C, "one thread", "WARNING", "app1 app2", "maxconn 1", changed("maxconn 5", "maxconn 1"),
      app1=WsgiConf("x", threads=1), app2=WsgiConf("x", threads=1))  # fmt: skip
fires(C, "a variable", "UNKNOWN", "app1", "variable", changed("maxconn 5 cookie app1", 'maxconn "${N}" cookie app1'))
fires(C, "not read", "UNKNOWN", "app2", "ssh", HEALTHY, app2=(WsgiConf, NotGathered("ssh")))

C = "failed-servers-are-redispatched"
fires(C, "no redispatch", "WARNING", "app1 app2", "no option redispatch", changed("option redispatch", ""))
fires(C, "taken back", "WARNING", "app1 app2", "no option", HEALTHY + "  no option redispatch\n")
fires(C, "no retries", "WARNING", "app1 app2", "retries 0", HEALTHY + "  retries 0\n")
silent(C, "with a number", changed("option redispatch", "option redispatch 1"))
silent(C, "one server", changed("option redispatch", "").partition("  server app2")[0])

C = "timeouts-are-set"
for name in ("client", "connect", "server", "http-request"):
    fires(C, f"no {name}", "WARNING", "app1 app2", f"has no timeout {name}", changed(f"timeout {name}", f"# {name}"))
fires(C, "no limit", "WARNING", "app1 app2", "timeout client", changed("timeout client 300s", "timeout client 0"))
silent(C, "a stats frontend without", HEALTHY + "defaults\nfrontend stats\n bind 127.0.0.1:8404\n stats enable\n")
silent(C, "tcp needs no http-request", changed("mode http", "mode tcp").replace("timeout http-request", "# "))

C = "status-page-is-protected"
PUBLIC = changed("  bind *:80\n", "  bind *:80\n  stats enable\n")
fires(C, "on the frontend", "WARNING", "app1 app2", "*:80", PUBLIC)
fires(C, "from the defaults", "WARNING", "app1 app2", "*:80", changed("  mode http\n", "  mode http\n  stats uri /s\n"))
fires(C, "on the backend behind it", "WARNING", "app1 app2", "*:80", HEALTHY + "  stats uri /s\n")
fires(
    C,
    "admin",
    "WARNING",
    "app1 app2",
    "take servers out",
    changed("*:80\n", "*:80\n  stats enable\n  stats admin if TRUE\n"),
)
fires(C, "every IPv6 address", "WARNING", "app1 app2", "[::]:80", PUBLIC.replace("*:80", "[::]:80"))
fires(C, "a variable", "UNKNOWN", "app1 app2", "is not known", PUBLIC.replace("*:80", '"${BIND}:80"'))
silent(C, "with a password", changed("  bind *:80\n", "  bind *:80\n  stats enable\n  stats auth a:b\n"))
silent(
    C,
    "with a rule",
    changed("  bind *:80\n", "  bind *:80\n  stats enable\n  http-request deny if !{ src 10.0.0.0/8 }\n"),
)
silent(C, "on loopback", PUBLIC.replace("*:80", "127.0.0.1:80,[::1]:80"))
silent(C, "of its own", HEALTHY + "listen stats\n bind localhost:8404\n stats enable\n")
silent(C, "on a socket", HEALTHY + "listen stats\n bind /run/stats.sock\n stats enable\n")

C = "ping-tells-the-truth"
fires(C, "no rule", "WARNING", "app1 app2", "/ping of frontend www", changed("  monitor fail if zope_down\n", ""))
PRESET = changed("  mode http\n", "  mode http\n  monitor-uri /p\n").replace("  monitor-uri /ping\n", "")
fires(C, "from the defaults", "WARNING", "app1 app2", "/p of frontend www", PRESET.replace("monitor fail", "#"))
silent(C, "no ping", changed("monitor-uri /ping", "").replace("monitor fail", "# monitor fail"))


@pytest.mark.parametrize(("name", "severity", "clients", "part", "text", "given"), FIRES)
def test_it_fires(name: str, severity: str, clients: str, part: str, text: str, given: dict[str, Any]) -> None:
    ((found, whom, message),) = told(judge(name, text, **given))
    assert (severity, clients) == (found, whom), message
    assert part in message


@pytest.mark.parametrize(("name", "severity", "clients", "part", "text", "given"), FIRES)
def test_its_places_are_lines(
    name: str, severity: str, clients: str, part: str, text: str, given: dict[str, Any]
) -> None:
    (finding,) = judge(name, text, **given).findings
    if finding.message == "ssh":
        return
    lines = text.splitlines()
    assert finding.places
    assert finding.hint
    for place in finding.places:
        if place.file == "haproxy.cfg":
            assert place.line is not None
            assert place.text.split()[0] in lines[place.line - 1]


@pytest.mark.parametrize(("name", "text", "given"), SILENT)
def test_it_is_silent(name: str, text: str, given: dict[str, Any]) -> None:
    assert [] == told(judge(name, text, **given))


def test_the_backend_of_another_service_is_told_and_its_frontend_not_judged() -> None:
    other = "frontend solr\n bind *:8983\n monitor-uri /p\n default_backend solr\n"
    text = HEALTHY + "defaults\n" + other + "backend solr\n server x 10.9.9.9:8983\n"
    (remark,) = judge("every-server-is-a-client", text).remarks
    assert "solr" in remark.message
    for name in ("timeouts-are-set", "ping-tells-the-truth", "servers-are-health-checked"):
        assert [] == told(judge(name, text))


def test_every_check_fires_and_is_silent_somewhere() -> None:
    """Config validity has tests of its own below, and what runs in a file of its own."""
    rest = set(CHECKS) - OF_OTHER_TESTS
    assert rest == {row.values[0] for row in FIRES} == {row.values[0] for row in SILENT}


def test_facts_survive_being_saved() -> None:
    """As ``--save-facts`` writes them and ``--facts`` reads them."""
    conf = haproxy.parse([("haproxy.cfg", HEALTHY)], "zope")
    run_ = HaproxyRun("2.6.12", 1, False, (HaproxyAlert("x", "haproxy.cfg", 3),))
    verdicts = {"a": BalancerVerdict(("x",), run=run_), "b": BalancerVerdict(("x",), run=LeftOut("y"))}
    for fact in (Balancers({"front": conf}, ("back",)), BalancerVerdicts(verdicts), answers()):
        assert fact == msgspec.json.decode(msgspec.json.encode(fact), type=type(fact))


# --- haproxy-config-is-valid ---------------------------------------------------------------------

ALERT = HaproxyAlert("unknown keyword 'x'", "haproxy.cfg", 3)
HERE = HaproxyAlert("could not resolve address 'www2'", "haproxy.cfg", 4, only_here=True)
MINOR = HaproxyAlert("missing timeouts", "haproxy.cfg", 5, fatal=False)


@pytest.mark.parametrize(
    ("expected", "part", "outcome"),
    [
        pytest.param("", "", HaproxyRun("2.6.12", 0, True), id="accepted"),
        pytest.param("CRITICAL", "does not start with", HaproxyRun("2.6.12", 1, False, (ALERT,)), id="refused"),
        pytest.param("WARNING", "warns about", HaproxyRun("2.6.12", 1, True, (MINOR,)), id="a warning"),
        pytest.param(
            "UNKNOWN", "on this machine", HaproxyRun("2.6.12", 1, True, (HERE,)), id="a name that is waited for"
        ),
        pytest.param("UNKNOWN", "on this machine", HaproxyRun("2.6.12", 1, False, (HERE,)), id="a name of elsewhere"),
        pytest.param("CRITICAL", "unknown keyword", HaproxyRun("3.2", 1, False, (HERE, ALERT)), id="both"),
        pytest.param("WARNING", "warns about", HaproxyRun("3.2", 1, False, (HERE, MINOR)), id="a name and a warning"),
        pytest.param("CRITICAL", "exit code 1", HaproxyRun("3.2", 1, False), id="without a word"),
        pytest.param("UNKNOWN", "did not end", NotGathered("haproxy -c did not end"), id="no end"),
        pytest.param("", "", LeftOut("haproxy is not installed here"), id="no program"),
    ],
)
def test_what_haproxy_says(expected: str, part: str, outcome: Any) -> None:
    facts = BalancerVerdicts({"front": BalancerVerdict(("haproxy.cfg",), run=outcome)})
    found = told(run_one(facts))
    assert [expected] * bool(expected) == [severity for severity, _, _ in found]
    assert part in "".join(message for _, _, message in found)


@pytest.mark.parametrize(
    ("expected", "line", "starts"),
    [
        pytest.param(("app2",), "server app2", True, id="it starts without the name"),
        pytest.param(("app1", "app2"), "server app2", False, id="it may not start"),
        pytest.param(("app1", "app2"), "mode http", True, id="it is about no server"),
    ],
)
def test_a_name_that_is_not_known_here_concerns_its_own_server(
    expected: tuple[str, ...], line: str, starts: bool
) -> None:
    conf = haproxy.parse([("haproxy.cfg", HEALTHY)], "zope")
    number = next(n for n, text in enumerate(HEALTHY.splitlines(), 1) if line in text)
    alert = HaproxyAlert("could not resolve address 'www2'", "haproxy.cfg", number, only_here=True, fatal=False)
    verdict = BalancerVerdict(("haproxy.cfg",), run=HaproxyRun("2.6.12", 1, starts, (alert,)))
    (finding,) = run_one(BalancerVerdicts({"front": verdict}), Balancers({"front": conf})).findings
    assert ("UNKNOWN", expected) == (finding.severity, finding.clients)


def run_one(fact: Any, *more: Any) -> Judgement:
    facts = Facts().with_fact("", cluster()).with_fact("", fact, BalancerVerdicts)
    for one in more:
        facts = facts.with_fact("", one)
    return run([CHECKS["haproxy-config-is-valid"]], facts)


FAULTY = {
    "a template": ("UNKNOWN", "bind ${part:bind}"),
    "an open quote": ("CRITICAL", 'bind "x'),
}


@pytest.mark.parametrize(("expected", "line"), FAULTY.values(), ids=FAULTY)
def test_our_own_reading_judges_offline(expected: str, line: str) -> None:
    conf = haproxy.parse([("haproxy.cfg", f"frontend www\n {line}\n")])
    (finding,) = run_one(BalancerVerdicts({"front": program.verdict(conf, offline=True, timeout_s=5.0)})).findings
    assert (expected, 2) == (finding.severity, finding.places[0].line)


# --- a whole stage -------------------------------------------------------------------------------


def stage(folder: Path, *, offline: bool = True) -> tuple[Judgement, dict[str, str]]:
    """The stage on the files of a folder, and by check how it came out."""
    found = clients_ini.parse((folder / "clients.ini").read_text(), str(folder / "clients.ini"))
    facts = Facts().with_fact("", found).with_fact("", Names())
    balancers, verdicts = program.gather(
        found, lambda path: Path(path).read_text(), judge=True, offline=offline, timeout_s=20.0
    )
    facts = facts.with_fact("", balancers, Balancers).with_fact("", verdicts, BalancerVerdicts)
    for client in found.clients:
        assert client.zope_conf is not None
        conf = zope(Path(client.zope_conf).read_text())
        ini = Path(client.zope_conf).parent / "zope.ini"
        facts = facts.with_fact(client.name, conf).with_fact(client.name, wsgi_ini.parse(ini.read_text(), str(ini)))
    judgement = run(OF_FILES, facts, today="2026-11-20")
    return judgement, {result.check: result.outcome for result in judgement.results}


SHOWN = {
    "balancer-healthy": set(),
    "balancer-server-is-no-client": {"every-server-is-a-client"},
    "balancer-lacks-a-client": {"every-client-is-balanced"},
    "balancer-cookies-shifted": {"cookies-are-distinct"},
    "balancer-speaks-tls": {"haproxy-speaks-as-the-client"},
    "balancer-sessions-do-not-stick": {"sessions-stick"},
    "balancer-status-page-in-public": {"status-page-is-protected"},
    "balancer-of-2010": {
        "haproxy-keywords-are-current",
        "health-check-is-cheap",
        "connections-fit-threads",
        "timeouts-are-set",
        "status-page-is-protected",
        "ping-tells-the-truth",
    },
}


@pytest.mark.parametrize("folder", SHOWN)
def test_a_sample_shows_its_fault_and_no_other(folder: str) -> None:
    judgement, outcomes = stage(SAMPLES / folder)
    assert SHOWN[folder] == {finding.check for finding in judgement.findings}
    assert outcomes["haproxy-config-is-valid"] == "skipped"


@pytest.mark.skipif(program.program() is None, reason="haproxy is not installed")
@pytest.mark.parametrize("folder", SHOWN)
def test_haproxy_itself_accepts_all_samples_but_that_of_2010(folder: str) -> None:
    _, outcomes = stage(SAMPLES / folder, offline=False)
    assert ("problem" if folder == "balancer-of-2010" else "pass") == outcomes["haproxy-config-is-valid"]


def test_every_folder_of_a_balancer_is_shown() -> None:
    assert set(SHOWN) == {path.name for path in SAMPLES.glob("balancer-*")}


def test_no_balancer_is_skipped_with_that_reason() -> None:
    found = cluster()
    balancers, verdicts = program.gather(found, lambda path: "", judge=True, offline=False, timeout_s=5.0)
    facts = Facts().with_fact("", found).with_fact("", balancers, Balancers)
    facts = facts.with_fact("", verdicts, BalancerVerdicts)
    for client in found.client_names:
        facts = facts.with_fact(client, zope(PLAIN)).with_fact(client, WsgiConf("zope.ini", threads=4))
    results = run(OF_FILES, facts).results
    assert {"no balancer section in clients.ini"} == {result.because for result in results}


@pytest.mark.parametrize("text", [None, "frontend www\n bind ${part:bind}\n"], ids=["no file", "a template"])
def test_what_cannot_be_read_is_told_once(text: str | None, tmp_path: Path) -> None:
    ini = "[client:a]\naddress = 10.0.0.1:8080\n[balancer:front]\ntype = haproxy\nconfig = haproxy.cfg\n"
    found = clients_ini.parse(ini, str(tmp_path / "clients.ini"))
    if text is not None:
        (tmp_path / "haproxy.cfg").write_text(text)
    read = program.gather(found, lambda path: Path(path).read_text(), judge=True, offline=False, timeout_s=5.0)
    facts = Facts().with_fact("", found).with_fact("", read[0], Balancers).with_fact("", read[1], BalancerVerdicts)
    facts = facts.with_fact("a", zope(PLAIN)).with_fact("a", WsgiConf("zope.ini", threads=4))
    judgement = run(OF_FILES, facts)
    assert [("UNKNOWN", "haproxy-config-is-valid")] == [(one.severity, one.check) for one in judgement.findings]
    others = [result for result in judgement.results if result.check != "haproxy-config-is-valid"]
    assert {("skipped", "haproxy-config-is-valid")} == {(one.outcome, one.because) for one in others}


def test_one_of_two_balancers_that_cannot_be_read_is_no_pass() -> None:
    facts = Facts().with_fact("", cluster())
    good = haproxy.parse([("haproxy.cfg", HEALTHY)])
    facts = facts.with_fact("", Balancers({"front": good}, ("back",)))
    (result,) = run([CHECKS["timeouts-are-set"]], facts).results
    assert ("skipped", "haproxy-config-is-valid") == (result.outcome, result.because)
