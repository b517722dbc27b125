"""A cluster on the five machines, and zcheck's commands run on the fifth."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from network.machines import Network

from zcheck.commands.demo import ClientSpec, Cluster, Seed, ZeoSpec

PORT = 8080
ZEO_PORT = 8100
CLIENTS = ("app1", "app2", "app3")
LIMIT_S = 120.0


class Told(msgspec.Struct, frozen=True):
    """What one command on the fifth machine said."""

    code: int
    out: str
    err: str
    seconds: float
    report: dict[str, Any] = {}

    @property
    def findings(self) -> list[dict[str, Any]]:
        """What counts, ADVICE aside."""
        return [one for one in self.report["findings"] if one["severity"] != "ADVICE"]

    @property
    def told(self) -> list[tuple[str, str, tuple[str, ...]]]:
        return [(one["severity"], one["check"], tuple(one["clients"])) for one in self.findings]

    def finding(self, check: str) -> dict[str, Any]:
        (found,) = [one for one in self.findings if one["check"] == check]
        return found

    def result(self, check: str) -> dict[str, Any]:
        found: dict[str, Any] = next(one for one in self.report["checks"] if one["check"] == check)
        return found

    @property
    def proven(self) -> tuple[int, int, int]:
        """Pairs proven through the running clients, over ZEO, and in all."""
        coverage = self.report["coverage"]
        return coverage["pairs_proven"], coverage["zeo_pairs_proven"], coverage["pairs_total"]


class Site:
    """ZEO on one machine, Zope on three; ``via`` says whether zcheck looks from the clients' machines, by ssh.

    ``clients`` changes or adds fields of single clients' specs, by name.  A ZEO server runs on each
    machine that ``zeo_on`` names, with a database of its own, and bears that machine's name; the first is pinned.
    """

    def __init__(
        self,
        network: Network,
        seed: Seed,
        *,
        via: bool = True,
        clients: Mapping[str, Mapping[str, Any]] | None = None,
        zeo_on: Sequence[str] = ("zeo",),
        ini: str = "",
    ) -> None:
        self.network = network
        with network["front"].network():
            self.cluster = Cluster(
                [self._spec(name, via, (clients or {}).get(name, {})) for name in CLIENTS],
                zeo=[ZeoSpec(name=name, machine=network[name].as_demo, port=ZEO_PORT) for name in zeo_on],
                name="five-machines",
                ini=ini,
                seed=seed,
            )

    def _spec(self, name: str, via: bool, changes: Mapping[str, Any]) -> ClientSpec:
        spec = ClientSpec(
            name=name,
            zeo="zeo",
            machine=self.network[name].as_demo,
            port=PORT,
            ini=f"via = {self.via(name)}" if via else "",
        )
        return msgspec.structs.replace(spec, **changes)

    def via(self, name: str) -> str:
        """How zcheck gets to a machine."""
        return f"ssh -F {self.network.ssh_config} {name} {sys.executable}"

    @property
    def folder(self) -> Path:
        return self.cluster.folder

    def start(self) -> Site:
        with self.network["front"].network():
            self.cluster.start()
        return self

    def stop(self) -> None:
        with self.network["front"].network():
            self.cluster.stop()

    def preflight(self, *options: object) -> Told:
        """``zcheck preflight`` on the fifth machine, with its report."""
        kept = self.folder / "report.json"
        kept.unlink(missing_ok=True)
        told = self.zcheck("preflight", self.cluster.ini, "-o", "text", "-o", f"json:{kept}", *options)
        if not kept.exists():
            return told
        return msgspec.structs.replace(told, report=json.loads(kept.read_text()))

    def zcheck(self, *arguments: object, on: str = "front") -> Told:
        """One command of zcheck's on a machine."""
        begun = time.monotonic()
        done = self.network[on].tried(sys.executable, "-m", "zcheck", *arguments, limit_s=LIMIT_S)
        return Told(done.returncode, done.stdout, done.stderr, time.monotonic() - begun)
