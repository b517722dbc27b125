"""Every client's server takes the same things of a request for its public address.

What it examines
    ``[server:main]`` of each zope.ini or wsgi.ini: which proxy is trusted (``trusted_proxy``,
    ``trusted_proxy_headers``, ``trusted_proxy_count``), ``url_scheme`` and ``url_prefix``, with waitress's own values
    for what is not said. And ``pipeline`` of ``[pipeline:main]``: whether Zope's ``httpexceptions`` is in it. Clients
    with the role ``worker`` are left out.
Why it matters
    From these Zope makes the addresses in its pages, and the visitor's address that it writes down. Where one client
    trusts the proxy and another does not, one and the same page links to https://www.example.com/ or to
    http://app3:8080/, by the client that happened to serve it; a cache in front keeps either. Without
    ``httpexceptions`` a page that is not there is answered with 500, by which a balancer or a cache may take the client
    for ill.
What it does not prove
    That the proxy sends these headers, nor that the values are right for it.
How to repair it
    Give every client the same lines.

>>> def client(line=""):
...     lines = ["[server:main]", "use = egg:waitress#main", "listen = *:8080", line]
...     return wsgi_ini("\\n".join(lines))
>>> one = client("trusted_proxy = 10.0.0.9")
>>> show(server_settings_agree, app1=one, app2=client("trusted_proxy = 10.0.0.9"))
OK
>>> show(server_settings_agree, app1=one, app2=client())
WARNING app1, app2: trusted_proxy is 10.0.0.9 for app1; not set for app2
>>> show(server_settings_agree, app1=one, app2=NotGathered("zope.ini: Permission denied"))
UNKNOWN app2: zope.ini: Permission denied
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from zcheck.check import Place, Problem, Severity, Skipped, Unknown, check
from zcheck.facts import Facts, Setting, WsgiConf

KEYS: tuple[str, ...] = (
    "trusted_proxy",
    "trusted_proxy_headers",
    "trusted_proxy_count",
    "clear_untrusted_proxy_headers",
    "url_scheme",
    "url_prefix",
)

# waitress/adjustments.py; the first two count only where a proxy is trusted.
_DEFAULTS = {
    "trusted_proxy_headers": "x-forwarded-proto",
    "trusted_proxy_count": "1",
    "clear_untrusted_proxy_headers": "true",
    "url_scheme": "http",
}
_OF_THE_PROXY = frozenset({"trusted_proxy_headers", "trusted_proxy_count"})
_TRUE = frozenset({"t", "true", "y", "yes", "on", "1"})


@check("server-settings-agree", stage="config", needs=[WsgiConf], severity=Severity.WARNING)
def server_settings_agree(facts: Facts) -> Iterator[Problem | Unknown | Skipped]:
    """One finding a setting on which the clients differ, and one for all without ``httpexceptions``."""
    confs = facts.each(WsgiConf)
    workers = tuple(name for name in confs if facts.inventory.client(name).role == "worker")
    if workers:
        yield Skipped(workers, "its role is worker")
    yield from _without_httpexceptions({name: conf for name, conf in confs.items() if name not in workers})
    # What another server would do is not known, and is told by listen-address-matches.
    yield from _settings({name: conf for name, conf in confs.items() if conf.is_plain and name not in workers})


def _settings(confs: Mapping[str, WsgiConf]) -> Iterator[Problem | Unknown]:
    trust_differs = False
    for key in KEYS:
        if key in _OF_THE_PROXY and trust_differs:
            continue
        sides: dict[str, list[str]] = {}
        for name, conf in confs.items():
            line = _line(conf, key)
            if line is not None and line.unresolved:
                yield _not_known(name, line)
                continue
            sides.setdefault(_value(conf, key), []).append(name)
        if len(sides) > 1:
            trust_differs = trust_differs or key == "trusted_proxy"
            yield _differ(key, sides, confs)


def _line(conf: WsgiConf, key: str) -> Setting | None:
    return next((setting for setting in conf.url_settings if setting.key == key), None)


def _value(conf: WsgiConf, key: str) -> str:
    """What waitress makes of it, so that two spellings of one thing are equal; empty: not set."""
    if key in _OF_THE_PROXY and not _value(conf, "trusted_proxy"):
        return ""
    line = _line(conf, key)
    value = line.value if line is not None and line.value else _DEFAULTS.get(key, "")
    if key == "trusted_proxy_headers":
        return " ".join(sorted(value.replace(",", " ").lower().split()))
    if key == "clear_untrusted_proxy_headers":
        return "true" if value.strip().lower() in _TRUE else "false"
    if key == "url_prefix":
        return "/" + value.strip().strip("/") if value.strip().strip("/") else ""
    return value.strip()


def _not_known(client: str, line: Setting) -> Unknown:
    message = f"{line.key} of {client} is not known: {line.value}"
    hint = "write the variables of the command that starts the client into clients.ini: ini-vars = NAME=VALUE"
    return Unknown((client,), message, (_place(line),), hint, about=line.key)


def _differ(key: str, sides: Mapping[str, list[str]], confs: Mapping[str, WsgiConf]) -> Problem:
    clients = tuple(name for name in confs if any(name in names for names in sides.values()))
    told = [f"{value or 'not set'} for {', '.join(names)}" for value, names in sides.items()]
    message = f"{key} is {'; '.join(told)}"
    places = []
    for names in sides.values():
        conf = confs[names[0]]
        line = _line(conf, key)
        places.append(_place(line, names[0]) if line is not None else Place(conf.file, None, "", names[0]))
    return Problem(clients, message, tuple(places), _hint(key, sides, confs), about=key)


def _hint(key: str, sides: Mapping[str, list[str]], confs: Mapping[str, WsgiConf]) -> str:
    """The lines of a side that has them, for those that have none."""
    having = next((names[0] for value, names in sides.items() if _line(confs[names[0]], key) is not None), None)
    lacking = [name for names in sides.values() for name in names if _line(confs[name], key) is None]
    if having is None or not lacking:
        return f"write the same {key} into [server:main] of each"
    related = KEYS[:3] if key == "trusted_proxy" else (key,)
    lines = [f"{line.key} = {line.value}" for one in related if (line := _line(confs[having], one)) is not None]
    return f"write into [server:main] of {', '.join(lacking)}: {'; '.join(lines)}"


def _place(line: Setting, note: str = "") -> Place:
    return Place(line.file, line.line, f"{line.key} = {line.value}", note)


def _without_httpexceptions(confs: Mapping[str, WsgiConf]) -> Iterator[Problem]:
    found = {name: line for name, conf in confs.items() if (line := conf.lacks_httpexceptions) is not None}
    if found:
        names = ", ".join(found)
        message = (
            f"the pipeline of {names} lacks egg:Zope#httpexceptions: a page that is not there is answered with 500"
        )
        hint = "write it in front of Zope: pipeline = egg:Zope#httpexceptions "
        hint += next(iter(found.values())).value.split()[-1]
        yield Problem(tuple(found), message, tuple(map(_place, found.values())), hint, about="httpexceptions")
