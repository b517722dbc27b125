"""Compose files to services, joined as compose joins them: several files, ``include``, ``extends``, variables.  Pure.

What is followed here is the Compose Specification: files given together are merged service by service, mappings key by
key and lists one after the other; ``${NAME}`` is filled in from the ``.env`` beside the first file.  The environment of
whoever runs compose wins over that file and is not known here; what a draft must not take for certain is told apart by
:class:`Value`.  Files are read by a function that is handed in.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Mapping

import msgspec

from zcheck.parsers import yaml_text
from zcheck.parsers.yaml_text import Node, Table

MAX_FILES = 50
"""Of one project: those that are named, included and extended."""
MAX_SERVICES = 1000

Read = Callable[[str], str]
"""Gives a file's text; raises :class:`OSError` where it cannot."""

DEFAULT_NAMES = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
"""What compose reads where no file is named; ``NAME.override.yaml`` beside it is read as well."""

# Keys whose lists take the place of those of an earlier file.
_REPLACED = frozenset({"command", "entrypoint", "test"})
_BY_NAME = frozenset({"environment", "labels", "annotations", "extra_hosts", "sysctls", "args"})


class ComposeError(ValueError):
    """A file that cannot be read as compose reads it."""

    def __init__(self, file: str, line: int, message: str) -> None:
        self.file = file
        self.line = line
        super().__init__(f"{file}:{line}: {message}")


class Value(msgspec.Struct, frozen=True):
    """A text with its variables filled in, as far as files tell them."""

    text: str
    written: str
    unknown: tuple[str, ...] = ()
    """Variables that no file gives."""
    by_default: tuple[str, ...] = ()
    """Variables for which their default stands: the environment of whoever runs compose may say otherwise."""

    @property
    def is_certain(self) -> bool:
        return not self.unknown and not self.by_default


class EnvFile(msgspec.Struct, frozen=True):
    path: str
    is_required: bool = True


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """One service, all files together."""

    name: str
    file: str
    line: int
    files: tuple[str, ...] = ()
    """Every file that says something of it."""
    image: str = ""
    is_built: bool = False
    command: tuple[str, ...] = ()
    """The words of ``entrypoint`` and ``command``."""
    environment: dict[str, Value | None] = {}
    """None for what compose takes from its own environment."""
    lines: dict[str, int] = {}
    """Where each variable of ``environment`` stands."""
    env_files: tuple[EnvFile, ...] = ()
    ports: tuple[Port, ...] = ()
    mounted: dict[str, str] = {}
    """Files and folders of this machine, by where the container has them."""
    other_names: tuple[str, ...] = ()
    """Names beside the service's own by which other containers reach it."""
    copies: str = "1"
    links: dict[str, str] = {}
    """Names under which it reaches other services, each with the service's own."""
    profiles: tuple[str, ...] = ()
    on_the_host: bool = False
    """``network_mode: host``: its ports are those of the machine."""


class Port(msgspec.Struct, frozen=True):
    """A published port; ``outer`` is None where no file gives one port."""

    inner: str
    outer: str
    host: str = ""


class Project(msgspec.Struct, frozen=True):
    services: tuple[Service, ...]
    notes: tuple[str, ...] = ()


def load(files: Iterable[tuple[str, Table]], read: Read) -> Project:
    """The services of files that are given together, in the order in which compose would be given them.

    Raises :exc:`ComposeError`.
    """
    return _Loader(read).load(tuple(files))


class _Loader:
    def __init__(self, read: Read) -> None:
        self.read = read
        self.notes: list[str] = []
        self.parsed: dict[str, Table] = {}
        self.variables: Mapping[str, str] = {}

    def load(self, files: tuple[tuple[str, Table], ...]) -> Project:
        first = files[0][0]
        dot_env = posixpath.join(posixpath.dirname(first), ".env")
        text = self._if_there(dot_env)
        self.variables = _dot_env(text) if text is not None else {}
        for path, top in files:
            self.parsed[path] = top
        merged: dict[str, _Merged] = {}
        waiting = list(files)
        included: set[str] = set()
        while waiting:
            path, top = waiting.pop(0)
            for other in self._included(path, top):
                if other not in included and other not in dict(files):
                    included.add(other)
                    found = self._top(other, path, 1)
                    if found is not None:
                        waiting.append((other, found))
            for name, body, line in _services(top):
                one = self._extended(path, name, body, line, 0)
                merged[name] = merged[name].merged_with(one) if name in merged else one
                if len(merged) > MAX_SERVICES:
                    raise ComposeError(path, body.line, f"more than {MAX_SERVICES} services")
        return Project(tuple(self._service(name, one) for name, one in merged.items()), tuple(self.notes))

    def _if_there(self, path: str) -> str | None:
        try:
            return self.read(path)
        except OSError:
            return None

    def _top(self, path: str, by: str, line: int) -> Table | None:
        """Another file that a file names; a note where it is not there."""
        if path not in self.parsed:
            if len(self.parsed) >= MAX_FILES:
                raise ComposeError(by, line, f"more than {MAX_FILES} files")
            text = self._if_there(path)
            if text is None:
                self.notes.append(f"{by}:{line}: {path} is not here, and its services are missing below")
                return None
            self.parsed[path] = parse(text, path)
        return self.parsed[path]

    def _included(self, path: str, top: Table) -> Iterator[str]:
        given = top.get("include")
        for one in given if isinstance(given, list) else []:
            named = one.get("path") if isinstance(one, Table) else one
            for name in named if isinstance(named, list) else [named]:
                if isinstance(name, str):
                    yield _beside(path, fill(name, self.variables).text)

    def _extended(self, path: str, name: str, body: Table, begins: int, depth: int) -> _Merged:
        """A service on top of the one that it ``extends``."""
        own = _Merged(path, begins, (path,), _placed(body, path))
        given = body.get("extends")
        if given is None:
            return own
        line = body.line_of("extends")
        if depth > 10:
            raise ComposeError(path, line, f"service {name[:40]} extends itself, or more than 10 others in a row")
        base = given.get("service") if isinstance(given, Table) else given
        file = given.get("file") if isinstance(given, Table) else None
        where = _beside(path, fill(file, self.variables).text) if isinstance(file, str) else path
        top = self._top(where, path, line)
        services = {one: (inner, at) for one, inner, at in _services(top)} if top is not None else {}
        if not isinstance(base, str) or base not in services:
            if top is not None:
                self.notes.append(f"{path}:{line}: {where} has no service {str(base)[:40]}, which {name} extends")
            return own
        whole = self._extended(where, base, *services[base], depth + 1).merged_with(own)
        return msgspec.structs.replace(whole, file=path, line=begins)

    def _service(self, name: str, merged: _Merged) -> Service:
        body = merged.body
        environment, lines = _environment(body)
        return Service(
            name=name,
            file=merged.file,
            line=merged.line,
            files=merged.files,
            image=self._text(body.get("image")),
            is_built="build" in body,
            command=(*self._words(body.get("entrypoint")), *self._words(body.get("command"))),
            environment={
                key: None if value is None else fill(value, self.variables) for key, value in environment.items()
            },
            lines=lines,
            env_files=tuple(self._env_files(body.get("env_file"))),
            ports=tuple(self._ports(body.get("ports"))),
            mounted=dict(self._mounted(body.get("volumes"))),
            other_names=tuple(self._names(body)),
            copies=self._copies(body),
            links=dict(self._links(body)),
            profiles=tuple(one for one in _list(body.get("profiles")) if isinstance(one, str)),
            on_the_host=body.get("network_mode") == "host",
        )

    def _text(self, node: Node) -> str:
        return fill(node, self.variables).text if isinstance(node, str) else ""

    def _words(self, node: Node) -> Iterator[str]:
        for one in node.split() if isinstance(node, str) else _list(node):
            if isinstance(one, str):
                yield fill(one, self.variables).text

    def _env_files(self, node: Node) -> Iterator[EnvFile]:
        for one in node if isinstance(node, list) else [node]:
            path = one.get("path") if isinstance(one, Table) else one
            required = one.get("required") if isinstance(one, Table) else None
            if isinstance(path, str):
                yield EnvFile(fill(path, self.variables).text, required not in ("false", "False", "no"))

    def _ports(self, node: Node) -> Iterator[Port]:
        for one in _list(node):
            if isinstance(one, Table):
                inner, outer, host = (self._text(one.get(key)) for key in ("target", "published", "host_ip"))
                yield Port(inner, outer, host)
            elif isinstance(one, str):
                *front, inner = fill(one, self.variables).text.partition("/")[0].rsplit(":", 1)
                host, _, outer = (front[0] if front else "").rpartition(":")
                yield Port(inner, outer, host.strip("[]"))

    def _mounted(self, node: Node) -> Iterator[tuple[str, str]]:
        for one in _list(node):
            if isinstance(one, Table):
                source, target = self._text(one.get("source")), self._text(one.get("target"))
            elif isinstance(one, str):
                source, _, rest = fill(one, self.variables).text.partition(":")
                target = rest.partition(":")[0]
            else:
                continue
            if target and source[:1] in ("/", ".", "~"):
                yield posixpath.normpath(target), source

    def _names(self, body: Table) -> Iterator[str]:
        yield from filter(None, (self._text(body.get(key)) for key in ("container_name", "hostname")))
        networks = body.get("networks")
        for network in networks.values() if isinstance(networks, Table) else ():
            aliases = network.get("aliases") if isinstance(network, Table) else None
            yield from (one for one in _list(aliases) if isinstance(one, str))

    def _links(self, body: Table) -> Iterator[tuple[str, str]]:
        for one in _list(body.get("links")):
            if isinstance(one, str) and ":" in one:
                name, _, alias = self._text(one).partition(":")
                yield alias, name

    def _copies(self, body: Table) -> str:
        deploy = body.get("deploy")
        replicas = deploy.get("replicas") if isinstance(deploy, Table) else None
        return self._text(body.get("scale") or replicas) or "1"


class _Merged(msgspec.Struct, frozen=True):
    """A service as far as it is merged."""

    file: str
    line: int
    files: tuple[str, ...]
    body: Table

    def merged_with(self, other: _Merged) -> _Merged:
        files = tuple(dict.fromkeys((*self.files, *other.files)))
        return _Merged(self.file, self.line, files, _joined(self.body, other.body))


def parse(text: str, file: str) -> Table:
    """The top level of one compose file.  Raises :exc:`ComposeError`."""
    try:
        top = yaml_text.parse(text)
    except yaml_text.YamlError as error:
        raise ComposeError(file, error.line, str(error)) from None
    if not isinstance(top, Table):
        raise ComposeError(file, 1, "no mapping, which a compose file is")
    return top


def _services(top: Table) -> Iterator[tuple[str, Table, int]]:
    """The services by name, each with its line; files of compose's first form have them at the top."""
    services = top.get("services", top if looks_like_the_first_form(top) else None)
    if isinstance(services, Table):
        for name, body in services.items():
            if isinstance(body, Table):
                yield name, body, services.line_of(name)


def needs_another(top: Table) -> frozenset[str]:
    """The services of a file that cannot stand alone, since they say neither image nor build."""
    stands_by = ("image", "build", "extends")
    return frozenset(name for name, body, _ in _services(top) if not any(key in body for key in stands_by))


def looks_like_the_first_form(top: Table) -> bool:
    """Whether every entry is a service by itself, as before compose files had ``services``."""
    return bool(top) and all(isinstance(one, Table) and ("image" in one or "build" in one) for one in top.values())


def _beside(path: str, other: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), other))


def _placed(body: Table, path: str) -> Table:
    """The service with paths that are relative to its own file made relative to where we are."""
    placed = _copied(body)
    given = placed.get("env_file")
    if given is not None:
        placed["env_file"] = [_placed_env_file(one, path) for one in (given if isinstance(given, list) else [given])]
    volumes: list[Node] = []
    for one in _list(placed.get("volumes")):
        if isinstance(one, str) and one.startswith((".", "${PWD}")):
            source, colon, rest = one.removeprefix("${PWD}").lstrip("/").partition(":")
            volumes.append(_marked(_beside(path, source)) + colon + rest)
        elif isinstance(one, Table) and isinstance(named := one.get("source"), str) and named.startswith("."):
            copy = _copied(one)
            copy["source"] = _marked(_beside(path, named))
            volumes.append(copy)
        else:
            volumes.append(one)
    if volumes:
        placed["volumes"] = volumes
    return placed


def _placed_env_file(one: Node, path: str) -> Node:
    if isinstance(one, Table) and isinstance(named := one.get("path"), str):
        copy = _copied(one)
        copy["path"] = _beside(path, named)
        return copy
    return _beside(path, one) if isinstance(one, str) else one


def _marked(path: str) -> str:
    """A path that is told from the name of a volume: it begins with ``.`` or ``/``."""
    return path if path.startswith(("/", ".")) else f"./{path}"


def _copied(table: Table) -> Table:
    copy = Table(table.line)
    copy.update(table)
    copy.lines = dict(table.lines)
    return copy


def _joined(one: Table, other: Table, key: str = "") -> Table:
    """Two mappings; what ``other`` says wins, and lists are added to."""
    joined = _copied(one)
    for name, value in other.items():
        before = joined.get(name)
        if name in _BY_NAME:
            joined[name] = _joined(_by_name(before), _by_name(value))
        elif isinstance(before, Table) and isinstance(value, Table):
            joined[name] = _joined(before, value, name)
        elif isinstance(before, list) and isinstance(value, list) and name not in _REPLACED:
            joined[name] = [*before, *(item for item in value if item not in before)]
        elif value is not None or before is None:
            joined[name] = value
        joined.lines[name] = other.line_of(name)
    return joined


def _by_name(node: Node) -> Table:
    """``[A=b, C]`` as the mapping that it is another spelling of; None for what has no ``=``."""
    if isinstance(node, Table):
        return node
    table = Table(0)
    for one in _list(node):
        if isinstance(one, str):
            name, equals, rest = one.partition("=")
            table[name] = rest if equals else None
    return table


def _environment(body: Table) -> tuple[dict[str, str | None], dict[str, int]]:
    """Variables and their lines; a mapping's value that is empty is compose's own to fill in."""
    given = body.get("environment")
    table = _by_name(given)
    lines = {name: table.lines.get(name) or body.line_of("environment") for name in table}
    return {name: value if isinstance(value, str) else None for name, value in table.items()}, lines


def _list(node: Node) -> list[Node]:
    return node if isinstance(node, list) else []


# --- variables -------------------------------------------------------------------------------------

_REFERENCE = re.compile(
    r"\$(?:(?P<escaped>\$)"
    r"|\{(?P<braced>[A-Za-z_][A-Za-z0-9_]*)(?:(?P<how>:?[-?+])(?P<word>[^{}]*))?\}"
    r"|(?P<bare>[A-Za-z_][A-Za-z0-9_]*))"
)
_ASSIGNMENT = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*?)\s*")


def fill(text: str, variables: Mapping[str, str]) -> Value:
    """The text with ``$NAME``, ``${NAME}`` and ``${NAME:-default}`` filled in, and ``$$`` as ``$``."""
    if "$" not in text:
        return Value(text, text)
    unknown: list[str] = []
    by_default: list[str] = []

    def filled(match: re.Match[str]) -> str:
        if match["escaped"]:
            return "$"
        name = match["braced"] or match["bare"]
        how, word = match["how"] or "", match["word"] or ""
        value = variables.get(name)
        if how.endswith("+"):
            # What stands for "another text where it is set": whether it is set is not known.
            unknown.append(name)
            return match[0]
        if value is not None and (value or not how.startswith(":")):
            return value
        if how.endswith("-"):
            by_default.append(name)
            return word
        unknown.append(name)
        return match[0]

    done = _REFERENCE.sub(filled, text)
    # What is left is a reference within a reference: not filled in here.
    unread = re.search(r"\$\{", _REFERENCE.sub("", text))
    if unread is not None:
        unknown.append("a variable within another")
        done = text
    return Value(done, text, tuple(dict.fromkeys(unknown)), tuple(dict.fromkeys(by_default)))


def _dot_env(text: str) -> dict[str, str]:
    """The ``.env`` beside a compose file: ``NAME=VALUE`` lines; a value that refers to others is left out."""
    found = {}
    for line in text.splitlines():
        match = _ASSIGNMENT.fullmatch(line) if not line.lstrip().startswith("#") else None
        if match is None:
            continue
        name, value = match[1], match[2]
        quoted = re.match(r"""'([^']*)'|"([^"\\]*)\"""", value)
        if quoted is not None:
            value = quoted[1] if quoted[1] is not None else quoted[2]
        else:
            value = re.split(r"\s#", value, maxsplit=1)[0].strip()
        if "$" not in value or (quoted is not None and quoted[1] is not None):
            found[name] = value
        else:
            found.pop(name, None)
    return found
