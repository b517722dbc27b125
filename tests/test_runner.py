"""The rules that no check has to repeat."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from zcheck import runner
from zcheck.check import Note, Problem, Severity, Skipped, Unknown, Yield, check
from zcheck.facts import Facts, HttpAnswer, LeftOut, NotGathered, PortAnswer
from zcheck.report import verdict
from zcheck.testing import facts_of

OPEN = PortAnswer("10.0.0.1:8080", "open")
CLOSED = PortAnswer("10.0.0.1:8080", "refused")
PAGE = HttpAnswer("http", status=200)


@check("port-is-open", stage="reach", severity=Severity.CRITICAL, needs=[PortAnswer])
def port_is_open(facts: Facts) -> Iterator[Yield]:
    for client, answer in facts.each(PortAnswer).items():
        if answer.outcome != "open":
            yield Problem((client,), f"{client} is closed")


@check("page-is-served", stage="reach", severity=Severity.WARNING, needs=[HttpAnswer], after=[port_is_open])
def page_is_served(facts: Facts) -> Iterator[Yield]:
    for client, answer in facts.each(HttpAnswer).items():
        if answer.status != 200:
            yield Problem((client,), f"{client} answers {answer.status}")


def by_name(*checks, facts):  # type: ignore[no-untyped-def]
    judgement = runner.run(checks, facts)
    return judgement, {result.check: result for result in judgement.results}


def test_one_cause_is_one_finding_and_names_it() -> None:
    facts = facts_of(app1=[OPEN, PAGE], app2=[CLOSED, (HttpAnswer, NotGathered("closed"))])
    judgement, results = by_name(port_is_open, page_is_served, facts=facts)
    assert [(f.check, f.clients) for f in judgement.findings] == [("port-is-open", ("app2",))]
    assert results["page-is-served"].outcome == "pass"
    assert [(s.client, s.because) for s in results["page-is-served"].skipped_for] == [("app2", "port-is-open")]


def test_all_clients_explained_by_an_earlier_finding_is_skipped_not_unknown() -> None:
    facts = facts_of(app1=[CLOSED], app2=[CLOSED])
    _, results = by_name(port_is_open, page_is_served, facts=facts)
    assert results["page-is-served"].outcome == "skipped"
    assert results["page-is-served"].because == "port-is-open"


def test_what_was_not_gathered_is_unknown() -> None:
    facts = facts_of(app1=[OPEN, PAGE], app2=[OPEN, (HttpAnswer, NotGathered("no time"))])
    judgement, results = by_name(port_is_open, page_is_served, facts=facts)
    assert [(f.severity, f.clients, f.message) for f in judgement.findings] == [("UNKNOWN", ("app2",), "no time")]
    assert results["page-is-served"].outcome == "unknown"


def test_a_fact_that_nobody_looked_for_is_unknown_too() -> None:
    judgement, _ = by_name(port_is_open, facts=facts_of(app1=[], app2=[]))
    assert [finding.severity for finding in judgement.findings] == ["UNKNOWN"]
    assert judgement.findings[0].clients == ("app1", "app2")


def test_what_was_left_out_is_skipped_with_its_reason() -> None:
    facts = facts_of(app1=[(PortAnswer, LeftOut("nothing to examine"))])
    judgement, results = by_name(port_is_open, facts=facts)
    assert not judgement.findings
    assert (results["port-is-open"].outcome, results["port-is-open"].because) == ("skipped", "nothing to examine")


def test_a_check_that_raises_is_unknown() -> None:
    @check("broken", stage="reach", severity=Severity.CRITICAL, needs=[PortAnswer])
    def broken(facts: Facts) -> Iterator[Yield]:
        raise ZeroDivisionError("oops")
        yield

    judgement, _ = by_name(broken, facts=facts_of(app1=[OPEN]))
    assert judgement.findings[0].severity == "UNKNOWN"
    assert "ZeroDivisionError" in judgement.findings[0].message


def test_a_check_that_reads_what_it_did_not_declare_is_unknown() -> None:
    @check("sneaky", stage="reach", severity=Severity.CRITICAL, needs=[PortAnswer])
    def sneaky(facts: Facts) -> Iterator[Yield]:
        facts.each(HttpAnswer)
        return iter(())

    judgement, _ = by_name(sneaky, facts=facts_of(app1=[OPEN, PAGE]))
    assert judgement.findings[0].severity == "UNKNOWN"
    assert "HttpAnswer" in judgement.findings[0].message


def test_notes_are_remarks_and_skips_are_no_findings() -> None:
    @check("chatty", stage="reach", severity=Severity.CRITICAL, needs=[PortAnswer])
    def chatty(facts: Facts) -> Iterator[Yield]:
        yield Note(("app1",), "spelled in two ways")
        yield Skipped(("app2",), "too old to be asked")

    judgement, results = by_name(chatty, facts=facts_of(app1=[OPEN], app2=[OPEN]))
    assert not judgement.findings
    assert [remark.message for remark in judgement.remarks] == ["spelled in two ways"]
    assert results["chatty"].outcome == "pass"
    assert [skipped.client for skipped in results["chatty"].skipped_for] == ["app2"]


def test_what_the_user_leaves_out_is_skipped_for_all() -> None:
    judgement = runner.run([port_is_open], facts_of(app1=[CLOSED]), left_out={"port-is-open": "left out by --skip"})
    assert not judgement.findings
    assert judgement.results[0].outcome == "skipped"


@pytest.mark.parametrize(
    ("expected", "left_out"),
    [
        pytest.param("skipped", {}, id="the check that tells why was judged"),
        pytest.param("unknown", {"port-is-open": "left out by --skip"}, id="it was left out by the user"),
    ],
)
def test_what_another_check_tells_is_skipped_only_when_it_is_told(expected: str, left_out: dict[str, str]) -> None:
    facts = facts_of(app1=[CLOSED, (HttpAnswer, LeftOut("it does not answer", "port-is-open"))])
    judgement = runner.run([port_is_open, page_is_served], facts, left_out=left_out)
    assert judgement.results[1].outcome == expected


def test_what_the_user_leaves_out_explains_nothing() -> None:
    facts = facts_of(app1=[CLOSED, (HttpAnswer, NotGathered("it does not answer"))])
    judgement = runner.run([port_is_open, page_is_served], facts, left_out={"port-is-open": "left out by --skip"})
    assert [(finding.check, finding.severity) for finding in judgement.findings] == [("page-is-served", "UNKNOWN")]


@pytest.mark.parametrize(
    ("expected", "code", "severities"),
    [
        pytest.param("OK", 0, [], id="nothing"),
        pytest.param("OK", 0, ["ADVICE"], id="advice counts as OK"),
        pytest.param("WARNING", 1, ["ADVICE", "WARNING"], id="warning"),
        pytest.param("UNKNOWN", 3, ["WARNING", "UNKNOWN"], id="unknown hides warning"),
        pytest.param("CRITICAL", 2, ["UNKNOWN", "CRITICAL", "WARNING"], id="unknown never hides critical"),
    ],
)
def test_status_and_exit_code(expected: str, code: int, severities: list[str]) -> None:
    from zcheck.report.structs import Finding

    findings = [Finding(check="x", stage="reach", severity=s, clients=(), message="") for s in severities]  # type: ignore[arg-type]
    assert verdict.status(findings) == expected
    assert verdict.exit_code(findings) == code


@pytest.mark.parametrize(
    ("code", "severity", "fail_on"),
    [
        pytest.param(1, "ADVICE", "advice", id="advice lets ADVICE exit 1"),
        pytest.param(0, "WARNING", "critical", id="critical lets WARNING exit 0"),
        pytest.param(2, "CRITICAL", "critical", id="critical still fails"),
        pytest.param(3, "UNKNOWN", "critical", id="unknown is never moved"),
        pytest.param(3, "UNKNOWN", "advice", id="unknown stays 3"),
    ],
)
def test_fail_on_moves_only_the_exit_code(code: int, severity: str, fail_on: str) -> None:
    from zcheck.report.structs import Finding

    finding = Finding(check="x", stage="reach", severity=severity, clients=(), message="")  # type: ignore[arg-type]
    assert verdict.exit_code([finding], fail_on) == code  # type: ignore[arg-type]


SUPPRESSED = """
[cluster]
name = test
[client:app1]
address = 10.0.0.1:8080
[client:app2]
address = 10.0.0.2:8080
[suppress:known]
check = {check}
clients = app2
reason = being replaced
expires = 2026-06-30
"""


@pytest.mark.parametrize(
    ("expected", "check_name", "today"),
    [
        pytest.param("known", "port-is-open", "2026-06-30", id="the day itself is included"),
        pytest.param(None, "port-is-open", "2026-07-01", id="expired"),
        pytest.param(None, "page-is-served", "2026-01-01", id="another check"),
    ],
)
def test_suppressions(expected: str | None, check_name: str, today: str) -> None:
    from zcheck.testing import inventory

    facts = facts_of(inventory(SUPPRESSED.format(check=check_name)), app1=[OPEN], app2=[CLOSED])
    judgement = runner.run([port_is_open], facts, today=today)
    assert judgement.findings[0].suppressed_by == expected
    assert verdict.exit_code(judgement.findings) == (0 if expected else 2)
    assert judgement.results[0].outcome == ("suppressed" if expected else "problem")


@pytest.mark.parametrize(
    ("expected", "statuses"),
    [
        pytest.param([("app1, app2, app3", "known")], (200, 200, 404), id="the others agree"),
        pytest.param(
            [("app1, app2, app3", "known"), ("app1, app3", None)], (200, 200, 404)[::-1], id="the others disagree"
        ),
    ],
)
def test_a_suppressed_client_does_not_hide_what_the_others_disagree_about(
    expected: list[tuple[str, str | None]], statuses: tuple[int, ...]
) -> None:
    from zcheck.testing import inventory

    @check("pages-agree", stage="reach", severity=Severity.WARNING, needs=[HttpAnswer])
    def pages_agree(facts: Facts) -> Iterator[Yield]:
        found = {client: answer.status for client, answer in facts.each(HttpAnswer).items()}
        if len(set(found.values())) > 1:
            yield Problem(tuple(found), f"{found}")

    suppressed = "app3" if statuses[0] == 200 else "app2"
    text = SUPPRESSED.format(check="pages-agree").replace("clients = app2", f"clients = {suppressed}")
    text += "[client:app3]\naddress = 10.0.0.3:8080\n"
    pages = {f"app{n}": [HttpAnswer("http", status=status)] for n, status in enumerate(statuses, 1)}
    judgement = runner.run([pages_agree], facts_of(inventory(text), **pages), today="2026-01-01")
    assert [(", ".join(f.clients), f.suppressed_by) for f in judgement.findings] == expected


def test_a_suppression_that_hides_nothing_is_told() -> None:
    from zcheck.checks.inventory.suppressions_are_current import suppressions_are_current
    from zcheck.facts import Today
    from zcheck.testing import inventory

    given = inventory(SUPPRESSED.format(check="port-is-open"))
    facts = facts_of(given, Today("2026-01-01"), app1=[OPEN], app2=[OPEN])
    judgement = runner.run([suppressions_are_current, port_is_open], facts, today="2026-01-01")
    assert [(f.check, f.severity) for f in judgement.findings] == [("suppressions-are-current", "WARNING")]
    assert "hides nothing" in judgement.findings[0].message
    assert judgement.results[0].outcome == "problem"
    facts = facts_of(given, Today("2026-01-01"), app1=[OPEN], app2=[CLOSED])
    judgement = runner.run([suppressions_are_current, port_is_open], facts, today="2026-01-01")
    assert [(f.check, f.suppressed_by) for f in judgement.findings] == [("port-is-open", "known")]


def test_no_suppression_reaches_the_consistency_stage() -> None:
    from zcheck.testing import inventory

    @check("edits", stage="consistency", severity=Severity.CRITICAL, needs=[PortAnswer])
    def edits(facts: Facts) -> Iterator[Yield]:
        yield Problem(("app2",), "lost")

    facts = facts_of(inventory(SUPPRESSED.format(check="edits")), app1=[OPEN], app2=[OPEN])
    assert runner.run([edits], facts, today="2026-01-01").findings[0].suppressed_by is None


def test_fingerprints_are_stable_and_distinct() -> None:
    @check("twice", stage="reach", severity=Severity.CRITICAL, needs=[PortAnswer])
    def twice(facts: Facts) -> Iterator[Yield]:
        yield Problem(("app1",), "took 1.2 s")
        yield Unknown(("app1",), "no idea", about="main")
        yield Problem(("app1",), "took 1.3 s")

    facts = facts_of(app1=[OPEN])
    first, second = (runner.run([twice], facts).findings for _ in range(2))
    assert [f.fingerprint for f in first] == [f.fingerprint for f in second]
    assert len({f.fingerprint for f in first}) == 3


# --- what explains, and what does not --------------------------------------------------------------


@check("pages-are-one", stage="consistency", severity=Severity.CRITICAL, needs=[HttpAnswer], after=[port_is_open])
def pages_are_one(facts: Facts) -> Iterator[Yield]:
    """Stands for a proof: it names every side of a disagreement, and is UNKNOWN for what shows nothing."""
    pages = {client: answer.status for client, answer in facts.each(HttpAnswer).items()}
    untold = tuple(client for client, status in pages.items() if status is None)
    if untold:
        yield Unknown(untold, f"{', '.join(untold)} showed nothing")
    if len(set(pages.values()) - {None}) > 1:
        yield Problem(tuple(client for client in pages if client not in untold), "two sites")


def _pages(*statuses: int | None) -> dict[str, list[object]]:
    """app2's port is closed; what each page showed."""
    ports = (OPEN, CLOSED, OPEN)
    return {
        f"app{n}": [port, HttpAnswer("http", status=status)]
        for n, (port, status) in enumerate(zip(ports, statuses, strict=False), 1)
    }


ALL_SEEN_APART = ("pages-are-one", "CRITICAL", ("app1", "app2"))


@pytest.mark.parametrize(
    ("expected", "statuses"),
    [
        pytest.param([], (200, 200), id="nothing wrong was seen of the explained client"),
        pytest.param([], (200, None), id="nothing was learnt of it"),
        pytest.param([ALL_SEEN_APART], (200, 404), id="it was seen apart"),
    ],
)
def test_a_finding_explains_what_was_not_learnt_and_no_problem_that_was_seen(
    expected: list[tuple[str, str, tuple[str, ...]]], statuses: tuple[int | None, ...]
) -> None:
    judgement = runner.run([port_is_open, pages_are_one], facts_of(**_pages(*statuses)))
    known = ("port-is-open", "CRITICAL", ("app2",))
    assert [known, *expected] == [(f.check, f.severity, f.clients) for f in judgement.findings]
    assert ("problem" if expected else "pass") == judgement.results[1].outcome


@pytest.mark.parametrize(
    ("expected", "page"),
    [
        pytest.param([], HttpAnswer("http", status=200), id="it passes"),
        pytest.param([ALL_SEEN_APART], HttpAnswer("http", status=404), id="it is apart"),
        pytest.param(
            [("pages-are-one", "UNKNOWN", ("app2",))], HttpAnswer("http"), id="the check says that it cannot know"
        ),
        pytest.param(
            [("pages-are-one", "UNKNOWN", ("app2",))], (HttpAnswer, NotGathered("closed")), id="nothing was gathered"
        ),
        pytest.param(
            [("pages-are-one", "UNKNOWN", ("app2",))],
            (HttpAnswer, LeftOut("closed", "port-is-open")),
            id="it was left out because of the suppressed finding",
        ),
        pytest.param(
            [("pages-are-one", "UNKNOWN", ("app2",))],
            (HttpAnswer, NotGathered("closed", told_by="port-is-open")),
            id="the suppressed check would tell it",
        ),
    ],
)
def test_what_is_suppressed_explains_nothing(expected: list[tuple[str, str, tuple[str, ...]]], page: object) -> None:
    from zcheck.testing import inventory

    given = inventory(SUPPRESSED.format(check="port-is-open"))
    facts = facts_of(given, app1=[OPEN, PAGE], app2=[CLOSED, page])
    judgement = runner.run([port_is_open, pages_are_one], facts, today="2026-01-01")
    live = [(f.check, f.severity, f.clients) for f in judgement.findings if f.suppressed_by is None]
    assert expected == live


def test_a_check_leaves_the_telling_to_no_suppressed_one() -> None:
    from zcheck.testing import inventory

    facts = facts_of(
        inventory(SUPPRESSED.format(check="page-is-served")),
        app1=[OPEN, PAGE],
        app2=[OPEN, HttpAnswer("http", status=404)],
    )
    judgement = runner.run([page_is_served, leaves_the_telling], facts, today="2026-01-01")
    live = [(f.check, f.severity, f.clients, f.message) for f in judgement.findings if f.suppressed_by is None]
    assert [("leaves-the-telling", "UNKNOWN", ("app2",), "page-is-served would tell, and is suppressed")] == live


def test_a_mild_finding_does_not_stand_in_for_a_grave_check() -> None:
    @check(
        "page-is-proven", stage="consistency", severity=Severity.CRITICAL, needs=[PortAnswer], after=[page_is_served]
    )
    def page_is_proven(facts: Facts) -> Iterator[Yield]:
        yield Unknown(tuple(facts.clients), "nobody knows")

    facts = facts_of(app1=[OPEN, HttpAnswer("http", status=404)])
    judgement = runner.run([page_is_served, page_is_proven], facts)
    assert [("page-is-served", "WARNING"), ("page-is-proven", "UNKNOWN")] == [
        (f.check, f.severity) for f in judgement.findings
    ]


def test_one_loss_of_data_is_one_finding() -> None:
    """A check that proves the split cannot be suppressed: what it says of these clients is not said again."""

    @check("bases-are-one", stage="consistency", severity=Severity.CRITICAL, needs=[PortAnswer])
    def bases_are_one(facts: Facts) -> Iterator[Yield]:
        yield Problem(("app1", "app2"), "two bases")

    @check("again", stage="consistency", severity=Severity.CRITICAL, needs=[PortAnswer], after=[bases_are_one])
    def again(facts: Facts) -> Iterator[Yield]:
        yield Problem(tuple(facts.clients), "two sites")

    two = facts_of(app1=[OPEN], app2=[OPEN])
    assert ["bases-are-one"] == [f.check for f in runner.run([bases_are_one, again], two).findings]
    three = facts_of(app1=[OPEN], app2=[OPEN], app3=[OPEN])
    assert ["bases-are-one", "again"] == [f.check for f in runner.run([bases_are_one, again], three).findings]


@check("leaves-the-telling", stage="consistency", severity=Severity.CRITICAL, needs=[PortAnswer])
def leaves_the_telling(facts: Facts) -> Iterator[Yield]:
    yield Skipped(tuple(facts.clients), "page-is-served")


def test_a_check_leaves_the_telling_only_to_one_that_the_user_wants() -> None:
    facts = facts_of(app1=[OPEN, PAGE], app2=[OPEN, PAGE])
    wanted = runner.run([page_is_served, leaves_the_telling], facts)
    assert not wanted.findings
    unwanted = runner.run(
        [page_is_served, leaves_the_telling], facts, left_out={"page-is-served": "left out by --skip"}
    )
    assert [("UNKNOWN", "leaves-the-telling", ("app1", "app2"))] == [
        (finding.severity, finding.check, finding.clients) for finding in unwanted.findings
    ]
    assert "page-is-served would tell, and is left out by --skip" == unwanted.findings[0].message


@pytest.mark.parametrize(
    ("expected", "severity"),
    [("WARNING", None), ("ADVICE", Severity.ADVICE), ("WARNING", Severity.CRITICAL)],
    ids=["its check's own", "milder", "never graver"],
)
def test_a_problem_may_be_milder_than_its_check(expected: str, severity: Severity | None) -> None:
    @check("may-be-milder", stage="reach", severity=Severity.WARNING)
    def may_be_milder(facts: Facts) -> Iterator[Yield]:
        yield Problem(("app1",), "x", severity=severity)

    judgement = runner.run([may_be_milder], facts_of(app1=[OPEN]))
    assert [expected] == [finding.severity for finding in judgement.findings]
