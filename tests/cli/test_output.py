"""Output that is closed, full or without a reader never softens a verdict."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from zcheck import cli
from zcheck.cli import output

SAMPLES = Path(__file__).resolve().parents[2] / "sample-confs"
ZCHECK = f"{shlex.quote(sys.executable)} -m zcheck"

# What each sample ends with where everything can be written, and where nothing can.
VERDICTS = {
    "healthy": (0, 3),
    "settings-differ": (1, 1),
    "zeo-servers-differ": (2, 2),
    "zeo-servers-cannot-be-told": (3, 3),
}
UNHEARD = (">&-", ">/dev/full", ">&- 2>&-", "<&- >&- 2>&-", "-o json >&-", "-o nagios >/dev/full", "-o html:/dev/full")
HEARD = ("2>&-", "2>/dev/full", "<&-", "-o json 2>&-", "-q 2>&- <&-")


def shell(command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("redirections", [*HEARD, *UNHEARD])
@pytest.mark.parametrize("sample", VERDICTS)
def test_the_exit_code_where_output_cannot_be_written(sample: str, redirections: str) -> None:
    done = shell(f"{ZCHECK} preflight --offline {SAMPLES / sample / 'clients.ini'} {redirections}")
    assert VERDICTS[sample][redirections in UNHEARD] == done.returncode
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("sample", VERDICTS)
def test_the_exit_code_where_the_reader_is_gone(sample: str) -> None:
    """``| true``: whether it has ended before or after the report is written, a bad verdict keeps its code."""
    verdict, unheard = VERDICTS[sample]
    done = shell(
        f"{ZCHECK} preflight --offline {SAMPLES / sample / 'clients.ini'} -o html | true; exit ${{PIPESTATUS[0]}}"
    )
    assert unheard == done.returncode, "a report is larger than a pipe"
    done = shell(
        f"{ZCHECK} preflight --offline {SAMPLES / sample / 'clients.ini'} | cat >/dev/null; exit ${{PIPESTATUS[0]}}"
    )
    assert verdict == done.returncode


COMMANDS = (
    "--help",
    "--version",
    "preflight --help",
    "explain",
    "schema",
    "completion bash",
    f"plan {SAMPLES}/healthy/clients.ini",
    f"init {SAMPLES}/healthy/app1/etc/zope.conf",
    f"gather --offline {SAMPLES}/healthy/clients.ini",
    f"haproxy render {SAMPLES}/healthy/clients.ini",
)


@pytest.mark.parametrize("command", COMMANDS)
def test_what_nobody_can_read_does_not_count_as_said(command: str) -> None:
    assert 0 == shell(f"{ZCHECK} {command}").returncode
    for where in (">&-", ">/dev/full"):
        done = shell(f"{ZCHECK} {command} {where}")
        assert (3, False) == (done.returncode, "Traceback" in done.stderr), where


@pytest.mark.parametrize("redirections", ["2>&-", ">&- 2>&-", "2>/dev/full"])
def test_a_complaint_that_nobody_hears_is_exit_code_3(redirections: str) -> None:
    for wrong in ("preflight --only nonsense x.ini", "preflight /nonexistent.ini", "nonsense", "receipt /nonexistent"):
        assert 3 == shell(f"{ZCHECK} {wrong} {redirections}").returncode, wrong


def test_no_socket_takes_the_number_of_a_closed_stream(tmp_path: Path) -> None:
    """Whatever is opened later must not be what our own messages are written into."""
    program = (
        "import os; from zcheck.cli import output; output.open_closed_streams();"
        f"number = os.open({str(tmp_path / 'later')!r}, os.O_CREAT | os.O_WRONLY); os._exit(number)"
    )
    done = shell(f"{shlex.quote(sys.executable)} -c {shlex.quote(program)} <&- >&- 2>&-")
    assert done.returncode > 2


def test_one_file_that_cannot_be_written_costs_no_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reports = [tmp_path / "a.json", tmp_path / "b.json"]
    split = str(SAMPLES / "zeo-servers-differ" / "clients.ini")
    argv = ["preflight", "--offline", "-o", f"json:{reports[0]}", "-o", "junit:/nowhere/x", "-o", f"json:{reports[1]}"]
    assert cli.main([*argv, "--save-facts", "/nowhere/facts", split]) == 2
    assert ["CRITICAL"] * 2 == [json.loads(report.read_text())["verdict"]["status"] for report in reports]
    out, err = capsys.readouterr()
    assert "CRITICAL" in out
    assert ["/nowhere/facts", "/nowhere/x"] == [line.partition(": cannot be written")[0] for line in err.splitlines()]


def test_an_earlier_command_of_the_process_is_forgotten() -> None:
    healthy = str(SAMPLES / "healthy" / "clients.ini")
    assert cli.main(["preflight", "--offline", "-o", "json:/nowhere/x", healthy]) == 3
    assert output.is_incomplete()
    assert cli.main(["preflight", "--offline", healthy]) == 0


GONE = """
import os, pty, sys
sys.path[:0] = {path!r}
leader, follower = pty.openpty()
stream = os.fdopen(follower, "w")
os.environ.pop("CI", None)
os.environ["TERM"] = "xterm"
from zcheck.cli import terminal
terminal._RELUCTANT_S = 0.0
with terminal.LiveLines(("app1", "app2"), stream) as lines:
    import time
    until = time.monotonic() + 30
    while lines._live is None and time.monotonic() < until:
        time.sleep(0.01)
    assert lines._live is not None
    os.close(leader)
    lines("app1", "connecting")
    lines("", "a line that stays")
os._exit(7)
"""


def test_a_terminal_that_is_gone_costs_no_verdict() -> None:
    program = GONE.format(path=[str(Path(__file__).resolve().parents[2])])
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
    assert 7 == done.returncode, done.stderr
