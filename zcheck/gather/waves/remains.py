"""What this run left: markers, the folder, connections."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zcheck.facts import LeftOut, NotGathered, Remains
from zcheck.facts.history import HttpHistories, ZeoHistories
from zcheck.gather import routes
from zcheck.gather.run import Run

if TYPE_CHECKING:
    from zcheck.probes.zeo import Asked


LET_GO_S = 1.0
"""How long a ZEO server may take to notice that a connection was closed."""


def look_back(run: Run) -> None:
    """What this run left: markers, the folder, connections."""
    from zcheck.system import state

    if run.worker is not None:
        run.worker.close()
    left: list[str] = []
    checked: list[str] = []
    for kind in (ZeoHistories, HttpHistories):
        fact = run.facts.raw(kind)
        for history in (*fact.histories, *fact.blobs) if isinstance(fact, kind) else ():
            left += history.left
            checked += [f.client for f in history.clients]
    left += run.pinned_history.left if run.pinned_history is not None else ()
    connections = _connections(run)
    if not checked and not connections:
        run.keep("", LeftOut("nothing was written"), Remains)
        state.forget_journal(run.journal)
        return
    removal = f"zcheck leftovers {run.inventory.file} --remove"
    looked = (*dict.fromkeys(checked), *connections)
    run.keep("", Remains(tuple(left), removal, looked, connections, ended_runs=run.ended))
    if not left:
        state.forget_journal(run.journal)


def _connections(run: Run) -> dict[str, tuple[int, int]]:
    """Registered clients of each server and storage before and after; the server needs a moment to notice."""
    import time

    found = {}
    used = {(way.storage, dialled) for way in run.ways for dialled in way.dialled}
    for storage, dialled in sorted(used, key=str):
        before = _count(run.asked.get(dialled), storage)
        if before is None:
            continue
        end = time.monotonic() + LET_GO_S
        while True:
            after = _count(routes.ask_server(run, dialled, run.while_cleaning_up_s()), storage)
            if after is None or after <= before or time.monotonic() > end:
                break
            time.sleep(0.02)
        if after is not None:
            found[f"{dialled}, storage {storage}"] = (before, after)
    return found


def _count(asked: Asked | NotGathered | None, storage: str) -> int | None:
    if asked is None or isinstance(asked, NotGathered) or storage not in asked.storages:
        return None
    return asked.storages[storage].connections
