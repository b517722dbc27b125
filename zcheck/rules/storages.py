"""Evidence of storages for examples, and how a storage is shown."""

from __future__ import annotations

from collections.abc import Iterable

from zcheck.facts import LoadsCount, OidRange, StorageProof, ZeoIdentity


def shown(proofs: Iterable[StorageProof]) -> str:
    """What a group's connections reached: the server's own name for the storage, and the addresses that answered."""
    proofs = tuple(proofs)
    servers = ", ".join(dict.fromkeys(proof.server for proof in proofs if proof.server))
    location = next((proof.location for proof in proofs if proof.location), "")
    return f"{location} on {servers}" if location and servers else location or servers


def identity(*, rose: str = "", **clients: str) -> ZeoIdentity:
    """Evidence for an example.

    Each client's is "server first first", the lowest of the three object ids that each of its two calls was given; or
    "error: reason". ``rose`` is "reader app1=7 app2=0", separated by semicolons.
    """
    proofs = []
    for number, (client, text) in enumerate(clients.items()):
        if text.startswith("error: "):
            proofs.append(StorageProof(client, "", error=text.removeprefix("error: ")))
            continue
        server, *firsts = text.split()
        oids = tuple(OidRange(n * len(clients) + number, int(f), int(f) + 2) for n, f in enumerate(firsts))
        proofs.append(StorageProof(client, server, "/srv/Data.fs", not oids, oids, "03" * 8))
    counts = []
    for line in filter(None, rose.split(";")):
        reader, *risen = line.split()
        by = {name: int(loads) for name, _, loads in (part.partition("=") for part in risen)}
        counts.append(LoadsCount(reader, 7, by))
    return ZeoIdentity({"main": tuple(proofs)}, {"main": tuple(counts)})
