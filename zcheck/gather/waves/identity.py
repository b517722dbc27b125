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
    candidates = _at_every_address(run, ways)
    ways, run.same_way = targets.standing_for_all([routes.by_one_server(run, way) for way in ways])
    for way in ways:
        run.progress(way.client, "connecting to its ZEO server")
    run.failures = run.worker.connect([routes.zeo_target(way) for way in ways], within_s=run.within_s())
    identity = run.worker.identity(within_s=run.within_s())
    run.keep("", _with_candidates(_with_failures(run, identity), candidates), ZeoIdentity)
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


MOST_CANDIDATES = 8
"""Addresses of one database that are looked at; more would be a strange cluster."""


def _at_every_address(run: Run, ways: list[targets.ZeoTarget]) -> ZeoIdentity | None:
    """What tells apart the servers among which a client may land: a name's addresses, and several ``server`` lines."""
    found: dict[str, dict[tuple[str, str], targets.ZeoTarget]] = {}
    for way in ways:
        addresses = dict.fromkeys((*way.others, *(one for one in way.dialled if not way.others)))
        for address in addresses if len(addresses) > 1 else ():
            alone = msgspec.structs.replace(way, client=str(address), dialled=(address,), blobs="", others=())
            found.setdefault(way.database, {})[str(address), way.storage] = alone
    asked = [one for of in found.values() for one in list(of.values())[:MOST_CANDIDATES] if len(of) > 1]
    for way in asked:
        if way.dialled[0] not in run.asked:
            run.asked[way.dialled[0]] = routes.ask_server(run, way.dialled[0])
    able = [way for way in asked if routes.answers(run, way)]
    if len(able) < 2 or run.worker is None:
        return None
    targets_ = [msgspec.structs.replace(routes.zeo_target(way), may_write=False) for way in able]
    failed = {failure.client for failure in run.worker.connect(targets_, within_s=run.within_s())}
    identity = run.worker.identity(within_s=run.within_s()) if len(able) > len(failed) + 1 else None
    return identity if isinstance(identity, ZeoIdentity) else None


def _with_candidates(identity: ZeoIdentity | NotGathered, candidates: ZeoIdentity | None) -> ZeoIdentity | NotGathered:
    if isinstance(identity, NotGathered) or candidates is None:
        return identity
    return msgspec.structs.replace(identity, candidates=candidates.databases, candidate_loads=candidates.loads)
