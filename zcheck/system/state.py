"""What zcheck remembers between runs, in its state folder: journals, and which clients owe it an answer.

That the folder cannot be written is never an error: what is remembered makes a run gentler, not truer.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import time
from pathlib import Path
from typing import NamedTuple

import msgspec

from zcheck.system import atomic_write

ASK_AGAIN_AFTER_S = 3600.0
"""After this long a client is asked again: its connection to ZEO may have been repaired without a restart."""
FORGET_AFTER_S = 30 * 86400.0
"""What was seen so long ago, and by no run since, is not known any more."""


class Unanswered(msgspec.Struct, frozen=True):
    """A request that made a client ask its ZEO server, and that it did not answer: it may still hold one thread."""

    process_id: int | None
    at: float
    """Seconds since the epoch."""


class Apart(msgspec.Struct, frozen=True):
    """Two running clients of which one did not show what was saved through the other."""

    database: str
    processes: dict[str, int]
    """By client's name, its process: what is known of these two is not known of others."""
    at: float
    """Seconds since the epoch."""


def why_not_kept(folder: str) -> str:
    """Why nothing can be remembered there; empty where it can."""
    try:
        Path(folder).mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        return error.strerror or "it cannot be made"
    return "" if os.access(folder, os.W_OK | os.X_OK) else "it cannot be written to"


def journal(folder: str | None, ini: str, run_id: str) -> str | None:
    """Where this run of a clients.ini writes down what it is about to write; None where nothing can be kept."""
    if folder is None:
        return None
    try:
        path = Path(folder, "journal")
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError:
        return None
    return str(path / f"{_name(ini)}-{run_id}.jsonl")


def hold(path: str | None) -> int | None:
    """Mark a journal as that of a run that is under way, until the descriptor is closed or the process has ended."""
    if path is None:
        return None
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return descriptor
    return None


class Runs(NamedTuple):
    """Runs of one clients.ini whose journals are still there, by their ids."""

    under_way: tuple[str, ...] = ()
    ended: tuple[str, ...] = ()
    """They ended before they had seen that nothing of theirs was left."""


def runs(folder: str | None, ini: str) -> Runs:
    """The runs of this clients.ini on this machine and by this user that are under way, or ended untimely."""
    found: dict[bool | None, list[str]] = {}
    for path in _journals(folder, ini):
        found.setdefault(_is_held(path), []).append(path.stem.rpartition("-")[2])
    return Runs(tuple(found.get(True, ())), tuple(found.get(False, ())))


def _journals(folder: str | None, ini: str) -> list[Path]:
    return sorted(Path(folder, "journal").glob(f"{_name(ini)}-*.jsonl")) if folder is not None else []


def _is_held(path: Path) -> bool | None:
    """Whether a process holds the file: the lock of one that was killed is gone with it.  None: the file is gone."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return None
    except OSError:
        return True
    return False


def forget_journal(path: str | None) -> None:
    """Remove the journal of a run that left nothing behind."""
    if path is not None:
        with contextlib.suppress(OSError):
            Path(path).unlink()


def forget_ended(folder: str | None, ini: str) -> None:
    """Remove the journals of all runs of this clients.ini that have ended: nothing of theirs is left."""
    for path in _journals(folder, ini):
        if _is_held(path) is False:
            forget_journal(str(path))


def unanswered(folder: str | None, now: float | None = None) -> dict[str, Unanswered]:
    """The clients (by the address that was dialled) that did not answer when they were asked last."""
    if folder is None:
        return {}
    try:
        kept = msgspec.json.decode(Path(folder, "unanswered.json").read_bytes(), type=dict[str, Unanswered])
    except (OSError, msgspec.DecodeError):
        return {}
    now = time.time() if now is None else now
    return {client: one for client, one in kept.items() if 0 <= now - one.at < FORGET_AFTER_S}


def keep_unanswered(folder: str | None, clients: dict[str, Unanswered]) -> None:
    """Remember these and no others; whole, so that a run beside this one never reads half of it."""
    if folder is None:
        return
    _keep(Path(folder, "unanswered.json"), msgspec.json.encode(clients))


def apart(folder: str | None, ini: str, now: float | None = None) -> tuple[Apart, ...]:
    """The clients of this clients.ini that an earlier run saw apart."""
    if folder is None:
        return ()
    try:
        kept = msgspec.json.decode(_apart(folder, ini).read_bytes(), type=tuple[Apart, ...])
    except (OSError, msgspec.DecodeError):
        return ()
    now = time.time() if now is None else now
    return tuple(one for one in kept if 0 <= now - one.at < FORGET_AFTER_S)


def keep_apart(folder: str | None, ini: str, found: tuple[Apart, ...]) -> None:
    """Remember these and no others."""
    if folder is not None:
        _keep(_apart(folder, ini), msgspec.json.encode(found))


def _apart(folder: str, ini: str) -> Path:
    return Path(folder, "apart", f"{_name(ini)}.json")


def keep_good(folder: str | None, ini: str, text: str) -> None:
    """Remember the facts of a run that was OK, in place of those of the run before it."""
    if folder is None:
        return
    _keep(_good(folder, ini), text.encode())


def _keep(path: Path, content: bytes) -> None:
    """Put it there whole; where there is no room, what was there before stays, and no part of the new."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        atomic_write.write(str(path), content)


def good(folder: str | None, ini: str) -> str | None:
    """The file of the last good facts; None where none are kept."""
    if folder is None:
        return None
    path = _good(folder, ini)
    return str(path) if path.is_file() else None


def _good(folder: str, ini: str) -> Path:
    return Path(folder, "good", f"{_name(ini)}.json")


def _name(ini: str) -> str:
    """What tells one cluster's files from another's: where its clients.ini is."""
    return hashlib.sha256(str(Path(ini).resolve()).encode("utf-8", "surrogateescape")).hexdigest()[:16]
