"""Written on one and read on another over connections of zcheck's own."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import msgspec

from zcheck.facts import LeftOut, NotGathered, ZeoIdentity, targets
from zcheck.facts.history import History, ZeoHistories
from zcheck.gather import permission, routes
from zcheck.gather.run import Run

if TYPE_CHECKING:
    from zcheck.consistency.storage.parent import ZeoWorker


def write(run: Run) -> None:
    if isinstance(run.facts.raw(ZeoHistories), NotGathered | LeftOut):
        return
    assert run.worker is not None
    histories, blobs = [], []
    for database in dict.fromkeys(way.database for way in run.ways):
        own = [way for way in run.ways if way.database == database]
        if all(way.not_written for way in own):
            continue
        for way in own:
            run.progress(way.client, f"writing and reading over ZEO ({database})")
        locked = permission.locked(run, own)
        if locked:
            histories.append(History("zeo", database, run.settings.run_id, stopped=locked))
        else:
            histories.append(_work_on(run, run.worker, database))
            if not histories[-1].stopped and any(way.blobs == "cache" for way in own):
                matrix = partial(run.worker.matrix, database, within_s=run.within_s(), **permission.gently(run))
                blobs.append(matrix(rounds=1, blobs=True))
        blobs += _not_over_the_wire(run, database, own)
    if histories:
        done = (map(partial(_with_the_same_way, run), one) for one in (histories, blobs))
        run.keep("", ZeoHistories(*map(tuple, done)))
    else:
        reasons = dict.fromkeys(way.not_written for way in run.ways)
        run.keep("", LeftOut("; ".join(reasons)), ZeoHistories)


def _not_over_the_wire(run: Run, database: str, ways: list[targets.ZeoTarget]) -> list[History]:
    """What tells that nothing was proven of blobs whose files go through a folder and not over the wire."""
    shared = [way.client for way in ways if way.blobs == "shared"]
    if not shared:
        return []
    why = f"{', '.join(shared)} put files into a shared folder (shared-blob-dir on), and send none to the ZEO server"
    return [History("zeo", database, run.settings.run_id, blobs=True, nothing=why)]


def _with_the_same_way(run: Run, history: History) -> History:
    return msgspec.structs.replace(history, same_way=run.same_way.get(history.database, {}))


def _work_on(run: Run, worker: ZeoWorker, database: str) -> History:
    """The matrix, or the longer test where that was asked for."""
    longer = run.settings.isolation
    if longer is None or not longer.zeo:
        return worker.matrix(database, within_s=run.within_s(), **permission.gently(run))
    history = worker.isolate(
        database,
        duration_s=longer.duration_s,
        workloads=longer.workloads,
        seed=longer.seed,
        within_s=run.within_s(),
        tape=routes.tape(run, "zeo", database),
        window_s=longer.window_s,
        tell=lambda so_far: run.progress("", f"over ZEO, database {database}, {so_far}"),
        **permission.gently(run),
    )
    if worker.interrupted:
        run.deadline.end()
    return history


def write_where_pinned(run: Run) -> None:
    """Write a marker on the pinned server where no zope.conf leads there: a client that lists it is joined to it.

    Without it a cluster of which only the addresses and the pin are known could not be written to at all.
    """
    way = targets.pinned_target(run.inventory, run.names)
    if way is None or run.ways or run.worker is None or ZeoHistories not in run.wanted:
        return
    for dialled in way.dialled:
        if dialled not in run.asked:
            run.asked[dialled] = routes.ask_server(run, dialled, min(run.settings.timeout_s, run.within_s()))
    if not routes.answers(run, way) or permission.locked(run, [way]):
        return
    if not run.worker.connect([routes.zeo_target(way)], within_s=run.within_s()):
        run.ways = [way]
        run.pinned_history = run.worker.matrix(way.database, within_s=run.within_s(), **permission.gently(run))
        identity = run.facts.raw(ZeoIdentity)
        if isinstance(identity, ZeoIdentity):
            files = (*identity.files, *run.pinned_history.files)
            run.keep("", msgspec.structs.replace(identity, files=files), ZeoIdentity)
