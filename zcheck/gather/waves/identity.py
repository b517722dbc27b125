"""One database or several: proven over connections of zcheck's own."""

from __future__ import annotations

import msgspec

from zcheck.facts import LeftOut, NotGathered, StorageProof, ZeoIdentity, ZopeConf, targets
from zcheck.facts.history import ZeoHistories
from zcheck.gather import routes
from zcheck.gather.kinds import WRITES
from zcheck.gather.run import Run


def start_child(run: Run) -> None:
    """Start the process that will hold every ZEO connection of the run; the journal, where it may write."""
    from zcheck.consistency.storage.parent import ZeoWorker
    from zcheck.system import state

    folder, ini = run.settings.state_folder, run.inventory.file
    if set(WRITES) & run.wanted:
        run.ended = state.runs(folder, ini).ended
        run.journal = state.journal(folder, ini, run.settings.run_id)
        run.held = state.hold(run.journal)
    run.worker = ZeoWorker(run.settings.run_id, timeout_s=run.settings.timeout_s, journal=run.journal)
    run.worker.start()


def prove(run: Run) -> None:
    """Connect as every client's files say, and prove which of these connections reach one storage."""
    ways = [way for way in targets.zeo_targets(run.facts) if routes.answers(run, way)]
    nothing = _why_no_zeo_level(run, ways)
    if nothing is not None:
        told = isinstance(nothing, LeftOut) and nothing.because is None
        # What the clients' own servers list is evidence of its own.
        run.keep("", ZeoIdentity(why_not=nothing.reason) if told else nothing, ZeoIdentity)
        run.keep("", nothing, ZeoHistories)
        return
    assert run.worker is not None
    ways, run.same_way = targets.standing_for_all(ways)
    for way in ways:
        run.progress(way.client, "connecting to its ZEO server")
    run.failures = run.worker.connect([routes.zeo_target(way) for way in ways], within_s=run.within_s())
    identity = run.worker.identity(within_s=run.within_s())
    run.keep("", _with_failures(run, identity), ZeoIdentity)
    run.ways = ways


def _why_no_zeo_level(run: Run, ways: list[targets.ZeoTarget]) -> NotGathered | LeftOut | None:
    if ways:
        return None
    if targets.zeo_targets(run.facts):
        return LeftOut("no ZEO server answered with a storage that a client names", "zeo-server-answers")
    conf_read = any(isinstance(fact, ZopeConf) for kind, _, fact in run.facts.items() if kind is ZopeConf)
    return LeftOut("no zope.conf names a ZEO server" if conf_read else "no zope.conf was read")


def _with_failures(run: Run, identity: ZeoIdentity | NotGathered) -> ZeoIdentity | NotGathered:
    """The proofs, and for each connection that could not be had why."""
    if isinstance(identity, NotGathered):
        return identity
    databases = dict(identity.databases)
    for failure in run.failures:
        proofs = databases.get(failure.database, ())
        if not any(proof.client == failure.client for proof in proofs):
            databases[failure.database] = (*proofs, StorageProof(failure.client, "", error=failure.reason))
    return msgspec.structs.replace(identity, databases=databases, same_way=run.same_way)
