"""Certificates for tests, made by openssl: authorities, servers and clients, good and expired."""

from __future__ import annotations

import subprocess
from pathlib import Path

import msgspec

_EXTENSIONS = {
    "ca": "basicConstraints=critical,CA:true\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n",
    "leaf": (
        "basicConstraints=critical,CA:false\nkeyUsage=critical,digitalSignature,keyEncipherment\n"
        "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\nsubjectAltName=DNS:localhost,IP:127.0.0.1\n"
    ),
}


class Pair(msgspec.Struct, frozen=True):
    """A certificate and its key."""

    certificate: Path
    key: Path


def authority(folder: Path, name: str) -> Pair:
    """One that signs others."""
    return _made(folder, name, "ca", None, days=30)


def signed(folder: Path, name: str, by: Pair, *, expired: bool = False) -> Pair:
    """One for localhost and 127.0.0.1, for either side of a connection."""
    return _made(folder, name, "leaf", by, days=30, expired=expired)


def _made(folder: Path, name: str, kind: str, by: Pair | None, *, days: int, expired: bool = False) -> Pair:
    pair = Pair(folder / f"{name}.pem", folder / f"{name}.key")
    request, extensions = folder / f"{name}.csr", folder / f"{kind}.ext"
    extensions.write_text(_EXTENSIONS[kind])
    _openssl(
        "req", "-new", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", pair.key, "-out", request
    )
    how: list[object] = ["-signkey", pair.key] if by is None else ["-CA", by.certificate, "-CAkey", by.key]
    if by is not None:
        how += ["-CAcreateserial"]
    # A certificate cannot be made to have ended before it began, so an expired one ends in the very second.
    length = ["-days", "0"] if expired else ["-days", str(days)]
    _openssl("x509", "-req", "-in", request, "-extfile", extensions, "-out", pair.certificate, *how, *length)
    return pair


def _openssl(*arguments: object) -> None:
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
