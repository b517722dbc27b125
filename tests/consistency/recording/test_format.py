"""A history file: what is written is read again, and what was cut or edited is told and never judged OK."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from zcheck import cli
from zcheck.consistency.recording.format import NoHistory, Origin, dumps, loads
from zcheck.facts.history import History
from zcheck.testing.examples import recorded, zeo_run

ORIGIN = Origin(cluster="intranet", run_id="example", seed=7, versions={"zcheck": "0"})
HEALTHY = recorded(zeo_run("app1 > app2", "app2 > app1")).histories[0]
STALE = recorded(zeo_run("app1 > app2", "app2 > !app1")).histories[0]
NO_LOG = zeo_run("app1 > app2", "app2 > app1").histories[0]


@pytest.mark.parametrize("histories", [(HEALTHY,), (HEALTHY, STALE), (NO_LOG,)], ids=["one", "two", "without a log"])
def test_what_is_written_is_read_again(histories: tuple[History, ...]) -> None:
    found = loads(dumps(histories, ORIGIN))
    assert (histories, ORIGIN, ()) == (found.histories, found.origin, found.faults)


def test_the_lines_have_jepsens_names() -> None:
    lines = [json.loads(line) for line in dumps((HEALTHY,), ORIGIN).splitlines()]
    assert {"index": 0, "process": "app1", "f": "add", "type": "ok", "time": 0}.items() <= lines[1].items()
    assert "zcheck-history/1" == lines[0]["header"]["format"]
    assert 7 == lines[0]["header"]["origin"]["seed"]
    assert "the storage's own log, by its iterator" == lines[0]["header"]["authority"]
    assert "completed" == lines[-2]["trailer"]["ended"]
    assert {"end": {"sections": 1}} == lines[-1]


def line_changed(number: int, old: str, new: str) -> Callable[[str], str]:
    def change(text: str) -> str:
        lines = text.splitlines(keepends=True)
        assert old in lines[number]
        lines[number] = lines[number].replace(old, new, 1)
        return "".join(lines)

    return change


def without(*numbers: int) -> Callable[[str], str]:
    def change(text: str) -> str:
        lines = text.splitlines(keepends=True)
        return "".join(line for n, line in enumerate(lines) if n not in {m % len(lines) for m in numbers})

    return change


def twice(text: str) -> str:
    sections, _, end = text.rpartition('{"end"')
    return sections + sections + '{"end"' + end


FAULTS: dict[str, tuple[str, Callable[[str], str]]] = {
    "no trailer": ("no trailer", without(-2)),
    "no end": ("its end is missing", without(-1)),
    "neither": ("no trailer", without(-1, -2)),
    "cut in the middle": ("no trailer", lambda text: text[: len(text) // 2]),
    "its last byte is missing": ("last line is cut", lambda text: text[:-1]),
    "an operation is missing": ("digest", without(2)),
    "an operation is missing, counted": ("operations and says", without(2)),
    "a value was edited": ("digest", line_changed(1, "nonce-0", "nonce-9")),
    "a version was edited": ("digest", line_changed(-3, "0003", "0004")),
    "an operation was made unreadable": (
        "line 2 of section 1 cannot be read",
        line_changed(1, '"f":"add"', '"f":"bad"'),
    ),
    "a section was repeated": ("its end is missing or not at its end", lambda text: text + text),
    "a section was repeated before the end": ("its last line says another number", twice),
    "the header was edited": ("digest", line_changed(0, "intranet", "internet")),
}


@pytest.mark.parametrize(("told", "change"), FAULTS.values(), ids=FAULTS)
def test_what_was_cut_or_edited_is_told_and_never_ok(
    told: str, change: Callable[[str], str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = change(dumps((HEALTHY,), ORIGIN))
    assert any(told in fault for fault in loads(text).faults), loads(text).faults
    path = tmp_path / "history"
    path.write_text(text)
    assert 3 == cli.main(["recheck", str(path)])
    out = capsys.readouterr().out
    assert "UNKNOWN" in out and "\nOK" not in out


def test_a_section_that_is_missing_is_told() -> None:
    whole = dumps((HEALTHY, STALE), ORIGIN)
    first = whole[: whole.index("\n", whole.index('{"trailer"')) + 1]
    assert any("its end is missing" in fault for fault in loads(first).faults)
    assert any("says another number" in fault for fault in loads(first + whole.splitlines(keepends=True)[-1]).faults)


@pytest.mark.parametrize("text", ["", "\n", "[1]\n", '{"header":1}\n', '{"index":0}\n'])
def test_what_is_no_history(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(NoHistory):
        loads(text)
    (tmp_path / "history").write_text(text)
    assert 3 == cli.main(["recheck", str(tmp_path / "history")])
    assert "cannot be judged" in capsys.readouterr().err


def test_a_format_of_the_future_is_refused() -> None:
    with pytest.raises(NoHistory, match="zcheck-history/2"):
        loads(dumps((HEALTHY,), ORIGIN).replace("zcheck-history/1", "zcheck-history/2"))


@pytest.mark.parametrize(
    ("code", "held", "history"),
    [
        pytest.param(0, "strong-si", HEALTHY, id="healthy"),
        pytest.param(2, None, STALE, id="stale"),
        pytest.param(3, None, NO_LOG, id="without a log"),
    ],
)
def test_recheck_has_preflights_exit_codes_and_formats(
    code: int, held: str | None, history: History, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "history"
    path.write_text(dumps((history,), ORIGIN))
    assert code == cli.main(["recheck", str(path), "-o", "json"])
    report = json.loads(capsys.readouterr().out)
    assert ("recheck", "intranet", code) == (
        report["run"]["command"],
        report["cluster"]["name"],
        report["verdict"]["exit_code"],
    )
    assert held == report["consistency"]["held"]


def test_of_a_history_that_was_cut_nothing_is_said_not_to_hold(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "history"
    lines = dumps((STALE,), ORIGIN).splitlines(keepends=True)
    path.write_text("".join(lines[: len(lines) // 2]))
    assert 3 == cli.main(["recheck", str(path)])
    assert "held: not known, since the history is not whole" == capsys.readouterr().out.splitlines()[-1]


def test_a_file_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert 3 == cli.main(["recheck", str(tmp_path / "none")])
    assert "No such file" in capsys.readouterr().err
