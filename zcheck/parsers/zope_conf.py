"""zope.conf text to a tree: ZConfig's own parser, with a context of ours that keeps file and line for every key.

Pure: an ``%include`` is followed through the ``read`` that the caller hands in, ``$(NAME)`` comes from the ``env`` that
it gives and never from zcheck's own environment.  No schema is loaded and no code of the client is imported: Zope's
schema needs the client's packages and paths, and its datatypes import what the file names.

What Zope itself would not start with is a :class:`~zcheck.facts.ConfFault` of kind ``refused``; what could not be had
here (an included file, a file beyond the limits) is one of kind ``unread``.  Nothing is raised.
"""

from __future__ import annotations

import io
import posixpath
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote

from ZConfig import ConfigurationSyntaxError
from ZConfig.cfgparser import ZConfigParser

from zcheck.facts import ConfFault, Section, Setting, ZopeConf, spelt
from zcheck.parsers.redact import HIDDEN, holds_a_seal, redacted, seal, speaks_of_a_secret, without_userinfo

Read = Callable[[str], str]

# Limits on hostile or broken input.  The largest real zope.conf that we have seen (Zope 2's skeleton, nearly all of
# it comments) has 41 kB, 1,200 lines and sections four deep.
MAX_CHARACTERS = 4 * 1024 * 1024
MAX_LINES = 200_000
MAX_DEPTH = 32
MAX_INCLUDES = 200
MAX_INCLUDE_DEPTH = 16
MAX_DEFINES = 10_000
MAX_VALUE = 64 * 1024
MAX_SUBSTITUTED = 8 * 1024 * 1024
MAX_FAULTS = 20
BYTE_ORDER_MARK = "\ufeff"
_UTF16 = ("\udcff\udcfe", "\udcfe\udcff")
MAX_REMEMBERED = 200
"""Characters of a line that is kept in mind for the next file."""

# What ``$`` may begin (ZConfig.substitution); the last, empty alternative is what ZConfig refuses.
_REFERENCE = re.compile(r"\$(?:(\$)|\{([a-zA-Z_]\w*)\}|\(([a-zA-Z_]\w*)\)|([a-zA-Z_]\w*)|)", re.ASCII)
_NAME = re.compile(r"[a-zA-Z_]\w*", re.ASCII)
_KEY_AND_VALUE = re.compile(r"([^\s()]+)\s*([^\s].*)?$")
_SCHEME = re.compile(r"([a-zA-Z][-+.a-zA-Z0-9]+):")
_INVALID_UTF8 = re.compile("[\udc80-\udcff]")

# What stands in a placeholder holds no other one's beginning: so the search takes no longer than the line is long, even
# for a line of a million "{{".
_TEMPLATE = re.compile(
    r"\$\{(?![a-zA-Z_][a-zA-Z0-9_]{0,200}\})[^{}]{0,200}\}"  # ${buildout:directory}, ${options.location}
    r"|<<\w{1,200}>>"  # Zope's own skeletons
    r"|\{\{[^{}]{0,200}\}\}|\{%[^{}]{0,200}%\}"  # Jinja, Django, cookiecutter, Ansible
    r"|<%[^<>]{0,200}%>"  # ERB, Mako
)
_TEMPLATE_SUFFIXES = (".in", ".tmpl", ".tpl", ".template", ".erb", ".j2", ".jinja", ".jinja2", ".mako", ".dist")
_TEMPLATE_SIGNS = ("${", "<<", "{{", "{%", "<%")

# In these sections any value is allowed, braces of every form included.
_FREE_FORM = ("environment", "cgi-environment", "product-config", "formatter")
# Their keys are names of environment variables: ZConfig's datatype "identifier" keeps the case.
_CASE_KEPT = ("environment", "cgi-environment")
# Zope's schemas allow one of each (zopeschema.xml, wsgischema.xml).
_ONLY_ONE = ("environment", "cgi-environment", "dos_protection", "eventlog")
# Sections that only Zope 2 has: it runs on Python 2, whose ZConfig does not decode a file.
_ZOPE2_SERVERS = frozenset(
    {"http-server", "webdav-source-server", "ftp-server", "fast-cgi", "monitor-server", "icp-server", "clock-server"}
)
# Storages around exactly one other storage.
_WRAPPERS = (
    "zlibstorage",
    "serverzlibstorage",
    "encryptingstorage",
    "serverencryptingstorage",
    "before",
    "blobstorage",
)


def parse(text: str, url: str, env: Mapping[str, str], read: Read) -> ZopeConf:
    """Read one client's zope.conf.

    ``url`` is the file's path as findings show it; an ``%include`` is relative to it.  ``env`` is what the inventory
    gives for ``$(NAME)``.  ``read`` gives the text of an included file by its path, or raises OSError or ValueError.
    Bytes that are no UTF-8 are expected as surrogates (``errors="surrogateescape"``).
    """
    context, top = read_tree(text, url, env, read, "write the client's zope.conf to it")
    if not context.is_template and not _is_another_kind(context, top):
        judge_bytes(context, top)
        if not context.broken and not context.stopped:
            _judge_structure(context, top)
    return ZopeConf(
        file=url,
        settings=tuple(top.settings),
        sections=tuple(top.sections),
        imports=tuple(context.imports),
        faults=tuple(context.faults),
        lines=text.count("\n") + (not text.endswith("\n")),
        named=tuple(context.named),
    )


class Tree(NamedTuple):
    """A file of ZConfig's syntax, whatever its schema: its outermost section, and what was met on the way."""

    context: _Context
    top: _Open


def read_tree(text: str, url: str, env: Mapping[str, str], read: Read, hint: str) -> Tree:
    """Read such a file; the arguments are those of :func:`parse`, and ``hint`` is what to do about an empty one."""
    context = _Context(env, read)
    top = _Open("", None, url, 1)
    if not text.strip():
        context.fault("refused", "the file is empty", url, 1, hint)
    elif text.startswith(_UTF16):
        context.fault("refused", "the file is UTF-16, not UTF-8", url, 1, "save the file as UTF-8 text")
        context.broken = True
    elif (template := _template(text)) is not None:
        context.template(url, *template)
    else:
        context.read_text(text, url, top)
    return Tree(context, top)


class _Open:
    """A section that is being read."""

    __slots__ = ("file", "line", "name", "sections", "settings", "type")

    def __init__(self, type: str, name: str | None, file: str, line: int) -> None:
        self.type = type
        self.name = name
        self.file = file
        self.line = line
        self.settings: list[Setting] = []
        self.sections: list[Section] = []

    def closed(self, end_line: int) -> Section:
        return Section(self.type, self.name, self.file, self.line, end_line, tuple(self.settings), tuple(self.sections))


class _Resource:
    """What ZConfig's parser wants to be given: an open file and its name."""

    __slots__ = ("file", "url")

    def __init__(self, text: str, url: str) -> None:
        # ZConfig reads files through StringIO as well: a line ends at "\n" and nowhere else.
        self.file = io.StringIO(text)
        self.url = url


class _Refused(Exception):
    """A line that ZConfig refuses, after which the next line can still be read."""

    def __init__(self, message: str, hint: str = "", undefined: str = "") -> None:
        super().__init__(message)
        self.hint = hint
        self.undefined = undefined


class _Stop(Exception):
    """A limit of ours is reached: what follows is not read."""


class _Parser(ZConfigParser):
    """ZConfig's parser for one file: substitution by the inventory's environment, one fault a bad line."""

    __slots__ = ()

    def nextline(self) -> tuple[bool, str | None]:
        """ZConfig's own, with a way to stop."""
        if self.context.stopped:
            self.stack.clear()
            return True, None
        line = self.file.readline()
        if not line:
            return True, None
        self.lineno += 1
        return False, line.strip()

    def start_section(self, section: _Open, rest: str) -> _Open:
        if len(self.context.open_sections) >= MAX_DEPTH:
            raise _Stop(f"sections nested more than {MAX_DEPTH} deep: what follows is not read")
        self.context.line = self.lineno
        return super().start_section(section, rest)  # type: ignore[no-any-return, no-untyped-call]

    def end_section(self, section: _Open, rest: str) -> _Open:
        self.context.line = self.lineno
        ended = rest.rstrip().lower()
        if self.stack and self.stack[-1][0] != ended:
            message = f"</{ended}> where <{section.type}> of line {section.line} is still open"
            raise ConfigurationSyntaxError(message, self.url, self.lineno)
        return super().end_section(section, rest)  # type: ignore[no-any-return, no-untyped-call]

    def handle_key_value(self, section: _Open, rest: str) -> None:
        plain = _plain(rest, section.type) if len(rest) <= MAX_REMEMBERED and "$" not in rest else None
        if plain is not None:
            section.settings.append(Setting(plain[0], plain[1], self.url, self.lineno, (), plain[2]))
            return
        match = _KEY_AND_VALUE.match(rest)
        if match is None:
            self._refuse("malformed configuration data")
            return
        key, value = match.groups()
        unresolved: tuple[str, ...] = ()
        hidden = False
        if value is None:
            value = ""
        elif "$" in value:
            hidden = section.type in _FREE_FORM and _refers_to_a_secret(value)
            try:
                value, unresolved = self.context.substituted(value)
            except _Refused as error:
                self._refuse(str(error), error.hint, error.undefined)
        if section.type not in _CASE_KEPT:
            key = key.lower()
        if not hidden and holds_a_seal(value) and not speaks_of_a_secret(key):
            # What another machine has hidden is needed as it is, such as the address of a server.
            unresolved = tuple(dict.fromkeys([*unresolved, *self.context.sealed_in(rest)]))
        shown = HIDDEN if hidden else redacted(key, value, section.type)
        sealed = "" if shown == value else seal(value)
        section.settings.append(Setting(key, shown, self.url, self.lineno, unresolved, sealed))

    def handle_directive(self, section: _Open, rest: str) -> None:
        try:
            super().handle_directive(section, rest)  # type: ignore[no-untyped-call]
        except _Refused as error:
            self._refuse(str(error), error.hint, error.undefined)
        except ConfigurationSyntaxError as error:
            self._refuse(error.message)

    def handle_define(self, section: _Open, rest: str) -> None:
        """ZConfig's own, with limits, and with the names that the inventory does not give carried along."""
        parts = rest.split(None, 1)
        name, value = parts[0].lower(), parts[1] if len(parts) == 2 else ""
        defines = self.context.defines
        if name in defines and defines[name][0] != value:
            raise _Refused(f"cannot redefine {name!r}")
        if _NAME.fullmatch(name) is None:
            raise _Refused("what %define names is no name of letters, digits and '_'")
        if len(defines) >= MAX_DEFINES:
            raise _Stop(f"more than {MAX_DEFINES:,} definitions: what follows is not read")
        defines[name] = self.context.substituted(value)

    def handle_import(self, section: _Open, rest: str) -> None:
        package, _ = self.context.substituted(rest.strip())
        if package not in self.context.imports:
            self.context.imports.append(package)

    def handle_include(self, section: _Open, rest: str) -> None:
        path, unresolved = self.context.substituted(rest.strip())
        self.context.include(section, self.url, self.lineno, path, unresolved)

    def _refuse(self, message: str, hint: str = "", undefined: str = "") -> None:
        if undefined and self.url.endswith(_TEMPLATE_SUFFIXES):
            self.context.template(self.url, self.lineno, undefined)
        else:
            self.context.fault("refused", message, self.url, self.lineno, hint)


# Most lines of most clients are the same.
@lru_cache(maxsize=4096)
def _plain(line: str, section: str) -> tuple[str, str, str] | None:
    """Key, what may be shown of the value, and its seal, of a line without references; None for no such line."""
    match = _KEY_AND_VALUE.match(line)
    if match is None:
        return None
    key, value = match.group(1), match.group(2) or ""
    key = key if section in _CASE_KEPT else key.lower()
    shown = redacted(key, value, section)
    return key, shown, "" if shown == value else seal(value)


class _Context:
    """What all files of one client share: definitions, imports, faults, and how much was read."""

    def __init__(self, env: Mapping[str, str], read: Read) -> None:
        self.env = env
        self.read = read
        self.defines: dict[str, tuple[str, tuple[str, ...]]] = {}
        self.imports: list[str] = []
        self.named: dict[str, None] = {}
        self.faults: list[ConfFault] = []
        self.open_files: list[str] = []
        self.open_sections: list[_Open] = []
        self.oddities: list[tuple[str, int, str, str]] = []
        self.line = 0
        self.lines = 0
        self.characters = 0
        self.includes = 0
        self.missing_includes = 0
        self.substituted_characters = 0
        self.stopped = False
        self.broken = False
        self.is_template = False

    def fault(self, kind: str, message: str, file: str, line: int | None, hint: str = "") -> None:
        if len(self.faults) < MAX_FAULTS:
            self.faults.append(ConfFault("refused" if kind == "refused" else "unread", message, file, line, hint))
        if len(self.faults) == MAX_FAULTS and not self.stopped:
            self.stopped = True
            self.faults.append(ConfFault("unread", f"{MAX_FAULTS} faults: what follows is not read", file, line))

    def template(self, file: str, line: int, marker: str) -> None:
        """Say that it is one, in place of everything that a template makes a parser say."""
        message = f"this is a template, render it first: '{marker}' is for another program to fill in"
        self.faults = [
            ConfFault(
                "refused", message, file, line, "give the file that comes out of it: zope-conf = ... in clients.ini"
            )
        ]
        self.is_template = self.stopped = True

    def read_text(self, text: str, url: str, section: _Open) -> None:
        """Read one file into ``section``; a syntax error ends that file, and what was read of it is kept."""
        self.characters += len(text)
        self.lines += text.count("\n")
        self.oddities += _oddities(text, url)
        # The mark is told of; what stands behind it is read, so that one fault is one finding.
        parser = _Parser(_Resource(text.removeprefix(BYTE_ORDER_MARK), url), self)  # type: ignore[no-untyped-call]
        depth = len(self.open_sections)
        self.open_files.append(url)
        try:
            if self.lines > MAX_LINES:
                raise _Stop(f"more than {MAX_LINES:,} lines to read: no zope.conf is that long")
            if self.characters > MAX_CHARACTERS:
                raise _Stop(f"more than {MAX_CHARACTERS // 1024 // 1024} MiB to read: no zope.conf is that large")
            parser.parse(section)  # type: ignore[no-untyped-call]
        except _Stop as error:
            self.fault("unread", str(error), url, max(parser.lineno, 1))
            self.stopped = True
        except ConfigurationSyntaxError as error:
            unclosed = self.open_sections[-1] if error.message.startswith("unclosed") else None
            message = error.message if unclosed is None else f"<{unclosed.type}> is never closed"
            hint = "" if unclosed is None else f"write </{unclosed.type}> where it ends; is the file cut off?"
            self.fault("refused", message, url, parser.lineno if unclosed is None else unclosed.line, hint)
            self.broken = True
        self.line = parser.lineno
        while len(self.open_sections) > depth:
            inner = self.open_sections[-1]
            parent = self.open_sections[-2] if len(self.open_sections) > depth + 1 else section
            self.endSection(parent, inner.type, inner.name, inner)
        self.open_files.pop()

    def substituted(self, text: str) -> tuple[str, tuple[str, ...]]:
        """The text with its references replaced, and the names of the environment that are not known.

        Raises :exc:`_Refused` for what ZConfig refuses.
        """
        if "$" not in text:
            return text, ()
        unresolved: dict[str, None] = {}
        pieces: list[str] = []
        at = size = 0
        for match in _REFERENCE.finditer(text):
            pieces += [text[at : match.start()], piece := self._piece(match, unresolved)]
            at = match.end()
            size += len(piece)
            if size > MAX_VALUE:
                raise _Stop(
                    f"a value of more than {MAX_VALUE // 1024} KiB after substitution: what follows is not read"
                )
        pieces.append(text[at:])
        self.substituted_characters += size
        if self.substituted_characters > MAX_SUBSTITUTED:
            raise _Stop(f"more than {MAX_SUBSTITUTED // 1024 // 1024} MiB of substitutions: what follows is not read")
        return "".join(pieces), tuple(unresolved)

    def sealed_in(self, text: str) -> list[str]:
        """The variables in a line whose values another machine has hidden."""
        return [name for _, _, name, _ in _REFERENCE.findall(text) if holds_a_seal(self.env.get(name, ""))]

    def _piece(self, match: re.Match[str], unresolved: dict[str, None]) -> str:
        dollar, braced, variable, bare = match.groups()
        if dollar is not None:
            return "$"
        if variable is not None:
            self.named[variable] = None
            if variable in self.env:
                return self.env[variable]
            unresolved[variable] = None
            return match.group()
        name = braced if braced is not None else bare
        if name is None:
            raise _Refused("a '$' that begins no $name, ${name} or $(NAME); a literal one is written '$$'")
        if name.lower() not in self.defines and self.missing_includes:
            # The file that could not be had may define it (ZConfig shares definitions across %include).
            unresolved[f"${name}"] = None
            return match.group()
        if name.lower() not in self.defines:
            hint = f"write '%define {name} ...' before it, or $({name}) if a variable of the environment is meant"
            raise _Refused(f"no definition for '${name}'", hint, undefined=match.group())
        value, names = self.defines[name.lower()]
        unresolved.update(dict.fromkeys(names))
        return value

    def include(self, section: _Open, url: str, line: int, target: str, unresolved: tuple[str, ...]) -> None:
        """Read an included file into ``section``; what cannot be had is a fault at the ``%include``."""
        if unresolved:
            self.missing_includes += 1
            names = ", ".join(spelt(name) for name in unresolved)
            hint = f"give it in clients.ini: env.{unresolved[0]} = ..."
            if unresolved[0].startswith("$"):
                hint = "put a copy of the file that defines it where it is looked for"
            self.fault("unread", f"%include {target}: the inventory gives no value for {names}", url, line, hint)
            return
        path = _joined(url, target)
        target = without_userinfo(target)
        if path is None:
            self.missing_includes += 1
            self.fault("unread", f"%include {target} is no file, and zcheck reads nothing else", url, line)
        elif path in self.open_files:
            self.fault("refused", f"%include {target} includes itself: Zope would never come to an end", url, line)
        elif len(self.open_files) > MAX_INCLUDE_DEPTH:
            self.fault("unread", f"%include nested more than {MAX_INCLUDE_DEPTH} deep", url, line)
        elif self.includes >= MAX_INCLUDES:
            raise _Stop(f"more than {MAX_INCLUDES} files included: what follows is not read")
        else:
            self.includes += 1
            self._include(section, url, line, target, path)

    def _include(self, section: _Open, url: str, line: int, target: str, path: str) -> None:
        try:
            text = self.read(path)
        except (OSError, ValueError) as error:
            self.missing_includes += 1
            reason = getattr(error, "why", None) or getattr(error, "strerror", None) or str(error)
            hint = f"put a copy of it at {path}, or give this client's own files"
            self.fault(
                "unread", f"%include {target} could not be read: {reason or type(error).__name__}", url, line, hint
            )
            return
        template = _template(text)
        if template is not None:
            self.template(path, *template)
            return
        self.read_text(text, path, section)

    # What ZConfig's parser calls.

    def startSection(self, section: _Open, type_: str, name: str | None) -> _Open:  # noqa: N802
        inner = _Open(type_, name or None, self.open_files[-1], self.line)
        self.open_sections.append(inner)
        return inner

    def endSection(self, section: _Open, type_: str, name: str | None, inner: _Open) -> None:  # noqa: N802
        self.open_sections.pop()
        section.sections.append(inner.closed(self.line))


def _refers_to_a_secret(value: str) -> bool:
    """Whether a variable or definition whose name speaks of a secret goes into this value."""
    return any(speaks_of_a_secret(match.group()) for match in _REFERENCE.finditer(value))


def _joined(url: str, target: str) -> str | None:
    """The path of an included file, as ZConfig joins it to the including one's; None for what is no file."""
    scheme = _SCHEME.match(target)
    if scheme is not None:
        if scheme.group(1).lower() != "file":
            return None
        host, _, path = target[scheme.end() :].removeprefix("//").partition("/")
        if host not in ("", "localhost"):
            return None
        target = "/" + path
    if "#" in target:
        return None  # ZConfig takes what follows for a fragment, and refuses it
    return posixpath.normpath(posixpath.join(posixpath.dirname(url), unquote(target)))


def _template(text: str) -> tuple[int, str] | None:
    """The line and the text of the first placeholder that is another program's to fill in; None: no template."""
    if not any(sign in text for sign in _TEMPLATE_SIGNS):
        return None
    free_form = ""
    for number, line in enumerate(text.split("\n"), 1):
        line = line.strip()
        if line.startswith("<"):
            word = line.strip("<>/ ").split(None, 1)[:1]
            if word and word[0].lower() in _FREE_FORM:
                free_form = "" if line.startswith("</") else word[0].lower()
        if not line or line[0] == "#":
            continue
        found = _TEMPLATE.search(line)
        if found is not None and (not free_form or found.group().startswith("${")):
            return number, found.group()[:60]
    return None


def _oddities(text: str, url: str) -> list[tuple[str, int, str, str]]:
    """What is no text as Zope reads it: url, line, what it is, and the line itself; the first of each kind."""
    found = []
    if text.startswith(BYTE_ORDER_MARK):
        found.append((url, 1, _MARK, ""))
    marks = [(text.find("\0"), "a NUL byte")]
    if not text.isascii():
        invalid = _INVALID_UTF8.search(text)
        marks.append((invalid.start() if invalid else -1, "a byte that is no UTF-8"))
    for at, what in marks:
        if at >= 0:
            begin = text.rfind("\n", 0, at) + 1
            found.append((url, text.count("\n", 0, at) + 1, what, text[begin:at]))
    return found


_MARK = "a byte order mark (U+FEFF), which is taken for a part of the first word"


def judge_bytes(context: _Context, top: _Open) -> None:
    """Tell the odd bytes: Zope refuses them, but for a NUL in a comment and for Zope 2, which does not decode."""
    is_zope2 = any(section.type in _ZOPE2_SERVERS for section in top.sections)
    for url, line, what, before in context.oddities:
        in_comment = before.lstrip().startswith("#")
        if what.startswith("a NUL"):
            kind = "unread" if in_comment else "refused"
        elif what.startswith("a byte that") and is_zope2:
            continue
        else:
            kind = "refused"
        without = " without a byte order mark (BOM)" if what == _MARK else ""
        context.fault(kind, f"the line holds {what}", url, line, f"save the file as UTF-8 text{without}")


def _is_another_kind(context: _Context, top: _Open) -> bool:
    """Tell a file that another kind of server reads."""
    types = {section.type: section for section in reversed(top.sections)}
    definition = next((setting for setting in top.settings if setting.key == "site-definition"), None)
    if "zodb_db" in types:
        return False
    if "zeo" in types:
        message, where = "this is a ZEO server's configuration, not a Zope client's", types["zeo"].line
    elif definition is not None:
        message, where = "this is Zope 3's configuration, not that of a Zope 2, 4, 5 or 6 client", definition.line
    elif "zodb" in types or "server" in types:
        other = types.get("zodb") or types["server"]
        message, where = "this is Zope 3's or a script's configuration, not a Zope client's", other.line
    else:
        return False
    context.faults.clear()
    context.fault(
        "refused", message, top.file, where, "name the client's own zope.conf in clients.ini: zope-conf = ..."
    )
    return True


def _judge_structure(context: _Context, top: _Open) -> None:
    """Tell what Zope's schema refuses whatever the add-ons and the version."""
    for container in _containers(top.sections):
        judge_names(context, container)
    judge_names(context, top.sections)
    mounted: dict[str, tuple[str, Setting]] = {}
    for section in top.sections:
        if section.type == "zodb_db":
            _judge_database(context, section)
            for mount in section.all("mount-point"):
                _judge_mount(context, section, mount, mounted)


def _containers(sections: list[Section]) -> Iterator[tuple[Section, ...]]:
    """The content of every section, however deep."""
    waiting = list(sections)
    while waiting:
        section = waiting.pop()
        if section.sections:
            yield section.sections
            waiting += section.sections


def judge_names(context: _Context, sections: Sequence[Section]) -> None:
    """No name twice in one container, whatever the types (ZConfig.matcher.BaseMatcher.addSection)."""
    names: dict[str, Section] = {}
    single: dict[str, Section] = {}
    for section in sections:
        earlier = names.setdefault(section.name, section) if section.name else section
        if earlier is not section:
            both = f"<{section.type} {section.name}>: the name is that of <{earlier.type} {earlier.name}>"
            context.fault("refused", f"{both}, line {earlier.line}", section.file, section.line, "give it another name")
        if section.type in _ONLY_ONE:
            earlier = single.setdefault(section.type, section)
            if earlier is not section:
                message = f"a second <{section.type}> section; the first is at line {earlier.line}"
                context.fault(
                    "refused",
                    message,
                    section.file,
                    section.line,
                    f"move its lines into the first <{section.type}>, and remove this one",
                )


def _judge_database(context: _Context, section: Section) -> None:
    head = f"<zodb_db {section.name}>" if section.name else "<zodb_db>"
    if not section.name:
        context.fault("refused", f"{head} has no name", section.file, section.line, "write <zodb_db main>")
    if not section.sections:
        hint = "put one storage section into it, such as <zeoclient>"
        context.fault("refused", f"{head} has no storage", section.file, section.line, hint)
    elif len(section.sections) > 1:
        second = section.sections[1]
        message = f"{head} has a second storage; it can have one alone"
        context.fault("refused", message, second.file, second.line, "remove one of the two")
    if not section.all("mount-point"):
        context.fault(
            "refused", f"{head} has no mount-point", section.file, section.line, "write mount-point / into it"
        )
    for wrapper in _inside(section):
        if wrapper.type in _WRAPPERS and len(wrapper.sections) != 1:
            count = "no storage" if not wrapper.sections else f"{len(wrapper.sections)} storages"
            message = f"<{wrapper.type}> holds {count}; it is a wrapper around exactly one"
            context.fault("refused", message, wrapper.file, wrapper.line)


def _inside(section: Section) -> Iterator[Section]:
    for content in _containers([section]):
        yield from content


def _judge_mount(context: _Context, section: Section, mount: Setting, mounted: dict[str, tuple[str, Setting]]) -> None:
    """What Zope2.Startup.datatypes makes of a mount-point: mount_point, computeMountPaths, root_wsgi_config."""
    if mount.unresolved:
        return
    if not mount.value.startswith("/"):
        message = f"mount-point {mount.value!r} does not begin with a slash"
        context.fault("refused", message, mount.file, mount.line, f"write mount-point /{mount.value}")
        return
    virtual, _, real = mount.value.partition(":")
    if real.startswith("~") and "/" not in real:
        message = f"mount-point {mount.value}: what follows '~' is ROOT/PATH"
        context.fault("refused", message, mount.file, mount.line, f"write mount-point {mount.value}/PATH")
    name = section.name or ""
    earlier_name, earlier = mounted.setdefault(virtual, (name, mount))
    if earlier is not mount:
        whose = "the same database" if earlier_name == name else f"database {earlier_name}"
        message = f"database {name} is mounted on {virtual}, as is {whose} at line {earlier.line}"
        context.fault("refused", message, mount.file, mount.line, "give each database a path of its own")
