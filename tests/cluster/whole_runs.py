"""The whole tool from outside: one command, what it said, how it ended, and what it did to the storage."""

from __future__ import annotations

import contextlib
import io
import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jsonschema
import msgspec

from zcheck import cli
from zcheck.commands.demo import HOST, ClientSpec, Cluster
from zcheck.facts import HostPort
from zcheck.probes import zeo

LIMIT_S = 90.0
ROOT_CONTAINER = (1).to_bytes(8, "big")
"""The one object of the application that a run may rewrite: the container that its folder is added to."""


class Outcome(msgspec.Struct, frozen=True):
    """One run of the command."""

    code: int
    out: str
    err: str
    seconds: float
    report: dict[str, Any] = {}

    @property
    def status(self) -> str:
        return str(self.report["verdict"]["status"])

    @property
    def counts(self) -> tuple[int, int, int]:
        """Pairs proven through the running clients, over ZEO, and in all."""
        coverage = self.report["coverage"]
        return coverage["pairs_proven"], coverage["zeo_pairs_proven"], coverage["pairs_total"]

    @property
    def findings(self) -> list[dict[str, Any]]:
        """What counts, ADVICE aside."""
        return [one for one in self.report["findings"] if one["severity"] != "ADVICE" and not one["suppressed_by"]]

    @property
    def told(self) -> list[tuple[str, str, tuple[str, ...]]]:
        """Each finding that counts: severity, check, clients."""
        return [(one["severity"], one["check"], tuple(one["clients"])) for one in self.findings]

    def of(self, severity: str) -> list[str]:
        """The names of the checks with findings of this severity."""
        return [check for found, check, _ in self.told if found == severity]

    def finding(self, check: str) -> dict[str, Any]:
        (found,) = [one for one in self.report["findings"] if one["check"] == check]
        return dict(found)

    def outcome(self, check: str) -> str:
        return str(self._result(check)["outcome"])

    def because(self, check: str) -> str | None:
        because: str | None = self._result(check)["because"]
        return because

    def skipped_for(self, client: str) -> dict[str, str]:
        """By check: why it was skipped for this client."""
        return {
            one["check"]: skipped["because"]
            for one in self.report["checks"]
            for skipped in one["skipped_for"]
            if skipped["client"] == client
        }

    def pairs(self, level: str, database: str = "main") -> dict[tuple[str, str], bool | None]:
        """Who was seen by whom."""
        return {
            (pair["writer"], pair["reader"]): pair["seen"]
            for one in self.report["consistency"]["levels"]
            if (one["level"], one["database"]) == (level, database)
            for pair in one["pairs"]
        }

    def _result(self, check: str) -> dict[str, Any]:
        return next(one for one in self.report["checks"] if one["check"] == check)


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "zcheck", *map(str, arguments)]


def in_process(*arguments: object) -> Outcome:
    """``zcheck.cli.main`` in this process: the same as the command, without the imports' second."""
    out, err = io.StringIO(), io.StringIO()
    begun = time.monotonic()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = cli.main([str(argument) for argument in arguments])
    return Outcome(code, out.getvalue(), err.getvalue(), time.monotonic() - begun)


def by_command(*arguments: object, env: Mapping[str, str] | None = None, limit_s: float = LIMIT_S) -> Outcome:
    """``python -m zcheck`` in a process of its own."""
    begun = time.monotonic()
    done = subprocess.run(
        command(*arguments),
        capture_output=True,
        text=True,
        timeout=limit_s,
        env={**os.environ, **(env or {})},
        cwd="/",
        check=False,
    )
    return Outcome(done.returncode, done.stdout, done.stderr, time.monotonic() - begun)


def preflight(where: Cluster | Path, *options: object, alone: bool = False) -> Outcome:
    """One preflight with its report as JSON beside the text; ``alone``: in a process of its own.

    That exit code, report and last line agree is seen to in every run.
    """
    ini = where.ini if isinstance(where, Cluster) else where
    kept = ini.parent / f"report-{secrets.token_hex(4)}.json"
    run = by_command if alone else in_process
    outcome = run("preflight", ini, "-o", f"json:{kept}", *options)
    try:
        told = json.loads(kept.read_text())
    except FileNotFoundError:
        return outcome
    kept.unlink()
    jsonschema.validate(told, _schema())
    assert told["verdict"]["exit_code"] == outcome.code
    assert outcome.out.rstrip("\n").splitlines()[-1].startswith(f"{told['verdict']['status']}: "), outcome.out
    assert [left for left in ini.parent.iterdir() if left.name.endswith(".part")] == []
    return msgspec.structs.replace(outcome, report=told)


def _schema() -> Any:
    if not _SCHEMA:
        _SCHEMA.append(json.loads(in_process("schema").out))
    return _SCHEMA[0]


_SCHEMA: list[Any] = []


# --- other inventories of one cluster -------------------------------------------------------------


def write_ini(
    cluster: Cluster,
    name: str,
    clients: Sequence[str] = (),
    *,
    pinned: bool | None = None,
    cluster_lines: Iterable[str] = (),
    without: Iterable[str] = (),
    instead: Mapping[str, Mapping[str, str]] | None = None,
    more: str = "",
) -> Path:
    """Another clients.ini beside the cluster's own: these clients in this order.

    ``without`` leaves out keys of ``[cluster]`` or of every client; ``instead`` changes or adds keys of single clients
    (an empty value leaves a key out).
    """
    lines = ["[cluster]", f"name = {cluster.name}", f"user = {cluster.user}", "password-file = password"]
    if cluster._pinned if pinned is None else pinned:
        lines += [f"zeo = {cluster.zeo_address}", "storage = 1"]
    lines = [line for line in lines if line.partition(" ")[0] not in without] + list(cluster_lines)
    for client in [cluster.clients[one] for one in clients or cluster.clients]:
        keys = {
            "address": client.address,
            "zope-conf": str(client.zope_conf.relative_to(cluster.folder)),
            "machine": HOST,
            **({"role": client.spec.role} if client.spec.role != "balanced" else {}),
            **dict(line.split(" = ", 1) for line in client.spec.ini.splitlines()),
            **(instead or {}).get(client.name, {}),
        }
        lines += ["", f"[client:{client.name}]"]
        lines += [f"{key} = {value}" for key, value in keys.items() if value and key not in without]
    path = cluster.folder / f"{name}.ini"
    path.write_text("\n".join([*lines, more, ""]))
    path.chmod(0o600)
    return path


# --- what a run did to a storage ------------------------------------------------------------------


class Contents(msgspec.Struct, frozen=True):
    """A storage's file as it is: what every object is now, and every transaction."""

    current: dict[bytes, bytes | None]
    transactions: tuple[tuple[bytes, bytes, bytes, tuple[bytes, ...]], ...]
    """Transaction id, user, description and oids."""

    @classmethod
    def of(cls, path: Path) -> Contents:
        from ZODB.FileStorage.FileStorage import FileIterator

        current: dict[bytes, bytes | None] = {}
        transactions = []
        iterator = FileIterator(str(path))
        for transaction in iterator:
            oids = []
            for record in transaction:
                current[record.oid] = record.data
                oids.append(record.oid)
            transactions.append((transaction.tid, transaction.user, transaction.description, tuple(oids)))
        iterator.close()
        return cls(current, tuple(transactions))

    @property
    def reachable(self) -> dict[bytes, bytes]:
        """Every object that the root leads to."""
        from ZODB.serialize import referencesf

        found: dict[bytes, bytes] = {}
        waiting = [bytes(8)]
        while waiting:
            oid = waiting.pop()
            data = self.current.get(oid)
            if oid not in found and data is not None:
                found[oid] = data
                waiting += referencesf(data)
        return found


def assert_only_ours(
    before: Contents, after: Contents, runs: Iterable[str] | None = None, container: bytes = ROOT_CONTAINER
) -> None:
    """Since ``before`` only runs of zcheck wrote, only to objects of their own, and nothing of theirs is reachable.

    ``runs``: the ids of the runs that may have written; None: any.  ``container``: that of their folder.
    """
    assert after.transactions[: len(before.transactions)] == before.transactions
    for _, user, description, oids in after.transactions[len(before.transactions) :]:
        said = description.decode()
        names = [f"zcheck run={run} " for run in runs] + [f"/zcheck-{run}" for run in runs] if runs else ["zcheck"]
        known = [oid for oid in oids if oid in before.current]
        if user == b"zcheck":
            assert any(name in f"{said} " for name in names), said
            assert known == [], f"{said} touched an object of the application"
        else:
            # Over HTTP: the add and the delete rewrite the container, the others are about objects in the folder.
            assert set(known) <= {container}, f"{said} touched an object of the application"
            assert container in oids or any(name in said for name in names), said
    assert {oid: state_of(data) for oid, data in before.reachable.items()} == {
        oid: state_of(data) for oid, data in after.reachable.items()
    }


def state_of(data: bytes) -> object:
    """A record's content, comparable: two pickles of one state may be written differently."""
    import pickletools

    return [(opcode.name, argument) for opcode, argument, _ in pickletools.genops(data) if "PUT" not in opcode.name]


def server_of(cluster: Cluster, name: str = "main") -> HostPort:
    return HostPort(HOST, cluster.zeo[name].port)


def lock_and_connections(cluster: Cluster, name: str = "main", storage: str = "1") -> tuple[bool, int]:
    """Whether the commit lock is held, and how many clients are connected."""
    told = zeo.ask(server_of(cluster, name)).storages[storage]
    return any(reading.lock_time is not None for reading in told.readings), told.connections


def commit_takes(cluster: Cluster, name: str = "main", limit_s: float = 15.0) -> float:
    """Seconds that an ordinary client's commit takes now, once it is connected."""
    done = subprocess.run(
        [sys.executable, "-c", _COMMIT, str(cluster.zeo[name].port)],
        capture_output=True,
        timeout=limit_s,
        cwd="/",
        check=True,
    )
    return float(done.stdout)


_COMMIT = """
import sys, time
from ZEO.ClientStorage import ClientStorage
from ZODB.Connection import TransactionMetaData
from ZODB.utils import z64
storage = ClientStorage(("127.0.0.1", int(sys.argv[1])), wait_timeout=10)
started = time.monotonic()
transaction = TransactionMetaData("another", "an ordinary edit")
storage.tpc_begin(transaction)
storage.store(storage.new_oid(), z64, b"an ordinary record", "", transaction)
storage.tpc_vote(transaction)
storage.tpc_finish(transaction)
print(time.monotonic() - started)
storage.close()
"""


def children_of(pid: int) -> list[int]:
    """The running processes that this one started, and those that they started."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            after_name = stat.read_text().rpartition(")")[2].split()
            if int(after_name[1]) == pid and after_name[0] != "Z":
                child = int(stat.parent.name)
                found += [child, *children_of(child)]
    return found


@contextlib.contextmanager
def unchanged(path: Path) -> Iterator[None]:
    """Not one byte of this file changes in the block."""
    before = path.read_bytes()
    yield
    assert path.read_bytes() == before, f"{path.name} was written to"


def spec(name: str, **fields: Any) -> ClientSpec:
    return ClientSpec(name=name, **fields)
