"""The receipt counts what the run really wrote: the bytes of all records that the storage's file has of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cluster.whole_runs import preflight, write_ini
from ZODB.FileStorage.FileStorage import FileIterator

from zcheck.commands.demo import Cluster

MANY = 6_000
"""Objects in the root: it is written whole when a folder is added, and when it is removed."""


def written_since(path: Path, transactions: int) -> list[int]:
    """The bytes of the records of each transaction after so many."""
    iterator = FileIterator(str(path))
    try:
        sizes = [sum(len(record.data or b"") for record in transaction) for transaction in iterator]
    finally:
        iterator.close()
    return sizes[transactions:]


def fill_the_root(port: int) -> None:
    import transaction
    import ZEO
    from OFS.Folder import Folder

    database = ZEO.DB(("127.0.0.1", port), wait_timeout=30)
    try:
        connection = database.open()
        application = connection.root()["Application"]
        for number in range(MANY):
            application._setObject(f"site-{number}", Folder(f"site-{number}"), suppress_events=True)
        transaction.commit()
        connection.close()
    finally:
        database.close()


def test_the_container_and_the_documents_are_counted(make_cluster: Callable[..., Cluster]) -> None:
    cluster = make_cluster(2)
    fill_the_root(cluster.main_zeo.port)
    data = cluster.main_zeo.data_fs()
    before = len(written_since(data, 0))
    receipt = preflight(cluster).report["consistency"]["receipt"]
    sizes = written_since(data, before)
    # Through one ZEO connection and through the clients: the root alone is written twice.
    assert (len(sizes), sum(sizes)) == (receipt["transactions"], receipt["bytes"])
    root = sorted(sizes)[-2:]
    assert root[0] > 30 * MANY
    assert 0 == receipt["left_behind"]
    assert "uncounted" not in receipt


def test_without_a_log_it_is_said_that_bytes_are_missing(make_cluster: Callable[..., Cluster]) -> None:
    cluster = make_cluster(2)
    ini = write_ini(cluster, "none", without=["zope-conf"], pinned=False)
    data = cluster.main_zeo.data_fs()
    before = len(written_since(data, 0))
    receipt = preflight(ini).report["consistency"]["receipt"]
    sizes = written_since(data, before)
    assert (len(sizes), 0) == (receipt["transactions"], receipt["bytes"])
    assert len(sizes) == receipt["uncounted"] > 0
