"""Run zcheck's script on another machine, by the command that clients.ini gives, and read its one answer.

The command is split as a shell would split it and run without one; nothing is added to it, so that ssh verifies host
keys as its user has set it up.  It has no terminal: nothing can ask for a password.  What comes back is text of bounded
size that is decoded into the structs below and into nothing else: a machine that lies can tell untrue facts about
itself, and that is all.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import pkgutil
import re
import secrets
import selectors
import shlex
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

from zcheck.facts import Client, NotGathered, ThereOutcome
from zcheck.parsers.redact import seal_key, without_secrets

MAX_ANSWER = 8 * 1024 * 1024
"""Bytes of one answer, banners and all."""
MAX_COMPLAINT = 64 * 1024
"""Bytes of stderr that are looked at for the reason of a failure."""
BY_HAND = "run the command of 'via' by hand: given print(1) on its standard input, it must print 1"
CALL = 3.0
"""How many waits for a peer one call may take: a program is started there, over the network."""

Text = Annotated[str, Meta(max_length=4096)]
Word = Annotated[str, Meta(max_length=300)]
Seconds = Annotated[float, Meta(ge=0, le=1e11)]
EightBytes = Annotated[str, Meta(pattern="^([0-9a-f]{16})?$")]
"""An object's id or a transaction's, as 16 hexadecimal digits."""
Number = Annotated[int, Meta(ge=0, le=2**62)]
Found = TypeVar("Found")


class BroughtFile(msgspec.Struct, frozen=True):
    """One file of that machine, or why it could not be read."""

    data: bytes = b""
    mtime: Seconds | None = None
    why: Text = ""
    missing: bool = False


class Started(msgspec.Struct, frozen=True):
    """What a process' command line names."""

    zope_conf: Text = ""
    wsgi_ini: Text = ""
    given: Annotated[dict[Word, Text], Meta(max_length=100)] = {}
    """``NAME=VALUE`` behind the ini file."""


class ThereProcess(msgspec.Struct, frozen=True):
    pid: Number
    command: Word = ""
    started_at: Seconds | None = None
    user: Word = ""


class LookedAt(msgspec.Struct, frozen=True):
    """What ``look`` tells of one client."""

    process: ThereProcess | None = None
    why_no_process: Text = ""
    python_version: Word = ""
    started_with: Started = Started()
    distributions: Annotated[dict[Word, Word], Meta(max_length=5000)] | None = None
    why_no_distributions: Text = ""
    zope_conf: Text | None = None
    wsgi_ini: Text | None = None
    env_file: Text | None = None
    same_conf: bool = True
    """False: the process was started with another zope.conf than the one that clients.ini names."""
    variables: Annotated[dict[Word, Text], Meta(max_length=500)] = {}
    hashed: Annotated[dict[Word, Word], Meta(max_length=500)] = {}


class Look(msgspec.Struct, frozen=True):
    """The answer to ``look``."""

    host: Word
    clients: Annotated[dict[Word, LookedAt], Meta(max_length=10_000)]
    clock: Seconds
    files: Annotated[dict[Text, BroughtFile], Meta(max_length=400)] = {}
    addresses: Annotated[list[Word], Meta(max_length=50)] = []
    failed: Text = ""


class DialledThere(msgspec.Struct, frozen=True):
    outcome: ThereOutcome
    detail: Text = ""
    addresses: Annotated[list[Word], Meta(max_length=20)] = []
    protocol: Word | None = None


class SeenFolder(msgspec.Struct, frozen=True):
    """A folder as ``peers``, ``hold`` or ``seek`` tells of it."""

    device: int | None = None
    inode: int | None = None
    layout: Word = ""
    free_bytes: Number | None = None
    why: Text = ""
    held: bool = False
    seen: bool = False


class Peers(msgspec.Struct, frozen=True):
    """The answer to ``peers``."""

    servers: Annotated[dict[Text, DialledThere], Meta(max_length=10_000)] = {}
    folders: Annotated[dict[Text, SeenFolder], Meta(max_length=10_000)] = {}
    failed: Text = ""


class Folders(msgspec.Struct, frozen=True):
    """The answer to ``hold`` and to ``seek``."""

    folders: Annotated[dict[Text, SeenFolder], Meta(max_length=10_000)]
    failed: Text = ""


class CacheFound(msgspec.Struct, frozen=True):
    """One cache file, as ``caches`` tells of it."""

    last: EightBytes = ""
    """The last transaction that the client knows of; read before the entries."""
    current: Number = 0
    entries: Annotated[list[tuple[EightBytes, EightBytes]], Meta(max_length=5000)] = []
    """Object and transaction of current records."""
    why: Text = ""
    missing: bool = False


class CachesFound(msgspec.Struct, frozen=True):
    """The answer to ``caches``."""

    caches: Annotated[dict[Text, CacheFound], Meta(max_length=10_000)] = {}
    failed: Text = ""


# --- what is sent -------------------------------------------------------------------------------------


class Door(msgspec.Struct, frozen=True):
    """One way to a machine, and the clients that share it."""

    machine: str
    command: str
    clients: tuple[Client, ...]


def doors(clients: Iterable[Client]) -> tuple[Door, ...]:
    """One for each machine and command: clients that have both in common share a call."""
    found: dict[tuple[str, str], list[Client]] = {}
    for client in clients:
        if client.via is not None:
            found.setdefault((client.machine, client.via), []).append(client)
    return tuple(Door(machine, command, tuple(clients)) for (machine, command), clients in found.items())


def script_text() -> str:
    """The script as it is sent, but for its last line."""
    text = pkgutil.get_data("zcheck.probes.remote", "script.py")
    assert text is not None
    return text.decode("utf-8")


def script(request: Mapping[str, Any]) -> str:
    """The whole script: the request is a literal of its last line."""
    return f"{script_text()}\n\nmain({json.dumps(json.dumps(request))})\n"


def request(task: str, within_s: float, **what: Any) -> dict[str, Any]:
    """A request; ``mark`` stands in the two lines around the answer, and no banner can know it."""
    return {"task": task, "mark": f"zcheck {secrets.token_hex(12)}", "seconds": max(within_s - 1.0, 1.0), **what}


def look_request(clients: tuple[Client, ...], within_s: float, variables: Iterable[str] = ()) -> dict[str, Any]:
    """What to look at: files by their paths there, processes by their ports; ``variables`` that no file there names."""
    asked = [
        {
            "name": client.name,
            "port": client.listens or client.address.port,
            "host": client.address.host,
            **{key.replace("-", "_"): getattr(client, key.replace("-", "_")) for key in client.lie_there},
        }
        for client in clients
    ]
    salt = base64.b64encode(seal_key()).decode("ascii")
    return request("look", within_s, clients=asked, salt=salt, variables=sorted(variables))


# --- what comes back ------------------------------------------------------------------------------------


def ask(command: str, wanted: Mapping[str, Any], kind: type[Found], within_s: float) -> Found | NotGathered:
    """Run the script there and read its answer, within ``within_s`` seconds.  Never raises for what happens there."""
    with Call(command, script(wanted), wanted["mark"]) as call:
        answer = call.answer(within_s)
    return answer if isinstance(answer, NotGathered) else decoded(answer, kind)


def decoded(text: bytes, kind: type[Found]) -> Found | NotGathered:
    """The answer as a struct; whatever else it is makes nothing known."""
    try:
        found = msgspec.json.decode(text, type=kind)
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        return NotGathered(f"via: what came back is no answer of zcheck's script: {_cleaned(str(error))}")
    failed = getattr(found, "failed", "")
    return NotGathered(f"via: the script failed there: {_cleaned(failed)}") if failed else found


def between_marks(output: bytes, mark: str) -> bytes | None:
    """What stands between the two lines with the mark; None while it is not complete."""
    begin, end = (f"\n----- {mark} {word} -----".encode() for word in ("begins", "ends"))
    output = output.replace(b"\r\n", b"\n")
    _, found, rest = output.partition(begin)
    text, complete, _ = rest.partition(end)
    return text.strip() if found and complete else None


def any_answer(text: str) -> bytes:
    """The answer in what the script printed when something else ran it, whatever its mark."""
    found = re.search(r"^----- (zcheck [0-9a-f]{24}) begins -----\r?$", text, re.MULTILINE)
    return (between_marks(f"\n{text}".encode("utf-8", "surrogateescape"), found[1]) if found else None) or b""


_RUNNING: set[Call] = set()


def end_calls() -> None:
    """End every command that still runs, for a run that is over before they are: late, or interrupted."""
    for call in tuple(_RUNNING):
        call.end(signal.SIGTERM)


class Call:
    """One running command, as a context manager: whatever happens, its process group is gone when it is left."""

    def __init__(self, command: str, text: str, mark: str) -> None:
        self._words = shlex.split(command)
        self._text = text.encode("utf-8")
        self._mark = mark
        self._end = f"{mark} ends -----".encode()
        self._complete = False
        self._process: subprocess.Popen[bytes] | None = None
        self._why_not = ""
        self._output = bytearray()
        self._complaint = bytearray()

    def __enter__(self) -> Call:
        try:
            self._process = subprocess.Popen(
                self._words,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except (OSError, ValueError, IndexError) as error:
            program = self._words[0] if self._words else "the command is empty"
            self._why_not = f"{program}: {getattr(error, 'strerror', None) or error}"
        _RUNNING.add(self)
        return self

    def end(self, number: signal.Signals) -> None:
        """Signal the command and all that it has started, unless it has ended and was waited for."""
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(OSError):
                os.killpg(self._process.pid, number)

    def __exit__(self, *_: object) -> None:
        _RUNNING.discard(self)
        if self._process is None:
            return
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            with contextlib.suppress(OSError):
                assert pipe is not None
                pipe.close()
        # A script that holds a file takes it away when it is told to end; what does not end is killed.
        for number, grace_s in ((signal.SIGTERM, 1.0), (signal.SIGKILL, 1.0)):
            self.end(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(grace_s)
                return

    def answer(self, within_s: float) -> bytes | NotGathered:
        """The text between the marks, as soon as it is complete; the command may go on after it."""
        if self._process is None:
            return NotGathered(f"via: {_cleaned(self._why_not)}", BY_HAND)
        for _ in self._moves(time.monotonic() + within_s):
            if len(self._output) > MAX_ANSWER:
                return NotGathered(f"via: it printed more than {MAX_ANSWER // 1024 // 1024} MiB", BY_HAND)
            found = between_marks(bytes(self._output), self._mark) if self._complete else None
            if found is not None:
                return found
        return NotGathered(f"via: {self._why_none(within_s)}", BY_HAND)

    def _moves(self, end: float) -> Iterator[None]:
        """Feed the script and read both outputs; one step a read, until the output ends or the time is over."""
        process = self._process
        assert process is not None and process.stdin is not None
        assert process.stdout is not None and process.stderr is not None
        waiting = memoryview(self._text)
        with selectors.DefaultSelector() as selector:
            for pipe, event in (
                (process.stdin, selectors.EVENT_WRITE),
                (process.stdout, selectors.EVENT_READ),
                (process.stderr, selectors.EVENT_READ),
            ):
                os.set_blocking(pipe.fileno(), False)
                selector.register(pipe, event)
            while process.stdout.fileno() in selector.get_map():
                left = end - time.monotonic()
                if left <= 0:
                    return
                for key, _ in selector.select(left):
                    if key.fileobj is process.stdin:
                        waiting = self._fed(waiting, selector, process.stdin)
                        continue
                    into = self._output if key.fileobj is process.stdout else self._complaint
                    data = os.read(key.fd, 65536)
                    if not data:
                        selector.unregister(key.fileobj)
                    elif key.fileobj is process.stdout or len(into) < MAX_COMPLAINT:
                        into += data
                    if key.fileobj is process.stdout:
                        self._complete = self._end in self._output[-len(data) - len(self._end) :]
                        yield

    def _fed(self, waiting: memoryview, selector: selectors.BaseSelector, stdin: Any) -> memoryview:
        try:
            waiting = waiting[os.write(stdin.fileno(), waiting[:65536]) :]
        except BlockingIOError:
            return waiting
        except OSError:  # it has ended, or closed its input: what it says is still read
            waiting = waiting[:0]
        if not waiting:
            selector.unregister(stdin)
            with contextlib.suppress(OSError):
                stdin.close()
        return waiting

    def _why_none(self, within_s: float) -> str:
        """The last thing that it complained of; else how it ended."""
        assert self._process is not None
        lines = self._complaint.decode("utf-8", "replace").strip().splitlines()
        code: int | None = None
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = self._process.wait(0.2)
        if code is None:
            return f"no answer within {within_s:g} s" + (f": {_cleaned(lines[-1])}" if lines else "")
        return _cleaned(lines[-1]) if lines else f"it ended with code {code} and gave no answer"


def _cleaned(text: str) -> str:
    """One short line that a terminal can show, without what may be a login."""
    shown = "".join(char if char.isprintable() else "?" for char in text)
    return without_secrets(shown.strip())[:200]
