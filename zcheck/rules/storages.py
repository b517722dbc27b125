"""Evidence of storages for examples, and how a storage is shown."""

from __future__ import annotations

from collections.abc import Iterable

from zcheck.facts import StorageProof


def shown(proofs: Iterable[StorageProof]) -> str:
    """What a group's connections reached: the server's own name for the storage, and the addresses that answered."""
    proofs = tuple(proofs)
    servers = ", ".join(dict.fromkeys(proof.server for proof in proofs if proof.server))
    location = next((proof.location for proof in proofs if proof.location), "")
    return f"{location} on {servers}" if location and servers else location or servers
