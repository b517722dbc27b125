"""The matrix with blobs: what is stored with a file through one connection is handed out with it through every other.

What goes over the wire is what a client sends that keeps a cache of blobs.  No folder is written to or read, neither a
client's nor one of ours: of a shared folder nothing can be proven from here.  The server keeps the few small files
until its next pack, as it keeps the deleted records.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec

from zcheck.consistency.storage import markers, protocol
from zcheck.consistency.storage.common import Change, Record, Stop
from zcheck.consistency.storage.matrix import Matrix
from zcheck.facts.history import History

if TYPE_CHECKING:
    from zcheck.consistency.storage.connection import Connection


class BlobMatrix(Matrix):
    """One round of blobs on one database, through the clients that keep any."""

    def __init__(self, job: protocol.Write, connections: list[Connection], stop: Stop) -> None:
        super().__init__(job, [one for one in connections if one.target.blobs], stop)

    def run(self) -> History:
        return msgspec.structs.replace(
            super().run(), blobs=True, log=None, why_no_log="blobs are judged by their files"
        )

    def _may_write(self, connection: Connection) -> bool:
        if not super()._may_write(connection):
            return False
        if not connection.can("IBlobStorage"):
            self.refused[connection.target.client] = ("no-blobs", "the server's storage keeps no blobs")
            return False
        return True

    def _change(self, marker: markers.Marker) -> Change:
        written = self.markers[marker.writer]
        return Change(written.oid, written.serial, markers.record(marker, blob=True), markers.text(marker))

    def _try_conflicts(self, writers: list[Connection]) -> None:
        """The records of blobs conflict as any others do, which the markers have shown."""

    def _see(self, connection: Connection, oids: list[int]) -> tuple[int, int, int, dict[int, Record | None]]:
        """A blob counts as shown only together with its file."""
        started, _, tid, records = super()._see(connection, oids)
        found = {oid: record if self._has_file(connection, oid, record) else None for oid, record in records.items()}
        return started, time.monotonic_ns(), tid, found

    def _has_file(self, connection: Connection, oid: int, record: Record | None) -> bool:
        marker = markers.read(record.data) if record is not None else None
        if record is None or marker is None:
            return False
        return connection.load_file(oid, record.tid) == markers.text(marker)
