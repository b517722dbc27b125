"""What earlier runs on this machine found broken, of processes that still run."""

from __future__ import annotations

from typing import ClassVar

import msgspec


class KnownApart(msgspec.Struct, frozen=True):
    """Two clients of which an earlier run saw that one does not show what is saved through the other."""

    database: str
    clients: tuple[str, str]
    since: str
    """When that was seen: date and time, UTC."""


class KnownBroken(msgspec.Struct, frozen=True):
    """It stays so until something proves the contrary: silence of a later run does not."""

    scope: ClassVar[str] = "cluster"
    half_open: dict[str, str] = {}
    """By client whose ZEO server's answers did not reach it: since when, UTC."""
    apart: tuple[KnownApart, ...] = ()
