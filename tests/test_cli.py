"""The command line: exit codes, usage errors, what goes where."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from zcheck import cli

SAMPLES = Path(__file__).resolve().parents[1] / "sample-confs"
HEALTHY = str(SAMPLES / "healthy" / "clients.ini")


@pytest.mark.parametrize(
    ("expected", "argv"),
    [
        pytest.param("did you mean 'preflight'", ["preflihgt"], id="unknown command"),
        pytest.param("No such option", ["preflight", "--bogus", HEALTHY], id="unknown option"),
        pytest.param("Missing argument", ["preflight"], id="no clients.ini"),
        pytest.param("No such file", ["preflight", "nowhere.ini"], id="no such file"),
        pytest.param(
            "did you mean 'mount-points-agree'", ["preflight", "--only", "mount-point-agree", HEALTHY], id="only"
        ),
        pytest.param("did you mean 'config'", ["preflight", "--skip", "confg", HEALTHY], id="skip"),
        pytest.param("no duration", ["preflight", "--timeout", "soon", HEALTHY], id="duration"),
        pytest.param("no duration", ["preflight", "--deadline", "0", HEALTHY], id="zero"),
        pytest.param("did you mean 'json'", ["preflight", "-o", "jsn", HEALTHY], id="format"),
        pytest.param("only one format", ["preflight", "-o", "json", "-o", "text", HEALTHY], id="two to stdout"),
        pytest.param("did you mean", ["explain", "mount-point-agree"], id="unknown check"),
    ],
)
def test_wrong_usage_is_exit_code_3_and_says_so_on_stderr(
    expected: str, argv: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(argv) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert expected in err


@pytest.mark.parametrize(
    "argv", [["--help"], ["--version"], ["preflight", "--help"], ["explain"], ["schema"]], ids=" ".join
)
def test_asking_is_exit_code_0(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(argv) == 0
    assert capsys.readouterr().out


def test_the_healthy_sample_passes_offline(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["preflight", "--offline", HEALTHY]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[-1].startswith("OK: ")
    assert "3 of 3 clients" in out
    assert "no pair proven" in out
    assert err == ""
    assert "\033" not in out


def test_json_is_valid_against_the_schema_and_holds_every_check(capsys: pytest.CaptureFixture[str]) -> None:
    from zcheck.checks import CATALOGUE
    from zcheck.report.formats.json import schema

    assert cli.main(["preflight", "--offline", "-o", "json", str(SAMPLES / "mount-points-differ" / "clients.ini")]) == 2
    report = json.loads(capsys.readouterr().out)
    jsonschema.validate(report, json.loads(schema()))
    assert [result["check"] for result in report["checks"]] == [check.name for check in CATALOGUE]
    assert report["verdict"]["status"] == "CRITICAL"
    assert report["verdict"]["exit_code"] == 2
    assert report["consistency"] == {
        "levels": [],
        "held": None,
        "receipt": {"transactions": 0, "bytes": 0, "left_behind": 0},
        "judged": [],
        "lags": [],
        "anomalies": [],
    }
    assert [finding["check"] for finding in report["findings"]] == ["mount-points-agree"]


def test_two_outputs_and_what_is_in_a_file_is_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "report.json"
    assert cli.main(["preflight", "--offline", "-o", f"json:{path}", "-o", "nagios", HEALTHY]) == 0
    assert capsys.readouterr().out.startswith("ZCHECK OK - ")
    assert json.loads(path.read_text())["verdict"]["status"] == "OK"
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]


def test_an_output_that_cannot_be_written_is_exit_code_3(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["preflight", "--offline", "-o", "json:/nowhere/report.json", HEALTHY]) == 3
    out, err = capsys.readouterr()
    assert "/nowhere/report.json: cannot be written" in err
    assert out.splitlines()[-1].startswith("OK: ")


def test_option_beats_environment_beats_inventory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ini = tmp_path / "clients.ini"
    ini.write_text(
        "[cluster]\nname = t\n[zcheck]\nonly = inventory\noutput = nagios\n[client:a]\naddress = 10.0.0.1:80\n"
    )
    assert cli.main(["preflight", str(ini)]) == 2
    assert capsys.readouterr().out.startswith("ZCHECK CRITICAL - t: at-least-two-clients")
    monkeypatch.setenv("ZCHECK_OUTPUT", "text")
    assert cli.main(["preflight", str(ini)]) == 2
    assert "page: zcheck explain at-least-two-clients" in capsys.readouterr().out
    assert cli.main(["preflight", "-o", "json", str(ini)]) == 2
    assert json.loads(capsys.readouterr().out)["cluster"]["clients"] == ["a"]


def test_a_bad_option_in_the_inventory_is_told_with_its_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ini = tmp_path / "clients.ini"
    ini.write_text("[zcheck]\ntimeout = soon\n[client:a]\naddress = 10.0.0.1:80\n")
    assert cli.main(["preflight", str(ini)]) == 3
    assert "[zcheck] timeout: 'soon' is no duration" in capsys.readouterr().err


def test_quiet_is_the_verdict_alone_and_verbose_tells_each_check(capsys: pytest.CaptureFixture[str]) -> None:
    from zcheck.checks import CATALOGUE

    assert cli.main(["preflight", "--offline", "-q", HEALTHY]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1
    assert cli.main(["preflight", "--offline", "-v", HEALTHY]) == 0
    out = capsys.readouterr().out
    assert all(check.name in out for check in CATALOGUE)


def test_a_crash_is_exit_code_3_and_shows_no_value(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from zcheck.commands import preflight

    def crash(*args: object, **options: object) -> None:
        raise RuntimeError("password is hunter2")

    monkeypatch.setattr(preflight, "examine", crash)
    assert cli.main(["preflight", "--offline", HEALTHY]) == 3
    err = capsys.readouterr().err
    assert "RuntimeError" in err
    assert "hunter2" not in err


def test_a_closed_pipe_is_exit_code_3_where_it_would_be_0() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "zcheck", "schema"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.wait(timeout=30) == 3
    assert process.stderr is not None
    assert process.stderr.read() == b""
    process.stderr.close()


def test_colour_is_forced_and_forbidden_by_the_environment() -> None:
    def run(**environ: str) -> str:
        env = {**os.environ, **environ}
        env.pop("CI", None)
        argv = [sys.executable, "-m", "zcheck", "preflight", "--offline", HEALTHY]
        return subprocess.run(argv, env=env, capture_output=True, text=True, timeout=60, check=False).stdout

    assert "\033[" in run(FORCE_COLOR="1")
    assert "\033[" not in run(FORCE_COLOR="1", NO_COLOR="1")
    assert "\033[" not in run()


def test_explain_shows_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["explain", "mount-points-agree"]) == 0
    out = capsys.readouterr().out
    for heading in ("What it examines", "Why it matters", "What it does not prove", "How to repair it"):
        assert heading in out
    assert ">>>" not in out
    assert cli.main(["explain", "-v", "mount-points-agree"]) == 0
    assert ">>> show(mount_points_agree, " in capsys.readouterr().out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["completion", shell]) == 0
    assert "_ZCHECK_COMPLETE" in capsys.readouterr().out


def test_plan_tells_what_would_be_written_and_contacts_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["plan", HEALTHY]) == 0
    out = capsys.readouterr().out
    assert "this WILL write to" in out
    assert "storage 1" in out
    assert "worst" in out
    assert cli.main(["plan", "--read-only", HEALTHY]) == 0
    assert "WILL write" not in capsys.readouterr().out


def test_the_plan_names_every_file_and_what_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    ini = tmp_path / "clients.ini"
    lines = {1: "zope-conf = app1/zope.conf", 2: "zope-conf = app2/zope.conf\nwsgi-ini = two.ini"}
    clients = "".join(f"[client:app{n}]\naddress = 192.0.2.1{n}:80\n{line}\n" for n, line in lines.items())
    zeo = "[zeo:main]\naddress = 192.0.2.9:8100\nconf = zeo/zeo.conf\n"
    ini.write_text(f"[cluster]\nname = t\nuser = admin\npassword-file = none\nzeo = 192.0.2.9:8100\n{clients}{zeo}")
    assert cli.main(["plan", str(ini)]) == 0
    out = capsys.readouterr().out
    app1 = tmp_path / "app1"
    assert f"  {app1 / 'zope.ini'} or {app1 / 'wsgi.ini'}, where there is one (app1)\n" in out
    assert f"  {tmp_path / 'two.ini'} (app2)\n" in out
    assert "app2/zope.ini" not in out
    assert f"  {tmp_path / 'zeo/zeo.conf'} (ZEO server 192.0.2.9:8100)\n" in out
    assert f"\nkeep in {tmp_path / 'zcheck'}, on this machine: " in out
    cannot = f"it CANNOT write through the running clients, which will be UNKNOWN: {tmp_path / 'none'}: No such file"
    assert cannot in out
    assert "as user admin" not in out
    (tmp_path / "none").write_text("secret-4711\n")
    assert cli.main(["plan", "--no-state", str(ini)]) == 0
    out = capsys.readouterr().out
    assert "CANNOT" not in out and "keep in" not in out and "4711" not in out
    assert cli.main(["plan", "--offline", str(ini)]) == 0
    assert "keep in" not in capsys.readouterr().out
    assert [] == [path for path in tmp_path.iterdir() if path.name == "zcheck"], "it touches nothing"


def test_the_plan_of_the_longer_test(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    history = tmp_path / "history"
    assert (
        cli.main(["isolation", "--plan", "--duration", "1m", "--rate", "10", "--history", str(history), HEALTHY]) == 0
    )
    out = capsys.readouterr().out
    assert "zcheck isolation" in out.splitlines()[0]
    assert "this WILL write to" in out
    assert "at most 10 commits a second of 6 workloads" in out
    assert "at most 610 commits, about 0.2 MB" in out
    assert f"and {history}, the history" in out
    assert "take 60 s for each database and level, at the worst 300 s" in out
    assert not history.exists()
    assert cli.main(["isolation", "--plan", "--level", "zeo", "--workloads", "bank", HEALTHY]) == 0
    out = capsys.readouterr().out
    assert "1 workloads (bank)" in out and "again and again" not in out
    assert cli.main(["isolation", "--plan", "--read-only", HEALTHY]) == 0
    assert "WILL write" not in capsys.readouterr().out


def test_a_selection_that_leaves_nothing_to_judge_proves_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["preflight", "--offline", "--only", "zeo-server-answers", HEALTHY]) == 3
    out = capsys.readouterr().out
    assert "nothing was judged" in out
    assert out.splitlines()[-1].startswith("UNKNOWN: 0 of ")


ADDRESSES = "[cluster]\nname = t\n" + "".join(f"[client:app{n}]\naddress = 192.0.2.1{n}:8080\n" for n in (1, 2, 3))


@pytest.mark.parametrize(
    ("expected", "argv"),
    [
        (3, ["--offline"]),
        (3, ["--offline", "--fail-on", "critical"]),
        (0, ["--offline", "--only", "inventory"]),
        (0, ["--offline", "--skip", "config"]),
    ],
    ids=["the whole", "only what is critical", "the inventory was asked for", "the files were left out"],
)
def test_a_gate_that_looked_at_no_client_does_not_open(
    expected: int, argv: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ini = tmp_path / "clients.ini"
    ini.write_text(ADDRESSES)
    assert expected == cli.main(["preflight", *argv, str(ini)])
    assert bool(expected) == ("nothing of any client was looked at" in capsys.readouterr().out)


def test_one_client_that_was_looked_at_is_a_look(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ini = tmp_path / "clients.ini"
    conf = "%define INSTANCE /srv/app3\ninstancehome $INSTANCE\n<zodb_db main>\n<zeoclient>\nserver 192.0.2.9:8100\n"
    (tmp_path / "zope.conf").write_text(f"{conf}</zeoclient>\nmount-point /\n</zodb_db>\n")
    ini.write_text(f"{ADDRESSES}zope-conf = zope.conf\n")
    cli.main(["preflight", "--offline", str(ini)])
    out = capsys.readouterr().out
    assert "nothing of any client" not in out
    assert "1 of 3 clients" in out


@pytest.mark.parametrize(
    ("key", "line", "path", "mend"),
    [
        ("zope-conf", "zope-conf = app2/zope.conf", "app2/zope.conf", "or copy the file there"),
        ("env-file", "env-file = app2/env", "app2/env", "or copy the file there"),
        ("zope-conf", "zope-conf = app2", "app2", "correct zope-conf of [client:app2]"),
    ],
    ids=["no such zope.conf", "no such file of variables", "a folder"],
)
def test_a_path_that_is_wrong_is_one_finding_with_its_line(
    key: str, line: str, path: str, mend: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "app2").mkdir()
    (tmp_path / "zope.conf").write_text("<zodb_db main>\n</zodb_db>\n")
    ini = tmp_path / "clients.ini"
    text = ADDRESSES.replace(
        "app2]\n", f"app2]\n{'' if key == 'zope-conf' else 'zope-conf = zope.conf' + chr(10)}{line}\n"
    )
    ini.write_text(text)
    at = text.splitlines().index(line) + 1
    # Nothing is contacted, and what would be is to be skipped for the same reason.
    assert 3 == cli.main(["preflight", "--offline", "-o", "json", str(ini)])
    (finding,) = [one for one in json.loads(capsys.readouterr().out)["findings"] if one["severity"] == "UNKNOWN"]
    assert "zope-conf-parses" == finding["check"]
    assert ["app2"] == finding["clients"]
    assert str(tmp_path / path) in finding["message"]
    assert mend in finding["hint"]
    assert [(str(ini), at)] == [(place["file"], place["line"]) for place in finding["places"]]


def shown_defaults(command: str) -> dict[str, object]:
    return {option.name or "": option.default for option in cli.zcheck.commands[command].params}


def test_the_defaults_that_monitor_shows_are_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    from zcheck.cli.verify import MONITOR

    shown = shown_defaults("monitor")
    assert [MONITOR[name] for name in ("timeout", "deadline")] == [
        float(str(shown[n])) for n in ("timeout", "deadline")
    ]
    assert ("5", "60") == (shown_defaults("preflight")["timeout"], shown_defaults("preflight")["deadline"])
    assert 0 == cli.main(["monitor", "--help"])
    out = capsys.readouterr().out
    assert "[default: 8]" in out and "[default: 60]" not in out
    assert 0 == cli.main(["isolation", "--help"])
    assert "Beyond the durations" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("expected", "argv"),
    [
        ("s;;8;0 ", ["monitor", "--offline", HEALTHY]),
        ("s;;4;0 ", ["monitor", "--offline", "--deadline", "4", HEALTHY]),
        ("s;;8;0 clients=U", ["monitor", "nowhere.ini"]),
        ("s;;2.5;0 clients=U", ["monitor", "--deadline", "2.5", "nowhere.ini"]),
        ("s;;60;0 ", ["preflight", "--offline", "-o", "nagios", HEALTHY]),
    ],
    ids=["monitor", "another deadline", "no report", "no report, another deadline", "preflight"],
)
def test_the_time_that_is_critical_is_the_deadline(
    expected: str, argv: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    cli.main(argv)
    assert expected in capsys.readouterr().out.splitlines()[0]


def test_what_is_no_part_of_a_command_is_not_said_to_be_left_out_by_an_option(
    capsys: pytest.CaptureFixture[str],
) -> None:
    cli.main(["isolation", "--offline", "--duration", "1s", "--skip", "zope-conf-parses", "-o", "json", HEALTHY])
    reasons = {one["check"]: one["because"] for one in json.loads(capsys.readouterr().out)["checks"]}
    assert "not part of zcheck isolation" == reasons["mount-points-agree"]
    assert "left out by --skip" == reasons["zope-conf-parses"]
    assert "left out by --offline" == reasons["no-torn-or-stale-reads"]


@pytest.mark.parametrize("columns", [40, 80, 100])
@pytest.mark.parametrize("argv", [["explain"], ["explain", "editors lose changes"], ["plan", HEALTHY]], ids=" ".join)
def test_at_a_terminal_nothing_is_broken_within_a_word(
    argv: list[str], columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli.main(argv) == 0
    whole = capsys.readouterr().out
    for module in ("zcheck.cli.output", "zcheck.cli.documents"):
        monkeypatch.setattr(f"{module}.terminal_width", lambda: columns)
    assert cli.main(argv) == 0
    shown = capsys.readouterr().out
    assert whole.split() == shown.split()
    # What is longer than the terminal is one word, such as a path, which nothing could be gained by breaking.
    assert [] == [line for line in shown.splitlines() if len(line) > columns and len(line.split()) > 1]
    assert len(shown.splitlines()) > len(whole.splitlines())


def test_the_columns_of_the_catalogue_are_straight(capsys: pytest.CaptureFixture[str]) -> None:
    from zcheck.checks import CATALOGUE

    assert cli.main(["explain"]) == 0
    lines = capsys.readouterr().out.splitlines()
    starts = {line.index(check.title) for check in CATALOGUE for line in lines if line.split()[:1] == [check.name]}
    assert 1 == len(starts)


@pytest.mark.parametrize(
    ("expected", "blocked", "options"),
    [
        (True, True, ["-v"]),
        (False, True, []),
        (False, True, ["-v", "--no-state"]),
        (False, True, ["-v", "--offline"]),
        (False, False, ["-v"]),
    ],
    ids=["with -v", "without", "it wants no state", "offline nothing is kept", "it can be written"],
)
def test_who_asks_for_everything_is_told_that_nothing_is_remembered(
    expected: bool,
    blocked: bool,
    options: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    home = tmp_path / "state"
    if blocked:
        home.write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(home))
    ini = tmp_path / "clients.ini"
    ini.write_text(ADDRESSES)
    # What cannot be remembered makes a run neither better nor worse.
    assert 0 == cli.main(["preflight", "--only", "inventory", *options, str(ini)])
    told = capsys.readouterr().err
    assert expected == ("no journal is kept" in told)
    assert expected == (f"{home / 'zcheck'}: " in told)
