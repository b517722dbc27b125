"""The HTTP level inside a Plone site: one page, edited through each client in turn and read through all.

What the root's documents prove of the database, this proves of the site: its catalog, its permissions and its add-ons
are in the way of every edit, and what an editor would do is what is done.  Nothing is written through a client that has
not shown the root's test folder before.  The page is private, as a new page is, and is removed at the end.

How the site is written to is found by looking: by its REST API where it has one, else by the forms that an editor fills
in.  The user is known by a token where the site gives one, else by name and password with each request, else by logging
in as an editor does.

Where blobs are kept a file goes the same way: uploaded through each client, downloaded through all.
"""

from __future__ import annotations

import base64
import json
import re
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote, unquote

import msgspec

from zcheck.consistency.http.client import WHOLE_LISTING_LIMIT, Door, HttpTarget
from zcheck.consistency.http.forms import NotAccepted
from zcheck.consistency.http.level import TIME_IS_OVER, Level, Stopped
from zcheck.consistency.http.names import FOLDER_PREFIX, folder_id, folder_title
from zcheck.facts import NotGathered
from zcheck.facts.history import History
from zcheck.probes.http import NO_HOSTS, refusal
from zcheck.probes.http_connection import HttpTrouble, Line, Reply

FIRST_PAUSE_S = 0.02
LONGEST_PAUSE_S = 0.25
JSON = "application/json"
TITLE = "form.widgets.IDublinCore.title"
NAME = "form.widgets.IShortName.id"
_SEE = "see it: give it the role Contributor there"
_ADD = "add anything to it: give it the role Contributor there"
_EDIT = "edit what it has added: give it the role Editor there"
_DELETE = "delete what it has added: give it the role Editor there"
_RIGHTS = {"POST": _ADD, "PATCH": _EDIT, "DELETE": _DELETE}


class SiteDoor(Door):
    """One client's way into the site: a page is added, edited, read and deleted."""

    def __init__(self, target: HttpTarget, site: str, *, user: str, password: str, **options: Any) -> None:
        super().__init__(target, user=user, password=password, **options)
        self.site = site
        self.has_rest = True
        self._accept = JSON
        self._token: str | None = None
        self._cookie: str | None = None
        self._knows_us = False

    def open(self) -> None:
        """Find out how the site is written to; :exc:`NotAccepted` and :exc:`HttpTrouble` where it cannot be."""
        reply = self.get(self.site)
        if reply.status == 404:
            raise NotAccepted("error", f"it has no site at {self.site}; correct 'site' in clients.ini")
        # A private site tells a user that it knows by another way, and nobody else.
        private = reply.status in (401, 403)
        self._must_be(reply, (200, 401, 403), self.site)
        told = _object(reply)
        self.has_rest = "@id" in told or (private and "Use REST API" not in str(told.get("message", "Use REST API")))
        if not (self.has_rest and self._has_token()):
            # An editor's pages are wanted, not a program's answers.
            self._go_on_by("*/*")
            if not self._is_known():
                self._cookie = self._log_in()
        self._go_on_by(JSON if self.has_rest else "*/*")
        self._knows_us = True
        if private:
            self._must_be(self.get(self.site), (200,), self.site)

    def _has_token(self) -> bool:
        """Whether the site gives one: not without that plug-in, and not to a user of the root."""
        body = json.dumps({"login": self._user, "password": self._password}).encode()
        reply = self._ask("POST", f"{self.site}/@login", body)
        token = _object(reply).get("token") if reply.status == 200 else None
        self._token = token if isinstance(token, str) else None
        return self._token is not None

    def _is_known(self) -> bool:
        """Whether name and password are enough: the site sends everybody else to its log-in form."""
        return "login" not in self.get(f"{self.site}/require_login").location.rpartition("/")[2]

    def _log_in(self) -> str:
        """The cookie by which the site knows who has filled in its log-in form."""
        path = f"{self.site}/login"
        form = self._form(path, ("__ac_name", "__ac_password"))
        form.fill({"__ac_name": self._user, "__ac_password": self._password})
        reply = self._submit(form, path, "buttons.login")
        given = re.search(r'\b__ac=("[^"]+"|[^;,\s]+)', reply.headers.get("set-cookie", ""))
        if given is None or "deleted" in given[1]:
            words = f"it does not know the user or the password is wrong; nor does the log-in form {path} take them"
            raise NotAccepted("wrong-password", words)
        return given[0]

    def title_of(self, path: str, timeout_s: float, thread: int = 0) -> str | None:
        """The title of the page, None where it is not there; :exc:`HttpTrouble` where there is no usable answer."""
        if self.has_rest:
            reply = self.get(path, timeout_s, thread=thread)
            found = str(_object(reply).get("title", "")) if reply.status == 200 else None
        else:
            reply = self.get(f"{path}/title_or_id", timeout_s, thread=thread)
            found = reply.text if reply.status == 200 else None
        if reply.status not in (200, 404):
            raise HttpTrouble("not-http", f"answered {reply.status} to {path}")
        return found

    def add(self, name: str, title: str) -> str:
        """The path at which the site has put the page: not always the one that was asked for."""
        from zcheck.probes.http_session import path_of

        if self.has_rest:
            reply = self._write("POST", self.site, (201,), {"@type": "Document", "id": name, "title": title})
            where = reply.headers.get("location", "")
        else:
            where = self._fill_in(f"{self.site}/++add++Document", {TITLE: title, NAME: name}, "form.buttons.save", _ADD)
        return path_of(where).removesuffix("/view") if where else f"{self.site}/{quote(name)}"

    def edit(self, path: str, title: str) -> None:
        if self.has_rest:
            self._write("PATCH", path, (200, 204), {"title": title})
        else:
            self._fill_in(f"{path}/edit", {TITLE: title}, "form.buttons.save", _EDIT)

    def remove(self, path: str) -> None:
        if self.has_rest:
            self._write("DELETE", path, (200, 204))
        else:
            self._fill_in(f"{path}/delete_confirmation", {}, "form.buttons.Delete", _DELETE)

    # --- the REST API

    def _write(
        self, method: str, path: str, accepted: Sequence[int], content: Mapping[str, Any] | None = None
    ) -> Reply:
        limit = self.limit()
        try:
            reply = self._ask(method, path, None if content is None else json.dumps(content).encode(), limit)
        except HttpTrouble as trouble:
            sent = not trouble.surely_not_sent
            raise self.not_answered(trouble, f"{method} {path}", limit, sent=sent) from None
        self._must_be(reply, accepted, path, _RIGHTS[method])
        return reply

    def _ask(self, method: str, path: str, body: bytes | None, limit_s: float | None = None) -> Reply:
        headers = {"Content-Type": "application/json"} if body is not None else {}
        return self._line(0).ask(method, path, timeout_s=limit_s or self.limit(), body=body, headers=headers)

    def _must_be(self, reply: Reply, accepted: Sequence[int], path: str, right: str = _SEE) -> None:
        """``right``: what the user lacks where the site refuses it, and what gives it that."""
        if reply.status in accepted:
            return
        sent_away = reply.location and "require_login" in reply.location
        if self._knows_us and (reply.status in (401, 403) or sent_away):
            raise NotAccepted("no-permission", f"the user may not {right} ({reply.status} for {path})")
        if reply.status in (401, 403):
            raise NotAccepted(*refusal(self._line(0), reply, path, self.timeout_s))
        if reply.location:
            raise NotAccepted(*refusal(self._line(0), reply, path, self.timeout_s))
        if "ReadOnly" in reply.text:
            raise NotAccepted("read-only", f"its storage is read-only ({reply.status} for {path})")
        why = str(_object(reply).get("type", ""))[:60]
        if why == "Unsupported":
            raise NotAccepted("no-blobs", f"its storage keeps no blobs ({reply.status} for {path})")
        raise NotAccepted("error", f"it answered {reply.status} to {path}" + (f": {why}" if why else ""))

    # --- the forms of an editor

    def _fill_in(self, path: str, values: Mapping[str, str], button: str, right: str) -> str:
        """Fetch the form, fill it in, press its button; where an editor is led to then: a page, and not the form."""
        from zcheck.probes.http_session import path_of

        page = self.form_page(path)
        self._must_be(page, (200,), path, right)
        form = self.form_of(page, path, tuple(values) or ("_authenticator",))
        form.fill(values)
        reply = self._submit(form, path, button)
        target = path_of(reply.location) if reply.location else ""
        if not target.startswith(self.site) or "confirm-action" in target or "require_login" in target:
            if reply.status == 200:
                raise NotAccepted("not-saved", f"its form {path} was not accepted")
            self._must_be(reply, (), path, right)
        return target

    def _submit(self, form: Any, path: str, button: str) -> Reply:
        """Press this button of a form, and no other."""
        request = form.request()
        data = [*(pair for pair in request["data"] if "buttons." not in pair[0]), (button, "1")]
        limit = self.limit()
        try:
            response = self.session.request(request["method"], request["url"], data=data, timeout=limit)
        except HttpTrouble as trouble:
            raise self.not_answered(trouble, path, limit, sent=not trouble.surely_not_sent) from None
        return Reply(response.status_code, dict(response.headers.lower_items()), response.content, 0.0)

    # --- connections

    def credentials(self) -> dict[str, Any]:
        known = super().credentials()
        return {"verify": known["verify"], "cookie": self._cookie} if self._cookie is not None else known

    def _new_line(self, addresses: Sequence[str]) -> Line:
        options = {**self.credentials(), "accept": self._accept, "token": self._token}
        return Line(self.target.client, addresses, **options)

    def _go_on_by(self, accept: str) -> None:
        """What follows goes over new connections, by what is known of the user by now."""
        self._accept = accept
        for line in self._lines:
            line.close()
        self._lines.clear()
        if self._session is not None:
            self._session.close()
            self._session = None


class FileDoor(SiteDoor):
    """The same for a file, whose content is what a page's title is there."""

    def title_of(self, path: str, timeout_s: float, thread: int = 0) -> str | None:
        """What is downloaded from it, None where it is not there; :exc:`HttpTrouble` for no usable answer."""
        reply = self.get(f"{path}/@@download/file", timeout_s, thread=thread)
        if reply.status not in (200, 404):
            raise HttpTrouble("not-http", f"answered {reply.status} to {path}/@@download/file")
        return reply.text if reply.status == 200 else None

    def add(self, name: str, title: str) -> str:
        from zcheck.probes.http_session import path_of

        content = {"@type": "File", "id": name, "title": title, "file": _upload(title)}
        where = self._write("POST", self.site, (201,), content).headers.get("location", "")
        return path_of(where) if where else f"{self.site}/{quote(name)}"

    def edit(self, path: str, title: str) -> None:
        self._write("PATCH", path, (200, 204), {"file": _upload(title)})


def _upload(text: str) -> dict[str, str]:
    data = base64.b64encode(text.encode()).decode("ascii")
    return {"data": data, "encoding": "base64", "filename": "zcheck.txt", "content-type": "text/plain"}


def _object(reply: Reply) -> dict[str, Any]:
    """The JSON object of an answer; empty where it is none."""
    try:
        found = msgspec.json.decode(reply.body)
    except (msgspec.DecodeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def run(
    targets: Sequence[HttpTarget],
    site: str,
    *,
    user: str,
    password: str,
    run_id: str,
    before_write: Callable[[str], str | None],
    timeout_s: float,
    deadline: Callable[[], float],
    progress: Callable[[str, str], None] = lambda client, what: None,
    hosts: Mapping[str, Sequence[str]] = NO_HOSTS,
    clean_up_s: float = 10.0,
    verify: bool = True,
    files: bool = False,
) -> History:
    """The page of one run; ``targets`` are clients that were shown to be on one database in this run.

    ``before_write`` and ``deadline`` are as those of the root's level (:func:`zcheck.consistency.http.folder.run`).
    ``files``: a file instead of the page.
    """
    options: dict[str, Any] = {"timeout_s": timeout_s, "hosts": hosts, "verify": verify}
    door, level_of = (FileDoor, _FileLevel) if files else (SiteDoor, _PageLevel)
    level = level_of(
        [door(target, site, user=user, password=password, **options) for target in targets],
        site,
        run_id=run_id,
        before_write=before_write,
        timeout_s=timeout_s,
        left=deadline,
        progress=progress,
    )
    level.work_and_clean_up(level.work, clean_up_s)
    return level.history()


def leftovers(
    targets: Sequence[HttpTarget],
    site: str,
    *,
    user: str,
    password: str,
    timeout_s: float,
    hosts: Mapping[str, Sequence[str]] = NO_HOSTS,
) -> dict[str, tuple[str, ...] | NotGathered]:
    """By client, the paths of the pages that earlier runs left in the site, by their names and titles; reads only."""

    def look(target: HttpTarget) -> tuple[str, ...] | NotGathered:
        door = Door(target, user=user, password=password, timeout_s=timeout_s, hosts=hosts)
        try:
            listing = door.get(f"{site}/manage_main", max_body=WHOLE_LISTING_LIMIT)
            if listing.status != 200:
                return NotGathered(f"{target.name} answered {listing.status} to {site}/manage_main")
            named = dict.fromkeys(re.findall(rf"""value=["']({FOLDER_PREFIX}[^"'<>\s]+)["']""", listing.text))
            return tuple(f"{site}/{name}" for name in named if _is_ours(door, site, name))
        except HttpTrouble as trouble:
            return NotGathered(f"{target.name} {trouble.words}")
        finally:
            door.close()

    return {target.name: look(target) for target in targets}


def _is_ours(door: Door, site: str, name: str) -> bool:
    """A page of ours says so in its title, before and after it was edited."""
    reply = door.get(f"{site}/{quote(unquote(name))}/title_or_id")
    run_id = re.escape(re.sub(r"-\d+$", "", unquote(name).removeprefix(FOLDER_PREFIX)))
    return reply.status == 200 and bool(re.search(rf"zcheck ([0-9a-f]{{32}} )?run {run_id}\b", reply.text))


def remove_leftovers(
    targets: Sequence[HttpTarget],
    site: str,
    found: Mapping[str, tuple[str, ...] | NotGathered],
    *,
    user: str,
    password: str,
    timeout_s: float,
    before_write: Callable[[str], str | None] = lambda client: None,
    hosts: Mapping[str, Sequence[str]] = NO_HOSTS,
) -> None:
    """Delete what was found, each page through the first client that shows it and may be written to."""
    for target in targets:
        pages = found.get(target.name, ())
        if not target.may_write or isinstance(pages, NotGathered) or not pages:
            continue
        door = SiteDoor(target, site, user=user, password=password, timeout_s=timeout_s, hosts=hosts)
        try:
            # Its server has to answer it in this very run before it is written to.
            door.transactions(timeout_s)
            door.open()
            for path in pages:
                if door.title_of(path, timeout_s) is not None and before_write(target.name) is None:
                    door.remove(path)
        except (HttpTrouble, NotAccepted):
            # What is still there is told by the look that follows, whatever the reason.
            continue
        finally:
            door.close()


class _PageLevel(Level[SiteDoor]):
    """One run; :meth:`work` and then, in any case, :meth:`clean_up`."""

    kind = ""

    def __init__(self, doors: Sequence[SiteDoor], site: str, **options: Any) -> None:
        super().__init__(doors, **options)
        self.site = site
        self.name = folder_id(self.run_id + self.kind)
        self.path = f"{site}/{quote(self.name)}"
        self.title = folder_title(self.run_id + self.kind)

    def history(self) -> History:
        return self.told(self.site, rounds=1)

    def work(self) -> None:
        """Add the page, wait for it on every client, edit it through each and read it through all."""
        opened = self.side_by_side(self._open, list(self.doors))
        able = [name for name, ok in opened.items() if ok]
        writers = [name for name in able if self.doors[name].target.may_write]
        self._add(writers)
        self.side_by_side(self._join, [name for name in able if name != self.creator])
        joined = [name for name in able if self.states[name].joined]
        for name in [name for name in writers if name in joined and not self.states[name].refused]:
            self._edit_and_read(name, joined)

    def _open(self, name: str) -> bool:
        try:
            self.doors[name].open()
        except NotAccepted as refused:
            own = {"detail": TIME_IS_OVER} if refused.ours else {"refused": refused.kind, "detail": refused.words}
            self.note(name, **own)
            return False
        except HttpTrouble as trouble:
            self.note(name, detail=f"it {trouble.words}")
            return False
        return True

    def _add(self, writers: Sequence[str]) -> None:
        for name in writers:
            self.progress(name, f"adds a page to {self.site}")
            door = self.doors[name]
            begun = time.monotonic_ns()
            try:
                self.may_write(name)
                self.may_exist = True
                self.path = door.add(self.name, self.title)
                if not self._shows(name, self.title):
                    raise NotAccepted("not-saved", "it answered as if the page had been added, and does not show it")
            except NotAccepted as refused:
                self.refused(name, "add", 1, begun, refused, {})
                if refused.kind == "not-saved":
                    # It may have been saved all the same: a second one would only be another page to remove.
                    break
                continue
            self.commits += 1
            self.creator = name
            self.note(name, joined=True, refused="", detail="")
            self.record(name, "prove", 1, begun, "ok")
            return
        told = [f"{name}: {state.detail}" for name, state in self.states.items() if state.detail]
        raise Stopped("; ".join([f"no page could be added to {self.site}", *told]))

    def _join(self, name: str) -> None:
        begun = time.monotonic_ns()
        if self._shows(name, self.title):
            self.note(name, joined=True)
            self.record(name, "prove", 1, begun, "ok")
        elif self.left() > 0:
            self.note(name, joined=False, detail=f"{self.path} was not there after {self.timeout_s:g} s")
            self.record(name, "prove", 1, begun, "fail")

    def _edit_and_read(self, writer: str, readers: Sequence[str]) -> None:
        nonce = secrets.token_hex(16)
        title = f"zcheck {nonce} run {self.run_id}, which removes it itself; may be deleted"
        self.progress(writer, f"edits a page of {self.site}")
        begun = time.monotonic_ns()
        try:
            self.may_write(writer)
            begun = time.monotonic_ns()
            self.doors[writer].edit(self.path, title)
            acknowledged = time.monotonic_ns()
            if not self._shows(writer, title):
                raise NotAccepted("not-saved", "it answered as if the page had been saved, and does not show it")
        except NotAccepted as refused:
            self.refused(writer, "write", 1, begun, refused, {writer: nonce})
            return
        self.commits += 1
        self.record(writer, "write", 1, begun, "ok", end=acknowledged, writes={writer: nonce})
        self.side_by_side(lambda name: self._read(name, writer, nonce), [n for n in readers if n != writer])

    def _read(self, name: str, writer: str, nonce: str) -> None:
        """By all the client's threads at once, until each shows it or the time is over."""
        door = self.doors[name]
        end = time.monotonic() + self.timeout_s
        pause = FIRST_PAUSE_S
        threads = range(max(1, door.target.threads))
        with ThreadPoolExecutor(len(threads)) as pool:
            while True:
                shown = list(pool.map(lambda thread: self._look(name, writer, nonce, thread), threads))
                if all(shown) or time.monotonic() > end or self.left() <= 0:
                    return
                time.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE_S)

    def _look(self, name: str, writer: str, nonce: str, thread: int) -> bool:
        begun = time.monotonic_ns()
        try:
            title = self.doors[name].title_of(self.path, self.limit(), thread)
        except HttpTrouble as trouble:
            self.record(name, "read", 1, begun, "fail", error=f"it {trouble.words}")
            return False
        shown = title is not None and nonce in title
        self.record(name, "read", 1, begun, "ok", reads={writer: nonce if shown else None})
        return shown

    def _shows(self, name: str, title: str) -> bool:
        """Poll until the client shows the page with this title."""
        end = time.monotonic() + self.timeout_s
        pause = FIRST_PAUSE_S
        while True:
            try:
                if title in (self.doors[name].title_of(self.path, self.limit()) or ""):
                    return True
            except HttpTrouble as trouble:
                self.note(name, detail=f"it {trouble.words}")
            if time.monotonic() > end or self.left() <= 0:
                return False
            time.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_S)

    # --- removal

    def clean_up(self, within_s: float) -> None:
        """Remove the page and see it gone on every client; what is left is told."""
        if not self.may_exist:
            return
        end = time.monotonic() + within_s
        self.left = lambda: end - time.monotonic()
        why = self._remove()
        gone = self.side_by_side(self._is_gone, list(self.doors))
        showing = sorted(name for name, is_gone in gone.items() if is_gone is False)
        if showing:
            self.remains.append(f"{self.path} is still shown by {', '.join(showing)}" + (f" ({why})" if why else ""))
        elif why and not any(gone.values()):
            self.remains.append(f"{self.path} may be there: {why}")

    def _remove(self) -> str:
        """Through the first client that shows it; else why not."""
        why = "no client shows it"
        for name in sorted(self.doors, key=lambda name: name != self.creator):
            door = self.doors[name]
            try:
                if not door.target.may_write or door.title_of(self.path, self.limit()) is None:
                    continue
                self.may_write(name)
                self.progress(name, f"removes a page of {self.site}")
                begun = time.monotonic_ns()
                door.remove(self.path)
            except (NotAccepted, HttpTrouble, Stopped) as error:
                why = f"{name}: {error}"
                continue
            self.commits += 1
            self.record(name, "remove", 1, begun, "ok")
            return ""
        return why

    def _is_gone(self, name: str) -> bool | None:
        """None where the client gives no usable answer."""
        while True:
            try:
                if self.doors[name].title_of(self.path, self.limit()) is None:
                    return True
            except HttpTrouble:
                return None
            if self.left() <= 0:
                return False
            time.sleep(LONGEST_PAUSE_S / 5)


class _FileLevel(_PageLevel):
    """The same with a file, where the site can be given one by its REST API."""

    kind = "-file"

    def __init__(self, doors: Sequence[SiteDoor], site: str, **options: Any) -> None:
        super().__init__(doors, site, **options)
        self.nothing = ""

    def history(self) -> History:
        return self.told(self.site, rounds=1, blobs=True, nothing=self.nothing)

    def _add(self, writers: Sequence[str]) -> None:
        if not all(self.doors[name].has_rest for name in writers):
            self.nothing = "without its REST API no file is uploaded"
            raise Stopped(self.nothing)
        super()._add(writers)
