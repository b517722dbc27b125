"""One run of gathering: what it knows so far, and its waves, run in order under one deadline.  Never raises.

The waves are functions that :meth:`Run.through` is handed (:mod:`zcheck.gather.waves` has their table).  Each fills in
the kinds that it is named after, and may touch what stands in :class:`Run` and nothing else.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from zcheck.facts import Facts, HostPort, Inventory, Names, NotGathered, SeenThere, targets
from zcheck.facts.history import History
from zcheck.gather.kinds import WRITES
from zcheck.gather.settings import Settings
from zcheck.probes.remote import answers, call
from zcheck.system import threads
from zcheck.system.duty import Duty
from zcheck.system.signals import Interrupt

if TYPE_CHECKING:
    from zcheck.consistency.storage.parent import ZeoWorker
    from zcheck.consistency.storage.protocol import Failure
    from zcheck.probes.zeo import Asked
    from zcheck.system import state

Key = TypeVar("Key", bound=Hashable)
Found = TypeVar("Found")
Progress = Callable[[str, str], None]


class Wave(NamedTuple):
    """One step of a run."""

    title: str
    """What ``--timings`` calls it."""
    fill_in: Callable[[Run], None]
    kinds: tuple[type[Any], ...] = ()
    """It is run where one of these kinds is wanted; empty: always."""
    live: bool = False
    """Whether it asks anybody: not offline."""


def side_by_side(
    jobs: Mapping[Key, Callable[[], Found]], left: Callable[[], float], limit: int = threads.IN_FLIGHT
) -> dict[Key, Found | NotGathered]:
    """Run the jobs at one time (:func:`zcheck.system.threads.side_by_side`); what is not done is not gathered."""
    found = threads.side_by_side(jobs, left, limit)
    return {key: NotGathered(one.reason) if isinstance(one, threads.NotDone) else one for key, one in found.items()}


class Run:
    """What one run was told, what it knows so far, and what it holds of the world.

    A context manager: what it holds (calls to other machines, the child process, the journal's lock) is gone when it is
    left.
    """

    def __init__(
        self,
        inventory: Inventory,
        settings: Settings,
        wanted: frozenset[type[Any]],
        secret: str | NotGathered,
        progress: Progress,
    ) -> None:
        self.inventory = inventory
        self.settings = settings
        self.wanted = wanted - set(WRITES) if settings.read_only else wanted
        self.secret = secret
        self.progress = progress
        self.deadline = threads.Deadline(settings.deadline_s)
        self.facts = Facts().with_fact("", inventory)
        self.timings: list[tuple[str, float]] = []

        self.looked: dict[str, answers.Looked | NotGathered] = {}
        """What the machines with a ``via`` answered, by client."""
        self.asked: dict[HostPort | str, Asked | NotGathered] = {}
        """What each ZEO server said that was dialled."""

        self.owing: Mapping[str, state.Unanswered] = {}
        """The clients, by the address that is dialled, that did not answer an earlier run's question."""
        self.may_wait: frozenset[str] = frozenset()
        """Those of them of which a thread may still wait for that answer: they are not asked."""

        self.worker: ZeoWorker | None = None
        """The parent's end of the child process that holds zcheck's own ZEO connections."""
        self.ways: list[targets.ZeoTarget] = []
        """Where these connections lead."""
        self.same_way: dict[str, dict[str, str]] = {}
        """By database: the clients for whose way another client's connection stands."""
        self.failures: tuple[Failure, ...] = ()
        self.pinned_history: History | None = None
        """What was written on the pinned server where no zope.conf leads there."""

        self.journal: str | None = None
        self.held: int | None = None
        """The open journal, whose lock tells other runs that this one is under way."""
        self.ended: tuple[str, ...] = ()
        """Earlier runs that did not end well."""
        self.duty: Duty | None = None
        """The pace of writes through the clients."""

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *error: object) -> None:
        call.end_calls()
        if self.worker is not None:
            self.worker.close()
        if self.held is not None:
            os.close(self.held)

    def through(self, waves: Iterable[Wave]) -> Facts:
        """Every wave that is wanted, in order; the facts so far, whatever happens."""
        with self:
            for wave in waves:
                if (wave.live and self.settings.offline) or (wave.kinds and not self.wanted & set(wave.kinds)):
                    continue
                started = time.monotonic()
                try:
                    wave.fill_in(self)
                except Interrupt as interrupt:
                    removal = f"zcheck leftovers {self.inventory.file} --remove"
                    raise Interrupt(interrupt.left, removal) from None
                finally:
                    self.timings.append((wave.title, time.monotonic() - started))
        return self.facts

    def keep(self, subject: str, fact: Any, kind: type[Any] | None = None) -> None:
        """File a fact."""
        self.facts = self.facts.with_fact(subject, fact, kind)

    @property
    def doors(self) -> tuple[call.Door, ...]:
        """The ways to the clients' own machines, for the clients of which nothing was brought from there."""
        return call.doors(
            client for client in self.inventory.clients if self.settings.gathered.raw(SeenThere, client.name) is None
        )

    @property
    def names(self) -> Names | None:
        """What host names mean, once they were looked up."""
        found = self.facts.raw(Names)
        return found if isinstance(found, Names) else None

    def call_s(self) -> float:
        """Seconds that one call of a machine may take: a hanging one must leave time for all the rest."""
        return min(call.CALL * self.settings.timeout_s, self.deadline.left() / 3)

    def within_s(self) -> float:
        """Seconds for the next job of the child."""
        return max(self.deadline.left(), 0.1)

    def while_cleaning_up_s(self) -> float:
        """Seconds for one wait after the work."""
        return max(min(self.settings.timeout_s, self.deadline.left_to_clean_up()), 0.1)
