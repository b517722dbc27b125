"""zope.ini or wsgi.ini text to where a client listens: read as PasteDeploy reads it, and nothing guessed.  Pure.

PasteDeploy reads with ``configparser`` and keeps the case of keys (paste/deploy/loadwsgi.py).  The syntax here is that
of ``RawConfigParser``; interpolation is done by hand and only where it matters, as a variable may be given on the
command line that starts the client, and as the same file holds log formats with ``%(asctime)s``.

What is not understood (another WSGI server, a variable that nobody gave) leaves the answer open: a
:class:`~zcheck.facts.ConfFault` of kind ``unread`` says why.  What the client does not start with is one of kind
``refused``.
"""

from __future__ import annotations

import ast
import posixpath
import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache

import msgspec

from zcheck.facts import ConfFault, HostPort, LeftOut, NotGathered, Setting, WsgiConf, ZopeConf, spelt
from zcheck.parsers.redact import without_userinfo

CANDIDATES = ("zope.ini", "wsgi.ini")
"""The names under which an ini file stands beside a zope.conf: Zope's own, and plone.recipe.zope2instance's."""

# Limits on hostile or broken input.  The largest real file that we have seen has 3 kB.
MAX_CHARACTERS = 1024 * 1024
MAX_VALUE = 64 * 1024
MAX_DEPTH = 10  # configparser.MAX_INTERPOLATION_DEPTH
MAX_REFERENCES = 10_000

WAITRESS_THREADS = 4
WAITRESS_PORT = 8080
"""What waitress does without being told (waitress/adjustments.py); its default host is every interface."""

_HEADER = re.compile(r"\[(.+)\]")
_REFERENCE = re.compile(r"%(?:(%)|\(([^)]{1,200})\)s|)")
_PORT = re.compile(r"[0-9]{1,5}")
# What other programs fill in: buildout and Genshi, Zope's own skeletons, Jinja, and ERB.
_PLACEHOLDER = re.compile(
    r"\$\{[^}\n]{0,200}\}|<<\w{1,60}>>|\{\{.{0,200}?\}\}|\{%.{0,200}?%\}|\{#.{0,200}?#\}|<%.{0,200}?%>"
)
# Python's own formatting puts in a key, or whole lines.
_FORMATTED = re.compile(r"%\([^)]{1,200}\)s")
_EVERYWHERE = frozenset({"", "*", "0.0.0.0", "::"})


class Option(msgspec.Struct, frozen=True):
    """One option of an ini file, as written; the lines of a long value are joined by line ends."""

    value: str
    line: int


Sections = dict[str, dict[str, Option]]


class _Fault(Exception):
    """What makes a part of the file unreadable, with its line."""

    def __init__(
        self, message: str, line: int | None, hint: str = "", *, refused: bool = False, is_template: bool = False
    ) -> None:
        super().__init__(message)
        self.line = line
        self.hint = hint
        self.refused = refused
        self.is_template = is_template

    def told(self, file: str) -> ConfFault:
        return ConfFault("refused" if self.refused else "unread", str(self), file, self.line, self.hint)


def parse(text: str, file: str, variables: Mapping[str, str] = {}) -> WsgiConf:
    """Read one client's zope.ini or wsgi.ini.

    ``file`` is its path as findings show it; ``%(here)s`` is the folder of that path.  ``variables`` are those of the
    command that starts the client (``runwsgi zope.ini http_port=8080``), where they are known.  Never raises.
    """
    try:
        sections = read_ini(text)
    except _Fault as fault:
        return WsgiConf(file, faults=(fault.told(file),), listens_elsewhere=True)
    ini = _Ini(file, sections, variables)
    conf, started = WsgiConf(file, listens_elsewhere=True), None
    faults: list[_Fault] = []
    try:
        conf = _server(ini)
    except _Fault as fault:
        faults.append(fault)
    try:
        started = _zope_conf(ini)
    except _Fault as fault:
        faults.append(fault)
    if started is not None:
        conf = msgspec.structs.replace(conf, zope_conf=started.value, settings=(*conf.settings, started))
    conf = msgspec.structs.replace(conf, application=_application(ini))
    faults += _handlers(ini)
    conf = msgspec.structs.replace(conf, lacks_httpexceptions=_without_httpexceptions(ini))
    # A template makes everything else that can be said of it idle.
    templates = [fault for fault in faults if fault.is_template]
    faults = templates[:1] or faults
    if faults:
        conf = msgspec.structs.replace(conf, faults=tuple(fault.told(file) for fault in faults))
    return conf


def candidates(zope_conf: str) -> tuple[str, ...]:
    """The paths at which an ini file would stand beside this zope.conf, the likelier one first."""
    return tuple(posixpath.join(posixpath.dirname(zope_conf), name) for name in CANDIDATES)


def is_started_with(conf: WsgiConf, zope_conf: str) -> bool | None:
    """Whether the ini file starts the client with this zope.conf; None where that cannot be told.

    clients.ini may name copies of the files: an absolute path of the client's own machine is then compared by its last
    part alone, and an equal last part proves nothing.
    """
    if conf.zope_conf is None or conf.zope_conf == zope_conf:
        return None if conf.zope_conf is None else True
    folder = posixpath.dirname(conf.file) or "."
    named, given = posixpath.normpath(conf.zope_conf), posixpath.normpath(zope_conf)
    if named == given:
        return True
    if posixpath.dirname(named) == posixpath.normpath(folder):
        return False
    return None if _last_part(named) == _last_part(given) else False


def of_client(
    zope_conf: str | None,
    wsgi_ini: str | None,
    conf: ZopeConf | None,
    read: Callable[[str], str | None],
    variables: Mapping[str, str] = {},
) -> WsgiConf | NotGathered | LeftOut:
    """Where one client listens, from the file that tells it.

    That is the ``wsgi_ini`` that clients.ini names, else one that stands beside its zope.conf and starts the client
    with it, else Zope 2's own ``<http-server>``.  ``read`` gives a file's text, or None where there is no such file,
    and raises OSError for what cannot be read.  ``variables``: those of :func:`parse`.
    """
    try:
        if wsgi_ini is not None:
            text = read(wsgi_ini)
            missing = NotGathered(f"{wsgi_ini}: there is no such file")
            return missing if text is None else parse(text, wsgi_ini, variables)
        for path in candidates(zope_conf) if zope_conf is not None else ():
            text = read(path)
            found = parse(text, path, variables) if text is not None else None
            if found is not None and zope_conf is not None and is_started_with(found, zope_conf) is not False:
                return found
    except OSError as error:
        return NotGathered(str(error))
    zope2 = from_zope2(conf) if conf is not None else None
    if zope2 is not None:
        return zope2
    return LeftOut("no zope.ini or wsgi.ini is at hand, and zope.conf has no <http-server>")


def another_conf(conf: WsgiConf, zope_conf: str) -> ConfFault | None:
    """The fault of a client whose ini file starts it with another zope.conf than clients.ini gives."""
    if is_started_with(conf, zope_conf) is not False:
        return None
    setting = conf.first("zope_conf")
    message = f"it starts the client with {conf.zope_conf}, and what was compared is {zope_conf}"
    hint = f"name the zope.conf that the client runs with: zope-conf = {conf.zope_conf}"
    return ConfFault("unread", message, conf.file, setting.line if setting else None, hint)


def from_zope2(conf: ZopeConf) -> WsgiConf | None:
    """Where a Zope 2 listens, which its zope.conf itself says; None where there is no ``<http-server>``.

    ``port-base`` is added to every port, and ``ip-address`` is the host of those that name none
    (ZServer/datatypes.py, ServerFactory.prepare).
    """
    top = conf.top
    addresses = [setting for server in top.nested("http-server") for setting in server.all("address")]
    if not top.nested("http-server"):
        return None
    base, host, threads = top.first("port-base"), top.first("ip-address"), top.first("zserver-threads")
    said = tuple(setting for setting in (*addresses, base, host, threads) if setting is not None)
    listen: list[HostPort] = []
    faults: list[ConfFault] = []
    for address in addresses:
        try:
            listen.append(_zope2_address(address, base, host))
        except _Fault as fault:
            faults.append(msgspec.structs.replace(fault.told(address.file), line=address.line))
    return WsgiConf(
        conf.file,
        listen=tuple(listen),
        threads=int(threads.value) if threads is not None and threads.value.isdecimal() else None,
        zope_conf=conf.file,
        is_plain=True,
        faults=tuple(faults),
        settings=said,
        listens_elsewhere=bool(faults),
    )


def _zope2_address(address: Setting, base: Setting | None, ip_address: Setting | None) -> HostPort:
    """ZConfig's ``inet-binding-address``, moved by ``port-base``."""
    for setting in (address, base, ip_address):
        if setting is not None and setting.unresolved:
            name = setting.unresolved[0]
            hint = f"give it in clients.ini: env.{name} = ..."
            if name.startswith("$"):
                hint = "put a copy of the included file that defines it where it is looked for"
            raise _Fault(f"the inventory gives no value for {spelt(name)}, which {setting.key} needs", None, hint)
    host, _, port = address.value.rpartition(":")
    shift = base.value if base is not None else "0"
    if not (_PORT.fullmatch(port) and _PORT.fullmatch(shift)):
        raise _Fault(f"address {address.value} with port-base {shift} is no port", None)
    default = ip_address.value if ip_address is not None else ""
    return HostPort(_host(host or default), int(port) + int(shift))


# --- the syntax of ini files ---------------------------------------------------------------------


# The clients of one cluster mostly have the same file.
@lru_cache(maxsize=64)
def read_ini(text: str) -> Sections:
    """The sections of an ini file by the rules of ``RawConfigParser``, the case of keys kept; not to be changed.

    Raises what :func:`parse` tells as a fault: a line that is none, a section or a key given twice, a template.
    """
    if len(text) > MAX_CHARACTERS:
        raise _Fault(f"more than {MAX_CHARACTERS // 1024 // 1024} MiB: no zope.ini is that large", None)
    reader = _Reader()
    # As a file opened for reading yields lines: "\r" alone ends one as well.
    for number, line in enumerate(re.split(r"\r\n|\r|\n", text), 1):
        reader.line(number, line)
    return reader.result()


class _Reader:
    """What RawConfigParser._read does, a line at a time; every step is linear in the line's length."""

    def __init__(self) -> None:
        self.sections: dict[str, dict[str, list[str]]] = {}
        self.lines: dict[tuple[str, str], int] = {}
        self.section: str | None = None
        self.key: str | None = None
        self.indent = 0

    def line(self, number: int, line: str) -> None:
        value = line.strip()
        if not value or value[0] in "#;":
            # An empty line goes on with the value before it; a comment does not count as one.
            if not value and self.section is not None and self.key is not None:
                self.sections[self.section][self.key].append("")
            return
        indent = len(line) - len(line.lstrip())
        if self.section is not None and self.key is not None and indent > self.indent:
            self.sections[self.section][self.key].append(value)
            return
        self.indent = indent
        header = _HEADER.match(value)
        if header is not None:
            self._section(header.group(1), number)
        elif placeholder := _PLACEHOLDER.match(value):
            raise _template(placeholder.group(), number)
        elif self.section is None:
            raise _Fault(f"{_begin(value)} stands before any [section]", number, refused=True)
        else:
            self._option(value, number)

    def _section(self, name: str, number: int) -> None:
        if name in self.sections and name != "DEFAULT":
            raise _Fault(f"a second [{_shown(name)}]", number, "join the two sections", refused=True)
        self.sections.setdefault(name, {})
        self.section, self.key = name, None

    def _option(self, text: str, number: int) -> None:
        section = self.section or ""
        at = min((text.find(mark) for mark in "=:" if mark in text), default=-1)
        # Neither a key nor a value yet: whole lines that another program puts in.
        whole = _FORMATTED.match(text) or _PLACEHOLDER.match(text)
        if whole is not None:
            raise _template(whole.group(), number)
        if at <= 0:
            if placeholder := _PLACEHOLDER.search(text):
                raise _template(placeholder.group(), number)
            message = f"{_begin(text)} in [{_shown(section)}] is no 'key = value'"
            raise _Fault(message, number, refused=True)
        key = text[:at].rstrip()
        if key in self.sections[section]:
            raise _Fault(f"a second {_shown(key)} in [{_shown(section)}]", number, "keep one of the two", refused=True)
        self.sections[section][key] = [text[at + 1 :].strip()]
        self.lines[section, key] = number
        self.key = key

    def result(self) -> Sections:
        return {
            section: {key: Option("\n".join(parts).rstrip(), self.lines[section, key]) for key, parts in keys.items()}
            for section, keys in self.sections.items()
        }


class _Ini:
    """An ini file with what its references mean."""

    def __init__(self, file: str, sections: Sections, variables: Mapping[str, str]) -> None:
        self.file = file
        self.sections = {name: keys for name, keys in sections.items() if name != "DEFAULT"}
        # The command's variables never replace what [DEFAULT] says (ConfigLoader.update_defaults).
        here = {"here": posixpath.dirname(file) or ".", "__file__": file}
        self.defaults = {name: Option(value, 0) for name, value in {**variables, **here}.items()}
        self.defaults |= sections.get("DEFAULT", {})
        self.references = 0

    def options(self, section: str) -> dict[str, Setting]:
        """What PasteDeploy hands to a section's factory; raises where a reference that matters cannot be replaced.

        A key that [DEFAULT] has as well is not handed on, and ``get KEY`` takes the value from there.  Of the keys that
        say nothing about where the client listens, no value is kept.
        """
        found: dict[str, Setting] = {}
        for key, option in self.sections[section].items():
            wanted = key.removeprefix("get ").strip()
            if key in self.defaults or key.startswith("set "):
                continue
            value = ""
            if wanted in _SAID:
                value = self._replaced(option.value, section, option.line)
                value = self._default(value, option.line) if key.startswith("get ") else value
            elif wanted in _OF_URLS:
                found[wanted] = self._as_far_as_known(wanted, option, section)
                continue
            found[wanted] = Setting(wanted, without_userinfo(value), self.file, option.line)
        return found

    def _as_far_as_known(self, key: str, option: Option, section: str) -> Setting:
        """An option that says nothing of where the client listens: what is not known of it stands in nobody's way."""
        try:
            value = self._replaced(option.value, section, option.line)
        except _Fault:
            return Setting(key, option.value, self.file, option.line, unresolved=(key,))
        return Setting(key, without_userinfo(value), self.file, option.line)

    def option(self, section: str, key: str) -> Setting:
        """One option alone, so that another one's unknown reference does not stand in its way."""
        option = self.sections[section][key]
        return Setting(key, self._replaced(option.value, section, option.line), self.file, option.line)

    def _default(self, name: str, line: int) -> str:
        if name not in self.defaults:
            raise _unknown(name, line)
        return self._replaced(self.defaults[name].value, "", line)

    def _replaced(self, text: str, section: str, line: int, depth: int = 1) -> str:
        """``configparser.BasicInterpolation``: the section's own keys first, those of [DEFAULT] after them."""
        placeholder = _PLACEHOLDER.search(text)
        if placeholder is not None:
            raise _template(placeholder.group(), line)
        if "%" not in text:
            return text
        if depth > MAX_DEPTH:
            raise _Fault(f"references more than {MAX_DEPTH} deep", line, refused=True)
        return _joined(self._pieces(text, section, line, depth), line)

    def _pieces(self, text: str, section: str, line: int, depth: int) -> Iterator[str]:
        at = 0
        for match in _REFERENCE.finditer(text):
            percent, name = match.groups()
            self.references += 1
            if self.references > MAX_REFERENCES:
                raise _Fault(f"more than {MAX_REFERENCES:,} references", line)
            yield text[at : match.start()]
            at = match.end()
            if percent:
                yield "%"
            elif not name:
                raise _Fault("a '%' that is neither '%%' nor '%(name)s'", line, "write '%%'", refused=True)
            else:
                option = self.sections.get(section, {}).get(name) or self.defaults.get(name)
                if option is None:
                    raise _unknown(name, line)
                yield self._replaced(option.value, section, line, depth + 1)
        yield text[at:]


def _joined(pieces: Iterator[str], line: int) -> str:
    found: list[str] = []
    size = 0
    for piece in pieces:
        found.append(piece)
        size += len(piece)
        if size > MAX_VALUE:
            raise _Fault(f"a value of more than {MAX_VALUE // 1024} KiB", line)
    return "".join(found)


def _unknown(name: str, line: int) -> _Fault:
    message = (
        f"%({_shown(name)})s is given neither in the file nor to zcheck: the command that starts the client has it"
    )
    return _Fault(message, line, f"write it into clients.ini, as the command has it: ini-vars = {_shown(name)}=VALUE")


def _template(placeholder: str, line: int) -> _Fault:
    message = f"this is a template, render it first: '{_shown(placeholder)}' is for another program to fill in"
    return _Fault(
        message,
        line,
        "give the file that comes out of it: wsgi-ini = ... in clients.ini",
        refused=True,
        is_template=True,
    )


def _begin(text: str) -> str:
    """The first word of a line that is not understood: what follows it may be a secret."""
    word = re.split(r"[\s=:]", text, maxsplit=1)[0]
    return f"'{_shown(word)} ...'" if word != text else "a line"


def _shown(text: str) -> str:
    return without_userinfo(text[:60])


def _last_part(path: str) -> str:
    return re.split(r"[\\/]", path)[-1]


# --- what the sections mean ----------------------------------------------------------------------


def _server(ini: _Ini) -> WsgiConf:
    """What the server's section says; raises where that cannot be told."""
    section = _server_section(ini)
    options = ini.options(section)
    use = options.get("use") or options.get("paste.server_factory")
    if use is None:
        raise _Fault(f"[{_shown(section)}] does not say which server to use", None, refused=True)
    read = _SERVERS.get(_kind(use.value))
    if read is None:
        raise _Fault(f"zcheck does not know where {_shown(use.value)} listens", use.line)
    conf = read(options, use)
    said = tuple(setting for key, setting in options.items() if key in _SAID)
    of_urls = tuple(setting for key, setting in options.items() if key in _OF_URLS)
    return msgspec.structs.replace(conf, file=ini.file, settings=said, url_settings=of_urls, is_plain=True)


def _server_section(ini: _Ini) -> str:
    """The section that is served: the one called ``main``, else the only one."""
    found = {name.partition(":")[2].strip(): name for name in ini.sections if name.partition(":")[0] == "server"}
    if "main" in found:
        return found["main"]
    if len(found) == 1:
        return next(iter(found.values()))
    if found:
        raise _Fault(f"none of [server:{'], [server:'.join(map(_shown, found))}] is [server:main]", None)
    raise _Fault("there is no [server:main]: the client is started by something that zcheck does not know", None)


def _kind(use: str) -> str:
    """``egg:Waitress#main`` and ``egg:waitress`` are one: names of distributions know no case."""
    scheme, _, rest = use.partition(":")
    if scheme != "egg":
        return use
    distribution, _, entry = rest.partition("#")
    return f"{re.sub(r'[-_.]+', '-', distribution.strip()).lower()}#{entry.strip() or 'main'}"


Options = Mapping[str, Setting]


def _waitress(options: Options, use: Setting) -> WsgiConf:
    """waitress/adjustments.py: one of ``listen``, ``unix_socket``, or ``host`` and ``port``."""
    listen, unix_socket = options.get("listen"), options.get("unix_socket")
    host, port = options.get("host"), options.get("port")
    sockets = options.get("sockets")
    ways = [way for way in (listen, unix_socket, host or port, sockets) if way is not None]
    if len(ways) > 1:
        message = f"waitress refuses {ways[0].key} together with {ways[1].key}"
        raise _Fault(message, ways[1].line, f"keep {ways[0].key} or {ways[1].key}", refused=True)
    threads = _number(options, "threads", WAITRESS_THREADS)
    if unix_socket is not None:
        return WsgiConf("", unix_sockets=(unix_socket.value,), threads=threads)
    if sockets is not None:
        raise _Fault("the client listens on sockets that it is handed", sockets.line)
    if listen is not None:
        return WsgiConf("", tuple(_waitress_pair(word, listen) for word in listen.value.split()), threads=threads)
    number = _port(port.value, port) if port is not None else WAITRESS_PORT
    return WsgiConf("", (HostPort(_host(host.value if host is not None else "*"), number),), threads=threads)


def _waitress_pair(word: str, setting: Setting) -> HostPort:
    """One of ``a:1``, ``*:2``, ``[::]:3``, ``name``: without a port it is 8080."""
    host, colon, port = word.rpartition(":")
    if not colon or "]" in port:
        host, port = word, str(WAITRESS_PORT)
    if _PORT.fullmatch(host) or not host:
        message = f"waitress takes '{host}' of {setting.key} = {_shown(word)} for a host, and does not start"
        raise _Fault(message, setting.line, f"write {setting.key} = *:{host or port}", refused=True)
    return HostPort(_host(host), _port(port, setting))


def _recipe(options: Options, use: Setting) -> WsgiConf:
    """plone.recipe.zope2instance (ctl.py, server_factory): waitress, with ``fast-listen`` bound before Zope loads."""
    fast = options.get("fast-listen")
    if fast is None:
        return _waitress(options, use)
    for key in ("listen", "host", "port", "unix_socket"):
        if key in options:
            message = f"waitress refuses fast-listen together with {key}"
            raise _Fault(message, options[key].line, f"keep fast-listen or {key}", refused=True)
    threads = _number(options, "threads", WAITRESS_THREADS)
    return WsgiConf("", tuple(_pair(word, fast) for word in fast.value.split()), threads=threads)


def _paste(options: Options, use: Setting) -> WsgiConf:
    """paste/httpserver.py: ``host`` (which may hold the port), ``port``; this machine alone unless told otherwise."""
    host, port = options.get("host"), options.get("port")
    threads = _number(options, "threadpool_workers", 10)
    where = host.value if host is not None and host.value else "127.0.0.1"
    if "ssl_pem" in options or "ssl_context" in options:
        raise _Fault("the client speaks TLS itself, on a port that zcheck does not know", use.line)
    if port is not None:
        return WsgiConf("", (HostPort(_host(where), _port(port.value, port)),), threads=threads)
    if where.count(":") == 1 and host is not None:
        return WsgiConf("", (_pair(where, host),), threads=threads)
    return WsgiConf("", (HostPort(_host(where), 8080),), threads=threads)


def _pyruvate(options: Options, use: Setting) -> WsgiConf:
    """pyruvate's page on the package index: ``socket = HOST:PORT``, without which systemd hands one to it."""
    socket = options.get("socket")
    if socket is None or socket.value in ("", "None"):
        raise _Fault("pyruvate is given its socket by systemd", use.line)
    threads = _number(options, "workers", None)
    if socket.value.startswith("unix:") or "/" in socket.value:
        return WsgiConf("", unix_sockets=(socket.value.removeprefix("unix:"),), threads=threads)
    return WsgiConf("", (_pair(socket.value, socket),), threads=threads)


def _bjoern(options: Options, use: Setting) -> WsgiConf:
    """dataflake.wsgi.bjoern, serve_paste: ``host`` and ``port``, else ``listen``; without a port it takes any."""
    host, port, listen = options.get("host"), options.get("port"), options.get("listen")
    if host is None and port is None and listen is not None:
        where, _, number = listen.value.rpartition(":")
        return WsgiConf("", (HostPort(_host(where), _port(number, listen)),))
    if port is None or port.value in ("", "0"):
        raise _Fault("bjoern takes a port by chance", use.line, "write port = 8080")
    return WsgiConf("", (HostPort(_host(host.value if host is not None else "*"), _port(port.value, port)),))


def _cheroot(options: Options, use: Setting) -> WsgiConf:
    """dataflake.wsgi.cheroot, serve_paste: ``host`` and ``port``, 0.0.0.0:8080 unless told otherwise."""
    host, port = options.get("host"), options.get("port")
    number = _port(port.value, port) if port is not None else 8080
    where = _host(host.value if host is not None else "*")
    return WsgiConf("", (HostPort(where, number),), threads=_number(options, "numthreads", 10))


_SERVERS: dict[str, Callable[[Options, Setting], WsgiConf]] = {
    "waitress#main": _waitress,
    "waitress:serve_paste": _waitress,
    "plone-recipe-zope2instance#main": _recipe,
    "plone.recipe.zope2instance:main": _recipe,
    # It is waitress, with the sockets of fast-listen bound first, as the recipe does it.
    "waitress-fastlisten#main": _recipe,
    "waitress_fastlisten:main": _recipe,
    "waitress_fastlisten:server_factory": _recipe,
    "dataflake-wsgi-bjoern#main": _bjoern,
    "dataflake.wsgi.bjoern:serve_paste": _bjoern,
    "dataflake-wsgi-cheroot#main": _cheroot,
    "dataflake.wsgi.cheroot:serve_paste": _cheroot,
    "paste#http": _paste,
    "paste#main": _paste,
    "pyruvate#main": _pyruvate,
}
# The keys whose values are read, and at which findings may point.
_SAID = frozenset(
    {"use", "paste.server_factory", "host", "port", "listen", "fast-listen", "unix_socket", "socket"}
    | {"threads", "workers", "threadpool_workers", "numthreads"}
)
# The keys by which waitress decides what the application takes for its public URL and its visitor's address.
_OF_URLS = frozenset(
    {"trusted_proxy", "trusted_proxy_count", "trusted_proxy_headers", "clear_untrusted_proxy_headers"}
    | {"url_scheme", "url_prefix"}
)


def _pair(word: str, setting: Setting) -> HostPort:
    host, _, port = word.rpartition(":")
    return HostPort(_host(host), _port(port, setting))


def _host(text: str) -> str:
    """A host as :class:`~zcheck.facts.HostPort` wants it: no brackets, and ``*`` for every interface."""
    host = text.strip().removeprefix("[").removesuffix("]").lower()
    return "*" if host in _EVERYWHERE else host


def _port(text: str, setting: Setting) -> int:
    if not _PORT.fullmatch(text.strip()) or int(text) > 65535:
        raise _Fault(f"{setting.key} = {_shown(setting.value)}: '{_shown(text)}' is no port number", setting.line)
    return int(text)


def _number(options: Options, key: str, default: int | None) -> int | None:
    setting = options.get(key)
    if setting is None:
        return default
    if not setting.value.isdecimal():
        raise _Fault(f"{key} = {_shown(setting.value)} is no number", setting.line, refused=True)
    return int(setting.value)


def _application(ini: _Ini) -> str | None:
    """The ``use`` of the one section that names a zope_conf."""
    using = {keys["use"].value for keys in ini.sections.values() if "zope_conf" in keys and "use" in keys}
    return using.pop() if len(using) == 1 else None


def _handlers(ini: _Ini) -> Iterator[_Fault]:
    """The log handlers whose ``args`` or ``kwargs`` Python cannot read (logging.config evaluates them).

    In a path of Windows a backslash begins an escape: ``\\U`` and ``\\x`` end the start, ``\\t`` is a tabulator.
    """
    if "loggers" not in ini.sections:
        return
    listed = ini.sections.get("handlers", {}).get("keys", Option("", 0)).value.split(",")
    for name in [f"handler_{word.strip()}" for word in listed if word.strip()]:
        for key in ("args", "kwargs"):
            option = ini.sections.get(name, {}).get(key)
            if option is None or len(option.value) > MAX_VALUE:
                continue
            try:
                ast.parse(_REFERENCE.sub("x", option.value).strip(), mode="eval")
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                message = f"{key} of [{_shown(name)}] is no Python expression: the client does not start"
                hint = f"write the path in {key} with '/', or r in front of its quotes"
                yield _Fault(message, option.line, hint if "\\" in option.value else f"correct {key}", refused=True)


def _without_httpexceptions(ini: _Ini) -> Setting | None:
    """The ``pipeline`` that is served, where it ends with Zope and has no filter of its that answers exceptions.

    Without it NotFound reaches the server, which answers 500 (tried with Zope 6.3).
    """
    pipeline = ini.sections.get("pipeline:main", {}).get("pipeline")
    if pipeline is None:
        return None
    names = pipeline.value.split()
    used = [_used(ini, name) for name in names]
    if not names or None in used or used[-1] != "zope#main" or "zope#httpexceptions" in used[:-1]:
        return None
    return Setting("pipeline", " ".join(names), ini.file, pipeline.line)


def _used(ini: _Ini, name: str) -> str | None:
    """What a name in a pipeline stands for; None where that is not known."""
    if name.startswith("egg:"):
        return _kind(name)
    found = [keys for section, keys in ini.sections.items() if section.partition(":")[2].strip() == name]
    use = found[0].get("use") if len(found) == 1 else None
    factory = any(key.startswith("paste.") for keys in found for key in keys)
    return _kind(use.value) if use is not None and not factory and "%" not in use.value else None


def _zope_conf(ini: _Ini) -> Setting | None:
    """The ``zope_conf`` of the application that is served, its path joined to the file's folder."""
    naming = [name for name, keys in ini.sections.items() if "zope_conf" in keys]
    if len(naming) > 1:
        last = ini.sections.get("pipeline:main", {}).get("pipeline", Option("", 0)).value.split()[-1:]
        served = [name for name in naming if name.partition(":")[2].strip() in ("main", *last)]
        if len(served) != 1:
            line = ini.sections[naming[1]]["zope_conf"].line
            raise _Fault(f"several sections name a zope_conf: [{'], ['.join(map(_shown, naming))}]", line)
        naming = served
    if not naming:
        return None
    setting = ini.option(naming[0], "zope_conf")
    return msgspec.structs.replace(setting, value=posixpath.normpath(setting.value)) if setting.value else None
