"""The facts of a real run, judged again, say what the run said."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from zcheck import cli
from zcheck.commands.demo import Cluster


def test_a_live_run_judged_again_gives_the_same_report(
    cluster: Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    facts = tmp_path / "facts.json"
    code = cli.main(["preflight", "-o", "json", "--save-facts", str(facts), str(cluster.ini)])
    first = json.loads(capsys.readouterr().out)
    assert 0 == code
    assert code == cli.main(["preflight", "--facts", str(facts), "-o", "json"])
    again = json.loads(capsys.readouterr().out)
    assert "age_s" not in first["run"]
    assert again["run"].pop("age_s") >= 0
    for report in (first, again):
        for result in report["checks"]:
            result["duration_s"] = 0
    assert first == again
    assert (cluster.folder / "password").read_text().strip() not in facts.read_text()
    # It was OK, so it is what a later run is held against.
    assert 0 == cli.main(["diff", str(facts)])
    assert "nothing changed since" in capsys.readouterr().out


def test_a_restart_is_a_change(
    make_cluster: Callable[..., Cluster], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster = make_cluster(2)
    files = [str(tmp_path / name) for name in ("one", "other")]
    cli.main(["preflight", "-q", "--read-only", "--no-state", "--save-facts", files[0], str(cluster.ini)])
    cluster.stop_client("app2")
    cluster.start_client("app2")
    cli.main(["preflight", "-q", "--read-only", "--no-state", "--save-facts", files[1], str(cluster.ini)])
    capsys.readouterr()
    assert 1 == cli.main(["diff", *files])
    told = capsys.readouterr().out
    assert "process: app2: its process was " in told
    assert "process: app1" not in told
