"""Judge facts by checks.  Pure: no file, socket or clock is reached from here.

The rules, which no check has to repeat:

* a fact that was not gathered makes the check UNKNOWN for that client, never a pass;
* a client that an earlier check (``after``) found a problem with is skipped, and the skip names that check: one cause
  is one finding.  That explains what could not be learnt; a problem that was seen nevertheless is reported;
* a suppressed finding explains nothing: what comes after it is judged as if the check had passed;
* a check that raises, or that reads what it did not declare, is UNKNOWN;
* a check that could examine no client at all is UNKNOWN, unless an earlier finding or a reason given by the
  user explains every one of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

import msgspec

from zcheck.check import Check, Note, Place, Problem, Severity, Skipped, Unknown, Yield
from zcheck.facts import Facts, Inventory, LeftOut, NotGathered, Suppression
from zcheck.report.structs import CheckResult, Finding, FindingSeverity, Judgement, Outcome, Remark, SkippedFor

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
    earlier = _Earlier(left_out or {})
    for check in checks:
        started = clock()
        reason = earlier.left_out.get(check.name)
        case = _Case(check, facts, earlier)
        if reason is not None:
            case.skip(facts.inventory.client_names, reason)
        else:
            case.judge()
        own = _suppressed(case, _current(facts.inventory, check, today))
        findings += own
        remarks += case.remarks
        # What the user left out was not looked at: it explains nothing about any client.
        if reason is None:
            earlier.keep(check, case.outcomes, own)
        results.append(case.result(own, clock() - started))
    _tell_unused(facts.inventory, results, findings, left_out or {}, today)
    return Judgement(tuple(results), tuple(_fingerprinted(findings)), tuple(remarks))


def cannot_be_suppressed(check: Check) -> bool:
    """Whether living with a finding of this check would be living with lost data."""
    return check.stage in NEVER_SUPPRESSED_STAGES or check.name in NEVER_SUPPRESSED_CHECKS


def is_indispensable(check: Check) -> bool:
    """Whether nothing may be opened to users by a run without this check: it proves that no data is lost."""
    return cannot_be_suppressed(check) and check.severity is Severity.CRITICAL


def _tell_unused(
    inventory: Inventory,
    results: list[CheckResult],
    findings: list[Finding],
    left_out: Mapping[str, str],
    today: str,
) -> None:
    """A suppression that hides nothing any more is told, under the check that no fact could tell it to."""
    used = {finding.suppressed_by for finding in findings}
    judged = {result.check for result in results if result.check not in left_out and result.outcome != "skipped"}
    place = next((n for n, result in enumerate(results) if result.check == _OF_SUPPRESSIONS), None)
    if place is None or _OF_SUPPRESSIONS in left_out:
        return
    for suppression in inventory.suppressions:
        current = suppression.expires is None or today <= suppression.expires
        if suppression.name in used or not current or suppression.check not in judged:
            continue
        told = Problem(
            suppression.clients or inventory.client_names,
            f"the suppression {suppression.name} hides nothing: {suppression.check} finds nothing that it covers",
            (Place.in_ini(inventory.file, suppression.section),),
            f"remove [suppress:{suppression.name}]",
            about=suppression.name,
        )
        result = results[place]
        findings.append(_finding(result.check, result.stage, Severity.WARNING, told))
        results[place] = msgspec.structs.replace(result, outcome="problem", because=None)


_OF_SUPPRESSIONS = "suppressions-are-current"


def _finding(check: str, stage: str, severity: Severity, one: Problem | Unknown) -> Finding:
    told: FindingSeverity = severity.name  # type: ignore[assignment]
    return Finding(
        check=check,
        stage=stage,
        severity=told,
        clients=one.clients,
        message=one.message,
        hint=one.hint,
        fingerprint=_fingerprint(check, severity, one),
        places=one.places,
    )


def _untold(missing: NotGathered, clients: Iterable[str]) -> Unknown:
    places = (Place(missing.file, missing.line),) if missing.file else ()
    return Unknown(tuple(clients), missing.reason, places, missing.hint)


class _Earlier:
    """What the checks that were judged before have said of each client."""

    def __init__(self, left_out: Mapping[str, str]) -> None:
        self.left_out = left_out
        """By check: why the user does not want it."""
        self.seen: dict[str, dict[str, Outcome]] = {}
        self.critical: dict[str, frozenset[str]] = {}
        """By check: the clients of which it reports something critical."""
        self.of_loss: set[str] = set()
        """The checks whose critical findings say that data are lost."""

    def keep(self, check: Check, outcomes: Mapping[str, Outcome], findings: Collection[Finding]) -> None:
        """Keep what a check found, with the outcome ``suppressed`` where all its findings of a client are."""
        live = {client for finding in findings if finding.suppressed_by is None for client in finding.clients}
        hidden = {client for finding in findings for client in finding.clients} - live
        self.seen[check.name] = {
            client: "suppressed" if client in hidden else outcome for client, outcome in outcomes.items()
        }
        grave = (one.clients for one in findings if one.severity == "CRITICAL" and one.suppressed_by is None)
        self.critical[check.name] = frozenset(client for clients in grave for client in clients)
        if is_indispensable(check):
            self.of_loss.add(check.name)

    def outcome(self, name: str, client: str) -> Outcome | None:
        return self.seen.get(name, {}).get(client)

    def first(self, names: Iterable[str], client: str, outcomes: tuple[Outcome, ...]) -> str | None:
        """The first of these checks that came out so for this client."""
        return next((name for name in names if self.outcome(name, client) in outcomes), None)

    def explains(self, name: str, client: str) -> bool:
        """Whether a check was judged, and the user hears what it found of this client."""
        return bool(self.seen.get(name)) and not self.is_silent(name, client)

    def is_silent(self, name: str, client: str) -> bool:
        """Whether the user does not hear what this check finds of the client: it is left out or suppressed."""
        return name in self.left_out or self.outcome(name, client) == "suppressed"

    def tells_the_loss(self, names: Iterable[str], clients: Iterable[str]) -> bool:
        """Whether one of these checks says already that what these clients save is lost."""
        return any(set(clients) <= self.critical[name] for name in names if name in self.of_loss)

    def explanation(self, check: Check, client: str) -> str | None:
        """The first check of ``after`` whose problem explains what this one cannot learn of the client.

        A mild problem does not stand in for a grave check: its verdict would be milder than UNKNOWN.
        """
        for name in check.after:
            grave = client in self.critical.get(name, ())
            if self.outcome(name, client) == "problem" and (grave or check.severity < Severity.UNKNOWN):
                return name
        return None


_STAGES_OF_WHAT_HAPPENED = frozenset({"reach", "identity", "consistency", "balancer"})
"""What was seen to happen is no consequence of what the files say.

Within the files one line can contradict several checks: there the first of them is the finding.
"""


class _Case:
    """One check before one set of facts."""

    def __init__(
        self,
        check: Check,
        facts: Facts,
        earlier: _Earlier,
        without: frozenset[str] = frozenset(),
    ) -> None:
        self.check = check
        self.facts = facts
        self.earlier = earlier
        self.clients = tuple(name for name in facts.inventory.client_names if name not in without)
        self.findings: list[Finding] = []
        self.remarks: list[Remark] = []
        self.outcomes: dict[str, Outcome] = {}
        self.skipped_for: list[SkippedFor] = []
        self.explained: dict[str, str] = {}
        """By client that has every needed fact: the earlier check that found a problem with it."""

    def judge(self) -> None:
        clients = self._with_cluster_facts(self._clients_to_judge())
        found = self._found(clients) if clients else []
        seen_nevertheless = self._seen_nevertheless(clients)
        if seen_nevertheless:
            found = seen_nevertheless
        for one in found:
            self._take(one)
        for client, because in self.explained.items():
            if client not in self.outcomes:
                self.skip([client], because)
        for client in clients:
            self.outcomes.setdefault(client, "pass")

    def _found(self, clients: tuple[str, ...]) -> list[Yield]:
        """What the check says of these clients alone."""
        view = self.facts.view((*self.check.needs, *self.check.uses), clients)
        try:
            return list(self.check.body(view))
        except Exception as error:  # a defect of ours must never look like a pass
            return [Unknown(clients, f"the check itself failed: {type(error).__name__}: {error}")]

    def _seen_nevertheless(self, clients: tuple[str, ...]) -> list[Yield]:
        """What the check says where it sees a problem of a client that an earlier finding explains; else nothing.

        An earlier finding explains what could not be learnt about its clients, and no problem that was seen.
        """
        if not self.explained or self.check.stage not in _STAGES_OF_WHAT_HAPPENED:
            return []
        everybody = tuple(name for name in self.clients if name in clients or name in self.explained)
        if len(self._with_cluster_facts(everybody, quietly=True)) != len(everybody):
            return []
        found = self._found(everybody)
        problems = [one for one in found if isinstance(one, Problem) and set(one.clients) & set(self.explained)]
        if all(self.earlier.tells_the_loss(self.check.after, one.clients) for one in problems):
            return []
        return [one for one in found if isinstance(one, Problem) or set(one.clients) - set(self.explained)]

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
        if self._nothing_hinders():
            return self.clients
        judged = []
        unknown: dict[NotGathered, list[str]] = {}
        for client in self.clients:
            blocked = self.earlier.explanation(self.check, client)
            missing = self._missing(client)
            if blocked is not None and missing is None:
                self.explained[client] = blocked
            elif blocked is not None:
                self.skip([client], blocked)
            elif missing is None:
                judged.append(client)
            elif isinstance(missing, LeftOut):
                self.skip([client], missing.because or missing.reason)
            else:
                cause = self.earlier.first(self.check.after, client, ("unknown", "skipped"))
                if cause is None and not self._tells(missing, client):
                    cause = self._teller(missing, client)
                if cause is not None:
                    self.skip([client], cause)
                else:
                    unknown.setdefault(missing, []).append(client)
        for missing, clients in unknown.items():
            self._take(_untold(missing, clients))
        return tuple(judged)

    def _nothing_hinders(self) -> bool:
        """Whether all clients can be judged, as in a healthy cluster: told without a look at each."""
        if any("problem" in self.earlier.seen.get(name, {}).values() for name in self.check.after):
            return False
        kinds = [kind for kind in self.check.needs if kind.scope == "client"]
        return all(self.facts.has_all(kind, self.clients) for kind in kinds)

    def _missing(self, client: str) -> NotGathered | LeftOut | None:
        """What stands in for the first needed per-client fact that is not there."""
        for kind in self.check.needs:
            if kind.scope == "client":
                missing = self._stand_in(kind, client)
                if missing is not None:
                    return missing
        return None

    def _stand_in(self, kind: type[Any], subject: str, client: str = "") -> NotGathered | LeftOut | None:
        """What is there in place of a fact; None where the fact is there.

        ``client``: for whom it is asked, where the fact is one of the whole cluster's.
        """
        fact = self.facts.raw(kind, subject)
        if fact is None:
            return NotGathered("nothing was gathered")
        if (
            isinstance(fact, LeftOut)
            and fact.because is not None
            and not self.earlier.explains(fact.because, subject or client)
        ):
            # The check that would have told why is not part of this run, or what it found is suppressed.
            return NotGathered(fact.reason)
        return fact if isinstance(fact, NotGathered | LeftOut) else None

    def _with_cluster_facts(self, clients: tuple[str, ...], *, quietly: bool = False) -> tuple[str, ...]:
        """Those for whom every needed fact of the whole cluster is there; the others are skipped or UNKNOWN.

        ``quietly``: nothing is kept of what is missing.
        """
        for kind in self.check.needs:
            if kind.scope == "client" or not clients:
                continue
            missing = {client: self._stand_in(kind, "", client) for client in clients}
            if not quietly:
                self._tell_missing({client: one for client, one in missing.items() if one is not None})
            clients = tuple(client for client in clients if missing[client] is None)
        return clients

    def _tell_missing(self, missing: Mapping[str, NotGathered | LeftOut]) -> None:
        unknown: dict[NotGathered, list[str]] = {}
        for client, one in missing.items():
            if isinstance(one, LeftOut):
                self.skip([client], one.because or one.reason)
            elif self._tells(one, client):
                unknown.setdefault(one, []).append(client)
            else:
                self.skip([client], self._teller(one, client))
        for one, clients in unknown.items():
            self._take(_untold(one, clients))

    def _tells(self, missing: NotGathered, client: str) -> bool:
        """Whether it is for this check to tell that the fact is missing."""
        return self._teller(missing, client) in ("", self.check.name)

    def _teller(self, missing: NotGathered, client: str) -> str:
        """The first of those that would tell it and whose findings are reported; empty: each tells it."""
        return next((name for name in missing.told_by.split() if not self.earlier.is_silent(name, client)), "")

    def _take(self, one: Yield) -> None:
        if isinstance(one, Note):
            self.remarks.append(
                Remark(check=self.check.name, clients=one.clients, message=one.message, places=one.places)
            )
            return
        if isinstance(one, Skipped):
            if not one.clients:
                return
            silent = tuple(client for client in one.clients if self.earlier.is_silent(one.reason, client))
            self.skip([client for client in one.clients if client not in silent], one.reason)
            if not silent:
                return
            # It leaves the telling to a check that the user does not hear: then nobody would tell.
            one = Unknown(
                silent, f"{one.reason} would tell, and is {self.earlier.left_out.get(one.reason, 'suppressed')}"
            )
        severity = _severity(self.check, one)
        outcome: Outcome = "problem" if isinstance(one, Problem) else "unknown"
        for client in one.clients:
            if self.outcomes.get(client) != "problem":
                self.outcomes[client] = outcome
        self.findings.append(_finding(self.check.name, self.check.stage, severity, one))


def _severity(check: Check, one: Problem | Unknown) -> Severity:
    """A problem's own where it is milder than its check's."""
    if isinstance(one, Unknown):
        return Severity.UNKNOWN
    return check.severity if one.severity is None else min(one.severity, check.severity)


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


def _current(inventory: Inventory, check: Check, today: str) -> tuple[Suppression, ...]:
    """The suppressions that apply to a check on this day; the day of expiry is included."""
    if cannot_be_suppressed(check):
        return ()
    return tuple(
        suppression
        for suppression in inventory.suppressions
        if suppression.check == check.name and (suppression.expires is None or today <= suppression.expires)
    )


def _suppressed(case: _Case, suppressions: tuple[Suppression, ...]) -> list[Finding]:
    """The findings of a check, those marked that somebody has decided to live with.

    A finding names every side of a disagreement.  One of some clients only is suppressed by asking what would be left
    without those clients: what the others disagree about among themselves is told as before.
    """
    findings = case.findings
    for suppression in suppressions:
        named = frozenset(suppression.clients) or frozenset(case.facts.inventory.client_names)
        marked = [
            msgspec.structs.replace(finding, suppressed_by=finding.suppressed_by or suppression.name)
            if named & set(finding.clients)
            else finding
            for finding in findings
        ]
        if marked == findings:
            continue
        others = _Case(case.check, case.facts, case.earlier, named)
        others.judge()
        known = {finding.fingerprint for finding in marked}
        findings = marked + [finding for finding in others.findings if finding.fingerprint not in known]
    return findings
