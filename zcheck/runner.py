"""Judge facts by checks.  Pure: no file, socket or clock is reached from here.

The rules, which no check has to repeat:

* a fact that was not gathered makes the check UNKNOWN for that client, never a pass;
* a client that an earlier check (``after``) found a problem with is skipped, and the skip names that check:
  one cause is one finding;
* a check that raises, or that reads what it did not declare, is UNKNOWN;
* a check that could examine no client at all is UNKNOWN, unless an earlier finding or a reason given by the
  user explains every one of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from zcheck.check import Check, Note, Place, Problem, Severity, Skipped, Unknown, Yield
from zcheck.facts import Facts, LeftOut, NotGathered, Suppression
from zcheck.report import CheckResult, Finding, FindingSeverity, Judgement, Outcome, Remark, SkippedFor

# The stages in which a suppression would hide that data are lost.
NEVER_SUPPRESSED_STAGES = frozenset({"consistency"})
NEVER_SUPPRESSED_CHECKS = frozenset({"every-database-is-one"})


def run(
    checks: Iterable[Check],
    facts: Facts,
    *,
    left_out: Mapping[str, str] | None = None,
    today: str = "",
    clock: Callable[[], float] = lambda: 0.0,
) -> Judgement:
    """Judge ``facts`` by ``checks``, which are in the catalogue's order.

    ``left_out`` gives, by the check's name, why the user does not want it.  ``today`` (an ISO date, UTC) is what
    suppressions are held against.  ``clock`` gives seconds, for the durations in the results.
    """
    results: list[CheckResult] = []
    findings: list[Finding] = []
    remarks: list[Remark] = []
    seen: dict[str, dict[str, Outcome]] = {}
    for check in checks:
        started = clock()
        reason = (left_out or {}).get(check.name)
        case = _Case(check, facts, seen)
        if reason is not None:
            case.skip(facts.inventory.client_names, reason)
        else:
            case.judge()
        own = _suppressed(case.findings, facts.inventory.suppressions, today)
        findings += own
        remarks += case.remarks
        # What the user left out was not looked at: it explains nothing about any client.
        seen[check.name] = case.outcomes if reason is None else {}
        results.append(case.result(own, clock() - started))
    return Judgement(tuple(results), tuple(_fingerprinted(findings)), tuple(remarks))


class _Case:
    """One check before one set of facts."""

    def __init__(self, check: Check, facts: Facts, seen: Mapping[str, Mapping[str, Outcome]]) -> None:
        self.check = check
        self.facts = facts
        self.seen = seen
        self.findings: list[Finding] = []
        self.remarks: list[Remark] = []
        self.outcomes: dict[str, Outcome] = {}
        self.skipped_for: list[SkippedFor] = []
        self.judged: tuple[str, ...] = ()

    def judge(self) -> None:
        clients = self._clients_to_judge()
        if not clients or not self._cluster_facts_are_there(clients):
            return
        self.judged = clients
        view = self.facts.view((*self.check.needs, *self.check.uses), clients)
        try:
            found = list(self.check.body(view))
        except Exception as error:  # a defect of ours must never look like a pass
            found = [Unknown(clients, f"the check itself failed: {type(error).__name__}: {error}")]
        for one in found:
            self._take(one)
        for client in clients:
            self.outcomes.setdefault(client, "pass")

    def skip(self, clients: Iterable[str], because: str) -> None:
        for client in clients:
            self.skipped_for.append(SkippedFor(client, because))
            self.outcomes.setdefault(client, "skipped")

    def result(self, findings: list[Finding], duration_s: float) -> CheckResult:
        outcome: Outcome
        live = [finding for finding in findings if finding.suppressed_by is None]
        passed = any(outcome == "pass" for outcome in self.outcomes.values())
        if any(finding.severity != "UNKNOWN" for finding in live):
            outcome = "problem"
        elif live:
            outcome = "unknown"
        elif findings:
            outcome = "suppressed"
        else:
            outcome = "pass" if passed else "skipped"
        reasons = list(dict.fromkeys(skipped.because for skipped in self.skipped_for))
        because = "; ".join(reasons) if outcome == "skipped" else None
        return CheckResult(
            check=self.check.name,
            stage=self.check.stage,
            outcome=outcome,
            because=because,
            skipped_for=tuple(self.skipped_for),
            duration_s=round(duration_s, 6),
        )

    def _clients_to_judge(self) -> tuple[str, ...]:
        """Sort out the clients that cannot or need not be judged."""
        judged = []
        unknown: dict[tuple[str, str], list[str]] = {}
        for client in self.facts.inventory.client_names:
            blocked = self._earlier(client, ("problem", "suppressed"))
            missing = self._missing(client)
            if blocked is not None:
                self.skip([client], blocked)
            elif missing is None:
                judged.append(client)
            elif isinstance(missing, LeftOut):
                self.skip([client], missing.because or missing.reason)
            else:
                cause = self._earlier(client, ("unknown", "skipped"))
                if cause is not None:
                    self.skip([client], cause)
                else:
                    unknown.setdefault((missing.reason, missing.hint), []).append(client)
        for (reason, hint), clients in unknown.items():
            self._take(Unknown(tuple(clients), reason, hint=hint))
        return tuple(judged)

    def _earlier(self, client: str, outcomes: tuple[Outcome, ...]) -> str | None:
        """The first check of ``after`` that came out so for this client."""
        for name in self.check.after:
            if self.seen.get(name, {}).get(client) in outcomes:
                return name
        return None

    def _missing(self, client: str) -> NotGathered | LeftOut | None:
        """What stands in for the first needed per-client fact that is not there."""
        for kind in self.check.needs:
            if kind.scope == "client":
                missing = self._stand_in(kind, client)
                if missing is not None:
                    return missing
        return None

    def _stand_in(self, kind: type[Any], subject: str) -> NotGathered | LeftOut | None:
        """What is there in place of a fact; None where the fact is there."""
        fact = self.facts.raw(kind, subject)
        if fact is None:
            return NotGathered("nothing was gathered")
        if isinstance(fact, LeftOut) and fact.because is not None and not self.seen.get(fact.because):
            # The check that would have told why is not part of this run.
            return NotGathered(fact.reason)
        return fact if isinstance(fact, NotGathered | LeftOut) else None

    def _cluster_facts_are_there(self, clients: tuple[str, ...]) -> bool:
        for kind in self.check.needs:
            if kind.scope == "client":
                continue
            missing = self._stand_in(kind, "")
            if isinstance(missing, LeftOut):
                self.skip(clients, missing.because or missing.reason)
                return False
            if missing is not None:
                self._take(Unknown(clients, missing.reason, hint=missing.hint))
                return False
        return True

    def _take(self, one: Yield) -> None:
        if isinstance(one, Note):
            self.remarks.append(
                Remark(check=self.check.name, clients=one.clients, message=one.message, places=one.places)
            )
            return
        if isinstance(one, Skipped):
            self.skip(one.clients, one.reason)
            return
        severity = self.check.severity if isinstance(one, Problem) else Severity.UNKNOWN
        told: FindingSeverity = severity.name  # type: ignore[assignment]
        outcome: Outcome = "problem" if isinstance(one, Problem) else "unknown"
        for client in one.clients:
            if self.outcomes.get(client) != "problem":
                self.outcomes[client] = outcome
        self.findings.append(
            Finding(
                check=self.check.name,
                stage=self.check.stage,
                severity=told,
                clients=one.clients,
                message=one.message,
                hint=one.hint,
                fingerprint=_fingerprint(self.check.name, severity, one),
                places=one.places,
            )
        )


def _fingerprint(name: str, severity: Severity, one: Problem | Unknown) -> str:
    """The same for the same finding of another run: no line number and no measured value is in it."""
    parts = [name, severity.name, one.about, *sorted(one.clients)]
    parts += [f"{place.file}:{place.text}" for place in one.places if isinstance(place, Place)]
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _fingerprinted(findings: Iterable[Finding]) -> Iterable[Finding]:
    """Number those that would share a fingerprint, so that each has its own."""
    count: dict[str, int] = {}
    for finding in findings:
        count[finding.fingerprint] = number = count.get(finding.fingerprint, 0) + 1
        if number > 1:
            finding = msgspec.structs.replace(finding, fingerprint=f"{finding.fingerprint}-{number}")
        yield finding


def _suppressed(findings: Iterable[Finding], suppressions: Iterable[Suppression], today: str) -> list[Finding]:
    marked = []
    for finding in findings:
        by = next((s.name for s in suppressions if _covers(s, finding, today)), None)
        marked.append(msgspec.structs.replace(finding, suppressed_by=by) if by else finding)
    return marked


def _covers(suppression: Suppression, finding: Finding, today: str) -> bool:
    if finding.check != suppression.check:
        return False
    if finding.stage in NEVER_SUPPRESSED_STAGES or finding.check in NEVER_SUPPRESSED_CHECKS:
        return False
    if suppression.expires is not None and today > suppression.expires:
        return False
    return not suppression.clients or set(finding.clients) <= set(suppression.clients)
