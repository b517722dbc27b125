"""The export for elle-cli: EDN as it documents it, read by a reader of EDN that is not ours; and its own verdict."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import edn_format
import pytest

from zcheck import cli
from zcheck.consistency.judge.elle import MODELS, Model, export
from zcheck.consistency.judge.isolation import judge
from zcheck.consistency.recording.format import Origin, dumps
from zcheck.facts.history import History, Operation, Version
from zcheck.testing.examples import recorded, zeo_run

MATRIX = recorded(zeo_run("app1 > app2", "app2 > app1")).histories[0]


def operation(session: str, begin: int, end: int, outcome: str = "ok", **more: Any) -> Operation:
    action = "write" if more.get("writes") else "read"
    return Operation(session, action, 1, begin, end, outcome, **more)  # type: ignore[arg-type]


def history(*operations: Operation, **log: str) -> History:
    """``log``: by marker its nonces, each a letter, in the order of the alphabet over all."""
    versions = {m: tuple(Version(f"{ord(nonce):016x}", nonce) for nonce in nonces) for m, nonces in log.items()}
    return History("zeo", "main", "run", operations, log=versions)


WRITES = (
    operation("p", 0, 1, writes={"x": "a"}),
    operation("q", 2, 3, writes={"y": "b"}),
    operation("p", 4, 5, reads={"x": "a", "y": "b"}, writes={"x": "c"}),
    operation("q", 6, 7, reads={"x": "c", "y": "b"}, writes={"y": "d"}),
)
HEALTHY = history(*WRITES, operation("r", 8, 9, reads={"x": "c", "y": "d"}), x="ac", y="bd")
TORN = history(*WRITES, operation("r", 8, 9, reads={"x": "a", "y": "d"}), x="ac", y="bd")
ABORTED = history(
    *WRITES, operation("p", 8, 9, "fail", writes={"x": "z"}), operation("r", 10, 11, reads={"x": "z"}), x="ac", y="bd"
)


def told(given: History, model: Model) -> list[dict[str, Any]]:
    """The export as a reader of EDN reads it; keywords as text with their colon."""

    def plain(value: Any) -> Any:
        if isinstance(value, edn_format.Keyword):
            return f":{value.name}"
        if isinstance(value, edn_format.ImmutableDict):
            return {plain(key): plain(one) for key, one in value.items()}
        if isinstance(value, edn_format.ImmutableList):
            return [plain(one) for one in value]
        return value

    return [plain(edn_format.loads(line)) for line in export(given, model).splitlines()]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("given", [MATRIX, HEALTHY, ABORTED], ids=["matrix", "healthy", "aborted"])
def test_the_form_is_the_one_that_elle_cli_documents(given: History, model: Model) -> None:
    lines = told(given, model)
    assert list(range(len(lines))) == [line[":index"] for line in lines]
    assert [line[":time"] for line in lines] == sorted(line[":time"] for line in lines)
    under_way: set[int] = set()
    written: list[tuple[str, int]] = []
    for line in lines:
        assert {":index", ":type", ":process", ":time", ":f", ":value"} == set(line)
        assert ":txn" == line[":f"]
        process = line[":process"]
        assert isinstance(process, int)
        if line[":type"] == ":invoke":
            assert process not in under_way, "a process does one thing at a time"
            under_way.add(process)
            written += [(key, value) for what, key, value in line[":value"] if what != ":r"]
            assert {None} >= {value for what, _, value in line[":value"] if what == ":r"}
        else:
            assert line[":type"] in (":ok", ":fail", ":info")
            under_way.remove(process)
        assert {what for what, _, _ in line[":value"]} <= {":r", ":append" if model == "list-append" else ":w"}
    assert set() == under_way
    assert len(written) == len(set(written)), "each number is written once"


def ended(given: History, model: Model) -> list[Any]:
    return [line[":value"] for line in told(given, model) if line[":type"] == ":ok"]


def test_versions_are_numbered_by_the_log() -> None:
    assert [
        [[":w", "x", 1]],
        [[":w", "y", 1]],
        [[":r", "x", 1], [":r", "y", 1], [":w", "x", 2]],
        [[":r", "x", 2], [":r", "y", 1], [":w", "y", 2]],
        [[":r", "x", 2], [":r", "y", 2]],
    ] == ended(HEALTHY, "rw-register")
    assert [[":r", "x", [1, 2]], [":r", "y", [1, 2]]] == ended(HEALTHY, "list-append")[-1]


def test_what_is_not_there_is_nil_or_empty() -> None:
    given = history(operation("r", 0, 1, reads={"x": None}), x="")
    assert [[[":r", "x", None]]] == ended(given, "rw-register")
    assert [[[":r", "x", []]]] == ended(given, "list-append")


def test_a_removal_is_left_out_and_what_is_unknown_ends_its_process() -> None:
    given = history(
        operation("p", 0, 1, "info", writes={"x": "a"}),
        operation("p", 2, 3, reads={"x": "a"}),
        Operation("p", "remove", 1, 4, 5, "ok", writes={"x": ""}),
        Operation("p", "gone", 1, 6, 7, "ok", reads={"x": None}),
        x="a",
    )
    lines = told(given, "rw-register")
    assert [(":invoke", 0), (":info", 0), (":invoke", 1), (":ok", 1)] == [
        (line[":type"], line[":process"]) for line in lines
    ]


def test_requests_of_their_own_are_transactions_of_their_own() -> None:
    given = history(operation("r", 0, 1, reads={"x": "a", "y": "b"}, apart=True), x="a", y="b")
    assert [[[":r", "x", 1]], [[":r", "y", 1]]] == sorted(ended(given, "rw-register"))


@pytest.mark.parametrize("model", MODELS)
def test_recheck_prints_it(model: Model, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "history"
    path.write_text(dumps((HEALTHY,), Origin(cluster="c", run_id="run")))
    assert 0 == cli.main(["recheck", str(path), "--elle", model])
    assert export(HEALTHY, model) == capsys.readouterr().out


JAR = os.environ.get("ZCHECK_ELLE_JAR", "")


@pytest.mark.skipif(not JAR, reason="ZCHECK_ELLE_JAR does not name the standalone jar of elle-cli")
@pytest.mark.skipif(shutil.which("java") is None, reason="elle-cli needs Java, which is not installed")
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    ("expected", "given"),
    [("true", MATRIX), ("true", HEALTHY), ("false", TORN), ("false", ABORTED)],
    ids=["matrix", "healthy", "torn", "aborted"],
)
def test_elle_comes_to_the_same_verdict(expected: str, given: History, model: Model, tmp_path: Path) -> None:
    path = tmp_path / "history.edn"
    path.write_text(export(given, model))
    command = ["java", "-jar", JAR, "--model", model, "--consistency-models", "snapshot-isolation", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert expected == done.stdout.split()[-1], done.stdout + done.stderr
    assert ("pass" if expected == "true" else "fail") == judge(given).result
