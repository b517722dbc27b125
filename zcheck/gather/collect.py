"""A whole run of gathering, with every wave that there is."""

from __future__ import annotations

from typing import Any

from zcheck.facts import Inventory, NotGathered
from zcheck.gather.run import Progress, Run
from zcheck.gather.settings import Settings
from zcheck.gather.waves import WAVES


def quietly(client: str, what: str) -> None:
    """Tell nobody what the run is at."""


def collect(
    inventory: Inventory,
    settings: Settings,
    wanted: frozenset[type[Any]],
    secret: str | NotGathered,
    progress: Progress = quietly,
) -> Run:
    """Gather the wanted kinds of fact; the run that is over, with ``facts`` and ``timings``.

    ``secret``: the password of the user that clients.ini names, or why there is none.
    """
    run = Run(inventory, settings, wanted, secret, progress)
    run.through(WAVES)
    return run
