"""The record of the write-here-read-there test: one operation a transaction or a request.

One process drives all clients, so one monotonic clock orders everything; no clock synchronisation is needed.
``ok`` surely happened, ``fail`` surely did not, ``info`` is not known.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import msgspec

Outcome = Literal["ok", "fail", "info"]
Action = Literal["prove", "add", "write", "read", "remove", "gone"]


class Operation(msgspec.Struct, frozen=True, omit_defaults=True):
    """One transaction (ZEO level) or one request (HTTP level) through one client.

    A marker is known by the name of the client that writes it.  A nonce is 128 random bits in hexadecimal digits.
    """

    session: str
    """The client through which it went."""
    action: Action
    round: int
    invoke_ns: int
    return_ns: int
    outcome: Outcome
    fenced: bool = False
    """A round trip to the server was made just before, so every earlier commit must be visible."""
    reads: dict[str, str | None] = {}
    """By marker: the nonce that was read, None where the marker was not there."""
    writes: dict[str, str] = {}
    """By marker: the nonce that was written."""
    tid: str | None = None
    """The transaction's id, 16 hexadecimal digits, where it is known."""
    error: str = ""
    """Why it failed, or why it is not known, in words for a person."""


Refusal = Literal["", "wrong-password", "no-permission", "redirected", "not-saved", "read-only", "no-form", "error"]


class ClientState(msgspec.Struct, frozen=True):
    """How one client fared in one history, beside its operations.

    ``joined``: it showed that it reaches the same database (it may be written to); ``refused`` says why a write through
    it was not accepted, and ``detail`` the same in words.  ``hung``: it did not answer a request that makes it ask its
    ZEO server.  ``because`` names the check that tells why it was not asked at all.
    """

    client: str
    joined: bool | None = None
    hung: bool = False
    refused: Refusal = ""
    detail: str = ""
    because: str = ""


class History(msgspec.Struct, frozen=True):
    """Everything that one level did to one database in one run."""

    level: Literal["zeo", "http"]
    database: str
    run_id: str
    operations: tuple[Operation, ...] = ()
    clients: tuple[ClientState, ...] = ()
    rounds: int = 2
    transactions: int = 0
    """Commits of ours, the removal included."""
    bytes: int = 0
    """Bytes of the records that those commits wrote."""
    left: tuple[str, ...] = ()
    """What could not be removed, in words."""
    stopped: str = ""
    """Why the work ended early; empty: it was completed."""

    def state(self, client: str) -> ClientState | None:
        return next((state for state in self.clients if state.client == client), None)


class ZeoHistories(msgspec.Struct, frozen=True):
    """The histories of zcheck's own ZEO connections, one for each database that was tried."""

    scope: ClassVar[str] = "cluster"
    histories: tuple[History, ...] = ()


class HttpHistories(msgspec.Struct, frozen=True):
    """The histories of the requests through the running clients."""

    scope: ClassVar[str] = "cluster"
    histories: tuple[History, ...] = ()
