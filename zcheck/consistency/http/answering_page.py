"""The test page: a page of ours in the run's folder that says which process and which connection served it.

It shows every document of the folder in one snapshot.  Only a Manager's request is told the process, and only that may
hold its thread for a moment, so that several at one time meet several of the client's threads and their connections.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from zcheck.consistency.http.names import nonces

NAME = "page"
HOLD_S = 0.1
"""How long the pages of one burst hold their threads, so that they overlap."""
MOST_S = 0.25
"""No page holds its thread for longer, whatever it is asked for."""

_SOURCE = """zcheck test page of run {run_id}, which removes it itself; may be deleted
<dtml-call "RESPONSE.setHeader('Content-Type', 'text/plain; charset=utf-8')">
<dtml-try>zcheck-process <dtml-var "Control_Panel.process_id()">@<dtml-var "Control_Panel.process_start">
zcheck-connection <dtml-var "_.hash(PARENTS[-1])">
zcheck-now <dtml-var "ZopeTime().timeTime()">
<dtml-if "REQUEST.get('zcheck_until')"><dtml-let last="_.min(_.float(REQUEST['zcheck_until']), \
ZopeTime().timeTime() + {most_s})"><dtml-in "_.range(200)"><dtml-if "ZopeTime().timeTime() < last"><dtml-in \
"_.range(40)"></dtml-in></dtml-if></dtml-in></dtml-let></dtml-if>
<dtml-except></dtml-try>
<dtml-if "REQUEST.get('zcheck_remove') and REQUEST['REQUEST_METHOD'] == 'POST'"><dtml-if \
"_.len(PARENTS[0].objectIds()) == _.int(REQUEST['zcheck_remove'])"><dtml-call \
"PARENTS[1].manage_delObjects([PARENTS[0].getId()])">zcheck-removed</dtml-if><dtml-else><dtml-in \
"PARENTS[0].objectItems()">zcheck-item <dtml-var sequence-key> <dtml-var title_or_id>
</dtml-in></dtml-if>
"""


REMOVE = "zcheck_remove"
"""The field of a POST by which the page removes its folder; its value is how many objects are to be in it."""
REMOVED = "zcheck-removed"


def source(run_id: str) -> str:
    """The page's DTML.

    Asked by GET it reads and writes nothing.  Asked by POST it removes the folder that it is in, where that holds as
    many objects as are expected: Zope's own form answers with the container's listing, and a large one takes long.
    """
    return _SOURCE.format(run_id=run_id.replace("<", "").replace("&", ""), most_s=MOST_S)


def title(run_id: str) -> str:
    """The page's title, by which it is known as ours."""
    return f"Test page of zcheck run {run_id}"


class Look(msgspec.Struct, frozen=True):
    """What one answer showed, and who gave it; ``process`` and ``connection`` are empty where it does not say."""

    documents: Mapping[int, str]
    """By a document's number: its nonce."""
    process: str = ""
    """As :func:`zcheck.facts.processes.named` reads it."""
    connection: str = ""
    """Tells one of the process's pooled database connections from the others."""
    now: float | None = None
    """The process' own clock."""


def items(text: str) -> dict[str, str] | None:
    """By id: the titles of what is in the folder, as a rendered page lists it; None where it is no such page."""
    found = dict(re.findall(r"^zcheck-item (\S+) (.*)$", text.replace("\r", ""), re.MULTILINE))
    return found if NAME in found else None


def read(text: str, run_id: str) -> Look:
    """What a rendered page says."""
    process, connection, now = (
        found[1] if (found := re.search(pattern, text)) else ""
        for pattern in (
            r"\bzcheck-process (\d+@[\d.]*)",
            r"\bzcheck-connection (-?\d+)",
            r"\bzcheck-now (\d+(?:\.\d+)?)",
        )
    )
    return Look(nonces(text, run_id), process, connection, float(now) if now else None)
