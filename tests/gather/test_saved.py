"""Saved facts: judged again they say the same, no secret is in them, and what changed between two is told."""

from __future__ import annotations

import json
import shutil
import stat
import tempfile
from pathlib import Path
from typing import Any

import pytest
from offenders import each

from zcheck import cli
from zcheck.checks import CATALOGUE
from zcheck.facts import Facts, Inventory, LeftOut, NotGathered, Today, ZopeConf
from zcheck.facts.history import History, HttpHistories, Operation
from zcheck.facts.verdicts import Verdicts
from zcheck.gather import saved as savedfacts
from zcheck.report.structs import Run
from zcheck.testing import inventory, zope_conf

SAMPLES = Path(__file__).resolve().parents[2] / "sample-confs"
FOLDERS = sorted(path.name for path in SAMPLES.iterdir() if (path / "clients.ini").is_file())
RUN = Run(id="r", command="preflight", started="2026-11-20T12:00:00Z", duration_s=1.0)


def run(*argv: object) -> int:
    return cli.main([str(one) for one in argv])


def without_times(report: dict[str, Any]) -> dict[str, Any]:
    for result in report["checks"]:
        result["duration_s"] = 0
    return report


@each({folder: folder for folder in FOLDERS})
def test_a_sample_judged_again_gives_the_same_report(folder: str) -> None:
    with tempfile.TemporaryDirectory() as told:
        _is_judged_alike_again(folder, Path(told).resolve())


def _is_judged_alike_again(folder: str, tmp_path: Path) -> None:
    copy = shutil.copytree(SAMPLES / folder, tmp_path / folder)
    facts, one, two = (tmp_path / name for name in ("facts.json", "one.json", "two.json"))
    code = run("preflight", "--offline", "-q", "-o", f"json:{one}", "--save-facts", facts, copy / "clients.ini")
    shutil.rmtree(copy)
    assert code == run("preflight", "--facts", facts, "-q", "-o", f"json:{two}")
    again = json.loads(two.read_text())
    assert again["run"].pop("age_s") >= 0
    assert without_times(json.loads(one.read_text())) == without_times(again)
    # clients.ini may stand there as in every other command; it is not read.
    assert code == run("preflight", copy / "clients.ini", "--facts", facts, "-q")


def test_every_kind_that_a_check_reads_can_be_saved() -> None:
    read = {kind for check in CATALOGUE for kind in (*check.needs, *check.uses)}
    # A verdict is made anew of the history that is saved.
    assert {Verdicts} == read - set(savedfacts.KINDS.values())


def saved(*facts: tuple[str, Any, type[Any]]) -> savedfacts.Saved:
    found = Facts().with_fact("", inventory("[cluster]\nname = t\n[client:app1]\naddress = 10.0.0.1:80\n"))
    for subject, value, kind in facts:
        found = found.with_fact(subject, value, kind)
    return savedfacts.Saved(RUN, {"versions-agree": "left out by --skip"}, found)


def test_what_was_not_gathered_stays_so_and_bytes_that_are_no_text_stay_whole() -> None:
    history = History("http", "main", "r", (Operation("app1", "add", 0, 1, 2, "ok", reads={"app1": None}),))
    before = saved(
        ("app1", zope_conf("%define X caf\udce9\ninstancehome $X\n"), ZopeConf),
        ("app2", NotGathered("ssh: timed out", "try again"), ZopeConf),
        ("", LeftOut("left out by --offline", "client-port-answers"), Today),
        ("", HttpHistories((history,)), HttpHistories),
    )
    after = savedfacts.load(savedfacts.dump(before, "0"))
    assert before.run == after.run
    assert before.left_out == after.left_out
    assert sorted(map(repr, before.facts.items())) == sorted(map(repr, after.facts.items()))


@pytest.mark.parametrize(
    ("expected", "text"),
    [
        pytest.param("no JSON", "nothing", id="text"),
        pytest.param("no JSON", "[" * 100_000, id="deep"),
        pytest.param("its schema is None", "{}", id="empty"),
        pytest.param("its schema is None", "[]", id="a list"),
        pytest.param("its schema is 'zcheck-report/1'", '{"schema": "zcheck-report/1"}', id="a report"),
        pytest.param("damaged", '{"schema": "zcheck-facts/1"}', id="a part"),
        pytest.param(
            "no inventory",
            '{"schema": "zcheck-facts/1", "tool": {"name": "", "version": ""}, "left_out": {}, "facts": [],'
            ' "run": {"id": "", "command": "", "started": "", "duration_s": 1}}',
            id="no inventory",
        ),
    ],
)
def test_what_is_no_file_of_facts_is_refused(
    expected: str, text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(savedfacts.CannotRead, match=expected):
        savedfacts.load(text)
    path = tmp_path / "facts.json"
    path.write_text(text)
    assert 3 == run("preflight", "--facts", path)
    assert str(path) in capsys.readouterr().err


def test_a_fact_of_another_version_is_unknown_and_never_a_pass() -> None:
    document = json.loads(savedfacts.dump(saved(("app1", zope_conf(server="zeo1:8100"), ZopeConf)), "0"))
    (conf,) = (one for one in document["facts"] if one["kind"] == "ZopeConf")
    conf["value"] = {"another": "form"}
    document["facts"].append({"kind": "OfTheFuture", "subject": "", "state": "gathered", "value": 1})
    found = savedfacts.load(json.dumps(document)).facts
    missing = found.raw(ZopeConf, "app1")
    assert isinstance(missing, NotGathered)
    assert "cannot read the saved ZopeConf" in missing.reason


SECRETS = ("hunter2", "tr0ub4dor", "swordfish", "sesame", "letmein")


def test_no_secret_is_saved(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "zope.conf").write_text(
        "<environment>\nAWS_SECRET_KEY hunter2\nPROXY http://u:letmein@proxy/\n</environment>\n"
        "%import relstorage\n<zodb_db main>\n<relstorage>\n<postgresql>\n"
        "dsn dbname='zodb' host='db1' user='zope' password='tr0ub4dor'\n</postgresql>\n</relstorage>\n"
        "mount-point /\n</zodb_db>\n"
    )
    ini = tmp_path / "clients.ini"
    ini.write_text(
        "[cluster]\nname = t\nuser = admin\npassword = swordfish\n[client:app1]\naddress = 10.0.0.1:80\n"
        "zope-conf = zope.conf\nenv.PLAIN = sesame\nvia = sshpass -p letmein ssh app1 python3\n"
    )
    ini.chmod(0o600)
    facts = tmp_path / "facts.json"
    run("preflight", "--offline", "--save-facts", facts, ini)
    assert 0o600 == stat.S_IMODE(facts.stat().st_mode)
    text = facts.read_text()
    assert [] == [secret for secret in SECRETS if secret in text]
    assert "db1" in text
    capsys.readouterr()
    # What is hidden still tells two values apart when it is judged again.
    run("preflight", "--facts", facts)
    assert [] == [secret for secret in SECRETS if secret in capsys.readouterr().out]


def test_a_facts_file_that_is_left_out_needs_a_clients_ini(capsys: pytest.CaptureFixture[str]) -> None:
    assert 3 == run("preflight")
    assert "CLIENTS.INI" in capsys.readouterr().err


# --- what changed --------------------------------------------------------------------------------


@pytest.fixture
def cluster(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SAMPLES / "healthy", tmp_path / "healthy"))


def facts_of(cluster: Path, name: str) -> Path:
    path = cluster.parent / name
    run("preflight", "--offline", "-q", "--save-facts", path, cluster / "clients.ini")
    return path


def test_nothing_changed(cluster: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, other = facts_of(cluster, "one"), facts_of(cluster, "other")
    capsys.readouterr()
    assert 0 == run("diff", one, other)
    assert capsys.readouterr().out.startswith("nothing changed since 20")


def test_what_changed_is_told_with_its_line(cluster: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = facts_of(cluster, "one")
    conf = cluster / "app2" / "etc" / "zope.conf"
    lines = conf.read_text().splitlines()
    at = next(n for n, line in enumerate(lines) if "storage archive" in line)
    lines[at] = lines[at].replace("archive", "attic")
    conf.write_text("\n".join(["# a comment moves every line", *lines, "trusted-proxy 10.0.0.9"]) + "\n")
    ini = cluster / "clients.ini"
    ini.write_text(ini.read_text().replace("app3.example.com:8080", "app3.example.com:8081", 1))
    other = facts_of(cluster, "other")
    capsys.readouterr()
    assert 1 == run("diff", one, other)
    told = capsys.readouterr().out
    assert "client: app3: address was app3.example.com:8080, is app3.example.com:8081\n" in told
    assert (
        f"app2/etc/zope.conf:{at + 2}: conf: app2: <zodb_db archive> <zeoclient> storage was archive, is attic\n"
        in told
    )
    assert f"app2/etc/zope.conf:{len(lines) + 2}: conf: app2: new: trusted-proxy 10.0.0.9\n" in told
    assert "finding: new: critical: storage-names-agree: " in told
    # What a comment moved did not change.
    assert 2 == told.count("conf: app2: ")
    assert 1 == run("diff", other, one)
    told = capsys.readouterr().out
    assert "conf: app2: gone: trusted-proxy 10.0.0.9\n" in told
    assert "finding: gone: critical: storage-names-agree: " in told


def test_without_a_first_file_the_last_good_run_is_meant(
    cluster: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    facts = facts_of(cluster, "one")
    capsys.readouterr()
    assert 3 == run("diff", facts)
    assert "no run of" in capsys.readouterr().err


def dated(path: Path, started: str) -> Path:
    """The same facts, of another day."""
    saved = json.loads(path.read_text())
    saved["run"]["started"] = started
    path.write_text(json.dumps(saved))
    return path


@pytest.mark.parametrize(
    ("expected", "aside", "day"),
    [
        ("is new", "is older than the last run that was OK (2026-11-02T00:00:00Z)", "2026-11-01T00:00:00Z"),
        ("is gone", "", "2026-11-03T00:00:00Z"),
    ],
    ids=["before the last good run", "after it"],
)
def test_the_file_and_the_last_good_run_are_told_in_the_order_of_their_days(
    expected: str,
    aside: str,
    day: str,
    cluster: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    from zcheck.system import state

    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    ini = cluster / "clients.ini"
    good = dated(facts_of(cluster, "good"), "2026-11-02T00:00:00Z")
    state.keep_good(str(tmp_path / "state" / "zcheck"), str(ini), good.read_text())
    ini.write_text(ini.read_text().partition("[client:app3]")[0])
    other = dated(facts_of(cluster, "other"), day)
    capsys.readouterr()
    assert 1 == run("diff", other)
    told = capsys.readouterr()
    assert f"client: app3: {expected}\n" in told.out
    assert aside in told.err
    assert bool(aside) == bool(told.err)


def test_two_files_are_told_as_they_are_given(cluster: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = dated(facts_of(cluster, "one"), "2026-11-02T00:00:00Z")
    other = dated(facts_of(cluster, "other"), "2026-11-01T00:00:00Z")
    capsys.readouterr()
    assert 0 == run("diff", one, other)
    assert f"{other} (2026-11-01T00:00:00Z) is older than {one}" in capsys.readouterr().err
    assert 0 == run("diff", other, one)
    assert "" == capsys.readouterr().err


@pytest.mark.parametrize("argv", [["diff"], ["diff", "a", "b", "c"], ["diff", "nowhere"]], ids=" ".join)
def test_wrong_usage_of_diff_is_exit_code_3(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert 3 == run(*argv)
    assert capsys.readouterr().err


def test_explain_tells_how_a_check_came_out_on_a_cluster(cluster: Path, capsys: pytest.CaptureFixture[str]) -> None:
    facts = facts_of(cluster, "one")
    capsys.readouterr()
    assert 0 == run("explain", "mount-points-agree", "--facts", facts)
    told = capsys.readouterr().out
    assert "How to repair it" in told
    assert ": pass\n" in told
    assert "app2: archive at " in told
    assert ">>>" not in told
    assert 0 == run("explain", "client-port-answers", "--facts", facts)
    assert ": skipped (left out by --offline)\n" in capsys.readouterr().out


def test_the_state_folder_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    from zcheck.system import state

    blocked = tmp_path / "file"
    blocked.write_text("")
    state.keep_good(str(blocked), "x", "{}")
    assert state.good(str(blocked), "x") is None
    state.keep_good(None, "x", "{}")
    assert state.good(None, "x") is None
    state.keep_good(str(tmp_path / "state"), "x", "{}")
    kept = state.good(str(tmp_path / "state"), "x")
    assert kept is not None
    assert "{}" == Path(kept).read_text()
    assert [] == [path for path in Path(kept).parent.iterdir() if path.suffix != ".json"]


def test_the_inventory_that_is_saved_is_the_one_that_was_read() -> None:
    given = inventory("[cluster]\nname = t\n[client:app1]\naddress = 10.0.0.1:80\nenv.A = b\nvia = ssh app1\n")
    hidden = savedfacts.without_secrets(given)
    assert {"A": "***"} == hidden.clients[0].env
    assert "***" == hidden.clients[0].via
    assert isinstance(hidden, Inventory)
    assert given.clients[0].address == hidden.clients[0].address
