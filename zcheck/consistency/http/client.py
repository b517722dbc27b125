"""One client's Zope Management Interface: the few pages and forms that the write-here-read-there test uses.

Forms are fetched, filled in and submitted as a browser does it: hidden fields come along, which is what carries
Plone's token.  What a page says is found by names and labels that are the same in Zope 2.12 to Zope 6.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import html
import random
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal
from urllib.parse import quote, unquote

import msgspec

from zcheck.consistency.http import answering_page
from zcheck.consistency.http.forms import DELETE, Form, NotAccepted, named
from zcheck.consistency.http.names import FOLDER_PREFIX, folder_title, is_an_id_of_ours, run_of
from zcheck.facts import Client, Process, processes
from zcheck.facts.backing import CALLED, Backing
from zcheck.probes.http import DATABASES, database_names, database_path, process_on, refusal
from zcheck.probes.http_connection import HttpTrouble, Line, Reply, resolve

FIRST_CONFLICT_PAUSE_S = 0.1
LONGEST_CONFLICT_PAUSE_S = 1.0
"""Between two attempts to save what met a conflict."""
UNDO_BATCH = 100
"""Transactions that one look at the undo form asks for."""
UNDO_PAGES = 10
LISTING_S = 30.0
"""How long a listing that is searched for folders of ours may take."""
WHOLE_LISTING_LIMIT = 32 * 1024 * 1024
"""Bytes of a listing that is searched for folders of ours; an object takes about 1 KiB."""


class HttpTarget(msgspec.Struct, frozen=True):
    """One running client, and what may be asked of it.

    ``place`` is where in its tree the folder goes: empty for the root, else the path of a mount point; ``database`` is
    the name of the database that its zope.conf mounts there.  ``may_start``: the folder may be made
    through it; every other client is written to only after it has shown that folder.  ``may_ask``: it may be sent
    the one request that makes it ask its storage, which hangs one of its threads where the connection is half-open.
    ``backing`` is what holds the database, so that nothing is said of a ZEO server where there is none.
    """

    client: Client
    may_write: bool = True
    may_start: bool = True
    may_ask: bool = True
    threads: int = 4
    database: str = "main"
    place: str = ""
    processes: tuple[Process, ...] = ()
    """Those that were met at its address; more than one: each request may reach another."""
    backing: Backing = "unknown"

    @property
    def name(self) -> str:
        return self.client.name

    @property
    def storage(self) -> str:
        """What holds its database, as a person says it after "its"."""
        return CALLED[self.backing]


Workspace = Literal["folder", "nothing", "other"]
"""What is at a client's place: a folder whose contents are managed, nothing at all, or something else."""


class Undoable(msgspec.Struct, frozen=True):
    """One line of an undo form: a transaction of the server that the client is connected to."""

    tid: bytes
    """Empty where the storage's ids are no transaction ids."""
    text: str


class Answer(msgspec.Struct, frozen=True):
    """One answer of several at one time; times in nanoseconds on the monotonic clock."""

    begun: int
    ended: int
    reply: Reply | HttpTrouble
    process: Process | None = None
    """Who gave it, where it was an answer that does not say so itself."""


MOST_AT_ONCE = 16
"""Requests at one time to one client, and connections: its visitors must still get in."""


class Door:
    """One client during one run: its keep-alive connections, one a thread, and the requests it is sent."""

    def __init__(
        self,
        target: HttpTarget,
        *,
        user: str,
        password: str,
        timeout_s: float,
        hosts: Mapping[str, Sequence[str]],
        verify: bool = True,
    ) -> None:
        self.target = target
        self.name = target.name
        self.timeout_s = timeout_s
        self.limit: Callable[[], float] = lambda: timeout_s
        """Seconds that one request may take now, where it is not told otherwise."""
        self.patience: Callable[[], float] = lambda: timeout_s
        """The same for a request that nothing can replace: one that is late is no refusal."""
        self.late_s = 0.0
        """How long the slowest of the requests took that were answered after ``timeout_s``; 0: none was."""
        self._user = user
        self._password = password
        self._hosts = hosts
        self._verify = verify
        self._addresses: tuple[str, ...] | None = None
        self._lines: list[Line] = []
        self._turns = 0
        self._shared = False
        self._pinned = False
        self._lock = threading.Lock()
        self.answers: list[Process] = []
        """The processes that answered, in this order."""
        self._session: Any = None
        self._pool: ThreadPoolExecutor | None = None

    # --- reading

    def get(self, path: str, timeout_s: float | None = None, *, thread: int = 0, **options: Any) -> Reply:
        """One GET on the connection of this thread; :exc:`HttpTrouble`.

        Where several processes answer at the address each goes over a new connection: no one of them is all of it.
        """
        if self.shared and not self._pinned:
            self.turn(thread)
        return self._line(thread).ask("GET", path, timeout_s=timeout_s or self.limit(), **options)

    def at_once(self, paths: Sequence[str], timeout_s: float) -> list[tuple[int, int, list[Reply] | HttpTrouble]]:
        """GET these paths as often as the client has threads, all at one time: (begin, end, answers) in nanoseconds.

        The client's threads each have a database connection with a cache of its own, and one request meets one.
        """

        def one(thread: int) -> tuple[int, int, list[Reply] | HttpTrouble]:
            begun = time.monotonic_ns()
            try:
                answers: list[Reply] | HttpTrouble = [self.get(path, timeout_s, thread=thread) for path in paths]
            except HttpTrouble as trouble:
                answers = trouble
            return begun, time.monotonic_ns(), answers

        count = self.at_one_time
        for thread in range(count):
            self._line(thread)
        try:
            return list(self._threads().map(one, range(count)))
        finally:
            self.let_go()

    @property
    def at_one_time(self) -> int:
        """Requests that are sent at one time: one a thread, and never so many that nobody else gets in."""
        return max(1, min(self.target.threads, MOST_AT_ONCE))

    def _threads(self) -> ThreadPoolExecutor:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self.at_one_time)
        return self._pool

    def let_go(self) -> None:
        """Close every connection but one: a client has few, and its visitors need them."""
        for line in self._lines[1:]:
            line.close()

    # --- who answers

    @property
    def known(self) -> tuple[Process, ...]:
        """The processes behind the address: those that were met before the run, and those that answered by turns."""
        by_turns = processes.at_one_time(self.answers) if self.answers else ()
        return processes.distinct((*self.target.processes, *(by_turns if len(by_turns) > 1 else ())))

    @property
    def shared(self) -> bool:
        """Whether several processes answer at its address."""
        return self._shared or len(self.target.processes) > 1

    def met(self, answered: str) -> None:
        """Keep which process has answered, as an answer names it."""
        process = processes.named(answered)
        if process is None:
            return
        with self._lock:
            if self.answers and self.answers[-1] == process and not self.shared:
                return
            self.answers.append(process)
            self._shared = self._shared or len(processes.at_one_time(self.answers)) > 1

    def turn(self, thread: int = 0) -> Line:
        """A new connection for this thread, and to the next of the name's addresses."""
        self._line(thread).close()
        addresses = self.addresses()
        first = self._turns % max(len(addresses), 1)
        self._turns += 1
        line = self._new_line((*addresses[first:], *addresses[:first]))
        self._lines[thread] = line
        return line

    @contextlib.contextmanager
    def on_one_connection(self) -> Iterator[None]:
        """Within it all goes over one connection where several processes answer, so to one of them, as far as it goes.

        Where the server closes the connection after each answer, or a proxy routes each request, it does not go far.
        """
        if not self.shared or self._pinned:
            yield
            return
        line = self.turn()
        line.keep = self._pinned = True
        kept = self.session.go_over(line)
        try:
            yield
        finally:
            self._pinned = False
            self.session.go_over(kept)
            line.close()
            line.keep = False

    def attributed(self, path: str, timeout_s: float) -> tuple[Reply, Process | None]:
        """An answer and the process that gave it, where all on one connection say the same; :exc:`HttpTrouble`."""
        line = self.turn()
        before, opened = process_on(line, timeout_s), line.opened
        reply = line.ask("GET", path, timeout_s=timeout_s)
        after = process_on(line, timeout_s)
        is_one = before is not None and after is not None and before.may_be(after) and line.opened == opened
        return reply, before if is_one else None

    def burst(self, path: str, timeout_s: float, hold_s: float) -> list[Answer]:
        """Ask for this test page once a thread, so that all are served at one time; each says who served it.

        The pages end at one moment of the client's own clock, so those that begin late overlap all the same.
        :exc:`HttpTrouble` where not even one answers before.
        """
        begun = time.monotonic()
        found = re.search(r"\bzcheck-now (\d+(?:\.\d+)?)", self.get(path, timeout_s).text)
        took_s = time.monotonic() - begun
        until = "" if found is None else f"?zcheck_until={float(found[1]) + took_s + hold_s:.3f}"
        lines = [self.turn(thread) for thread in range(self.at_one_time)]

        def one(line: Line) -> Answer:
            started = time.monotonic_ns()
            try:
                reply: Reply | HttpTrouble = line.ask("GET", path + until, timeout_s=timeout_s)
            except HttpTrouble as trouble:
                reply = trouble
            ended, opened, who = time.monotonic_ns(), line.opened, None
            if isinstance(reply, Reply) and reply.status == 404:
                # What is not there cannot say who served it; the same connection leads to the same process.
                with contextlib.suppress(HttpTrouble):
                    who = process_on(line, timeout_s)
            return Answer(started, ended, reply, who if line.opened == opened else None)

        try:
            for line in lines:
                with contextlib.suppress(HttpTrouble):
                    line.open(timeout_s)
            return list(self._threads().map(one, lines))
        finally:
            self.let_go()

    def folders(self) -> tuple[str, ...]:
        """The folders at this client's place that runs of ours made, by their names and titles.

        Raises :exc:`HttpTrouble` and :exc:`NotAccepted`.
        """
        if self.target.place and self.workspace(self.timeout_s) != "folder":
            return ()
        found: dict[str, None] = {}
        # Where several processes answer, each may have folders of its own.
        for _ in range(3 * len(self.known) if self.shared else 1):
            found |= dict.fromkeys(self._folders_once())
        return tuple(found)

    def _folders_once(self) -> tuple[str, ...]:
        path = f"{self.target.place}/manage_main"
        # Zope renders a row an object, and the first listing of a process takes long in any case.
        reply = self.get(path, max(self.timeout_s, LISTING_S), max_body=WHOLE_LISTING_LIMIT)
        if reply.status != 200:
            raise NotAccepted(*refusal(self._line(0), reply, path, self.timeout_s))
        listed = dict.fromkeys(re.findall(rf"""value=["']([^"'<>\s]*{FOLDER_PREFIX}[^"'<>\s]+)["']""", reply.text))
        return tuple(name for name in listed if self.is_ours(name))

    def is_ours(self, folder: str) -> bool:
        """Whether a folder with a name of ours has a title of ours as well.

        Or, where an application renames or retitles what is added, a run's id in its name and nothing but ours in it.
        """
        title = folder_title(run_of(folder), self.target.place)
        path = f"{self.target.place}/{folder}"
        if self.shows_title(path, title):
            return True
        if re.search(rf"{FOLDER_PREFIX}[0-9a-f]{{12}}(?![0-9a-f])", folder) is None:
            return False
        held = self.contents(path)
        return held is not None and all(is_an_id_of_ours(one) for one in held)

    def workspace(self, timeout_s: float) -> Workspace:
        """What is at this client's place, by the page to which the management interface leads for it.

        Raises :exc:`HttpTrouble` and :exc:`NotAccepted`.
        """
        from zcheck.probes.http_session import path_of

        path = f"{self.target.place}/manage_workspace"
        reply = self.get(path, timeout_s)
        if reply.status == 404:
            return "nothing"
        leads_to = path_of(reply.location) if reply.location else ""
        if not leads_to.startswith(f"{self.target.place}/manage"):
            raise NotAccepted(*refusal(self._line(0), reply, path, timeout_s))
        return "folder" if leads_to == f"{self.target.place}/manage_main" else "other"

    def shows_title(self, path: str, title: str, timeout_s: float | None = None) -> bool | None:
        """Whether the object at ``path`` is there with this title; None where the client gives no usable answer."""
        try:
            reply = self.get(f"{path}/title_or_id", timeout_s)
        except HttpTrouble:
            return None
        if reply.status == 404:
            return False
        return title in html.unescape(reply.text) if reply.status == 200 else None

    def transactions(
        self, timeout_s: float, enough: Callable[[Sequence[Undoable]], bool] = lambda listed: True
    ) -> tuple[Undoable, ...]:
        """The newest transactions as the client's own ZEO server lists them: a round trip to that server.

        On a busy server more are asked for until there is ``enough``, a thousand at most.
        Raises :exc:`HttpTrouble` (``silent`` where the client waits for its server) and :exc:`NotAccepted`.
        """
        path = database_path(self.target.database, "manage_UndoForm")
        reply = self.get(path + _undo_query(0), timeout_s)
        if reply.status == 404:
            path = database_path(self._only_database(timeout_s), "manage_UndoForm")
            reply = self.get(path + _undo_query(0), timeout_s)
        listed: list[Undoable] = []
        for page in range(1, UNDO_PAGES + 1):
            if reply.status != 200:
                raise NotAccepted(*refusal(self._line(0), reply, path, timeout_s))
            found = undoable(reply.text)
            listed += found
            if page == UNDO_PAGES or len(found) < UNDO_BATCH or enough(listed):
                break
            # What was committed meanwhile moves the others on: two pages may overlap, and none is left out.
            reply = self.get(path + _undo_query(page * UNDO_BATCH), timeout_s)
        return tuple(listed)

    def revisions(self, path: str, timeout_s: float) -> tuple[str, ...]:
        """The serials of an object's revisions, the newest first, as the client's own ZEO server has them.

        A round trip to that server; on a connection of its own, so that it may be asked for beside other requests.
        Empty where the client does not show the object or tells nothing of it; raises :exc:`HttpTrouble`.
        """
        line = Line(self.target.client, self.addresses(), **self.credentials())
        try:
            reply = line.ask("GET", f"{path}/manage_change_history_page", timeout_s=timeout_s)
        finally:
            line.close()
        if reply.status != 200:
            return ()
        return tuple(re.findall(r"""value=["'](\d+\.\d+\.\d+\.\d+)["']""", reply.text))

    def _only_database(self, timeout_s: float) -> str:
        """The client's one database, where the name that was given is not the running client's."""
        reply = self.get(DATABASES, timeout_s)
        names = database_names(reply.text) if reply.status == 200 else ()
        if len(names) != 1:
            wanted = self.target.database
            raise NotAccepted(
                "error", f"it has no database called {wanted}, so its {self.target.storage} could not be asked"
            )
        return names[0]

    # --- writing: each is one form, filled in and submitted

    def add_folder_form(self) -> Form:
        return self._form(f"{self.target.place}/manage_addProduct/OFSP/folderAdd", ("id", "title"))

    def add_document_form(self, folder: str) -> Form:
        """For a document in the folder at this path."""
        return self._form(f"{folder}/manage_addProduct/OFSP/documentAdd", ("id", "title"))

    def edit_document_form(self, document: str) -> Form:
        return self._form(f"{document}/manage_main", ("title", "data"))

    def submit(self, form: Form, values: Mapping[str, str], upload: str = "") -> Reply:
        """Fill the form in and send it; :exc:`NotAccepted` for every answer that says it was not done."""
        form.fill(values, upload)
        request = form.request()
        return self._send(request["method"], request["url"], request)

    def must_land_here(self) -> None:
        """:exc:`NotAccepted` where what is asked for this client's place is answered by another object.

        A virtual host mapping moves every request below some object of the application's, whose own id it then tells
        while its URL is that of the root.
        """
        told = self.form_page(f"{self.target.place}/getId")
        own_id = told.text.strip() if told.status == 200 else ""
        if not own_id:
            return
        path = self.form_page(f"{self.target.place}/absolute_url_path")
        shown = unquote(path.text.strip()) if path.status == 200 else ""
        if path.status == 200 and shown.rstrip("/").rpartition("/")[2] != own_id:
            where = self.target.place or "/"
            words = (
                f"a virtual host mapping leads requests for {where} to an object called {own_id}, not to {where} itself"
            )
            raise NotAccepted("mapped", words)

    def must_let_delete(self) -> None:
        """:exc:`NotAccepted` where this client does not let the user delete what is at its place.

        Who asks for nothing to be deleted is told that nothing was named, or that he may not; no listing is made.
        """
        path = f"{self.target.place}/manage_delObjects"
        reply = self.form_page(path, may_cut=True)
        if reply.status in (401, 403) or reply.location:
            raise NotAccepted(*refusal(self._line(0), reply, path, self.timeout_s))

    def delete(self, ids: Sequence[str], path: str | None = None) -> Reply:
        """Delete these objects at this client's place, or in the folder at ``path``, as the listing's form does.

        The listing itself is not asked for: a large one takes long, and each kind of folder has its own.
        """
        where = self.target.place if path is None else path
        data = [*self._hidden_fields(), *(("ids:list", one) for one in ids), (DELETE, "Delete")]
        return self._send("post", f"{where}/", {"data": data})

    def remove_by_page(self, page_path: str, count: int) -> Reply:
        """Let the test page remove its folder, which holds so many objects; :exc:`NotAccepted` where it does not."""
        reply = self._send("post", page_path, {"data": [*self._hidden_fields(), (answering_page.REMOVE, str(count))]})
        if answering_page.REMOVED not in reply.text:
            raise NotAccepted("not-saved", f"the test page {page_path} did not remove its folder")
        return reply

    def contents(self, folder: str) -> dict[str, str] | None:
        """By id: the titles of what is in a folder of ours; None where that could not be learnt."""
        try:
            reply = self.get(f"{folder}/{answering_page.NAME}")
            listed = answering_page.items(reply.text) if reply.status == 200 else None
            if listed is not None:
                return listed
            reply = self.get(f"{folder}/manage_main")
            if reply.status != 200:
                return None
            found: dict[str, str] = {}
            for one in _ticked(reply.text):
                title = self.get(f"{folder}/{quote(one)}/title_or_id")
                found[one] = html.unescape(title.text) if title.status == 200 else ""
        except HttpTrouble:
            return None
        return found

    def _hidden_fields(self) -> list[tuple[str, str]]:
        """What a browser would send along with any form of this client, such as Plone's token."""
        return [(name, value) for name, value in self.add_folder_form().hidden() if name not in ("id", "title")]

    def _form(self, path: str, fields: Sequence[str]) -> Form:
        reply = self.form_page(path)
        if reply.status != 200:
            raise NotAccepted(*refusal(self._line(0), reply, path, self.timeout_s))
        return self.form_of(reply, path, fields)

    def form_page(self, path: str, **options: Any) -> Reply:
        """The page with a form; that it was not had is why nothing was written: :exc:`NotAccepted`."""
        limit = self.patience()
        try:
            return self.noticed(self.get(path, limit, **options))
        except HttpTrouble as trouble:
            raise self.not_answered(trouble, f"asked for the form {path}", limit) from None

    def noticed(self, reply: Reply) -> Reply:
        """An answer that came late is an answer; how late is kept."""
        if reply.elapsed_s > self.timeout_s:
            self.late_s = max(self.late_s, reply.elapsed_s)
        return reply

    def not_answered(self, trouble: HttpTrouble, what: str, limit_s: float, *, sent: bool = False) -> NotAccepted:
        """Why nothing came of a request for which there were so many seconds."""
        ours = limit_s < self.timeout_s and trouble.kind in ("silent", "timeout", "too-slow")
        ours = ours or trouble.kind == "own-shortage"
        return NotAccepted("error", f"it {trouble.words} ({what})", sent=sent, ours=ours)

    def form_of(self, page: Reply, path: str, fields: Sequence[str]) -> Form:
        """The form with these fields on a page that was fetched; :exc:`NotAccepted` where there is none."""
        return Form.find(page.text, self._url(path), path, fields)

    def _send(self, method: str, url: str, request: Mapping[str, Any]) -> Reply:
        from zcheck.probes.http_session import path_of

        path = path_of(url)
        end = time.monotonic() + self.limit()
        pause_s = FIRST_CONFLICT_PAUSE_S
        while True:
            limit, begun = self.patience(), time.monotonic()
            try:
                response = self.session.request(
                    method, url, data=request.get("data"), files=request.get("files"), timeout=limit
                )
            except HttpTrouble as trouble:
                sent = not trouble.surely_not_sent
                raise self.not_answered(trouble, f"asked to write by {path}", limit, sent=sent) from None
            took_s = time.monotonic() - begun
            reply = Reply(response.status_code, dict(response.headers.lower_items()), response.content, took_s)
            self.noticed(reply)
            try:
                self._must_be_accepted(reply, path)
            except NotAccepted as refused:
                # Zope has tried several times, and each time somebody else was first, maybe: nothing was saved.
                if not refused.again or time.monotonic() + pause_s > end:
                    raise
                time.sleep(pause_s * (0.5 + random.random()))
                pause_s = min(2 * pause_s, LONGEST_CONFLICT_PAUSE_S)
                continue
            return reply

    def _must_be_accepted(self, reply: Reply, path: str) -> None:
        """Zope answers a form that was accepted by 200 or by a redirect to a page of the management interface."""
        if reply.status == 200 or (reply.location and "/manage" in reply.location.partition("?")[0]):
            return
        if reply.status >= 500:
            if "ReadOnly" in reply.text:
                raise NotAccepted("read-only", f"its storage is read-only ({reply.status} for {path})")
            if "ConflictError" in reply.text:
                words = f"every attempt to save met a conflict with other commits ({reply.status} for {path})"
                raise NotAccepted("conflict", words, again=True)
            words = (
                f"it answered {reply.status} to {path}; its log tells why (a read-only storage, or conflicts, do so)"
            )
            raise NotAccepted("error", words, again=reply.status == 500)
        raise NotAccepted(*refusal(self._line(0), reply, path, self.timeout_s))

    # --- connections

    @property
    def session(self) -> Any:
        """The session by which forms are sent, made when it is first used."""
        if self._session is None:
            from zcheck.probes.http_session import BoundedSession

            self._session = BoundedSession(
                self.target.client, self.addresses(), timeout_s=self.timeout_s, **self.credentials()
            )
        return self._session

    def credentials(self) -> dict[str, Any]:
        """By what the client knows the user, and whether its certificate has to be good."""
        return {"user": self._user, "password": self._password, "verify": self._verify}

    def addresses(self) -> tuple[str, ...]:
        """What the client's name means, looked up once."""
        if self._addresses is None:
            self._addresses = resolve(self.target.client.dialled.host, self._hosts, self.timeout_s)
        return self._addresses

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None
        for line in self._lines:
            line.close()
        if self._session is not None:
            self._session.close()

    def _url(self, path: str) -> str:
        return str(self.session.base) + path

    def _line(self, thread: int) -> Line:
        while len(self._lines) <= thread:
            self._lines.append(self._new_line(self.addresses()))
        return self._lines[thread]

    def _new_line(self, addresses: Sequence[str]) -> Line:
        return Line(self.target.client, addresses, **self.credentials())


def doors_of(
    targets: Sequence[HttpTarget],
    user: str,
    password: str,
    timeout_s: float,
    hosts: Mapping[str, Sequence[str]],
    verify: bool,
) -> list[Door]:
    """One door a client."""
    return [
        Door(target, user=user, password=password, timeout_s=timeout_s, hosts=hosts, verify=verify)
        for target in targets
    ]


def close(doors: Iterable[Door]) -> None:
    """Close the connections of all of them."""
    for door in doors:
        door.close()


def _ticked(listing: str) -> list[str]:
    """The ids that a listing of the management interface lets one tick."""
    import bs4

    boxes = bs4.BeautifulSoup(listing, "lxml").find_all("input", attrs={"type": "checkbox", "name": named("ids")})
    return [str(box.get("value")) for box in boxes if box.get("value")]


def _undo_query(first: int) -> str:
    last = first + UNDO_BATCH
    return f"?first_transaction:int={first}&last_transaction:int={last}&PrincipiaUndoBatchSize:int={UNDO_BATCH}"


def undoable(text: str) -> tuple[Undoable, ...]:
    """The transactions of an undo form, newest first."""
    found = []
    for piece in re.split(r"""name=["']transaction_info:list["']""", text)[1:]:
        value = re.search(r"""value=["'](\S*)""", piece)
        told = html.unescape(re.sub(r"<[^>]*>", " ", piece))
        found.append(Undoable(_tid(value[1]) if value else b"", " ".join(told.split())))
    return tuple(found)


def _tid(encoded: str) -> bytes:
    """The form packs the storage's own id once more, and that is the transaction's id in base 64 (App/Undo.py)."""
    try:
        tid = base64.b64decode(base64.b64decode(encoded))
    except (binascii.Error, ValueError):
        return b""
    return tid if len(tid) == 8 else b""
