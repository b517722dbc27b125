"""What evidence from the servers themselves says about two clients' storages, where the files do not tell."""

from __future__ import annotations

from itertools import pairwise

from zcheck.facts import OidRange, StorageProof, ZeoIdentity


def proven_one(identity: ZeoIdentity | None, database: str, one: str, other: str) -> bool:
    """Whether the object ids handed out through both clients prove that they reached one storage.

    Asked in turn (A, B, A, B), one server gives one rising sequence.  Two servers cannot, as long as each goes on from
    its own last number: A's second range would have to be above B's first and B's first above A's first.
    """
    if identity is None:
        return False
    proofs = {proof.client: proof for proof in identity.databases.get(database, ()) if not proof.error}
    if one not in proofs or other not in proofs:
        return False
    return _interleave(proofs[one], proofs[other])


def _interleave(one: StorageProof, other: StorageProof) -> bool:
    owners = sorted([(answer, 0) for answer in one.oids] + [(answer, 1) for answer in other.oids], key=_call)
    turns = sum(1 for (_, left), (_, right) in pairwise(owners) if left != right)
    ranges = [answer for answer, _ in owners]
    rising = all(earlier.last < later.first for earlier, later in pairwise(ranges))
    return rising and turns >= 3


def _call(owned: tuple[OidRange, int]) -> int:
    return owned[0].call
