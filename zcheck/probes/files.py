"""Read files: bounded in size, never waiting, and every failure in a person's words.

Nothing but regular files is opened: reading a FIFO, a terminal or a device could wait for ever, or change something.
"""

from __future__ import annotations

import os
import re
import stat
import urllib.parse
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from zcheck.facts import Inventory, NotGathered, SecretFile, SecretFiles
from zcheck.facts.secrets import speaks_of_a_secret

LIMIT = 1024 * 1024
"""Bytes of one file.  The largest zope.conf that was met in the wild has 60 kB."""

"""How many files one client's conf may include, and their bytes in all."""

MAX_PASSWORD = 4096
"""Bytes of a file whose first line is a password."""

_KINDS = (
    (stat.S_ISDIR, "is a directory, not a file"),
    (stat.S_ISFIFO, "is a FIFO, not a file"),
    (stat.S_ISSOCK, "is a socket, not a file"),
    (stat.S_ISCHR, "is a device, not a file"),
    (stat.S_ISBLK, "is a device, not a file"),
)
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_ASSIGNMENT = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)", re.DOTALL)
_IN_DOUBLE_QUOTES = re.compile(r'"((?:[^"\\]|\\.)*)"\s*(?:[#;].*)?$', re.DOTALL)
_IN_SINGLE_QUOTES = re.compile(r"'([^']*)'\s*(?:[#;].*)?$")


class CannotRead(OSError):
    """A file could not be read; ``str()`` names it and says why."""

    def __init__(self, path: str, why: str, is_missing: bool = False) -> None:
        self.path = path
        self.why = why
        self.is_missing = is_missing
        super().__init__(f"{path}: {why}")


def read_text(path: str, limit: int = LIMIT) -> str:
    """The text of a regular file of at most ``limit`` bytes, without its byte order mark.

    Bytes that are not UTF-8 become lone surrogates, as ``surrogateescape`` makes them.  Raises :exc:`CannotRead`.
    """
    return read_as_it_is(path, limit).removeprefix("\ufeff")


def read_as_it_is(path: str, limit: int = LIMIT) -> str:
    """The same with its byte order mark, for what reads files of ZConfig's syntax: Zope takes it for text."""
    return _read_bytes(path, limit).decode("utf-8", "surrogateescape")


def read_if_there(path: str, limit: int = LIMIT) -> str | None:
    """The same, or None where there is no file of that name."""
    try:
        return read_text(path, limit)
    except CannotRead as error:
        if error.is_missing:
            return None
        raise


def is_another_file(path: str, other: str) -> bool:
    """Whether ``path`` is there and is not the same file as ``other``, links followed."""
    try:
        return not Path(path).samefile(other)
    except (OSError, ValueError):
        return False


def modified(path: str) -> float | None:
    """When the file was last changed, in seconds since the epoch; None where that cannot be told."""
    try:
        return os.stat(path).st_mtime  # noqa: PTH116 - a Path takes longer to make than to ask
    except (OSError, ValueError):
        return None


def read_env_file(path: str) -> dict[str, str]:
    """The variables of an ``env-file``.  Raises :exc:`CannotRead`."""
    return parse_env(read_text(path))


def parse_env(text: str) -> dict[str, str]:
    """The variables of a file in docker's form or in that of systemd's ``EnvironmentFile``; pure.

    ``NAME=VALUE`` a line; comment lines begin with ``#`` or ``;``.  Quotes around the whole value are removed, and
    within double ones a backslash takes the meaning of ``"``, ``\\``, ``$`` and a backquote away (systemd.exec(5)).  A
    backslash at the end continues the line.  A name without ``=``, which docker would fill from its own environment, is
    left out: that environment is not ours to guess.  White space and ``#`` end a bare value, as docker compose has it:
    docker itself keeps both, but then the client would not start either.  The last of several lines for a name counts.

    ``${NAME}`` and ``$NAME`` in a value without single quotes are what docker compose fills in: from the lines above,
    where they have the name.  Where they have not, compose takes it from an environment that is not ours to guess, and
    docker and systemd leave it as it is: the variable is then left out, as one whose value is not known.
    """
    found: dict[str, str] = {}
    for line in _continued(text):
        match = _ASSIGNMENT.fullmatch(line)
        if match is not None:
            value = _filled_in(match[1], match[2].strip(), found)
            found.pop(match[1], None)
            if value is not None:
                found[match[1]] = _unquoted(value)
    return found


_FILLED_IN = re.compile(r"\\\$|\$\$|\$\{([A-Za-z_]\w*)\}|\$\{[^}]*\}|\$([A-Za-z_]\w*)")


def _filled_in(variable: str, value: str, above: Mapping[str, str]) -> str | None:
    """The value with each ``${NAME}`` replaced; None where one is not known."""
    if "$" not in value or value.startswith("'"):
        return value
    unknown = False
    may_be_literal = speaks_of_a_secret(variable) or variable.lower().endswith(("dsn", "url"))

    def known(match: re.Match[str]) -> str:
        nonlocal unknown
        name = match[1] or match[2]
        if match.group() in ("\\$", "$$") or (match[2] and name not in above and may_be_literal):
            return match.group()  # A bare $ is a part of many a password.
        if name not in above:
            unknown = True
            return ""
        return above[name]

    replaced = _FILLED_IN.sub(known, value)
    return None if unknown else replaced


HOW_TO_GIVE_CREDENTIALS = (
    "add user and password-file to [cluster], or leave the proof out: --skip edits-are-seen-everywhere"
)


def secret_files(inventory: Inventory) -> SecretFiles | NotGathered:
    """The permission bits of every file from which this run takes a password; empty where it takes none from a file."""
    credentials = inventory.credentials
    if credentials is None or credentials.source == "password-env":
        return SecretFiles()
    path = credentials.reference
    try:
        mode = stat.S_IMODE(Path(path).stat().st_mode)
    except (OSError, ValueError) as error:
        return NotGathered(f"{path}: {_why(error)}")
    return SecretFiles((SecretFile(path, mode, credentials.line),))


def password(inventory: Inventory, ini_text: str, environ: Mapping[str, str]) -> str | NotGathered:
    """What ``user`` logs in with: a file's first line, a variable of ``environ``, or what clients.ini says itself."""
    from zcheck.parsers.clients_ini import inline_password

    credentials = inventory.credentials
    if credentials is None:
        return NotGathered("clients.ini gives no user and password-file", HOW_TO_GIVE_CREDENTIALS)
    none = partial(NotGathered, file=inventory.file, line=credentials.line)
    if credentials.source == "password":
        found, where = inline_password(ini_text) or "", credentials.reference
        hint = "write the password of 'user' there, or use password-file or password-env"
    elif credentials.source == "password-env":
        found, where = environ.get(credentials.reference, ""), f"the environment's {credentials.reference}"
        hint = f"set {credentials.reference} where zcheck runs, with the password of 'user' in it"
    else:
        where = credentials.reference
        hint = "write the password of 'user' into its first line, readable by whoever runs zcheck and by nobody else"
        try:
            found = read_text(where, MAX_PASSWORD).split("\n", 1)[0].rstrip("\r")
        except CannotRead as error:
            return none(str(error), hint)
    if not found:
        return none(f"{where}: no password in it", hint)
    if any("\ud800" <= character <= "\udfff" for character in found):
        return none(f"{where}: the password is not UTF-8", hint)
    return found


def folders_of(zope_conf: str, ini: str) -> tuple[str, str]:
    """Where a client's conf may include files from: its own folder and the inventory's."""
    return os.path.dirname(zope_conf) or ".", os.path.dirname(ini) or "."  # noqa: PTH120 - "" is no folder


def conf_reader(folders: Sequence[str]) -> Callable[[str], str]:
    """The ``read`` for the ``%include`` lines of one client's conf; it raises :exc:`CannotRead`.

    It takes a plain path or a ``file:`` URL, and reads what lies below one of ``folders`` after all symbolic links were
    followed; it never opens a URL of another kind.  Each file is bounded here; the parser that asks for
    them bounds how many they are, and how much they hold in all.
    """
    roots: list[str] = []

    def read(url: str) -> str:
        # Most confs include nothing, and following links takes as long as reading the conf.
        roots[:] = roots or [os.path.realpath(folder) for folder in folders]
        path = _path_of(url)
        resolved = _resolved(path)
        if not any(_is_below(resolved, root) for root in roots):
            raise CannotRead(path, "refused: it lies outside of the folders of this conf and of clients.ini")
        try:
            return read_as_it_is(resolved)
        except CannotRead as error:
            raise CannotRead(path, error.why) from None

    return read


def _read_bytes(path: str, limit: int) -> bytes:
    try:
        # What it is must be known before it is opened: opening alone can wait, or rewind a tape.
        _refuse_unless_regular(path, os.stat(path).st_mode)  # noqa: PTH116 - a descriptor follows
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
        try:
            found = os.fstat(descriptor)
            _refuse_unless_regular(path, found.st_mode)
            # Asking for as much as may be makes room for as much; a file can still be longer than it says.
            data = part = os.read(descriptor, min(found.st_size, limit) + 1)
            while part and len(data) != found.st_size and len(data) <= limit:
                part = os.read(descriptor, limit + 1 - len(data))
                data += part
        finally:
            os.close(descriptor)
    except CannotRead:
        raise
    except (OSError, ValueError) as error:
        raise CannotRead(path, _why(error), isinstance(error, FileNotFoundError | NotADirectoryError)) from None
    if len(data) > limit:
        raise CannotRead(path, f"larger than {_size(limit)}, which no file of this kind is")
    return data


def _refuse_unless_regular(path: str, mode: int) -> None:
    for is_kind, why in _KINDS:
        if is_kind(mode):
            raise CannotRead(path, why)
    if not stat.S_ISREG(mode):
        raise CannotRead(path, "is not a regular file")


def _why(error: Exception) -> str:
    """``No such file or directory``, in the system's own words; a NUL in the path is the one ValueError."""
    return getattr(error, "strerror", None) or "is no path that a file could have"


def _size(limit: int) -> str:
    return f"{limit // 1024 // 1024} MiB" if limit >= 1024 * 1024 else f"{limit} bytes"


def _continued(text: str) -> list[str]:
    """The lines that are no comments, those joined that end with a backslash."""
    lines: list[str] = []
    open_parts: list[str] = []
    for line in text.split("\n"):
        line = line.rstrip("\r")
        if not open_parts and line.lstrip()[:1] in ("", "#", ";"):
            continue
        if line.endswith("\\") and not line.endswith("\\\\"):
            open_parts.append(line[:-1])
            continue
        lines.append("".join([*open_parts, line]).strip())
        open_parts = []
    return [*lines, "".join(open_parts).strip()] if open_parts else lines


def _unquoted(value: str) -> str:
    double, single = _IN_DOUBLE_QUOTES.match(value), _IN_SINGLE_QUOTES.match(value)
    if double is not None:
        return re.sub(r'\\(["\\$`])', r"\1", double[1])
    if single is not None:
        return single[1]
    return re.split(r"\s#", value, maxsplit=1)[0].rstrip()


def _path_of(url: str) -> str:
    """The path that a plain path or a ``file:`` URL means."""
    scheme = _SCHEME.match(url)
    if scheme is None:
        return url
    if scheme[1].lower() != "file":
        raise CannotRead(f"a {scheme[1][:20].lower()}: URL", "refused: nothing but files is included")
    parts = urllib.parse.urlsplit(url)
    if parts.netloc not in ("", "localhost"):
        raise CannotRead("a file: URL", "refused: it names another machine")
    return urllib.parse.unquote(parts.path, errors="surrogateescape")


def _resolved(path: str) -> str:
    try:
        return os.path.realpath(path)
    except (OSError, ValueError) as error:
        raise CannotRead(path, _why(error)) from None


def _is_below(path: str, root: str) -> bool:
    return path == root or path.startswith(root.rstrip(os.sep) + os.sep)
