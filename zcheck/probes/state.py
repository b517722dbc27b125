"""What zcheck remembers between runs, in its state folder: journals, and which clients owe it an answer.

That the folder cannot be written is never an error: what is remembered makes a run gentler, not truer.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from pathlib import Path

import msgspec

FORGET_AFTER_S = 3600.0
"""After this long a client is asked again: its connection to ZEO may have been mended without a restart."""


class Unanswered(msgspec.Struct, frozen=True):
    """A request that made a client ask its ZEO server, and that it did not answer: it may still hold one thread."""

    process_id: int | None
    at: float
    """Seconds since the epoch."""


def journal(folder: str | None, run_id: str) -> str | None:
    """Where this run writes down what it is about to write; None where nothing can be kept."""
    if folder is None:
        return None
    try:
        path = Path(folder, "journal")
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError:
        return None
    return str(path / f"{run_id}.jsonl")


def forget_journal(path: str | None) -> None:
    """Remove the journal of a run that left nothing behind."""
    if path is not None:
        with contextlib.suppress(OSError):
            Path(path).unlink()


def unanswered(folder: str | None, now: float | None = None) -> dict[str, Unanswered]:
    """The clients (by the address that was dialled) that still owe an answer."""
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
    path = Path(folder, "unanswered.json")
    unfinished = path.with_suffix(f".{os.getpid()}")
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        unfinished.write_bytes(msgspec.json.encode(clients))
        unfinished.replace(path)


def keep_good(folder: str | None, name: str, text: str) -> None:
    """Remember the facts of a run that was OK, in place of those of the run before it."""
    if folder is None:
        return
    path = _good(folder, name)
    unfinished = path.with_suffix(f".{os.getpid()}")
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(path)


def good(folder: str | None, name: str) -> str | None:
    """The file of the last good facts; None where none are kept."""
    if folder is None:
        return None
    path = _good(folder, name)
    return str(path) if path.is_file() else None


def _good(folder: str, name: str) -> Path:
    return Path(folder, "good", f"{hashlib.sha256(name.encode('utf-8', 'surrogateescape')).hexdigest()[:16]}.json")
