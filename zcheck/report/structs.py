"""What reporters are handed: the outcome of a run as frozen structs, in the shape of its JSON."""

from __future__ import annotations

from typing import Literal

import msgspec

from zcheck.check import Place as Place

SCHEMA = "zcheck-report/1"

FindingSeverity = Literal["ADVICE", "WARNING", "UNKNOWN", "CRITICAL"]
Outcome = Literal["pass", "problem", "unknown", "skipped", "suppressed"]


class SkippedFor(msgspec.Struct, frozen=True, gc=False):
    """A client for which a check was not judged; ``because`` is a check's name or the reason."""

    client: str
    because: str


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a person should know; ``severity`` is UNKNOWN where the check could not tell."""

    check: str
    stage: str
    severity: FindingSeverity
    clients: tuple[str, ...]
    message: str
    hint: str = ""
    fingerprint: str = ""
    suppressed_by: str | None = None
    places: tuple[Place, ...] = ()


class Remark(msgspec.Struct, frozen=True, kw_only=True):
    """Told beside a pass: no finding, no influence on the verdict."""

    check: str
    clients: tuple[str, ...]
    message: str
    places: tuple[Place, ...] = ()


class CheckResult(msgspec.Struct, frozen=True, kw_only=True):
    """How one check of the catalogue came out; the worst over its clients, ``skipped`` the mildest."""

    check: str
    stage: str
    outcome: Outcome
    because: str | None = None
    skipped_for: tuple[SkippedFor, ...] = ()
    duration_s: float = 0.0


class Judgement(msgspec.Struct, frozen=True):
    """Everything the runner found out."""

    results: tuple[CheckResult, ...]
    findings: tuple[Finding, ...]
    remarks: tuple[Remark, ...] = ()


class Tool(msgspec.Struct, frozen=True):
    name: str
    version: str


class Run(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    command: str
    started: str
    duration_s: float
    offline: bool = False
    read_only: bool = False
    deadline_s: float = 60.0
    """How long it was allowed to take."""
    age_s: float | msgspec.UnsetType = msgspec.UNSET
    """Of saved facts that are judged again: how long ago that run began, in seconds."""


class Cluster(msgspec.Struct, frozen=True):
    name: str
    clients: tuple[str, ...]
    file: str = ""
    """The clients.ini, as it was named: where a finding without a place of its own belongs."""


class Verdict(msgspec.Struct, frozen=True):
    """``exit_code`` is the process's own, after ``--fail-on``; ``status`` is told as it is."""

    status: Literal["OK", "WARNING", "UNKNOWN", "CRITICAL"]
    exit_code: int
    impact: str = ""


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """How much of what could be proven was proven."""

    checks_run: int
    checks_total: int
    clients_seen: int
    clients_total: int
    pairs_proven: int
    zeo_pairs_proven: int
    pairs_total: int


class Pair(msgspec.Struct, frozen=True):
    """Whether ``reader`` served what was written through ``writer``; ``seen`` is None where it was not tried."""

    writer: str
    reader: str
    seen: bool | None = None
    lag_ms: float | None = None


class Level(msgspec.Struct, frozen=True):
    level: Literal["http", "zeo"]
    database: str
    pairs: tuple[Pair, ...]
    same_way: dict[str, str] = {}
    """Of very many clients: by client, the one whose connection stood for it; ``pairs`` are of the others."""


class Receipt(msgspec.Struct, frozen=True):
    """What the run wrote: commits, bytes of records, and what it left behind."""

    transactions: int = 0
    bytes: int = 0
    left_behind: int = 0
    uncounted: int | msgspec.UnsetType = msgspec.UNSET
    """Of those commits, how many wrote bytes that are not in ``bytes``: no log could be read in which they are."""


class LagPoint(msgspec.Struct, frozen=True):
    """One write until one reader showed it; ``at_s`` after the first of the run was acknowledged."""

    at_s: float
    ms: float
    writer: str
    reader: str


class LagWindow(msgspec.Struct, frozen=True, kw_only=True):
    """How long writes took to arrive that were acknowledged in this part of the run."""

    begin_s: float
    end_s: float
    count: int
    median_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float


class Lags(msgspec.Struct, frozen=True, kw_only=True):
    """How long writes took to arrive at readers that did not ask for them, over the time of one history."""

    level: Literal["http", "zeo"]
    database: str
    whole: LagWindow
    limit_ms: float
    """What is expected of the slowest."""
    windows: tuple[LagWindow, ...] = ()
    points: tuple[LagPoint, ...] = ()
    """Of many: the slowest, and a sample of the others."""
    sampled: int | None = None
    """Of a very long run the figures are those of so many, evenly taken; null: of all."""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One operation in a drawing; times from the beginning of its history."""

    session: str
    action: str
    begin_ms: float
    end_ms: float
    outcome: Literal["ok", "fail", "info"]
    what: str
    """What it read or wrote, in words."""
    fenced: bool = False
    witness: int | None = None
    """Its number among those that show the anomaly, the earliest first."""


class Anomaly(msgspec.Struct, frozen=True, kw_only=True):
    """Something that went wrong, and what happened around it."""

    level: Literal["http", "zeo"]
    database: str
    kind: str
    words: str
    clients: tuple[str, ...]
    adya: str | None = None
    """What the literature calls it; null where it is an edit that did not show, and nothing finer was judged."""
    breaks: str | None = None
    """The weakest level of isolation that does not allow it."""
    steps: tuple[Step, ...] = ()
    """The earliest first."""


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """How the judge of isolation came to its verdict on one history."""

    level: Literal["http", "zeo"]
    database: str
    result: Literal["pass", "fail", "unknown"]
    held: str | None
    """The strongest level that held; null where none did, and in a split cluster."""
    operations: int
    transactions: int
    """Operations that were judged."""
    fenced_reads: int
    """Without a fault in R of them its rate is below 3/R (95 %)."""
    anomalies: int
    """How many there are; the first of each kind are told."""
    unseen: int
    """Pairs of clients of which one does not show what is saved through the other: what is judged is one side."""
    serializable: bool | None = None
    """Of the work that asks for it; null where there was none."""
    unknown: tuple[str, ...] = ()
    """What is missing for a pass."""


class Consistency(msgspec.Struct, frozen=True):
    levels: tuple[Level, ...] = ()
    held: str | None = None
    """The strongest level of isolation that the whole history supports; null where none was judged."""
    receipt: Receipt = Receipt()
    judged: tuple[Judged, ...] = ()
    lags: tuple[Lags, ...] = ()
    anomalies: tuple[Anomaly, ...] = ()


NodeState = Literal["good", "bad", "unknown"]


class ClientNode(msgspec.Struct, frozen=True):
    """A client as it is drawn; ``state``: whether it serves pages."""

    name: str
    address: str
    machine: str
    role: str
    state: NodeState = "unknown"


class StorageNode(msgspec.Struct, frozen=True):
    """A server or a place where databases live; one node for all spellings of a server that are known to be one."""

    id: str
    kind: Literal["zeo", "relational", "private"]
    label: str
    state: NodeState = "unknown"


class Connection(msgspec.Struct, frozen=True, kw_only=True):
    """One database of one client: mounted where, living where, and whether the running client is connected to it."""

    client: str
    database: str
    storage: str
    """The server's name for it; empty where there is none."""
    mounts: tuple[str, ...]
    targets: tuple[str, ...]
    """The ``id`` of each node."""
    state: NodeState = "unknown"
    detail: str = ""
    """What is wrong with it, in words."""


class BalancerNode(msgspec.Struct, frozen=True):
    name: str
    clients: tuple[str, ...] = ()
    """Those that it is known to send users to."""


class Topology(msgspec.Struct, frozen=True):
    """Who is connected to what, for those who draw it."""

    clients: tuple[ClientNode, ...] = ()
    storages: tuple[StorageNode, ...] = ()
    connections: tuple[Connection, ...] = ()
    balancers: tuple[BalancerNode, ...] = ()


class Timing(msgspec.Struct, frozen=True):
    what: str
    seconds: float


class Page(msgspec.Struct, frozen=True):
    """A check's page, for the formats that bring their own help; ``severity`` is what its findings have."""

    check: str
    stage: str
    severity: str
    text: str

    @property
    def title(self) -> str:
        """The true sentence of a healthy cluster."""
        return self.text.partition("\n")[0]

    @property
    def prose(self) -> str:
        """The page without its examples, which are the business of tests."""
        return self.text.partition("\n>>> ")[0].rstrip()


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """One run: the one thing that every reporter turns into text."""

    schema: str = SCHEMA
    tool: Tool
    run: Run
    cluster: Cluster
    verdict: Verdict
    coverage: Coverage
    checks: tuple[CheckResult, ...]
    findings: tuple[Finding, ...]
    """Worst first."""
    consistency: Consistency
    remarks: tuple[Remark, ...] = ()
    topology: Topology = Topology()
    timings: tuple[Timing, ...] = ()
