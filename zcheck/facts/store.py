"""All facts of one run, and what a check may see of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

from zcheck.facts.base import LeftOut, NotGathered
from zcheck.facts.inventory import Inventory

Kind = TypeVar("Kind")
Made = TypeVar("Made")
Value = Any


class UndeclaredKind(Exception):
    """A check read a kind of fact that its ``needs`` and ``uses`` do not name."""


class Facts:
    """Facts by kind and subject; the subject of a cluster-wide fact is ``""``.

    A check is handed a *view*: it holds the kinds that the check declared, for the clients that it may judge.
    """

    def __init__(self, values: Mapping[type[Any], Mapping[str, Value]] | None = None) -> None:
        self._values: dict[type[Any], dict[str, Value]] = {k: dict(v) for k, v in (values or {}).items()}
        self._kinds: frozenset[type[Any]] | None = None
        self._clients: tuple[str, ...] | None = None
        self._each: dict[type[Any], dict[str, Any]] = {}
        self._once: dict[Callable[[Facts], Any], Any] = {}
        self._views: dict[tuple[str, ...], Facts] = {}

    def with_fact(self, subject: str, fact: Value, kind: type[Any] | None = None) -> Facts:
        """A copy with one more fact; ``kind`` must be told for NotGathered and LeftOut."""
        copy = Facts()
        kind = kind or type(fact)
        # The other kinds are shared: nothing that is in a Facts is ever changed.
        copy._values = {**self._values, kind: {**self._values.get(kind, {}), subject: fact}}
        return copy

    def with_facts(self, kind: type[Any], facts: Mapping[str, Value]) -> Facts:
        """A copy with one kind's facts of many clients."""
        copy = Facts()
        copy._values = {**self._values, kind: {**self._values.get(kind, {}), **facts}}
        return copy

    def has_all(self, kind: type[Any], clients: Iterable[str]) -> bool:
        """Whether this per-client kind was gathered for every one of these clients."""
        found = self._values.get(kind, {})
        return all(isinstance(found.get(client), kind) for client in clients)

    def view(self, kinds: Iterable[type[Any]], clients: Iterable[str]) -> Facts:
        """What one check may see."""
        view = Facts()
        view._values = self._values
        view._kinds = frozenset(kinds)
        view._clients = tuple(clients)
        # Views of the same clients see the same, and need to work it out once.
        like = self._views.setdefault(view._clients, view)
        view._each, view._once = like._each, like._once
        return view

    @property
    def clients(self) -> tuple[str, ...]:
        """The clients to be judged, in the inventory's order."""
        return self._clients if self._clients is not None else self.inventory.client_names

    @property
    def inventory(self) -> Inventory:
        """The inventory; every check may read it without declaring so."""
        found = self._values.get(Inventory, {}).get("")
        if not isinstance(found, Inventory):
            raise UndeclaredKind("there is no inventory among the facts")
        return found

    def raw(self, kind: type[Any], subject: str = "") -> Value | NotGathered | LeftOut | None:
        """What is stored, gathered or not; None where nothing was."""
        return self._values.get(kind, {}).get(subject)

    def each(self, kind: type[Kind]) -> dict[str, Kind]:
        """The gathered facts of one per-client kind, by client, for the clients to be judged; not to be changed."""
        self._allow(kind)
        if kind not in self._each:
            found = self._values.get(kind, {})
            self._each[kind] = {name: found[name] for name in self.clients if isinstance(found.get(name), kind)}
        return self._each[kind]

    def once(self, work: Callable[[Facts], Made]) -> Made:
        """What ``work`` makes of these facts, made once for all checks of the same clients; not to be changed."""
        if work not in self._once:
            self._once[work] = work(self)
        made: Made = self._once[work]
        return made

    def the(self, kind: type[Kind]) -> Kind:
        """The one fact of a cluster-wide kind; the runner has seen to it that a needed one is there."""
        self._allow(kind)
        found = self._values.get(kind, {}).get("")
        if not isinstance(found, kind):
            raise KeyError(kind.__name__)
        return found

    def maybe(self, kind: type[Kind]) -> Kind | None:
        """The one fact of a cluster-wide kind that the check merely ``uses``; None where it is absent."""
        self._allow(kind)
        found = self._values.get(kind, {}).get("")
        return found if isinstance(found, kind) else None

    def items(self) -> Iterator[tuple[type[Any], str, Value]]:
        """Everything that is stored: kind, subject, value."""
        for kind, subjects in self._values.items():
            for subject, value in subjects.items():
                yield kind, subject, value

    def _allow(self, kind: type[Any]) -> None:
        if self._kinds is not None and kind not in self._kinds and kind is not Inventory:
            raise UndeclaredKind(f"the check reads {kind.__name__}, which its needs and uses do not name")
