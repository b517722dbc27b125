"""Ask a Zope client over HTTP: does its port answer, does it speak HTTP, and what does its Control Panel say.

Fetching and parsing are apart.  Every wait and every size has a limit; see :mod:`zcheck.probes.http_connection`.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from email.utils import parsedate_to_datetime
from html.parser import HTMLParser
from typing import Literal
from urllib.parse import quote, unquote, urlsplit

import msgspec

from zcheck.facts import Client, ControlPanel, DatabasePage, HttpAnswer, NotGathered, PortAnswer, Process
from zcheck.facts.processes import START_TOLERANCE_S
from zcheck.parsers.redact import shown_location
from zcheck.probes.http_connection import HttpTrouble, Line, Reply, connect, resolve
from zcheck.system import clock
from zcheck.system.shortages import ShortageError

CONTROL_PANEL = "/Control_Panel/manage_main"
DATABASES = "/Control_Panel/Database/manage_main"
REFERENCES = "/Control_Panel/DebugInfo/manage_main"
MAX_DATABASES = 100
"""Databases of one client that are looked at; real ones have one to five."""

FRESH_S = 2.0
"""A process that first counted its references so shortly ago may have done so because it was looked at."""

NO_HOSTS: Mapping[str, Sequence[str]] = {}

_PORT_OUTCOMES: dict[str, Literal["refused", "timeout", "unreachable", "unknown-name"]] = {
    "refused": "refused",
    "timeout": "timeout",
    "unknown-name": "unknown-name",
}
_HTTP_OUTCOMES: dict[str, Literal["silent", "not-http", "reset", "too-slow", "tls-error"]] = {
    "silent": "silent",
    "timeout": "silent",
    "not-http": "not-http",
    "reset": "reset",
    "too-slow": "too-slow",
    "tls-error": "tls-error",
}


def probe_port(client: Client, timeout_s: float, hosts: Mapping[str, Sequence[str]] = NO_HOSTS) -> PortAnswer:
    """Connect to the client's port and close again.  ``hosts`` gives addresses by name, before the resolver does."""
    dialled = client.dialled
    started = time.monotonic()
    try:
        addresses = resolve(dialled.host, hosts, timeout_s)
        started = time.monotonic()
        connect(addresses, dialled.port, timeout_s).close()
    except HttpTrouble as trouble:
        _must_be_the_peers(trouble)
        return PortAnswer(str(dialled), _PORT_OUTCOMES.get(trouble.kind, "unreachable"), trouble.words)
    return PortAnswer(str(dialled), "open", connect_ms=_ms(time.monotonic() - started))


def _must_be_the_peers(trouble: HttpTrouble) -> None:
    """Raise :exc:`ShortageError` for what is no fault of the peer's."""
    if trouble.kind == "own-shortage":
        raise ShortageError(f"it {trouble.words}")


def probe_http(
    client: Client, timeout_s: float, hosts: Mapping[str, Sequence[str]] = NO_HOSTS, *, verify: bool = True
) -> HttpAnswer:
    """One anonymous ``GET /``.  A port that no longer accepts connections is told as one that broke this one off."""
    line = None
    try:
        line = Line(client, resolve(client.dialled.host, hosts, timeout_s), verify=verify)
        asked_at = clock.now_s()
        reply = line.ask("GET", "/", timeout_s=timeout_s, may_cut=True)
        answered_at = clock.now_s()
    except HttpTrouble as trouble:
        _must_be_the_peers(trouble)
        return HttpAnswer(_HTTP_OUTCOMES.get(trouble.kind, "reset"), trouble.words)
    finally:
        if line is not None:
            line.close()
    detail = f"the page was cut after {len(reply.body) // 1024} KiB" if reply.cut else ""
    told, elapsed_ms = _told(reply.headers), _ms(reply.elapsed_s)
    return HttpAnswer("http", detail, reply.status, told, elapsed_ms, asked_at, answered_at)


def _told(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers that may stand in a report: no cookie, and nothing longer than a line."""
    return {name: value[:200] for name, value in headers.items() if "cookie" not in name and "auth" not in name}


def _ms(elapsed_s: float) -> float:
    return round(elapsed_s * 1000, 3)


# --- the Control Panel -----------------------------------------------------------------------------


def probe_control_panel(
    client: Client,
    user: str,
    password: str,
    timeout_s: float,
    hosts: Mapping[str, Sequence[str]] = NO_HOSTS,
    *,
    site: str | None = None,
    verify: bool = True,
) -> ControlPanel | NotGathered:
    """What a manager reads on the client's Control Panel; within twice ``timeout_s``, however many databases.

    ``site``: the path of a Plone site whose REST API is asked for Plone's version as well.
    """
    line = None
    try:
        addresses = resolve(client.dialled.host, hosts, timeout_s)
        line = Line(client, addresses, user=user, password=password, verify=verify)
        panel = _read_control_panel(line, timeout_s)
        if site is None:
            return panel
        line.close()
        line = Line(client, addresses, user=user, password=password, verify=verify, accept="application/json")
        return msgspec.structs.replace(panel, plone_version=_plone_version(line, site, timeout_s))
    except HttpTrouble as trouble:
        return NotGathered(f"{client.name} {trouble.words}")
    except _Refused as refused:
        # No client is named: where all refuse the same user, it is one finding.
        return NotGathered(str(refused), _USER if refused.is_of_the_user else "")
    finally:
        if line is not None:
            line.close()


def _plone_version(line: Line, site: str, timeout_s: float) -> str | None:
    """None where the site does not tell: an older one, or a user who may not know."""
    try:
        reply = line.ask("GET", f"{site}/@system", timeout_s=timeout_s)
        told = msgspec.json.decode(reply.body) if reply.status == 200 else {}
    except (HttpTrouble, msgspec.DecodeError, RecursionError):
        return None
    version = told.get("plone_version") if isinstance(told, dict) else None
    return version[:40] if isinstance(version, str) else None


class _Refused(Exception):
    """The page was answered and is not the one that was asked for; says why."""

    def __init__(self, why: str, kind: Refused = "error") -> None:
        super().__init__(why)
        self.is_of_the_user = kind in ("wrong-password", "no-permission", "redirected")


_USER = "give a user of the root's acl_users with the role Manager, and this user's password"


def _read_control_panel(line: Line, timeout_s: float) -> ControlPanel:
    end = time.monotonic() + 2 * timeout_s

    def page(path: str) -> str:
        left = end - time.monotonic()
        if left <= 0:
            raise _Refused(f"its Control Panel was not read within {2 * timeout_s:g} s")
        reply = line.ask("GET", path, timeout_s=min(timeout_s, left))
        if reply.status != 200:
            kind, why = refusal(line, reply, path, min(timeout_s, left))
            raise _Refused(why, kind)
        return reply.text

    names = database_names(page(DATABASES))
    if not names:
        raise _Refused("its Control Panel lists no database")
    pages = tuple(_database_page(name, page(database_path(name))) for name in names[:MAX_DATABASES])
    panel = control_panel(page(CONTROL_PANEL), pages)
    return msgspec.structs.replace(panel, read_at=clock.now_s())


def process_on(line: Line, timeout_s: float) -> Process | None:
    """The process that answers on this line, by its Control Panel; None where it does not tell.

    Raises :exc:`HttpTrouble`.
    """
    reply = line.ask("GET", CONTROL_PANEL, timeout_s=timeout_s)
    panel = control_panel(reply.text, ()) if reply.status == 200 else None
    if panel is None or panel.process_id is None:
        return None
    # Both ends are given by the peer's own clock, so no two clocks are compared.
    told = seconds_of_date(reply.headers.get("date", ""))
    at = msgspec.structs.replace(panel, read_at=clock.now_s() if told is None else told)
    span = at.started_at
    started = None if span is None else (span[0] + span[1]) / 2
    if span is not None and span[1] - span[0] > 2 * START_TOLERANCE_S:
        started = None
    return Process(panel.process_id, started, panel.instance_home or "")


def seconds_of_date(text: str) -> float | None:
    """A Date header as seconds since the epoch."""
    try:
        return parsedate_to_datetime(text).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None


def probe_references(
    client: Client,
    user: str,
    password: str,
    timeout_s: float,
    hosts: Mapping[str, Sequence[str]] = NO_HOSTS,
    *,
    verify: bool = True,
) -> FirstCount | None:
    """When the client's process first counted its references, as its own page shows it; None where it does not.

    The first look at this page makes the process count and remember the moment (App/ApplicationManager.py), so the
    answer tells two processes apart that were looked at in two different seconds, and shows one to be one.
    """
    line = None
    try:
        addresses = resolve(client.dialled.host, hosts, timeout_s)
        line = Line(client, addresses, user=user, password=password, verify=verify)
        reply = line.ask("GET", REFERENCES, timeout_s=timeout_s)
    except HttpTrouble:
        return None
    finally:
        if line is not None:
            line.close()
    return first_count(reply.text) if reply.status == 200 else None


CONNECTIONS = "/Control_Panel/ZODBConnections/manage_main"
"""The process' open database connections, each with how long a request has held it."""

_HELD = re.compile(r">\s*(\d+(?:\.\d+)?)\s?s\s*</td>")


def probe_longest_request(
    client: Client, user: str, password: str, timeout_s: float, hosts: Mapping[str, Sequence[str]] = NO_HOSTS
) -> float | None:
    """Seconds for which the oldest running request of the client's process has held a database connection.

    None where the process does not show it.  What is shown beside it (what the requests send) is not kept.
    """
    line = None
    try:
        line = Line(client, resolve(client.dialled.host, hosts, timeout_s), user=user, password=password)
        reply = line.ask("GET", CONNECTIONS, timeout_s=timeout_s)
    except HttpTrouble:
        return None
    finally:
        if line is not None:
            line.close()
    held = [float(seconds) for seconds in _HELD.findall(reply.text)] if reply.status == 200 else []
    # This very request holds one: where none is shown, the page is another one.
    return max(held, default=None)


class FirstCount(msgspec.Struct, frozen=True):
    """When a process first counted its references, by its own clock; ``fresh``: it was because of this very look."""

    at: str
    fresh: bool


def first_count(html: str) -> FirstCount | None:
    """From the two moments between which the page of reference counts tells the difference: the first, and now."""
    moments = re.findall(r"<th[^>]*>\s*(\d{4}/\d\d/\d\d - \d\d:\d\d:\d\d)\s*</th>", html)
    if not moments:
        return None
    first, now = (time.mktime(time.strptime(moment, "%Y/%m/%d - %H:%M:%S")) for moment in (moments[0], moments[-1]))
    return FirstCount(moments[0], now - first <= FRESH_S)


def database_path(name: str, page: str = "manage_main") -> str:
    """The path of a page about one database."""
    return f"/Control_Panel/Database/{quote(name, safe='')}/{page}"


def database_names(html: str) -> tuple[str, ...]:
    """The databases that ``/Control_Panel/Database/manage_main`` links to, in its order."""
    found = re.findall(r"""href\s*=\s*["'][^"']*?Database/([^/"'?#]+)/manage_main""", html)
    return tuple(dict.fromkeys(unquote(name) for name in found))


def _database_page(name: str, html: str) -> DatabasePage:
    page = database_page(name, html)
    if page is None:
        raise _Refused(f"the Control Panel's page of database {name} has no row 'Database Location'")
    return page


def database_page(name: str, html: str) -> DatabasePage | None:
    """What the page of one database says, by the row's label; None where it has no such row.

    The label is ``storage.getName()``: of a ZEO client its ``name`` or its addresses, and the state of its connection
    (ZEO/ClientStorage.py); of a file storage its path.
    """
    location = rows(html).get("database location")
    if location is None:
        return None
    stated = re.fullmatch(r"(.*?)\s*\((connected|disconnected)\)", location)
    if stated is None:
        return DatabasePage(name, shown_location(location))
    return DatabasePage(name, shown_location(stated[1]), stated[2] == "connected")


def control_panel(html: str, databases: tuple[DatabasePage, ...]) -> ControlPanel:
    """``/Control_Panel/manage_main`` by its rows' labels; what it does not tell is None."""
    told = rows(html)
    process = re.match(r"\d+", told.get("process id", ""))
    return ControlPanel(
        databases,
        zope_version=told.get("zope version"),
        python_version=told.get("python version"),
        process_id=int(process[0]) if process else None,
        running_for=told.get("running for"),
        instance_home=told.get("instance_home"),
        client_home=told.get("client_home"),
    )


def rows(html: str) -> dict[str, str]:
    """The rows of two cells in a page's tables: the second cell's text by the first one's, in lower case.

    The first row with a label counts; white space is folded.
    """
    reader = _Rows()
    reader.feed(html)
    reader.close()
    found: dict[str, str] = {}
    for cells in reader.found:
        if len(cells) == 2:
            found.setdefault(cells[0].rstrip(":").lower(), cells[1])
    return found


class _Rows(HTMLParser):
    """Collects the cells of every table row.

    Zope closes some ``<td>`` by ``</th>`` and Zope 2 closes some not at all, so a cell lasts to the next one.
    """

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[list[str]] = []
        self._row: list[list[str]] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "tr":
            self._end_row()
            self._row = []
        elif tag in ("td", "th") and self._row is not None:
            self._row.append([])

    def handle_endtag(self, tag: str) -> None:
        if tag in ("tr", "table"):
            self._end_row()

    def handle_data(self, data: str) -> None:
        if self._row:
            self._row[-1].append(data)

    def close(self) -> None:
        super().close()
        self._end_row()

    def _end_row(self) -> None:
        if self._row is not None:
            self.found.append([" ".join("".join(cell).split()) for cell in self._row])
            self._row = None


# --- why a page was refused ------------------------------------------------------------------------

Refused = Literal["wrong-password", "no-permission", "redirected", "read-only", "error"]


def refusal(line: Line, reply: Reply, path: str, timeout_s: float) -> tuple[Refused, str]:
    """Why ``reply`` is not the page that was asked for, as a kind and in words; may ask one more question to tell.

    Zope answers 401 to a wrong password and to a user who lacks the permission alike.  ``/manage_workspace`` tells
    them apart: it redirects every user that it knows, and answers 401 to all others (App/Management.py).
    """
    page = f"{path.partition('?')[0]}"
    if reply.status in (401, 403):
        if reply.status == 401 and not _is_known(line, timeout_s):
            return "wrong-password", f"the user is not known there, or the password is wrong (401 for {page})"
        return "no-permission", lacking(page, reply.status)
    if reply.location:
        return "redirected", _redirect_words(reply.location, page)
    if reply.status == 404:
        return "error", f"it has no page {page} (404)"
    return "error", f"it answered {reply.status} to {page}"


def lacking(page: str, status: int) -> str:
    """Which right the user lacks whom this page is refused."""
    if page.startswith("/Control_Panel/") and not page.endswith("/manage_UndoForm"):
        return f"the user lacks the permission for {page} ({status}), which Zope shows to the role Manager alone"
    right = next((right for pattern, right in _RIGHTS if re.search(pattern, page)), None)
    if right is None:
        return f"the user lacks the permission for {page} ({status}); give it the role Manager"
    return f"the user lacks the permission '{right}' ({status} for {page}); the role Manager has it by default"


# By the page, as Zope's own products protect them.
_RIGHTS = (
    ("/(folderAdd|manage_addFolder)$", "Add Folders"),
    ("/(documentAdd|addDTMLDocument|manage_addDTMLDocument)$", "Add Documents, Images, and Files"),
    ("/document-[0-9]+/manage_(main|edit)$", "Change DTML Documents"),
    ("/manage_UndoForm$", "Undo changes"),
    ("/manage_delObjects$", "Delete objects"),
    ("/manage(_main|_workspace)?$", "View management screens"),
)


def _is_known(line: Line, timeout_s: float) -> bool:
    try:
        return line.ask("GET", "/manage_workspace", timeout_s=timeout_s).status != 401
    except HttpTrouble:
        return False


def _redirect_words(location: str, page: str) -> str:
    parts = urlsplit(location)
    where = f"{parts.scheme}://{parts.hostname or ''}{parts.path}" if parts.netloc else parts.path
    if re.search(r"login|require_login|cookie_auth", parts.path, re.IGNORECASE):
        return f"it sends the user to a login page instead of {page}: {where}"
    if "confirm-action" in parts.path:
        return f"it asks for a confirmation instead of doing what was asked ({where})"
    return f"it redirects {page} to {where}"
