"""What other programs make of a report: each format is read back by the rules of those who read it."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import jsonschema
import junitparser
import msgspec
import pytest
from cases import HOSTILE, hostile, made, split, thirty
from offenders import each
from patience import patient
from prometheus_client.parser import text_string_to_metric_families

from zcheck import cli
from zcheck.report.formats import github, junit, prometheus
from zcheck.report.formats import json as as_json
from zcheck.report.formats.text import clean
from zcheck.report.structs import Report

CASES = {"split": split, "hostile": hostile, "thirty": thirty}
every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
SAMPLES = Path(__file__).resolve().parents[2] / "sample-confs"

# What SARIF 2.1.0 asks of the properties that are used here; no others are.
SARIF: dict[str, Any] = {
    "type": "object",
    "required": ["version", "runs", "$schema"],
    "additionalProperties": False,
    "properties": {
        "$schema": {"type": "string", "format": "uri"},
        "version": {"const": "2.1.0"},
        "runs": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/run"}},
    },
    "$defs": {
        "message": {
            "type": "object",
            "required": ["text"],
            "additionalProperties": False,
            "properties": {"text": {"type": "string"}, "markdown": {"type": "string"}},
        },
        "level": {"enum": ["none", "note", "warning", "error"]},
        "run": {
            "type": "object",
            "required": ["tool", "results"],
            "additionalProperties": False,
            "properties": {
                "tool": {
                    "type": "object",
                    "required": ["driver"],
                    "additionalProperties": False,
                    "properties": {
                        "driver": {
                            "type": "object",
                            "required": ["name"],
                            "additionalProperties": False,
                            "properties": {
                                "name": {"type": "string"},
                                "semanticVersion": {"type": "string"},
                                "rules": {"type": "array", "uniqueItems": True, "items": {"$ref": "#/$defs/rule"}},
                            },
                        }
                    },
                },
                "automationDetails": {"type": "object", "properties": {"id": {"type": "string"}}},
                "invocations": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["executionSuccessful"],
                        "additionalProperties": False,
                        "properties": {
                            "executionSuccessful": {"type": "boolean"},
                            "exitCode": {"type": "integer"},
                            "startTimeUtc": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"},
                        },
                    },
                },
                "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                "results": {"type": "array", "items": {"$ref": "#/$defs/result"}},
                "properties": {"type": "object"},
            },
        },
        "rule": {
            "type": "object",
            "required": ["id"],
            "additionalProperties": False,
            "properties": {
                "id": {"type": "string"},
                "shortDescription": {"$ref": "#/$defs/message"},
                "help": {"$ref": "#/$defs/message"},
                "defaultConfiguration": {"type": "object", "properties": {"level": {"$ref": "#/$defs/level"}}},
                "properties": {
                    "type": "object",
                    "properties": {"tags": {"type": "array", "uniqueItems": True, "items": {"type": "string"}}},
                },
            },
        },
        "result": {
            "type": "object",
            "required": ["message"],
            "additionalProperties": False,
            "properties": {
                "ruleId": {"type": "string"},
                "ruleIndex": {"type": "integer", "minimum": -1},
                "level": {"$ref": "#/$defs/level"},
                "message": {"$ref": "#/$defs/message"},
                "locations": {"type": "array", "items": {"$ref": "#/$defs/location"}},
                "relatedLocations": {"type": "array", "uniqueItems": True, "items": {"$ref": "#/$defs/location"}},
                "partialFingerprints": {"type": "object", "additionalProperties": {"type": "string"}},
                "suppressions": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["kind"],
                        "additionalProperties": False,
                        "properties": {"kind": {"enum": ["inSource", "external"]}, "justification": {"type": "string"}},
                    },
                },
                "properties": {"type": "object"},
            },
        },
        "location": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "id": {"type": "integer", "minimum": -1},
                "message": {"$ref": "#/$defs/message"},
                "physicalLocation": {
                    "type": "object",
                    "required": ["artifactLocation"],
                    "additionalProperties": False,
                    "properties": {
                        "artifactLocation": {
                            "type": "object",
                            "additionalProperties": False,
                            "properties": {"uri": {"type": "string"}},
                        },
                        "region": {
                            "type": "object",
                            "additionalProperties": False,
                            "properties": {
                                "startLine": {"type": "integer", "minimum": 1},
                                "snippet": {"$ref": "#/$defs/message"},
                            },
                        },
                    },
                },
            },
        },
    },
}


def sarif_of(report: Report) -> dict[str, Any]:
    log: dict[str, Any] = json.loads(cli.rendered(report, "sarif"))
    return log


@every_case
def test_sarif_is_what_the_standard_asks_for(case: Callable[[], Report]) -> None:
    report = case()
    log = sarif_of(report)
    jsonschema.validate(log, SARIF)
    (run,) = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    for result, finding in zip(run["results"], report.findings, strict=True):
        assert finding.check == result["ruleId"]
        assert "ruleIndex" not in result or rules[result["ruleIndex"]]["id"] == finding.check
        told = [*result.get("locations", []), *result.get("relatedLocations", [])]
        if finding.places:
            assert len(told) == len(finding.places)
        for location, place in zip(told, finding.places, strict=False):
            uri = location["physicalLocation"]["artifactLocation"]["uri"]
            assert urlsplit(uri).scheme in ("", "file")
            assert re.fullmatch(r"[\w.~%/-]*", uri.removeprefix("file://"))
            if case is split:
                assert unquote(uri) == place.file
                assert location["physicalLocation"]["region"]["startLine"] == place.line


def test_sarif_brings_the_pages_as_help() -> None:
    rules = {rule["id"]: rule for rule in sarif_of(split())["runs"][0]["tool"]["driver"]["rules"]}
    told = rules["mount-points-agree"]["help"]["text"]
    assert "How to repair it" in told
    assert ">>>" not in told
    assert "error" == rules["mount-points-agree"]["defaultConfiguration"]["level"]


def obeyed(output: str) -> list[tuple[str, dict[str, str], str]]:
    """The commands that a runner obeys, decoded (actions/runner: ActionCommand.cs, ActionCommandManager.cs)."""
    found, stopped = [], None
    for line in output.splitlines():
        if stopped is not None:
            if line.strip() == f"::{stopped}::":
                stopped = None
            continue
        match = re.match(r"\s*::([\w-]+)(?: ([^:]*))?::(.*)", line)
        if match is None:
            # The older form is obeyed wherever it stands in a line.
            assert "##[" not in line
            continue
        command, told, data = match.group(1), match.group(2) or "", match.group(3)
        if command == "stop-commands":
            stopped = data
            continue
        pairs = (part.partition("=")[::2] for part in told.split(",") if part)
        properties = {
            name: value.replace("%3A", ":").replace("%2C", ",").replace("%0A", "\n").replace("%25", "%")
            for name, value in pairs
        }
        found.append((command, properties, data.replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%")))
    assert stopped is None
    return found


@every_case
def test_github_obeys_our_annotations_and_nothing_else(case: Callable[[], Report]) -> None:
    report = case()
    output = cli.rendered(report, "github")
    commands = obeyed(output)
    live = [finding for finding in report.findings if finding.suppressed_by is None]
    assert len(commands) == len(live)
    for (command, properties, data), finding in zip(commands, live, strict=True):
        level = {"CRITICAL": "error", "UNKNOWN": "error", "WARNING": "warning", "ADVICE": "notice"}
        assert level[finding.severity] == command
        assert clean(finding.message) == data.splitlines()[0]
        if finding.places:
            assert clean(finding.places[0].file) == properties["file"]
            assert str(finding.places[0].line or "") == properties.get("line", "")
    assert cli.rendered(report, "text") in output


def test_the_step_summary_is_escaped_and_has_no_line_that_is_read_as_markdown() -> None:
    told = github.summary(hostile())
    assert "<script" not in told
    assert "<img" not in told
    assert told.endswith("\n\n")
    lines = told[:-2].split("\n")
    assert [] == [line for line in lines if not line.startswith("<")]


@every_case
def test_junit_is_read_back(case: Callable[[], Report]) -> None:
    report = case()
    document = junitparser.JUnitXml.fromstring(junit.render(report).encode())
    tests = {test.name: test for suite in document for test in suite}
    assert [result.check for result in report.checks if result.check not in tests] == []
    assert document.tests == len(report.checks)
    for result in report.checks:
        kinds = {type(one).__name__ for one in tests[result.check].result}
        own = [one for one in report.findings if one.check == result.check and one.suppressed_by is None]
        told = {"UNKNOWN": "Error", "CRITICAL": "Failure", "WARNING": "Failure"}
        expected = {told[one.severity] for one in own if one.severity in told}
        if not expected and result.outcome in ("skipped", "suppressed"):
            expected = {"Skipped"}
        assert expected == kinds


@every_case
def test_prometheus_is_read_back(case: Callable[[], Report]) -> None:
    report = case()
    text = prometheus.render(report)
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    assert all(sample.timestamp is None for sample in samples)
    assert all(sample.labels["cluster"] == report.cluster.name for sample in samples)
    value = {
        (sample.name, sample.labels.get("severity") or sample.labels.get("check")): sample.value for sample in samples
    }
    assert {"OK": 0, "WARNING": 1, "CRITICAL": 2, "UNKNOWN": 3}[report.verdict.status] == value["zcheck_status", None]
    critical = [one for one in report.findings if one.severity == "CRITICAL" and not one.suppressed_by]
    assert len(critical) == value["zcheck_findings", "critical"]
    assert {result.check for result in report.checks} == {
        sample.labels["check"] for sample in samples if sample.name == "zcheck_check_outcome"
    }


def test_the_lag_is_told_in_seconds() -> None:
    text = prometheus.render(split())
    assert 'zcheck_lag_seconds{cluster="intranet",quantile="1"} 0.0131\n' in text


def fingerprints(report: Report, form: str) -> set[str]:
    """The fingerprints of the findings that are not suppressed, as one format tells them."""
    text = cli.rendered(report, form, verbose=True)
    if form == "json":
        return {one["fingerprint"] for one in json.loads(text)["findings"] if not one["suppressed_by"]}
    if form == "sarif":
        results = json.loads(text)["runs"][0]["results"]
        return {one["partialFingerprints"]["zcheck/v1"] for one in results if "suppressions" not in one}
    if form == "prometheus":
        return set(re.findall(r'fingerprint="(.*?)"', text))
    if form == "github":
        return {match[1] for _, _, data in obeyed(text) if (match := re.search(r"fingerprint: (\S+)", data))}
    if form == "text":
        live = text.partition("(suppressed by")[0]
        return {one for line in re.findall(r"fingerprint: (.*)", live) for one in line.split(", ")}
    assert form == "junit"
    found = set()
    for suite in junitparser.JUnitXml.fromstring(text.encode()):
        for test in suite:
            told = [one.text or "" for one in test.result] + [test.system_out or ""]
            for block in "\n\n".join(told).split("\n\n"):
                if "(suppressed by" not in block:
                    found |= set(re.findall(r"fingerprint: (\S+)", block))
    return found


@every_case
@pytest.mark.parametrize("form", [form for form in cli.FORMATS if form not in ("json", "nagios", "html")])
def test_one_finding_has_one_fingerprint_in_every_format(case: Callable[[], Report], form: str) -> None:
    report = case()
    if case is split and form == "text":
        # The suppressed one stands last but one here: by importance, it is a warning.
        assert "1111222233334444" in cli.rendered(report, form, verbose=True)
        live = {one.fingerprint for one in report.findings}
        assert live == set(re.findall(r"fingerprint: (\S+)", cli.rendered(report, form, verbose=True)))
        return
    assert fingerprints(report, "json") == fingerprints(report, form)
    assert fingerprints(report, form)


def test_a_report_in_a_file_can_be_read_by_whoever_collects_it(tmp_path: Path) -> None:
    path = tmp_path / "zcheck.prom"
    ini = str(SAMPLES / "healthy" / "clients.ini")
    assert cli.main(["preflight", "--offline", "-q", "-o", f"prometheus:{path}", ini]) == 0
    assert 0o644 == stat.S_IMODE(path.stat().st_mode)
    assert ["zcheck.prom"] == [one.name for one in tmp_path.iterdir()]


def test_what_is_no_file_is_written_into_and_stays_what_it_is(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    # Open for both, so that neither side waits for the other.
    reader = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
    try:
        ini = str(SAMPLES / "healthy" / "clients.ini")
        assert 0 == cli.main(["preflight", "--offline", "--no-state", "-q", "-o", f"nagios:{pipe}", ini])
        assert os.read(reader, 4096).startswith(b"ZCHECK OK")
    finally:
        os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert ["pipe"] == [path.name for path in tmp_path.iterdir()]


def test_a_symlink_stays_one_and_leads_to_the_whole_report(tmp_path: Path) -> None:
    (tmp_path / "www").mkdir()
    link = tmp_path / "zcheck.prom"
    link.symlink_to("www/now.prom")
    ini = str(SAMPLES / "healthy" / "clients.ini")
    assert 0 == cli.main(["preflight", "--offline", "--no-state", "-q", "-o", f"prometheus:{link}", ini])
    assert link.is_symlink()
    assert "zcheck_status" in (tmp_path / "www" / "now.prom").read_text()


@pytest.mark.parametrize("path", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_standard_output_by_a_name_of_its_own_is_written_into(path: str) -> None:
    before = os.lstat("/dev/stdout")
    words = ["preflight", "--offline", "--no-state", "-q", "-o", f"nagios:{path}"]
    command = [sys.executable, "-m", "zcheck", *words, str(SAMPLES / "healthy" / "clients.ini")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (0, "") == (done.returncode, done.stderr)
    assert ["ZCHECK OK", "OK: "] == [done.stdout[:9], done.stdout.splitlines()[-1][:4]]
    assert before.st_ino == os.lstat("/dev/stdout").st_ino


def test_the_step_summary_is_added_to_the_file_that_github_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "summary"
    path.write_text("# before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(path))
    ini = str(SAMPLES / "mount-points-differ" / "clients.ini")
    assert cli.main(["preflight", "--offline", "-o", "github", ini]) == 2
    assert capsys.readouterr().out.startswith("::error file=")
    told = path.read_text()
    assert told.startswith("# before\n<h3>zcheck: CRITICAL")
    assert "mount-points-agree" in told
    # Another format writes none, and a file that cannot be written changes nothing.
    assert cli.main(["preflight", "--offline", "-q", ini]) == 2
    assert told == path.read_text()
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "nowhere" / "summary"))
    assert cli.main(["preflight", "--offline", "-o", "github", ini]) == 2


def test_what_the_terminal_cannot_show_is_escaped_and_no_crash(tmp_path: Path) -> None:
    import os
    import shutil
    import subprocess
    import sys

    copy = tmp_path / "intranet-Ω"
    shutil.copytree(SAMPLES / "mount-points-differ", copy)
    argv = [sys.executable, "-m", "zcheck", "preflight", "--offline", str(copy / "clients.ini")]
    env = {**os.environ, "PYTHONIOENCODING": "iso8859-1"}
    done = subprocess.run(argv, env=env, capture_output=True, timeout=60, check=False)
    assert 2 == done.returncode, done.stderr
    assert rb"intranet-\u03a9" in done.stdout


def test_the_hostile_case_is_hostile() -> None:
    assert "\033" in HOSTILE
    assert "\n" in HOSTILE


SCHEMA = json.loads(as_json.schema())
FOLDERS = sorted(path.name for path in SAMPLES.iterdir() if (path / "clients.ini").is_file())


@each({folder: folder for folder in FOLDERS})
def test_every_sample_is_told_in_every_format(folder: str) -> None:
    with tempfile.TemporaryDirectory() as told:
        _is_told_in_every_format(folder, Path(told))


def _is_told_in_every_format(folder: str, tmp_path: Path) -> None:
    outputs = [word for form in cli.FORMATS for word in ("-o", f"{form}:{tmp_path / form}")]
    code = cli.main(["preflight", "--offline", "-q", *outputs, str(SAMPLES / folder / "clients.ini")])
    document = json.loads((tmp_path / "json").read_text())
    jsonschema.validate(document, SCHEMA)
    assert code == document["verdict"]["exit_code"]
    log = json.loads((tmp_path / "sarif").read_text())
    jsonschema.validate(log, SARIF)
    (run,) = log["runs"]
    # Whatever has no place of its own is shown at clients.ini.
    assert all(result["locations"] for result in run["results"])
    live = {one["fingerprint"] for one in document["findings"] if not one["suppressed_by"]}
    page = (tmp_path / "html").read_text()
    assert live == set(re.findall(r'fingerprint="(.*?)"', (tmp_path / "prometheus").read_text()))
    assert all(f'id="f-{fingerprint}"' in page for fingerprint in live)
    assert all(fingerprint in (tmp_path / "junit").read_text() for fingerprint in live)
    assert len(obeyed((tmp_path / "github").read_text())) == len(live)


def test_a_thousand_clients_are_told_in_every_format_in_time() -> None:
    import time

    from zcheck.report.structs import ClientNode, Level, Pair, Topology

    names = tuple(f"app{number}" for number in range(1000))
    pairs = tuple(Pair(w, r, w != "app7", 1.0) for w in names[:300] for r in names[:300] if w != r)
    report = made(
        levels=(Level("http", "main", pairs),),
        clients=names,
    )
    nodes = tuple(ClientNode(name, name, name, "balanced") for name in names)
    report = msgspec.structs.replace(report, topology=Topology(nodes))
    for form in cli.FORMATS:
        started = time.monotonic()
        shown = cli.rendered(report, form)
        assert time.monotonic() - started < patient(10), form
        assert form == "json" or len(shown) < 2_000_000, form
