"""How a run names and titles what it makes, and how that is known again."""

from __future__ import annotations

import html
import re
from urllib.parse import quote, unquote

FOLDER_PREFIX = "zcheck-"


def folder_id(run_id: str) -> str:
    """The name of a run's one folder."""
    return FOLDER_PREFIX + quote(run_id, safe="")


def run_of(folder: str) -> str:
    """The run whose folder has this name; also where an application has put something around it."""
    given = re.search(rf"{FOLDER_PREFIX}([0-9a-f]{{12}})(?![0-9a-f])", folder)
    return given[1] if given is not None else unquote(folder.removeprefix(FOLDER_PREFIX))


def is_an_id_of_ours(name: str) -> bool:
    """Whether a run gives this id to what it puts into its folder; an application may have put something around it."""
    return bool(re.search(r"(^|[^a-z])(page|document-\d+)$", name))


def folder_title(run_id: str, place: str = "") -> str:
    """What whoever finds the folder needs to know; that of a mount point is never taken for one of the root."""
    at = f" at {place}" if place else ""
    return f"Test folder of zcheck run {run_id}{at}, which removes it itself; may be deleted"


def document_title(run_id: str, number: int, nonce: str) -> str:
    """A document's title carries its nonce, so one listing of the folder shows every document's in one snapshot."""
    return f"zcheck {number} {nonce} run {run_id}"


def nonces(text: str, run_id: str) -> dict[int, str]:
    """The nonce of each document, by its number, in a listing of a run's folder."""
    found = re.findall(rf"zcheck (\d+) ([0-9a-f]{{32}}) run {re.escape(run_id)}\b", html.unescape(text))
    return {int(number): nonce for number, nonce in found}
