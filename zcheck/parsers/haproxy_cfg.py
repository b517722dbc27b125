"""haproxy.cfg text to frozen structs: split into words as HAProxy splits it, file and line kept for every word.  Pure.

The syntax is that of HAProxy's configuration manual, sections 2.1 to 2.3: words with blanks between, quotes,
backslashes, ``#`` comments, variables of the environment within double quotes alone.  Nothing is taken from an
environment: a variable that no ``setenv`` line gives stays as it is written and is told.  What is another program's
template is told as one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from zcheck.facts import ConfFault, HaproxyConf, HaproxyLine, HaproxySection, HaproxyServer, HealthRequest
from zcheck.parsers.redact import HIDDEN, speaks_of_a_secret, without_userinfo

MAX_CHARACTERS = 8 * 1024 * 1024
"""Of all files together: the largest configurations that are generated have some MiB."""

MAX_LINES = 200_000
MAX_PLACEHOLDERS = 100
"""Of one line; one is enough to call it a template."""

SECTIONS = frozenset(
    [
        "global",
        "defaults",
        "frontend",
        "backend",
        "listen",
        "peers",
        "resolvers",
        "mailers",
        "userlist",
        "program",
        "http-errors",
        "ring",
        "log-forward",
        "cache",
        "fcgi-app",
        "crt-store",
        "traces",
        "acme",
        "log-profile",
    ]
)
PROXIES = frozenset({"frontend", "backend", "listen"})

_CONDITIONAL = frozenset({".if", ".elif", ".else", ".endif"})
_TOLD_ONLY = frozenset({".notice", ".warning", ".alert", ".diag"})
# Buildout's ${part:option}, Jinja, Genshi and Cheetah, what Zope's own skeletons use, ERB, and Python's %(name)s.
_PLACEHOLDER = re.compile(
    r"\$\$?\{[^}\n]{0,200}\}|\{\{.{0,200}?\}\}|\{%.{0,200}?%\}|\{#.{0,200}?#\}|<<\w{1,60}>>|<%.{0,200}?%>"
    r"|%\([^()\s]{1,200}\)[sd]"
)
# Formats of HAProxy's own, in which %(name)... may stand.
_FORMATS = frozenset({"log-format", "log-format-sd", "error-log-format", "unique-id-format", "http-request"})
_VARIABLE = re.compile(r"\$(?:\{([A-Za-z_]\w*)(?:\[\*\])?(?:-[^}]*)?\}|([A-Za-z_]\w*))")
# Addresses alone are expanded outside of quotes too (src/tools.c, env_expand): $NAME and ${NAME}, nothing else.
_IN_ADDRESS = re.compile(r"\$(?:\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*))")
_ESCAPED = {"t": "\t", "r": "\r", "n": "\n"}
_CREDENTIALS = re.compile(r"\b(basic|bearer|digest)(\s+)\S.*", re.IGNORECASE | re.DOTALL)
_HEADER_WORDS = frozenset({"hdr", "set-header", "add-header", "replace-header", "replace-value"})
_OTHER_FAMILIES = ("unix@", "abns@", "abnsz@", "fd@", "sockpair@", "rhttp@", "rev@")
_FAMILY = re.compile(r"(?:ipv4|ipv6|ip|tcp4|tcp6|tcp|udp4|udp6|udp|quic4|quic6|mptcp4?6?)@")

# The server keywords that take a word (configuration manual, section 5.2); every other one takes none.
_WITH_VALUE = frozenset(
    [
        "addr",
        "agent-addr",
        "agent-inter",
        "agent-port",
        "agent-send",
        "alpn",
        "ca-file",
        "check-alpn",
        "check-proto",
        "check-sni",
        "ciphers",
        "ciphersuites",
        "client-sigalgs",
        "cookie",
        "crl-file",
        "crt",
        "curves",
        "downinter",
        "error-limit",
        "fall",
        "fastinter",
        "guid",
        "hash-key",
        "id",
        "idle-ping",
        "init-addr",
        "init-state",
        "inter",
        "log-bufsize",
        "log-proto",
        "max-reuse",
        "maxconn",
        "maxqueue",
        "minconn",
        "namespace",
        "npn",
        "observe",
        "on-error",
        "on-marked-down",
        "on-marked-up",
        "pool-conn-name",
        "pool-low-conn",
        "pool-max-conn",
        "pool-purge-delay",
        "port",
        "proto",
        "proxy-v2-options",
        "redir",
        "resolve-net",
        "resolve-opts",
        "resolve-prefer",
        "resolvers",
        "rise",
        "shard",
        "sigalgs",
        "slowstart",
        "sni",
        "socks4",
        "source",
        "ssl-max-ver",
        "ssl-min-ver",
        "tcp-ut",
        "track",
        "verify",
        "verifyhost",
        "weight",
        "ws",
        "interface",
        "usesrc",
        "set-proxy-v2-tlv-fmt",
        "quic-cc-algo",
        "cc",
    ]
)


class _Mistake(Exception):
    """What HAProxy does not start with; the message says what is wrong with the line."""


def parse(files: Sequence[tuple[str, str]], backend: str | None = None) -> HaproxyConf:
    """Read the files of one HAProxy, each with its path as findings show it, in the order in which HAProxy reads them.

    ``backend``: what clients.ini names.  Never raises: what cannot be read as HAProxy would is a fault, of kind
    ``refused`` where HAProxy does not start with it, ``unread`` where what it says is not known here.
    """
    names = tuple(file for file, _ in files)
    if sum(len(text) for _, text in files) > MAX_CHARACTERS:
        message = f"more than {MAX_CHARACTERS // 1024 // 1024} MiB: no configuration is that large"
        return HaproxyConf(names, faults=(ConfFault("unread", message, names[0]),), backend=backend)
    reader = _Reader()
    for file, text in files:
        reader.read(file, text)
    sections = reader.result()
    faults = [*reader.faults, *_same_names(sections)]
    # A template makes everything else that can be said of it idle.
    templates = [fault for fault in faults if fault.kind == "unread"]
    conf = HaproxyConf(names, sections, tuple(templates[:1] or faults), backend)
    if backend is not None and not conf.balancing and not templates:
        known = ", ".join(section.name for section in conf.of("backend", "listen") if section.servers) or "none"
        message = f"there is no backend {backend!r}; those with servers are: {known}"
        fault = ConfFault("unread", message, names[0], None, "name one of them in clients.ini: backend = ...")
        return msgspec.structs.replace(conf, faults=(*conf.faults, fault))
    return conf


def no_listener(conf: HaproxyConf) -> Iterator[ConfFault]:
    """The fault of a configuration that listens nowhere, with which HAProxy does not start."""
    proxies = conf.of(*PROXIES)
    listening = any(line.keyword == "bind" for section in conf.sections for line in section.lines)
    # The old form has the address on the section's own line.
    listening = listening or any(":" in word for section in proxies for word in section.head.arguments[1:2])
    if proxies and not listening and not conf.of("log-forward"):
        message = "HAProxy does not start with it alone: no frontend or listen section has a bind line"
        hint = "name all files of this HAProxy: config = haproxy.cfg, others.cfg"
        yield ConfFault("refused", message, proxies[0].head.file, proxies[0].head.line, hint)


# --- a line into words ---------------------------------------------------------------------------


class _Words:
    """One line, read a character at a time as HAProxy's ``parse_line`` does (src/tools.c)."""

    def __init__(self, text: str, variables: dict[str, str]) -> None:
        self.text = text
        self.variables = variables
        self.words: list[str] = []
        self.unresolved: list[str] = []
        self.placeholders: list[tuple[int, str]] = []
        """What other programs fill in, each with the number of the word in which it stands."""
        self._word: list[str] | None = None
        self._at = 0

    def split(self) -> list[str]:
        """The words; raises :exc:`_Mistake`."""
        quote = ""
        while self._at < len(self.text):
            char = self.text[self._at]
            if char in "\"'" and quote in ("", char):
                quote = "" if quote else char
                self._put("", 1)
            elif char == "\\" and quote != "'":
                self._escape(quote)
            elif char == "#" and not quote:
                break
            elif char.isspace() and not quote:
                self._end()
                self._at += 1
            elif char == "$" and quote == '"':
                self._variable()
            else:
                if not quote and char in "${<%" and len(self.placeholders) < MAX_PLACEHOLDERS:
                    self._look_for_a_placeholder()
                self._put(char, 1)
        if quote:
            raise _Mistake(f"a {'double' if quote == chr(34) else 'single'} quote is not closed")
        self._end()
        return self.words

    def _put(self, text: str, consumed: int) -> None:
        if self._word is None:
            self._word = []
        self._word.append(text)
        self._at += consumed

    def _end(self) -> None:
        if self._word is not None:
            self.words.append("".join(self._word))
            self._word = None

    def _escape(self, quote: str) -> None:
        after = self.text[self._at + 1 : self._at + 2]
        if after in ("\\", " ", "#", '"', "'"):
            self._put(after, 2)
        elif after in _ESCAPED:
            self._put(_ESCAPED[after], 2)
        elif after == "$" and quote == '"':
            self._put("$", 2)
        elif after == "x":
            digits = self.text[self._at + 2 : self._at + 4]
            if not re.fullmatch(r"[0-9a-fA-F]{2}", digits):
                raise _Mistake(r"\x is not followed by two hexadecimal digits")
            self._put(chr(int(digits, 16)), 4)
        else:
            self._put("\\", 1)

    def _variable(self) -> None:
        match = _VARIABLE.match(self.text, self._at)
        if match is None:
            if self._look_for_a_placeholder():
                self._put("$", 1)
                return
            raise _Mistake("a '$' within double quotes names no variable")
        name = match[1] or match[2]
        if name in self.variables:
            self._put(self.variables[name], len(match[0]))
        else:
            self.unresolved.append(name)
            self._put(match[0], len(match[0]))

    def _look_for_a_placeholder(self) -> bool:
        match = _PLACEHOLDER.match(self.text, self._at)
        if match is not None:
            self.placeholders.append((len(self.words), match[0]))
        return match is not None

    def expand_addresses(self) -> None:
        """Replace the variables in the words that are addresses, as HAProxy does whether they are quoted or not."""

        def value(match: re.Match[str]) -> str:
            name = match[1] or match[2]
            if name in self.variables:
                return self.variables[name]
            if name not in self.unresolved:
                self.unresolved.append(name)
            return match[0]

        for at in address_words(self.words):
            self.words[at] = _IN_ADDRESS.sub(value, self.words[at])
            self.placeholders = [one for one in self.placeholders if one[0] != at or not _IN_ADDRESS.fullmatch(one[1])]


def address_words(words: Sequence[str]) -> Iterator[int]:
    """The numbers of the words of a line that HAProxy reads as addresses."""
    first = {"server": 2, "server-template": 3, "bind": 1, "log": 1, "nameserver": 2, "peer": 2, "source": 1}
    at = 2 if list(words[:2]) == ["stats", "socket"] else first.get(words[0] if words else "", len(words))
    if at < len(words):
        yield at
    if words and words[0] in _SERVER_LINES:
        yield from (at + 1 for at, word in enumerate(words[:-1]) if word in _ADDRESS_OPTIONS)


_SERVER_LINES = frozenset({"server", "server-template", "default-server"})
_ADDRESS_OPTIONS = frozenset({"addr", "agent-addr", "source", "socks4"})


def words_of(text: str) -> tuple[str, ...]:
    """The words of one line, secrets not hidden; ValueError where HAProxy would refuse it."""
    try:
        return tuple(_Words(text, {}).split())
    except _Mistake as mistake:
        raise ValueError(str(mistake)) from None


# --- lines into sections -------------------------------------------------------------------------


class _Open(msgspec.Struct):
    """A section that is being read."""

    head: HaproxyLine
    lines: list[HaproxyLine]
    defaults: _Open | None


class _Reader:
    """Collects sections over all files, as HAProxy does: a ``defaults`` counts from where it stands."""

    def __init__(self) -> None:
        self.faults: list[ConfFault] = []
        self._sections: list[_Open] = []
        self._named: dict[str, _Open] = {}
        self._last_defaults: _Open | None = None
        self._variables: dict[str, str] = {}

    def read(self, file: str, text: str) -> None:
        """One file.  A section ends with its file, as each file begins anew."""
        inside: _Open | None = None
        lines = text.split("\n")
        if len(lines) > MAX_LINES:
            self._fault("unread", f"more than {MAX_LINES} lines", file, MAX_LINES)
            return
        if lines[-1]:
            self._fault("refused", "the last line has no line end", file, len(lines), "end it with a line end")
        for number, text in enumerate(lines, 1):
            line = self._line(file, number, text.rstrip("\r"))
            if line is None or line.words[0] in _TOLD_ONLY:
                continue
            if line.words[0] in _CONDITIONAL:
                message = f"'{line.words[0]}': what applies is known where HAProxy runs alone"
                self._fault("unread", message, file, number, "name a file without conditions")
            elif line.words[0] in SECTIONS:
                inside = self._begin(line)
            elif inside is None:
                self._fault("refused", f"'{_clipped(line.words[0])}' stands before any section", file, number)
            else:
                inside.lines.append(line)
                self._note_variable(inside, line)

    def result(self) -> tuple[HaproxySection, ...]:
        return tuple(_section(one) for one in self._sections)

    def _line(self, file: str, number: int, text: str) -> HaproxyLine | None:
        reader = _Words(text, self._variables)
        try:
            words = reader.split()
        except _Mistake as mistake:
            self._fault("refused", str(mistake), file, number)
            words = reader.words
        reader.expand_addresses()
        templates = [
            text for _, text in reader.placeholders if not (text[0] == "%" and words[:1] and words[0] in _FORMATS)
        ]
        if templates:
            message = f"this is a template, render it first: {_clipped(templates[0])}"
            hint = "name the file that the template is rendered to: config = ..."
            if _IN_ADDRESS.fullmatch(templates[0]):
                hint += f'; where HAProxy itself is to fill it in, write "{templates[0]}", with the quotes'
            self._fault("unread", message, file, number, hint)
        if not words:
            return None
        self._unquoted(words, file, number)
        return HaproxyLine(redacted(words), file, number, tuple(dict.fromkeys(reader.unresolved)))

    def _unquoted(self, words: Sequence[str], file: str, number: int) -> None:
        """Tell the words that name a variable where HAProxy takes them as they are written."""
        addresses = set(address_words(words))
        for at, word in enumerate(words):
            if at in addresses or not _IN_ADDRESS.fullmatch(word) or word.startswith("${"):
                continue
            name = _clipped(word)
            hint = f'write "{name}", with the quotes'
            if _is_refused(words, at):
                message = f"{name} stands outside of double quotes, and HAProxy refuses it as it is written"
                self._fault("refused", message, file, number, hint)
            else:
                what = "it counts as 0" if _is_number(words, at) else "it is no variable"
                message = f"{name} stands outside of double quotes: HAProxy takes it as it is written, and {what}"
                self._fault("unmeant", message, file, number, hint)

    def _begin(self, line: HaproxyLine) -> _Open:
        section = _Open(line, [], self._defaults_of(line) if line.keyword in PROXIES | {"defaults"} else None)
        self._sections.append(section)
        if line.keyword == "defaults":
            self._last_defaults = section
            if line.arguments and line.arguments[0] != "from":
                self._named[line.arguments[0]] = section
        return section

    def _defaults_of(self, line: HaproxyLine) -> _Open | None:
        words = line.arguments
        if "from" in words and words.index("from") + 1 < len(words):
            name = words[words.index("from") + 1]
            if name not in self._named:
                self._fault("refused", f"there is no 'defaults {_clipped(name)}' above", line.file, line.line)
            return self._named.get(name)
        # A defaults section begins with HAProxy's own, a proxy with the last defaults above it.
        return self._last_defaults if line.keyword in PROXIES else None

    def _note_variable(self, inside: _Open, line: HaproxyLine) -> None:
        if inside.head.keyword != "global" or line.unresolved:
            return
        if line.keyword == "setenv" and len(line.words) > 2 and line.words[2] != HIDDEN:
            self._variables[line.words[1]] = line.words[2]
        elif line.keyword == "unsetenv":
            for name in line.arguments:
                self._variables.pop(name, None)

    def _fault(self, kind: str, message: str, file: str, line: int, hint: str = "") -> None:
        self.faults.append(ConfFault(kind, message, file, line, hint))  # type: ignore[arg-type]


def _section(one: _Open) -> HaproxySection:
    inherited = tuple(_inherited(one.defaults))
    name = one.head.arguments[0] if one.head.arguments and one.head.arguments[0] != "from" else ""
    servers: tuple[HaproxyServer, ...] = ()
    if one.head.keyword in ("backend", "listen"):
        servers = tuple(_servers((*inherited, *one.lines)))
    section = HaproxySection(one.head.keyword, name, one.head, tuple(one.lines), inherited, servers)
    return msgspec.structs.replace(section, health=health_request(section)) if servers else section


def _inherited(defaults: _Open | None, depth: int = 0) -> Iterator[HaproxyLine]:
    if defaults is not None and depth < 100:
        yield from _inherited(defaults.defaults, depth + 1)
        yield from defaults.lines


def _same_names(sections: Iterable[HaproxySection]) -> Iterator[ConfFault]:
    for section in sections:
        first: dict[str, HaproxyServer] = {}
        for server in section.servers:
            known = first.setdefault(server.name, server)
            if known is not server:
                message = f"{section.kind} {section.name} has a second server {server.name}; see line {known.line.line}"
                hint = "give each server a name of its own"
                yield ConfFault("refused", message, server.line.file, server.line.line, hint)


def _is_refused(words: Sequence[str], at: int) -> bool:
    """Whether HAProxy does not start with ``$NAME`` as this word of a line (tried on 2.6)."""
    keyword = words[0]
    if keyword in _SERVER_LINES:
        return words[at - 1] in _TIMES_AND_COUNTS or (at == 1 and keyword != "default-server")
    if keyword in ("timeout", "log", "stick-table", "server-template"):
        return at > 1
    return at == 1 and keyword in _REFUSING


_TIMES_AND_COUNTS = frozenset(
    {"inter", "fastinter", "downinter", "rise", "fall", "slowstart", "agent-inter", "on-error", "observe"}
)
_REFUSING = frozenset({"mode", "balance", "nbthread", "use_backend", "default_backend", "user", "group"})


def _is_number(words: Sequence[str], at: int) -> bool:
    """Whether HAProxy reads this word as a number, and ``$NAME`` as 0."""
    if words[0] in _SERVER_LINES:
        return words[at - 1] in _COUNTS
    return words[0] in ("maxconn", "retries", "fullconn") or list(words[:2]) == ["option", "redispatch"]


_COUNTS = frozenset({"weight", "maxconn", "maxqueue", "minconn", "port", "agent-port", "id", "error-limit"})


# --- servers -------------------------------------------------------------------------------------


def _servers(lines: Iterable[HaproxyLine]) -> Iterator[HaproxyServer]:
    """``default-server`` applies to the servers below it, and what it says is added to what is said already."""
    presets: dict[str, str] = {}
    for line in lines:
        if line.keyword == "default-server":
            presets = options(line.arguments, presets)
        elif line.keyword == "server" and len(line.arguments) > 1:
            name, address = line.arguments[:2]
            host, port = read_address(address)
            own = options(line.arguments[2:], presets)
            yield HaproxyServer(name, address, host, port, line, own, shift=shift_of(address))
        elif line.keyword == "server-template" and len(line.arguments) > 2:
            prefix, number, address = line.arguments[:3]
            host, port = read_address(address)
            own = options(line.arguments[3:], presets)
            count = _how_many(number)
            yield HaproxyServer(prefix, address, host, port, line, own, count, shift_of(address), is_template=True)


def options(words: Sequence[str], presets: dict[str, str]) -> dict[str, str]:
    """The keywords of a ``server`` or ``default-server`` line on top of those that apply already."""
    found = dict(presets)
    rest = iter(words)
    for word in rest:
        if word in _WITH_VALUE:
            value = next(rest, "")
            found[word] = "0" if word in _COUNTS and _IN_ADDRESS.fullmatch(value) and value[1] != "{" else value
        elif word == "enabled":
            found.pop("disabled", None)
        elif word.startswith("no-"):
            found.pop(word[3:], None)
        else:
            found[word] = ""
    return found


def _how_many(number: str) -> int:
    match = re.fullmatch(r"(\d{1,6})(?:-(\d{1,6}))?", number)
    if match is None:
        return 1
    return int(match[1]) if match[2] is None else max(int(match[2]) - int(match[1]) + 1, 1)


def read_address(text: str) -> tuple[str, int | None]:
    """Host and port of a ``server`` address; no host for a socket's path, no port where it is not one number."""
    if text.startswith("/") or text.startswith(_OTHER_FAMILIES):
        return "", None
    text = _FAMILY.sub("", text, count=1)
    bracketed = re.fullmatch(r"\[([^\]]*)\](?::(.*))?", text)
    if bracketed is not None:
        host, port = bracketed[1], bracketed[2] or ""
    else:
        host, _, port = text.rpartition(":") if ":" in text else (text, "", "")
    known = re.fullmatch(r"\d{1,5}", port)
    return ("" if host == "*" else host), int(port) if known else None


def shift_of(address: str) -> int | None:
    """What HAProxy adds to the port by which the user came; None where the address has a port, or may have one."""
    if not read_address(address)[0]:
        return None
    port = address.rpartition(":")[2] if re.search(r"\]:|^[^:\[\]]*:", _FAMILY.sub("", address, count=1)) else ""
    if not port:
        return None if "$" in address else 0
    return int(port) if re.fullmatch(r"[+-]\d{1,5}", port) else None


# --- the health check ----------------------------------------------------------------------------


CHECK_OPTIONS = frozenset(
    {
        "httpchk",
        "tcp-check",
        "external-check",
        "ldap-check",
        "mysql-check",
        "pgsql-check",
        "redis-check",
        "smtpchk",
        "spop-check",
        "ssl-hello-chk",
    }
)


def check_option(section: HaproxySection) -> HaproxyLine | None:
    """The ``option`` line that says what a health check does, the last one; None where it merely connects."""
    found = [line for line in section.all("option") if line.arguments and line.arguments[0] in CHECK_OPTIONS]
    return found[-1] if found and not found[-1].negated else None


def health_request(section: HaproxySection) -> HealthRequest | None:
    """The HTTP request of a backend's health checks; None where they make none.

    ``http-check send`` takes the place of what ``option httpchk`` says, part by part; the default is ``OPTIONS /``.
    """
    option = check_option(section)
    if option is None or option.arguments[0] != "httpchk":
        return None
    words = option.arguments[1:]
    method, path = ("OPTIONS", words[0]) if len(words) == 1 else (*words[:2], "OPTIONS", "/")[:2]
    headers: list[tuple[str, str]] = []
    line = option
    rules = _rules(section)
    send = next((rule for rule in rules if rule.arguments[:1] == ("send",)), None)
    if send is not None:
        said = dict(_pairs(send.arguments[1:]))
        headers = [(name, value) for key, (name, value) in _headers(send.arguments[1:]) if key == "hdr"]
        method, path, line = said.get("meth", method), said.get("uri", said.get("uri-lf", path)), send
    expected = next((rule for rule in rules if rule.arguments[:1] == ("expect",)), None)
    expect = " ".join(expected.arguments[1:]) if expected is not None else ""
    connects = next((rule for rule in rules if rule.arguments[:1] == ("connect",)), None)
    return HealthRequest(method.upper(), path, line, tuple(headers), expect, connects)


def _rules(section: HaproxySection) -> list[HaproxyLine]:
    """The ``http-check`` rules: a proxy's own take the place of all those of its defaults."""
    own = [line for line in section.lines if line.keyword == "http-check"]
    return own or [line for line in section.inherited if line.keyword == "http-check"]


def _pairs(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(words):
        if words[at] == "hdr":
            at += 3
        else:
            yield words[at], words[at + 1] if at + 1 < len(words) else ""
            at += 2


def _headers(words: Sequence[str]) -> Iterator[tuple[str, tuple[str, str]]]:
    at = 0
    while at < len(words):
        if words[at] == "hdr" and at + 2 < len(words):
            yield "hdr", (words[at + 1], words[at + 2])
            at += 3
        else:
            at += 2


# --- secrets -------------------------------------------------------------------------------------


def redacted(words: Sequence[str]) -> tuple[str, ...]:
    """The words of a line with every secret in them hidden."""
    shown = [without_userinfo(_CREDENTIALS.sub(rf"\1\2{HIDDEN}", word)) for word in words]
    for at, word in enumerate(words[:-1]):
        after = at + 1
        if word in ("password", "insecure-password", "dynamic-cookie-key"):
            shown[after] = HIDDEN
        elif word == "auth" and at and words[at - 1] == "stats":
            shown[after] = f"{words[after].partition(':')[0]}:{HIDDEN}"
        elif word in _HEADER_WORDS and after + 1 < len(words) and _is_secret(words[after]):
            shown[after + 1 :] = [HIDDEN]
            break
        elif _takes_a_secret(word):
            # What the header or cookie of this name is compared with.
            shown[after:] = [one if one.startswith("-") else HIDDEN for one in shown[after:]]
            break
        elif word in ("setenv", "presetenv") and at == 0 and after + 1 < len(words) and _is_secret(words[after]):
            shown[after + 1] = HIDDEN
    return tuple(shown)


_FETCH = re.compile(r"[\w.]*(?:hdrs?|hdr_\w+|cook|cook_\w+|url_?param|urlp|urlp_\w+)\(([^),]*)|http_auth_bearer")


def _takes_a_secret(word: str) -> bool:
    """Whether the word fetches a header, cookie or parameter that holds a secret, such as ``req.hdr(X-Token)``."""
    fetch = _FETCH.match(word)
    if fetch is None:
        return False
    return fetch[1] is None or speaks_of_a_secret(fetch[1]) or fetch[1].lower().endswith("authorization")


def _is_secret(name: str) -> bool:
    return speaks_of_a_secret(name) or name.lower() in ("authorization", "proxy-authorization", "cookie")


def _clipped(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."
