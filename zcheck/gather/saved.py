"""Facts as a file: an incident that can be judged again, elsewhere and by a later version.  Pure.

The file is JSON: what the run was, which checks were left out and why, and every fact by its kind's name and subject.
No secret is in it: the parsers hide those of the files they read, and what clients.ini alone holds is hidden here.
A kind that this version does not know is of no use to it and is left aside; a fact that this version cannot read is
one that was not gathered, so that what needs it is UNKNOWN.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Literal, TypeVar

import msgspec

from zcheck import facts as _facts
from zcheck.facts import BalancerSection, Client, Facts, Inventory, LeftOut, NotGathered
from zcheck.facts import history as _history
from zcheck.parsers.redact import HIDDEN, redacted, without_userinfo
from zcheck.report.structs import Run, Tool

SCHEMA = "zcheck-facts/1"
GATHERED = "zcheck-gathered/1"
"""The schema of what ``zcheck gather --client`` prints."""
_CALLED = {SCHEMA: "saved facts", GATHERED: "facts of one client, as zcheck gather prints it"}

FROM_THERE: tuple[type[Any], ...] = (_facts.ZopeConf, _facts.WsgiConf, _facts.SeenThere)
"""What a client's own machine can tell of it."""

Made = TypeVar("Made")

KINDS: dict[str, type[Any]] = {
    name: kind
    for module in (_facts, _history)
    for name, kind in vars(module).items()
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and hasattr(kind, "scope")
}
"""Every kind of fact by the name that it has in a file."""


class CannotRead(ValueError):
    """The text is no file of saved facts; the message says why."""


class SavedFact(msgspec.Struct, frozen=True):
    kind: str
    subject: str
    state: Literal["gathered", "not-gathered", "left-out"]
    value: Any


class Saved(msgspec.Struct, frozen=True):
    """Everything that a judgement takes, and what the run was."""

    run: Run
    left_out: dict[str, str]
    facts: Facts


class _File(msgspec.Struct, frozen=True):
    schema: str
    tool: Tool
    run: Run
    left_out: dict[str, str]
    facts: list[SavedFact]


def dump(saved: Saved, version: str) -> str:
    """The file's text."""
    file = _File(SCHEMA, Tool("zcheck", version), saved.run, saved.left_out, list(_saved(saved.facts)))
    # The standard library's encoder, since bytes of a file that were no UTF-8 stand as lone surrogates in a fact.
    return json.dumps(msgspec.to_builtins(file), ensure_ascii=True, separators=(",", ":")) + "\n"


def load(text: str) -> Saved:
    """Read a file's text.  Raises :exc:`CannotRead`."""
    file = _converted(text, _File, SCHEMA)
    found: dict[type[Any], dict[str, Any]] = {}
    for one in file.facts:
        kind = KINDS.get(one.kind)
        if kind is not None:
            found.setdefault(kind, {})[one.subject] = _value(one, kind)
    if not isinstance(found.get(Inventory, {}).get(""), Inventory):
        raise CannotRead("the file is damaged: there is no inventory in it")
    return Saved(file.run, file.left_out, Facts(found))


def _converted(text: str, kind: type[Made], expected: str) -> Made:
    try:
        given = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CannotRead(f"this is no JSON: {error}") from None
    schema = given.get("schema") if isinstance(given, dict) else None
    if schema != expected:
        raise CannotRead(f"this is no file of {_CALLED[expected]}: its schema is {schema!r}, not {expected!r}")
    try:
        return msgspec.convert(given, kind)
    except (msgspec.ValidationError, RecursionError) as error:
        raise CannotRead(f"the file is damaged: {str(error)[:200]}") from None


class Gathered(msgspec.Struct, frozen=True):
    """What one client's own machine told of it, brought from there as a file."""

    cluster: str
    client: str
    gathered_at: float
    """Seconds since the epoch, by that machine's clock."""
    facts: Facts


class _GatheredFile(msgspec.Struct, frozen=True):
    schema: str
    tool: Tool
    cluster: str
    client: str
    gathered_at: float
    facts: list[SavedFact]


def dump_gathered(gathered: Gathered, version: str) -> str:
    """The text of a file of one client's facts; as in every file of facts there is no secret in it."""
    facts = [one for one in _saved(gathered.facts) if one.subject == gathered.client]
    tool = Tool("zcheck", version)
    file = _GatheredFile(GATHERED, tool, gathered.cluster, gathered.client, gathered.gathered_at, facts)
    return json.dumps(msgspec.to_builtins(file), ensure_ascii=True, indent=1) + "\n"


def load_gathered(text: str) -> Gathered:
    """Read such a file; of what is in it only this one client's own facts count.  Raises :exc:`CannotRead`."""
    file = _converted(text, _GatheredFile, GATHERED)
    found = Facts()
    for one in file.facts:
        kind = KINDS.get(one.kind)
        if kind is not None and kind in FROM_THERE and one.subject == file.client:
            found = found.with_fact(file.client, _value(one, kind), kind)
    return Gathered(file.cluster, file.client, file.gathered_at, found)


def _saved(facts: Facts) -> Iterator[SavedFact]:
    for kind, subject, value in facts.items():
        if KINDS.get(kind.__name__) is not kind:
            continue  # a verdict, say: it is made anew of what is saved
        if isinstance(value, NotGathered):
            yield SavedFact(kind.__name__, subject, "not-gathered", value)
        elif isinstance(value, LeftOut):
            yield SavedFact(kind.__name__, subject, "left-out", value)
        else:
            shown = without_secrets(value) if isinstance(value, Inventory) else value
            yield SavedFact(kind.__name__, subject, "gathered", shown)


def _value(one: SavedFact, kind: type[Any]) -> Any:
    wanted = {"gathered": kind, "not-gathered": NotGathered, "left-out": LeftOut}[one.state]
    try:
        return msgspec.convert(one.value, wanted)
    except (msgspec.ValidationError, RecursionError) as error:
        return NotGathered(f"this version of zcheck cannot read the saved {one.kind}: {str(error)[:200]}")


def without_secrets(inventory: Inventory) -> Inventory:
    """The inventory without what may hold a secret and no judgement turns on."""
    return msgspec.structs.replace(
        inventory,
        clients=tuple(_client(client) for client in inventory.clients),
        balancers=tuple(_balancer(balancer) for balancer in inventory.balancers),
        options=_hidden(inventory.options),
    )


def _client(client: Client) -> Client:
    # What the files need of the environment stands in the facts that were read from them.
    return msgspec.structs.replace(
        client, env=dict.fromkeys(client.env, HIDDEN), via=HIDDEN if client.via is not None else None
    )


def _balancer(balancer: BalancerSection) -> BalancerSection:
    return msgspec.structs.replace(balancer, values=_hidden(balancer.values))


def _hidden(values: Mapping[str, str]) -> dict[str, str]:
    return {key: without_userinfo(redacted(key, value)) for key, value in values.items()}
