"""The one kind of object that zcheck writes over ZEO, as bytes: pure.

A marker is a record of ``persistent.mapping.PersistentMapping``, which every ZODB can load, linked from nowhere; or one
of ``ZODB.blob.Blob``, which takes no notice of the state in its record, and whose file holds the same text.  The bytes
are made and recognised here without ZODB: what a database holds is compared as bytes and never unpickled.  Pickle
protocol 2 is written, because the server's own pack reads every record, and a server may run on an old Python.
"""

from __future__ import annotations

import re
import struct

import msgspec

USER = "zcheck"
"""The user of every transaction of ours."""

# Two pickles: the class, then the state {"data": {"zcheck": <text>}}.
_STATE = b"\x80\x02}q\x00X\x04\x00\x00\x00dataq\x01}q\x02X\x06\x00\x00\x00zcheckq\x03X"
_HEAD = b"\x80\x02cpersistent.mapping\nPersistentMapping\nq\x00." + _STATE
_BLOB_HEAD = b"\x80\x02cZODB.blob\nBlob\nq\x00." + _STATE
_TAIL = b"q\x04ss."
_TEXT = re.compile(r"zcheck run=(\S+) seq=(\d{1,9}) nonce=([0-9a-f]{32}) writer=(.*)", re.DOTALL)
_DESCRIPTION = re.compile(r"zcheck run=(\S+) seq=(\d{1,9})")


class Marker(msgspec.Struct, frozen=True):
    """What one marker's record says."""

    run_id: str
    seq: int
    nonce: str
    """128 random bits in hexadecimal digits."""
    writer: str
    """The client through which it was written."""


def text(marker: Marker) -> bytes:
    """What a marker says; the whole content of a blob's file."""
    return f"zcheck run={marker.run_id} seq={marker.seq} nonce={marker.nonce} writer={marker.writer}".encode()


def record(marker: Marker, *, blob: bool = False) -> bytes:
    """The database record of a marker: its class, then its state."""
    said = text(marker)
    return (_BLOB_HEAD if blob else _HEAD) + struct.pack("<I", len(said)) + said + _TAIL


def read(data: bytes) -> Marker | None:
    """The marker that these bytes are, to the last bit; None for the record of anything else."""
    head = next((head for head in (_HEAD, _BLOB_HEAD) if data.startswith(head)), None)
    if head is None:
        return None
    found = _TEXT.fullmatch(data[len(head) + 4 : -len(_TAIL)].decode("utf-8", "replace"))
    if found is None:
        return None
    marker = Marker(found[1], int(found[2]), found[3], found[4])
    return marker if record(marker, blob=head is _BLOB_HEAD) == data else None


def description(run_id: str, seq: int) -> str:
    """The description of the transaction that is the ``seq``-th of a run."""
    return f"zcheck run={run_id} seq={seq}"


def read_description(user: bytes, text: bytes) -> tuple[str, int] | None:
    """Run and number of a transaction of ours; None for anybody else's."""
    if user != USER.encode():
        return None
    found = _DESCRIPTION.fullmatch(text.decode("utf-8", "replace"))
    return None if found is None else (found[1], int(found[2]))


def number(eight_bytes: bytes) -> int:
    """The number that an oid or a tid is."""
    (value,) = struct.unpack(">Q", eight_bytes)
    return int(value)


def eight_bytes(value: int) -> bytes:
    """The oid or tid that is this number."""
    return struct.pack(">Q", value)
