"""What every level of the test through the running clients is made of, whatever it is that it writes.

Who is spoken to, several at a time; what was asked and answered; how each client fared; and when nothing more is begun.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Generic, TypeVar

import msgspec

from zcheck.consistency.http.client import Door
from zcheck.consistency.http.forms import NotAccepted
from zcheck.facts.history import Action, ClientState, History, Operation, Outcome
from zcheck.system.signals import Interrupt, cleaning_up

Found = TypeVar("Found")
AnyDoor = TypeVar("AnyDoor", bound=Door)

DOORS_AT_ONCE = 16
"""Clients that are spoken to side by side."""
INTERRUPTED = "zcheck was interrupted"
PATIENCE = 3
"""How many times as long as one wait a client may take that is asked to write, before that is no answer."""
TIME_IS_OVER = "the time for this run was over"
FOR_A_WRITE_S = 1.0
"""Nothing is written with less time left: of a write that is not waited for nobody knows whether it was done."""


class Stopped(Exception):
    """The work ends here, and why."""


class Level(Generic[AnyDoor]):
    """One level of one run.

    ``before_write`` is called with a client's name right before each write; what it returns, if not None, is why
    nothing more is written.  ``left`` gives the seconds that are left for the work.
    """

    def __init__(
        self,
        doors: Iterable[AnyDoor],
        *,
        run_id: str,
        before_write: Callable[[str], str | None],
        timeout_s: float,
        left: Callable[[], float],
        progress: Callable[[str, str], None],
    ) -> None:
        self.doors = {door.name: door for door in doors}
        for door in self.doors.values():
            door.limit = self.limit
            door.patience = self.patience
        self.states = {name: ClientState(name) for name in self.doors}
        self.run_id = run_id
        self.before_write = before_write
        self.timeout_s = timeout_s
        self.left = left
        self.progress = progress
        self.operations: list[Operation] = []
        self.commits = 0
        self.stopped = ""
        self.creator: str | None = None
        """The client through which the one object of this level was made."""
        self.may_exist = False
        """That object may be there, acknowledged or not."""
        self.remains: list[str] = []

    def told(self, database: str, **more: Any) -> History:
        """All that was done, as a history of this database."""
        return History(
            level="http",
            database=database,
            run_id=self.run_id,
            operations=tuple(sorted(self.operations, key=lambda operation: operation.invoke_ns)),
            clients=tuple(
                msgspec.structs.replace(state, late_s=round(self.doors[name].late_s, 1))
                for name, state in self.states.items()
            ),
            transactions=self.commits,
            left=tuple(self.remains),
            stopped=self.stopped,
            **more,
        )

    def work_and_clean_up(self, work: Callable[[], None], within_s: float, *, ends_well: bool = False) -> None:
        """The work, and in any case, whatever ends it, :meth:`clean_up` within so many seconds.

        A signal during the clean-up does nothing, and one right before it neither.  ``ends_well``: Ctrl-C ends the work
        and is no error.  Raises :exc:`~zcheck.system.signals.Interrupt` where something is left after another one.
        """
        cleaned = False

        def clean() -> None:
            nonlocal cleaned
            with cleaning_up(within_s):
                if not cleaned:
                    cleaned = True
                    self.clean_up(within_s)
                    self.close()

        try:
            try:
                work()
            except Stopped as stopped:
                self.stopped = str(stopped)
            except KeyboardInterrupt:
                if not ends_well:
                    raise
                self.stopped = INTERRUPTED
            clean()
        except KeyboardInterrupt:
            clean()
            raise Interrupt(tuple(self.remains)) from None
        except BaseException:
            clean()
            raise

    def clean_up(self, within_s: float) -> None:
        """Remove what was made; what is left is told in :attr:`remains`."""
        raise NotImplementedError

    def close(self) -> None:
        for door in self.doors.values():
            door.close()

    # --- when to end

    def limit(self) -> float:
        """Seconds that one request may take now."""
        return max(0.05, min(self.timeout_s, self.left()))

    def patience(self) -> float:
        """Seconds that a request may take which nothing can replace: late is not silent."""
        return max(0.05, min(PATIENCE * self.timeout_s, self.left()))

    def must_go_on(self) -> None:
        if self.left() <= 0:
            raise Stopped(TIME_IS_OVER)

    def may_write(self, name: str) -> None:
        """To be called right before a write; raises :exc:`Stopped` where there must be none."""
        reason = self.before_write(name)
        if self.left() < min(FOR_A_WRITE_S, self.timeout_s):
            raise Stopped(TIME_IS_OVER)
        if reason is not None:
            raise Stopped(reason)

    # --- what was done

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
        """Keep why a write was not accepted; where nobody knows whether it was done, nothing more is written.

        ``unsure``: it was answered, and not as it had to be, so it may have been done all the same.
        """
        outcome: Outcome = "info" if refused.sent or unsure else "fail"
        self.record(name, action, number, begun, outcome, writes=writes, error=refused.words)
        if refused.ours:
            # That our own time was over tells nothing of the client.
            why = TIME_IS_OVER if self.left() < self.timeout_s else refused.words
            self.note(name, detail=why)
            raise Stopped(why)
        self.note(name, refused=refused.kind, detail=refused.words)
        if refused.sent:
            raise Stopped(f"a write through {name} was not answered: {refused.words}")

    def note(self, name: str, **changes: Any) -> None:
        """Something new of how this client fared: fields of :class:`ClientState`."""
        self.states[name] = msgspec.structs.replace(self.states[name], **changes)

    def record(
        self,
        name: str,
        action: Action,
        number: int,
        begun: int,
        outcome: Outcome,
        *,
        end: int | None = None,
        reads: Mapping[str, str | None] | None = None,
        writes: Mapping[str, str] | None = None,
        error: str = "",
    ) -> None:
        """One request in round ``number``, from ``begun`` to ``end`` or now, in nanoseconds."""
        operation = Operation(
            session=name,
            action=action,
            round=number,
            invoke_ns=begun,
            return_ns=end or time.monotonic_ns(),
            outcome=outcome,
            reads=dict(reads or {}),
            writes=dict(writes or {}),
            error=error,
        )
        self.operations.append(operation)

    def side_by_side(self, job: Callable[[str], Found], names: Sequence[str]) -> dict[str, Found]:
        """The job for each of these clients, several at a time; each job sees to its own limits."""
        if not names:
            return {}
        with ThreadPoolExecutor(min(DOORS_AT_ONCE, len(names))) as pool:
            try:
                return dict(zip(names, pool.map(job, names), strict=True))
            except BaseException:
                # Ctrl-C, say: the others give up at their next look at the clock, and cleaning up sets it anew.
                self.left = lambda: 0.0
                raise
