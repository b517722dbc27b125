"""The HTTP level: write through one running client, read through all, remove it, and prove it gone.

Only this level meets what a running client has: a dead stream of invalidations, stale caches, a database other than
the one its zope.conf names today.  No client is asked to write before its ZEO server has answered it in this run:
through a half-open client one POST would leave the server's commit lock held, and every other client hanging.  So the
creator of the folder proves itself by one page that its server must answer, and every other client by showing the
folder that was made through the first.
"""

from __future__ import annotations

import itertools
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any
from urllib.parse import unquote

import msgspec

from zcheck.consistency.http import answering_page
from zcheck.consistency.http.client import UNDO_BATCH, Door, HttpTarget, Undoable, Workspace, doors_of
from zcheck.consistency.http.forms import NotAccepted
from zcheck.consistency.http.level import FOR_A_WRITE_S, INTERRUPTED, PATIENCE, TIME_IS_OVER, Level, Stopped
from zcheck.consistency.http.names import document_title, folder_id, folder_title, nonces, run_of
from zcheck.consistency.http.removal import by_id, by_title, remove_folder
from zcheck.consistency.judge.windows import Windows, slowest
from zcheck.consistency.recording.writer import Tape
from zcheck.consistency.storage.protocol import Versions
from zcheck.facts import Process
from zcheck.facts.history import Action, History, Operation, Version
from zcheck.facts.pairs import pairs
from zcheck.facts.processes import named
from zcheck.probes.http import NO_HOSTS
from zcheck.probes.http_connection import HttpTrouble, Reply, seconds

ASK_AFTER_S = 1.5
"""A folder not seen for so long is no lag of milliseconds: the client's ZEO server is asked whether it has it."""
LOOK_S = 1.0
"""How long a client is waited for right after another one's write; one that takes longer is not looked at so again."""
SILENT_S = 1.5
"""How long a client that had joined, and gives no usable answer any more, is asked whether the folder is gone."""
READ_BACK_S = 2.0
"""How long a client may take to show what was written through itself; the answer's own process knows it at once."""
ONE_BY_ONE = 8
"""Documents up to which each is read by itself; beyond, one listing of the folder shows them all."""
UNANSWERED_S = 3.0
"""How long a folder whose adding was not acknowledged is looked for."""
FIRST_PAUSE_S = 0.01
LONGEST_PAUSE_S = 0.25
CLEAN_UP_S = 10.0
PACKED = "the storage was packed meanwhile: its log is not whole"


def run(
    targets: Sequence[HttpTarget],
    *,
    user: str,
    password: str,
    run_id: str,
    before_write: Callable[[str], str | None],
    expect_transaction: Mapping[str, str],
    timeout_s: float,
    deadline: Callable[[], float],
    progress: Callable[[str, str], None] = lambda client, what: None,
    hosts: Mapping[str, Sequence[str]] = NO_HOSTS,
    must_show: bool = False,
    clean_up_s: float = CLEAN_UP_S,
    rounds: int = 2,
    verify: bool = True,
    go_on_s: float | None = None,
    log: Callable[[str, tuple[str, ...]], Versions] | None = None,
    tape: Tape | None = None,
    window_s: float | None = None,
    tell: Callable[[str], None] = lambda so_far: None,
) -> History:
    """Write through every client that may be written to and read through all of them.

    ``before_write`` is called with a client's name right before each write; what it returns, if not None, is why
    nothing more is written.  ``expect_transaction`` gives, by client, a text in the description of a transaction that
    the ZEO server of its zope.conf has just committed: a client whose own server does not list it is not the one to
    start with while there is another, and never with ``must_show``.  ``deadline`` gives the seconds that are left for
    the work; removing the folder takes up to ``clean_up_s`` more, whatever happens.  With ``go_on_s`` further rounds
    follow the first ones until that many seconds are over, and Ctrl-C ends the work and not this function.

    ``log`` reads what the storage's own log has of the documents after a transaction: by it the history can be judged
    exactly.  ``tape``: where all is written while it happens.  With ``window_s`` what was done is judged and dropped
    after each so many seconds, and ``tell`` is called with the verdict so far.
    """
    until = None if go_on_s is None else time.monotonic() + go_on_s
    level = _FolderLevel(
        doors_of(targets, user, password, timeout_s, hosts, verify),
        run_id=run_id,
        before_write=before_write,
        timeout_s=timeout_s,
        left=deadline,
        progress=progress,
        rounds=rounds,
        recording=_Recording(log, tape, window_s, tell),
    )
    work = partial(level.work, expect_transaction, must_show, until)
    level.work_and_clean_up(work, clean_up_s, ends_well=go_on_s is not None)
    return level.recorded()


def _pages(answers: list[Reply] | HttpTrouble) -> tuple[list[str], str]:
    """The pages that were answered, and why they tell nothing; 404 says that there is none, and is an answer."""
    if isinstance(answers, HttpTrouble):
        return [], f"it {answers.words}"
    odd = [reply.status for reply in answers if reply.status not in (200, 404)]
    return [reply.text for reply in answers if reply.status == 200], f"it answered {odd[0]}" if odd else ""


def _mentions(text: str, listed: Sequence[Undoable]) -> bool:
    return any(text in transaction.text for transaction in listed) if text else True


def _without_what_is_missing(look: Operation, expected: Mapping[str, str]) -> Operation:
    """The same look, saying nothing of what was not there yet."""
    there = {marker: nonce for marker, nonce in look.reads.items() if nonce == expected.get(marker)}
    return msgspec.structs.replace(look, reads=there)


class _Everyone:
    """Of the processes behind one address: who has shown what was to be shown, and who said that it is not there."""

    def __init__(self) -> None:
        self._shown: list[Process] = []
        self._missed: list[Process] = []

    def shown(self, answered: str) -> None:
        process = named(answered)
        if process is not None:
            self._shown.append(process)

    def missed(self, process: Process) -> None:
        self._missed.append(process)

    def all_of(self, known: Sequence[Process]) -> bool:
        """Whether each of these has shown it."""
        return all(any(one.may_be(process) for one in self._shown) for process in known)

    def apart(self) -> bool:
        """Whether a process says that it is not there, and never showed it."""
        return any(not any(one.may_be(process) for one in self._shown) for process in self._missed)


class _Recording(msgspec.Struct):
    """How a history is kept and judged while it is made."""

    log: Callable[[str, tuple[str, ...]], Versions] | None = None
    tape: Tape | None = None
    window_s: float | None = None
    tell: Callable[[str], None] = lambda so_far: None
    packed: bool = False
    """The storage may have been packed since the run began."""


class _FolderLevel(Level[Door]):
    """One folder and its documents; :meth:`work` and then, in any case, :meth:`clean_up`."""

    def __init__(self, doors: Sequence[Door], *, rounds: int, recording: _Recording, **options: Any) -> None:
        super().__init__(doors, **options)
        self.recording = recording
        self.stored: dict[str, bool] = {}
        """By client: whether the storage that its file names has what was saved through it."""
        self.windows = Windows()
        self.kept: list[Operation] = []
        """What is not dropped once it was judged: the first rounds, and whatever was slowest."""
        self.began_s = self.window_began_s = time.monotonic()
        self.under_way: Operation | None = None
        """The write that was sent, or is about to be, and of which nothing was recorded yet."""
        self.numbers = {door.name: number for number, door in enumerate(doors, 1)}
        self.place = doors[0].target.place if doors else ""
        self.folder = folder_id(self.run_id)
        self.path = f"{self.place}/{self.folder}"
        self.page_path = f"{self.path}/{answering_page.NAME}"
        self.has_page = False
        """The test page is there and can be read."""
        self.title = folder_title(self.run_id, self.place)
        self.rounds = rounds
        self.nothing = ""
        """Why there is nothing to be written to at this place."""
        self.unanswered = ""
        self._asked: dict[str, tuple[Undoable, ...] | None] = {}
        self._lacking: list[str] = []
        self._declined: set[str] = set()
        self._slow: set[str] = set()
        self._pageless: set[str] = set()
        self._not_found = ""
        """Why it is not known what became of a folder that was added."""
        self._foreign: tuple[str, ...] = ()
        """What others have put into the folder."""
        self._name = self.folder
        """What the folder is called where it was put: an application may give it another name."""
        self._long = False
        self._containers: tuple[str, ...] = ()
        self._counted = 0
        """Transactions of this run that the storage's log has, and the bytes of their records."""
        self._bytes = 0
        self._counted_until = ""

    def history(self) -> History:
        database = next((door.target.database for door in self.doors.values()), "main")
        return self.told(database, place=self.place, rounds=self.rounds, nothing=self.nothing)

    # --- what is kept of it

    def recorded(self) -> History:
        """The history, with the storage's own log of the documents, by which it can be judged exactly."""
        self._settle_what_is_under_way()
        history = self.history()
        log, why_not = self._new_versions()
        history = msgspec.structs.replace(
            history,
            log=log,
            why_no_log=why_not,
            stored=self.stored,
            packed=self.recording.packed,
            # What was not answered may have been saved all the same: then the log has more than was acknowledged.
            transactions=max(self.commits, self._counted),
            bytes=self._bytes,
            uncounted=max(0, self.commits - self._counted),
        )
        if self.recording.tape is not None:
            self.recording.tape.catch_up(self.operations)
            self.recording.tape.log(log or {})
            self.recording.tape.end(history)
        if not self.windows.parts:
            return history
        if log is not None:
            self._take(history)
        rest = (op for op in history.operations if not op.reads and not op.writes)
        return self.windows.history(history, (*self.kept, *rest))

    def _settle_what_is_under_way(self) -> None:
        """A write that Ctrl-C has interrupted was sent or not, and was saved or not: the storage's log knows."""
        one, self.under_way = self.under_way, None
        if one is not None and not any(op.writes == one.writes for op in self.operations):
            ended = msgspec.structs.replace(one, return_ns=time.monotonic_ns(), error=INTERRUPTED)
            self.operations.append(ended)

    def _new_versions(self) -> tuple[dict[str, tuple[Version, ...]] | None, str]:
        """What was written since the last time, by the log; or why that cannot be told."""
        if self.recording.log is None:
            return None, "no ZEO connection of zcheck's reaches the storage"
        after = self.windows.past.until if self.windows.parts else ""
        found = self.recording.log(after, self._containers)
        if found.error:
            return None, found.error
        self._count(found)
        self._take_what_is_stored(found)
        if found.packed:
            self.recording.packed = True
            return None, PACKED
        if not found.found and not after and any(op.writes and op.outcome == "ok" for op in self.operations):
            return None, "the storage that zcheck reaches has nothing of what was saved through the clients"
        by_name = {name: found.found.get(number, ()) for name, number in self.numbers.items()}
        return {name: tuple(Version(*version) for version in versions) for name, versions in by_name.items()}, ""

    def _count(self, found: Versions) -> None:
        """What the run has written by now, by the log: each transaction once."""
        self._containers = found.containers
        new = {tid: size for tid, size in found.written.items() if tid > self._counted_until}
        self._counted += len(new)
        self._bytes += sum(new.values())
        self._counted_until = max(new, default=self._counted_until)

    def _take_what_is_stored(self, found: Versions) -> None:
        """Which clients' writes are where their files say; that they are not there is nothing after a pack."""
        saved = {name for op in self.operations if op.outcome == "ok" for name in op.writes}
        for name in saved & found.by_client.keys() & self.numbers.keys():
            has = self.numbers[name] in found.by_client[name] or self.stored.get(name, False)
            if has or not found.packed:
                self.stored[name] = has

    def _round_is_over(self, number: int) -> None:
        if self.recording.tape is not None:
            self.recording.tape.catch_up(self.operations)
        window_s = self.recording.window_s
        if window_s is not None and number >= self.rounds and time.monotonic() > self.window_began_s + window_s:
            self._judge_window()

    def _judge_window(self) -> None:
        """Judge what was done since the last time, tell the verdict so far, and drop what binds nothing any more."""
        log, why_not = self._new_versions()
        if log is None:
            raise Stopped(why_not)
        part = msgspec.structs.replace(self.history(), log=log)
        if self.recording.tape is not None:
            self.recording.tape.log(log)
            self.recording.tape.forget(len(self.operations))
        all_seen = self._take(part)
        self.operations = []
        verdict = self.windows.verdict()
        self.recording.tell(verdict.so_far(time.monotonic() - self.began_s, self.commits))
        self.window_began_s = time.monotonic()
        if not all_seen:
            raise Stopped("not every client showed what was saved")

    def _take(self, part: History) -> bool:
        """Judge a part, and keep of it what tells most; whether every client showed all that was saved."""
        names = [name for name, state in self.states.items() if state.joined]
        all_seen = all(pair.seen is not False for pair in pairs(part, names, names))
        # What did not arrive is told by all that was done around it.
        self.kept += part.operations if not self.windows.parts or not all_seen else slowest(part)
        self.windows.take(part)
        return all_seen

    def work(self, expect_transaction: Mapping[str, str], must_show: bool, until: float | None = None) -> None:
        """The whole level but the removal; raises :exc:`Stopped` where it ends early."""
        self._long = until is not None
        if self.place:
            self._must_be_there()
        self._make_folder(self._creators(expect_transaction, must_show))
        creator = self.creator or ""
        if self.doors[creator].shared:
            # The folder was made by one of its processes: the others are still to show it.
            self.note(creator, joined=None)
        others = [name for name, state in self.states.items() if state.joined is None and not state.hung]
        self.side_by_side(self._join, others)
        writers = [name for name in self.doors if self._takes_writes(name)]
        writers.sort(key=lambda name: name != self.creator)
        shown: dict[str, str] = {}
        for number in itertools.count(1):
            if number > self.rounds and (until is None or time.monotonic() > until):
                break
            written = self._write_round(number, writers)
            shown.update(written)
            self._read_round(number, shown)
            self._round_is_over(number)
            writers = [name for name in writers if name in written]

    # --- where a database is mounted

    def _must_be_there(self) -> None:
        """At least one client shows a folder where the database is mounted.

        Where a mount failed, or zope.conf lacks it, the mount object itself is there: what would be added to that goes
        into the root, by Zope's acquisition.  Such a client is not written to.
        """
        found = self.side_by_side(self._look_at_the_place, list(self.doors))
        for name, there in found.items():
            if there in ("nothing", "other"):
                self.note(name, joined=False, detail=_WHAT_IS_THERE[there].format(self.place))
        if "folder" not in found.values():
            if set(found.values()) == {"nothing"}:
                self.nothing = f"nothing is at {self.place} on any client: the tree has no mount object there"
                raise Stopped(self.nothing)
            raise Stopped(self._why_no_folder())

    def _look_at_the_place(self, name: str) -> Workspace | None:
        try:
            return self.doors[name].workspace(self.limit())
        except HttpTrouble as trouble:
            self.note(name, detail=f"it {trouble.words}")
        except NotAccepted as refused:
            self.note(name, refused=refused.kind, detail=refused.words)
        return None

    def _must_be_in_this_database(self, name: str) -> None:
        """The server of this very database lists that the folder was added: what is at the path is the mounted one."""
        door = self.doors[name]
        newest = max((transaction.tid for transaction in self._asked[name] or ()), default=b"")
        try:
            listed = door.transactions(self.limit())
        except (HttpTrouble, NotAccepted) as error:
            raise Stopped(f"whether {self.place} is in database {door.target.database} was not told: {error}") from None
        # The description of Zope's transaction is the container's path and the method.
        added = f"{unquote(self.place)}/manage_add"
        if not any(found.tid > newest and added in found.text for found in listed):
            self.nothing = (
                f"what is at {self.place} is not in database {door.target.database}, which is not in the tree"
            )
            raise Stopped(self.nothing)

    # --- a. who makes the folder

    def _creators(self, expect_transaction: Mapping[str, str], must_show: bool) -> Iterator[str]:
        """The clients whose ZEO server has answered them, the best first.

        They are asked one after the other, and no further one once there is one to start with: on a half-open client
        the question costs one of its threads.
        """
        for name, door in sorted(self.doors.items(), key=lambda item: item[1].shared):
            target = door.target
            if not (target.may_write and target.may_start and target.may_ask) or self.states[name].joined is False:
                continue
            self.must_go_on()
            expected = expect_transaction.get(name, "")
            listed = self._ask_server(name, partial(_mentions, expected))
            if listed is None:
                continue
            if _mentions(expected, listed):
                yield name
                continue
            self.note(name, detail=f"its {door.target.storage} does not list the transaction '{expected}' of this run")
            self._lacking.append(name)
        if not must_show:
            yield from self._lacking

    def _ask_server(self, name: str, enough: Callable[[Sequence[Undoable]], bool]) -> tuple[Undoable, ...] | None:
        """The newest transactions of this client's ZEO server; None where it did not tell.  Once a run and client."""
        if name not in self._asked:
            self._asked[name] = None
            self.progress(name, f"asks its {self.doors[name].target.storage}")
            begun = time.monotonic_ns()
            limit = self.limit()
            try:
                for _ in range(max(1, len(self.doors[name].known))):
                    # Where several processes answer, each is asked by chance as often as there are processes.
                    self._asked[name] = self.doors[name].transactions(limit, enough)
                self.record(name, "prove", 0, begun, "ok")
            except HttpTrouble as trouble:
                # It hangs if it had the whole time; that our own deadline came first tells nothing of it.
                hung = trouble.kind in ("silent", "too-slow") and limit >= self.timeout_s
                words = self._words(name, trouble, hung=hung)
                self.note(name, hung=hung, detail=words)
                self.record(name, "prove", 0, begun, "fail", error=words)
            except NotAccepted as refused:
                self.note(name, refused=refused.kind, detail=refused.words)
                self.record(name, "prove", 0, begun, "fail", error=refused.words)
        return self._asked[name]

    def _words(self, name: str, trouble: HttpTrouble, *, hung: bool) -> str:
        asked = f" when it had to ask its {self.doors[name].target.storage}" if hung else ""
        return f"it {trouble.words}{asked}"

    # --- b. the folder

    def _make_folder(self, creators: Iterable[str]) -> None:
        for name in creators:
            with self.doors[name].on_one_connection():
                if self._make_it_through(name):
                    return
        raise Stopped(self._why_no_folder())

    def _make_it_through(self, name: str) -> bool:
        """Whether the folder was made through this client, with the test page in it."""
        door = self.doors[name]
        self.progress(name, "adds the test folder")
        begun = time.monotonic_ns()
        try:
            door.must_land_here()
            form = door.add_folder_form()
            # What could not be removed again is not made.
            door.must_let_delete()
            self.may_write(name)
            begun = time.monotonic_ns()
            self.may_exist = True
            # A signal may end the wait for its answer, and not the client's work.
            self.unanswered = f"{name}: zcheck was interrupted while the folder was being added"
            door.submit(form, {"id": self.folder, "title": self.title})
            self.unanswered = ""
            if not self._reads_back(door, self.path, self.title):
                raise self._why_not_shown(door)
        except NotAccepted as refused:
            self.unanswered = self._not_found
            self._declined.add(name)
            if refused.kind == "changed":
                # Every client runs the same application, and each would only add to what has to be removed.
                self.refused(name, "add", 0, begun, refused)
                raise Stopped(f"{name}: {refused.words}, so nothing can be proven by it") from None
            self.refused(name, "add", 0, begun, refused)
            return False
        self.commits += 1
        self.creator = name
        self.note(name, joined=True, refused="")
        self.record(name, "add", 0, begun, "ok")
        if self.place:
            self._must_be_in_this_database(name)
        self._add_the_test_page(name, door)
        return True

    def _why_not_shown(self, door: Door) -> NotAccepted:
        """What became of a folder that was added and is not shown as it was made; where it is, it is removed later."""
        if self._is_at(door, self.path):
            return NotAccepted("changed", "an application changes the title of what is added")
        try:
            found = [name for name in door.folders() if run_of(name) == self.run_id]
        except (HttpTrouble, NotAccepted):
            found = []
            self._not_found = f"{door.name} does not show it, and its listing was not had"
        if found:
            self._name = found[0]
            return NotAccepted("changed", f"an application has renamed what was added to {found[0]}")
        return NotAccepted("not-saved", "it answered as if the folder had been added, and does not show it")

    def _add_the_test_page(self, name: str, door: Door) -> None:
        """The page that says which process and connection served it; without it a client is asked without that."""
        begun = time.monotonic_ns()
        try:
            form = door.add_document_form(self.path)
            self.may_write(name)
            begun = time.monotonic_ns()
            values = {"id": answering_page.NAME, "title": answering_page.title(self.run_id)}
            door.submit(form, values, upload=answering_page.source(self.run_id))
        except NotAccepted as refused:
            if refused.sent or refused.ours:
                self.refused(name, "add", 0, begun, refused)
            return
        self.commits += 1
        self.record(name, "add", 0, begun, "ok")
        try:
            shown = door.get(self.page_path, self.limit())
        except HttpTrouble:
            return
        self.has_page = shown.status == 200 and answering_page.title(self.run_id) in shown.text

    def _why_no_folder(self) -> str:
        told = [f"{name}: {state.detail}" for name, state in self.states.items() if state.detail]
        return "; ".join(["the test folder could not be made through any client", *told])

    def _reads_back(self, door: Door, path: str, title: str) -> bool:
        """Whether the client shows its own write; at once where all is well."""
        begun = time.monotonic()
        pause = FIRST_PAUSE_S
        answered = False
        while True:
            there = door.shows_title(path, title, self.patience())
            if there:
                return True
            answered = answered or there is False
            waited = time.monotonic() - begun
            if self.left() <= 0:
                # Our own time is over, and that tells nothing of the client.
                raise Stopped(TIME_IS_OVER)
            if waited > max(READ_BACK_S, self.timeout_s) and (answered or waited > PATIENCE * self.timeout_s):
                return False
            time.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_S)

    # --- c. who else is in the same database

    def _join(self, name: str) -> None:
        """Wait for the folder on this client; what does not show it is not written to."""
        door = self.doors[name]
        begun = time.monotonic_ns()
        started = time.monotonic()
        pause = FIRST_PAUSE_S
        asked = not door.target.may_ask
        told_before = self.states[name].detail
        answered = False
        everyone = _Everyone()
        while True:
            seen = self._every_process_shows_the_folder(door, everyone)
            if seen:
                self.note(name, joined=True, detail=told_before)
                self.record(name, "prove", 0, begun, "ok")
                return
            answered = answered or seen is False
            waited = time.monotonic() - started
            if answered and waited > ASK_AFTER_S and not asked and not door.shared:
                asked = True
                if self._explains(name):
                    break
            if waited > self.timeout_s or self.left() <= 0:
                break
            time.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_S)
        if not answered:
            self.note(name, detail=f"it gave no usable answer to {self.path}")
        elif door.shared:
            self._tell_who_does_not_show(name, everyone)
        elif waited <= self.timeout_s and self.left() <= 0:
            self.note(name, detail=TIME_IS_OVER)
        else:
            words = f"{self.path}, added through {self.creator}, was not there {seconds(waited)} later"
            told = self.states[name].detail
            self.note(name, joined=False, detail=f"{words}; {told}" if told else words)
        self.record(name, "prove", 0, begun, "fail", error=self.states[name].detail)

    def _every_process_shows_the_folder(self, door: Door, everyone: _Everyone) -> bool | None:
        """One look, or one a process where several answer at the address; None where there was no usable answer."""
        if not door.shared:
            return door.shows_title(self.path, self.title, self.limit())
        if not self.has_page:
            # It is not known who answers: many looks in a row have to show it.
            looks = [door.shows_title(self.path, self.title, self.limit()) for _ in range(3 * len(door.known))]
            return all(looks) if any(look is not None for look in looks) else None
        answered = None
        for _ in door.known:
            try:
                reply = door.get(self.page_path, self.limit())
            except HttpTrouble:
                continue
            if reply.status in (200, 404):
                answered = False
            if reply.status == 200:
                look = answering_page.read(reply.text, self.run_id)
                door.met(look.process)
                everyone.shown(look.process)
        return True if everyone.all_of(door.known) else answered

    def _tell_who_does_not_show(self, name: str, everyone: _Everyone) -> None:
        """Of several processes at one address: whether one of those that are left says itself that nothing is there."""
        door = self.doors[name]
        for _ in range(2 * len(door.known)):
            try:
                reply, process = door.attributed(self.page_path, self.limit())
            except HttpTrouble:
                continue
            if reply.status == 200:
                everyone.shown(answering_page.read(reply.text, self.run_id).process)
            elif reply.status == 404 and process is not None:
                everyone.missed(process)
        apart = everyone.apart()
        words = f"its address leads to several processes, and not every one of them shows {self.path}"
        if apart:
            self.note(name, joined=False, detail=f"{words}, added through {self.creator}")
        elif not everyone.all_of(door.known):
            self.note(name, detail=f"{words}: at least one was not met again")
        else:
            self.note(name, joined=True)

    def _explains(self, name: str) -> bool:
        """Ask the client's own server about the folder; whether its answer settles that it will never be shown."""
        if name in self._asked:
            # Its one answer is older than the folder; only what it lacked even then settles anything.
            return name in self._lacking
        before = self._asked.get(self.creator or "") or ()
        newest = max((transaction.tid for transaction in before), default=b"")
        listed = self._ask_server(name, lambda listed: any(transaction.tid <= newest for transaction in listed))
        if listed is None:
            return self.states[name].hung
        if not newest or not all(transaction.tid for transaction in listed) or not listed:
            return False
        if len(listed) >= UNDO_BATCH and all(transaction.tid > newest for transaction in listed):
            # So many others were committed since that the list does not reach back to ours.
            return False
        if any(self.folder in transaction.text for transaction in listed):
            self.note(name, detail="its storage lists what was saved in it: the client itself is behind")
            return False
        # Where both lists tell of one period, what one of them has alone is of another database; where the client's
        # list merely ends earlier, it may be that of a replica as well.
        known = {transaction.tid for transaction in before}
        period = [one for one in listed if min(known) <= one.tid <= newest]
        if any(one.tid not in known for one in period):
            words = f"lists transactions that {self.creator}'s does not have: it runs on another database"
            self.note(name, detail=f"its {self.doors[name].target.storage} {words}")
            return True
        if self.doors[name].target.backing == "file":
            # One process writes into a file storage, and one that has opened it to read never follows.
            words = "its file storage does not list it: what another process saves never arrives there"
            self.note(name, detail=words)
            return False
        words = "does not list it: it runs on another database, or on a replica that does not follow"
        self.note(name, detail=f"its {self.doors[name].target.storage} {words}")
        return False

    def _takes_writes(self, name: str) -> bool:
        """It is in, may be written to, and has not refused the folder itself."""
        return bool(self.states[name].joined) and self.doors[name].target.may_write and name not in self._declined

    # --- d. one document a writer, added, edited, and read by all

    def _write_round(self, number: int, writers: Sequence[str]) -> dict[str, str]:
        """Write a new nonce through each writer, one after the other: one commit at a time.  What was saved."""
        self.must_go_on()
        forms = self.side_by_side(lambda name: self._form(number, name), writers)
        written = {}
        for name in writers:
            form = forms[name]
            nonce = secrets.token_hex(16)
            self.progress(name, "is written through" if number == 1 else "is edited through")
            action: Action = "add" if number == 1 else "write"
            begun = time.monotonic_ns()
            try:
                if isinstance(form, NotAccepted):
                    raise form
                self.may_write(name)
                begun = time.monotonic_ns()
                self.under_way = Operation(name, action, number, begun, begun, "info", writes={name: nonce})
                acknowledged = self._submit(number, name, form, nonce)
            except NotAccepted as refused:
                unsure = self.under_way is not None and refused.kind in ("not-saved", "error")
                self.under_way = None
                self.refused(name, action, number, begun, refused, {name: nonce}, unsure=unsure)
                continue
            self.commits += 1
            if self.states[name].refused:
                self.note(name, refused="", detail="")
            self.record(name, action, number, begun, "ok", end=acknowledged, writes={name: nonce})
            self.under_way = None
            written[name] = nonce
        return written

    def _form(self, number: int, name: str) -> object:
        try:
            if number == 1:
                return self.doors[name].add_document_form(self.path)
            return self.doors[name].edit_document_form(f"{self.path}/{self._document(name)}")
        except NotAccepted as refused:
            return refused

    def _submit(self, number: int, name: str, form: object, nonce: str) -> int:
        """Send one document and read it back; when the client acknowledged it, in nanoseconds."""
        door = self.doors[name]
        title = document_title(self.run_id, self.numbers[name], nonce)
        # The text is no DTML: nothing in it is executed.
        text = f"{title}\nround {number}, written through client {self.numbers[name]}; may be deleted\n"
        if number == 1:
            door.submit(form, {"id": self._document(name), "title": title}, upload=text)  # type: ignore[arg-type]
        else:
            door.submit(form, {"title": title, "data": text})  # type: ignore[arg-type]
        acknowledged = time.monotonic_ns()
        self._look_at_once(number, name, nonce)
        if not self._reads_back(door, f"{self.path}/{self._document(name)}", title):
            if self._is_at(door, f"{self.path}/{self._document(name)}"):
                raise NotAccepted("changed", "it shows the document with another title than the one that was saved")
            raise NotAccepted("not-saved", "it answered as if the document had been saved, and does not show it")
        return acknowledged

    def _look_at_once(self, number: int, writer: str, nonce: str) -> None:
        """Look at the document through every other client, right after it was saved, until it is there for a moment.

        That is how long an edit takes to arrive; :meth:`_read_round` decides what is seen.  And the next writer changes
        the same folder: on a client that has not heard of this change, Zope would meet a conflict and sleep up to a
        second before it tries again (ZPublisher's retry).
        """
        others = [name for name, state in self.states.items() if state.joined and name != writer]
        quick = [name for name in others if name not in self._slow]
        self.side_by_side(lambda name: self._look(number, name, writer, nonce), quick)

    def _look(self, number: int, name: str, writer: str, nonce: str) -> None:
        path = f"{self.path}/{self._document(writer)}/title_or_id"
        end = time.monotonic() + LOOK_S
        pause = FIRST_PAUSE_S / 4
        while True:
            begun = time.monotonic_ns()
            try:
                reply = self.doors[name].get(path, min(LOOK_S, self.limit()))
            except HttpTrouble:
                self._slow.add(name)
                return
            shown = nonces(reply.text, self.run_id).get(self.numbers[writer]) if reply.status == 200 else None
            if shown == nonce:
                # That it was not there yet is no fault, and is not held against it.
                self.record(name, "read", number, begun, "ok", reads={writer: shown})
                return
            if time.monotonic() > end:
                self._slow.add(name)
                return
            time.sleep(pause)
            pause *= 2

    def _document(self, name: str) -> str:
        return f"document-{self.numbers[name]}"

    def _read_round(self, number: int, expected: Mapping[str, str]) -> None:
        """Every client that is in shows the whole folder, by all its threads at once, until all show all of it."""
        readers = [name for name, state in self.states.items() if state.joined]
        self.side_by_side(lambda name: self._read(number, name, expected), readers)

    def _read(self, number: int, name: str, expected: Mapping[str, str]) -> None:
        self.progress(name, "is read through")
        started = time.monotonic()
        pause = FIRST_PAUSE_S
        looks: list[Operation] = []
        while not self._shows_all(number, name, expected, looks):
            if time.monotonic() - started > self.timeout_s:
                self._tell_why_old(name, expected, looks)
                break
            if self.left() <= 0:
                # Our own time is over and the client's is not: what it has not shown yet is not known.
                self.stopped = self.stopped or TIME_IS_OVER
                looks = [_without_what_is_missing(look, expected) for look in looks]
                break
            time.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_S)
        self.operations += looks
        if number == self.rounds and not self.place and self._reads_the_page(name) and not self.stopped:
            self._meet_its_threads(number, name, expected)

    def _reads_the_page(self, name: str) -> bool:
        return self.has_page and name not in self._pageless

    def _shows_all(self, number: int, name: str, expected: Mapping[str, str], looks: list[Operation]) -> bool:
        """Look once, by the test page where there is one; what was seen is added to ``looks``."""
        door = self.doors[name]
        if not self._reads_the_page(name):
            return self._all_threads_show(number, name, expected, looks)
        if self._long:
            answers = [(b, e, r if isinstance(r, HttpTrouble) else r[0]) for b, e, r in self._at_once(name)]
        else:
            answers = [self._one_look(door) for _ in door.known or (None,)]
        told = [self._told(number, name, expected, *answer) for answer in answers]
        looks += [look for look in told if look is not None]
        if not self._reads_the_page(name):
            return False
        complete = [look is not None and look.outcome == "ok" and look.reads == dict(expected) for look in told]
        if not door.shared:
            return all(complete)
        everyone = _Everyone()
        for look in looks:
            if look.outcome == "ok" and look.reads == dict(expected):
                everyone.shown(look.answered_by)
        return everyone.all_of(door.known)

    def _at_once(self, name: str) -> list[tuple[int, int, list[Reply] | HttpTrouble]]:
        return self.doors[name].at_once([self.page_path], self.limit())

    def _one_look(self, door: Door) -> tuple[int, int, Reply | HttpTrouble]:
        begun = time.monotonic_ns()
        try:
            reply: Reply | HttpTrouble = door.noticed(door.get(self.page_path, self.patience()))
        except HttpTrouble as trouble:
            reply = trouble
        return begun, time.monotonic_ns(), reply

    def _told(
        self,
        number: int,
        name: str,
        expected: Mapping[str, str],
        begun: int,
        ended: int,
        reply: Reply | HttpTrouble,
        who: Process | None = None,
    ) -> Operation | None:
        """One answer to a request for the test page; None where it is another page: the client is asked otherwise."""
        if isinstance(reply, HttpTrouble):
            return Operation(name, "read", number, begun, ended, "fail", error=f"it {reply.words}")
        if reply.status == 404:
            process = "" if who is None else self._as_answered(name, who)
            reads: dict[str, str | None] = dict.fromkeys(expected)
            return Operation(name, "read", number, begun, ended, "ok", reads=reads, answered_by=process)
        if reply.status != 200 or answering_page.title(self.run_id) not in reply.text:
            self._pageless.add(name)
            return None
        look = answering_page.read(reply.text, self.run_id)
        self.doors[name].met(look.process)
        reads = {marker: look.documents.get(self.numbers[marker]) for marker in expected}
        return Operation(
            name, "read", number, begun, ended, "ok", reads=reads, answered_by=look.process, connection=look.connection
        )

    def _as_answered(self, name: str, who: Process) -> str:
        """How the test page names the process that its Control Panel named so."""
        for operation in reversed(self.operations):
            known = named(operation.answered_by) if operation.session == name and operation.answered_by else None
            if known is not None and known.may_be(who):
                return operation.answered_by
        return f"{who.process_id}@{'' if who.started is None else f'{who.started:.0f}'}"

    def _meet_its_threads(self, number: int, name: str, expected: Mapping[str, str]) -> None:
        """Once a run: as many pages at one time as the client has threads, each of which has a connection of its own.

        The client has shown everything by now, so a connection of the same process that does not is a stale one.
        """
        door = self.doors[name]
        if self.left() < min(FOR_A_WRITE_S, self.timeout_s):
            return
        try:
            answers = door.burst(self.page_path, self.limit(), answering_page.HOLD_S)
        except HttpTrouble:
            return
        told = [self._told(number, name, expected, a.begun, a.ended, a.reply, a.process) for a in answers]
        looks = [look for look in told if look is not None and look.outcome == "ok"]
        self.operations += [look for look in told if look is not None]
        met = {(look.answered_by, look.connection) for look in looks if look.connection}
        missing = [look for look in looks if look.reads != dict(expected)]
        # One that answers that nothing is there names no connection, and is one that the others are not.
        count = min(len(met) + (1 if any(not look.connection for look in missing) else 0), door.target.threads)
        self.note(name, threads_met=count, threads=door.target.threads)
        if missing and len(missing) < len(looks) and not door.shared:
            words = (
                "one of its threads shows an old state while its others show the new one: a stale database connection"
            )
            self.note(name, behind=words)

    def _tell_why_old(self, name: str, expected: Mapping[str, str], looks: Sequence[Operation]) -> None:
        """Whether the client's server has what the client does not show: a stale cache, or another database.

        The page of an object's revisions makes the client ask its server, so it is asked for once a run and client.
        """
        if self.doors[name].shared:
            words = "its address leads to several processes, and not every one of them shows what was saved"
            self.note(name, behind=words)
            return
        last = [look for look in looks if look.outcome == "ok"][-self.doors[name].target.threads :]
        behind = [one for one, nonce in expected.items() if any(look.reads.get(one) != nonce for look in last)]
        if not behind or name in self._asked or not self.doors[name].target.may_ask:
            return
        self._asked[name] = None
        path = f"{self.path}/{self._document(behind[0])}"
        limit = self.limit()
        try:
            listed = self.doors[name].revisions(path, limit)
            written = self.doors[behind[0]].revisions(path, limit)
        except HttpTrouble as trouble:
            hung = trouble.kind in ("silent", "too-slow") and limit >= self.timeout_s
            words = self._words(name, trouble, hung=hung)
            self.note(name, hung=hung, detail=words)
            return
        if listed and written and written[0] in listed:
            words = "its storage has the revision that it does not show: a stale cache, in it or in front of it"
            self.note(name, behind=words)
        elif written:
            words = "does not have that revision: another database, or a replica that does not follow"
            self.note(name, behind=f"its {self.doors[name].target.storage} {words}")

    def _all_threads_show(self, number: int, name: str, expected: Mapping[str, str], looks: list[Operation]) -> bool:
        """Look once by each of the client's threads; what they saw is added to ``looks``."""
        complete = True
        for begun, ended, answers in self.doors[name].at_once(self._paths(expected), self.limit()):
            pages, trouble = _pages(answers)
            if trouble:
                looks.append(Operation(name, "read", number, begun, ended, "fail", error=trouble))
                complete = False
                continue
            found = nonces("\n".join(pages), self.run_id)
            reads = {marker: found.get(self.numbers[marker]) for marker in expected}
            # A few documents are read one by one, each by a request of its own.
            apart = 1 < len(reads) <= ONE_BY_ONE
            looks.append(Operation(name, "read", number, begun, ended, "ok", reads=reads, apart=apart))
            complete = complete and all(reads[marker] == nonce for marker, nonce in expected.items())
        return complete

    def _paths(self, markers: Iterable[str]) -> list[str]:
        """What shows every document's nonce.

        The first listing that a Zope process renders takes it half a second, so a few documents are read one by one.
        """
        documents = [f"{self.path}/{self._document(name)}/title_or_id" for name in markers]
        return documents if len(documents) <= ONE_BY_ONE else [f"{self.path}/manage_main"]

    # --- e. removal

    def clean_up(self, within_s: float) -> None:
        """Remove the folder and see that no client shows it any more; what is left is told."""
        if not self.may_exist:
            return
        end = time.monotonic() + within_s
        self.left = lambda: end - time.monotonic()
        for door in self.doors.values():
            # Where descriptors are scarce, those of the work are needed to remove what it made.
            door.close()
        if self.unanswered:
            self._wait_for_the_unanswered()
        removed = self._remove()
        if self._foreign:
            held = ", ".join(self._foreign)
            self.remains.append(f"{self._where()} stays: it holds {held}, which this run has not made")
            return
        answers = self.side_by_side(self._is_gone, [name for name, state in self.states.items() if not state.hung])
        showing = sorted(name for name, gone in answers.items() if gone is False)
        if showing:
            why = f" ({removed})" if removed else ""
            self.remains.append(f"{self._where()} is still shown by {', '.join(showing)}{why}")
        elif removed and (self.unanswered or not any(answers.values())):
            self.remains.append(f"{self._where()} may be there or appear yet: {self.unanswered or removed}")

    def _wait_for_the_unanswered(self) -> None:
        """Give a folder whose adding was never acknowledged some time to appear, so that it can be removed."""
        end = time.monotonic() + min(UNANSWERED_S, self.left() / 2)
        known = [door for name, door in self.doors.items() if self._asked.get(name)]
        while time.monotonic() < end:
            if any(door.shows_title(self.path, self.title, self.limit()) for door in known):
                return
            time.sleep(LONGEST_PAUSE_S)

    def _remove(self) -> str:
        """Delete the folder through the first client that can; else why not."""
        why = "no client shows it"
        for name in sorted(self.doors, key=lambda name: name != self.creator):
            door = self.doors[name]
            state = self.states[name]
            if state.hung or not (state.joined or self._asked.get(name)):
                continue
            # Where several processes answer, the one that shows it need not be the one that is told to delete it.
            for _ in range(4 * len(door.known) if door.shared else 1):
                with door.on_one_connection():
                    if not self._is_at(door, self._where()):
                        continue
                    why = self._remove_through(name, door)
                if not why:
                    return ""
        return why

    def _is_shown_by_any(self, door: Door) -> bool | None:
        """Whether the folder is shown at this address, by whichever process; None where no answer is usable."""
        found = None
        for _ in range(3 * len(door.known) if door.shared else 1):
            there = self._is_at(door, self._where())
            if there:
                return True
            found = there if found is None else found
        return found

    def _where(self) -> str:
        return f"{self.place}/{self._name}"

    def _is_at(self, door: Door, path: str) -> bool | None:
        """Whether anything is at this path, whose name is this run's own, whatever its title; None: not told."""
        try:
            reply = door.get(f"{path}/title_or_id", self.limit())
        except HttpTrouble:
            return None
        return {200: True, 404: False}.get(reply.status)

    def _remove_through(self, name: str, door: Door) -> str:
        self.progress(name, "removes the test folder")
        ours = by_title(self.run_id)
        begun = time.monotonic_ns()
        try:
            while (reason := self.before_write(name)) is not None:
                if self.left() <= 0:
                    return reason
                time.sleep(LONGEST_PAUSE_S)
            begun = time.monotonic_ns()
            self._foreign = remove_folder(door, self._name, lambda one, title: ours(one, title) or by_id(one, title))
        except NotAccepted as refused:
            self.record(name, "remove", 0, begun, "info" if refused.sent else "fail", error=refused.words)
            return f"{name}: {refused.words}"
        except HttpTrouble as trouble:
            self.record(name, "remove", 0, begun, "fail", error=trouble.words)
            return f"{name} {trouble.words}"
        self.commits += 1
        self.record(name, "remove", 0, begun, "ok")
        return ""

    def _is_gone(self, name: str) -> bool | None:
        """Poll until the client does not show the folder; None where it gives no usable answer."""
        begun = time.monotonic_ns()
        started = time.monotonic()
        pause = FIRST_PAUSE_S
        while True:
            there = self._is_shown_by_any(self.doors[name])
            if there is False:
                self.record(name, "gone", 0, begun, "ok")
                return True
            patience = SILENT_S if self.states[name].joined else 0.0
            if self.left() <= 0 or (there is None and time.monotonic() - started > patience):
                self.record(name, "gone", 0, begun, "fail" if there else "info")
                return None if there is None else False
            time.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_S)

    # --- small parts

    def refused(
        self,
        name: str,
        action: Action,
        number: int,
        begun: int,
        refused: NotAccepted,
        writes: Mapping[str, str] | None = None,
        *,
        unsure: bool = False,
    ) -> None:
        if refused.sent and self.creator is None:
            self.unanswered = f"{name}: {refused.words}"
        super().refused(name, action, number, begun, refused, writes, unsure=unsure)


_WHAT_IS_THERE: Mapping[Workspace, str] = {
    "nothing": "nothing is at {}",
    "other": "what is at {} is no folder: the database is not mounted there",
}
