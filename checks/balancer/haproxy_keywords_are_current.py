"""haproxy.cfg has no keyword that a current HAProxy refuses.

What it examines
    Every line, for keywords and forms that HAProxy has dropped, or warns about because a later version drops them.
Why it matters
    The next upgrade of the balancer's machine does not start it any more, or starts it without what the line was for.
    ``appsession`` is the one that hurts: the users' stickiness is gone with it.
What it does not prove
    That the HAProxy that is installed accepts the file: see haproxy-config-is-valid.
How to repair it
    Each finding names today's equivalent.

>>> text = '''backend zope
...  stick-table type binary len 20 size 100k expire 1d
...  stick on req.cook(__ac),sha1
...  server app1 10.0.0.1:8080
... '''
>>> show(haproxy_keywords_are_current, haproxy_conf(text), app1=[])
OK
>>> show(haproxy_keywords_are_current, haproxy_conf("backend zope\\n appsession __ac len 32 timeout 1d\\n"), app1=[])
WARNING app1: 'appsession' is refused since HAProxy 1.6
>>> show(haproxy_keywords_are_current, (Balancers, NotGathered("ssh: timed out after 5 s")), app1=[])
UNKNOWN app1: ssh: timed out after 5 s
"""

from __future__ import annotations

from collections.abc import Iterator

from zcheck.check import Problem, Severity, Skipped, check
from zcheck.facts import Balancers, Facts, HaproxyConf, HaproxyLine
from zcheck.rules.haproxy import bindings, confs, place, unread

STICKY = (
    "stick-table type binary len 20 size 100k expire 1d; stick on req.cook(__ac),sha1; "
    "stick store-response res.cook(__ac),sha1"
)
HEADERS = "http-check send meth GET uri /ok ver HTTP/1.1 hdr Host www.example.com"

# What HAProxy itself says of each (2.4 to 3.4), or its source: the first words, since when, and what to write today.
DROPPED: dict[tuple[str, ...], tuple[str, str]] = {
    ("appsession",): ("is refused since HAProxy 1.6", STICKY),
    ("nbproc",): ("is refused since HAProxy 2.5", "remove it; threads are used by themselves (nbthread)"),
    ("bind-process",): ("is refused since HAProxy 2.7", "remove it"),
    ("stats", "bind-process"): ("has no effect since HAProxy 2.5", "remove it"),
    ("reqadd",): ("is refused since HAProxy 2.1", "http-request add-header NAME VALUE"),
    ("reqrep",): ("is refused since HAProxy 2.1", "http-request replace-path or replace-header"),
    ("reqirep",): ("is refused since HAProxy 2.1", "http-request replace-path or replace-header"),
    ("reqdel",): ("is refused since HAProxy 2.1", "http-request del-header NAME"),
    ("reqidel",): ("is refused since HAProxy 2.1", "http-request del-header NAME"),
    ("reqdeny",): ("is refused since HAProxy 2.1", "http-request deny if ..."),
    ("reqideny",): ("is refused since HAProxy 2.1", "http-request deny if ..."),
    ("reqallow",): ("is refused since HAProxy 2.1", "http-request allow if ..."),
    ("reqiallow",): ("is refused since HAProxy 2.1", "http-request allow if ..."),
    ("reqpass",): ("is refused since HAProxy 2.1", "http-request rules with conditions"),
    ("reqipass",): ("is refused since HAProxy 2.1", "http-request rules with conditions"),
    ("reqtarpit",): ("is refused since HAProxy 2.1", "http-request tarpit if ..."),
    ("reqitarpit",): ("is refused since HAProxy 2.1", "http-request tarpit if ..."),
    ("reqsetbe",): ("is refused since HAProxy 2.1", "use_backend NAME if ..."),
    ("rspadd",): ("is refused since HAProxy 2.1", "http-response add-header NAME VALUE"),
    ("rsprep",): ("is refused since HAProxy 2.1", "http-response replace-header NAME MATCH VALUE"),
    ("rspirep",): ("is refused since HAProxy 2.1", "http-response replace-header NAME MATCH VALUE"),
    ("rspdel",): ("is refused since HAProxy 2.1", "http-response del-header NAME"),
    ("rspidel",): ("is refused since HAProxy 2.1", "http-response del-header NAME"),
    ("rspdeny",): ("is refused since HAProxy 2.1", "http-response deny if ..."),
    ("rspideny",): ("is refused since HAProxy 2.1", "http-response deny if ..."),
    ("block",): ("is refused since HAProxy 2.1", "http-request deny if ..."),
    ("redispatch",): ("is refused since HAProxy 2.1", "option redispatch 1"),
    ("clitimeout",): ("is refused since HAProxy 2.1", "timeout client 300s"),
    ("contimeout",): ("is refused since HAProxy 2.1", "timeout connect 7s"),
    ("srvtimeout",): ("is refused since HAProxy 2.1", "timeout server 300s"),
    ("timeout", "clitimeout"): ("is refused since HAProxy 2.1", "timeout client 300s"),
    ("timeout", "contimeout"): ("is refused since HAProxy 2.1", "timeout connect 7s"),
    ("timeout", "srvtimeout"): ("is refused since HAProxy 2.1", "timeout server 300s"),
    ("grace",): ("is refused since HAProxy 2.5", "grace TIME in the global section"),
    ("monitor-net",): ("is refused by current versions", "http-request return status 200 if { src NETWORK }"),
    ("mode", "health"): ("is refused by current versions", "http-request return status 200"),
    ("option", "forceclose"): ("is refused since HAProxy 2.0", "remove it, or option httpclose"),
    ("option", "http-tunnel"): ("is refused since HAProxy 2.1", "remove it"),
    ("option", "http_proxy"): ("is refused since HAProxy 2.5", "http-request set-dst and set-uri"),
    ("option", "http-use-htx"): ("is refused by current versions", "remove it"),
    ("option", "independant-streams"): ("is refused by current versions", "option independent-streams"),
    ("tune.chksize",): ("is refused by current versions", "tune.bufsize"),
    ("debug",): ("is refused in the configuration", "start HAProxy with -d"),
}
IN_GLOBAL = frozenset({"nbproc", "tune.chksize", "debug"})
MOST_PLACES = 20


@check("haproxy-keywords-are-current", stage="balancer", needs=[Balancers], severity=Severity.WARNING)
def haproxy_keywords_are_current(facts: Facts) -> Iterator[Problem | Skipped]:
    """One finding a keyword, with all its lines."""
    yield from unread(facts)
    for conf in confs(facts):
        found: dict[tuple[str, str, str], list[HaproxyLine]] = {}
        for words, what, hint, line in _old(conf):
            found.setdefault((words, what, hint), []).append(line)
        for (words, what, hint), lines in found.items():
            places = tuple(place(line) for line in lines[:MOST_PLACES])
            times = f" ({len(lines)} lines)" if len(lines) > 1 else ""
            yield Problem(facts.clients, f"{words!r} {what}{times}", places, f"today: {hint}", about=words)


def _old(conf: HaproxyConf) -> Iterator[tuple[str, str, str, HaproxyLine]]:
    """Keyword, what became of it, today's equivalent, and its line."""
    for section in conf.sections:
        for line in section.lines:
            for count in (1, 2):
                words = (line.keyword, *line.arguments)[:count]
                known = DROPPED.get(words)
                in_global = section.kind == "global"
                if known is not None and (line.keyword not in IN_GLOBAL if not in_global else words != ("grace",)):
                    yield " ".join(words), *known, line
            yield from _old_forms(line)
        if section.kind in ("listen", "frontend") and any(line is section.head for _, line in bindings(section)):
            address = next(address for address, line in bindings(section) if line is section.head)
            what = "with an address behind the name is refused by current versions"
            yield section.kind, what, f"bind {address}, as a line of its own", section.head


def _old_forms(line: HaproxyLine) -> Iterator[tuple[str, str, str, HaproxyLine]]:
    """Keywords that are fine in themselves, used as they no longer may be."""
    if line.keyword == "option" and line.arguments[:1] == ("httpchk",) and any("\n" in word for word in line.words):
        what = "with headers behind the version is refused since HAProxy 2.8"
        yield "option httpchk", what, HEADERS, line
    if line.keyword == "bind" and "process" in line.arguments[1:]:
        yield "bind ... process", "is refused since HAProxy 2.7", "remove 'process', or write thread", line
