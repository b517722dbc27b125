"""What a person sees while a run lasts and after it, in a real terminal: tmux, which can be asked what it shows."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from zcheck.report.formats import text

ROOT = Path(__file__).resolve().parents[2]
LIMIT_S = 90
SAMPLE = "sample-confs/mount-points-differ/clients.ini"


class Terminal:
    """One tmux server with one window; what runs in it is ended with it."""

    def __init__(self, program: str) -> None:
        self.program, self.name = program, f"zcheck-{uuid.uuid4().hex[:12]}"

    def tmux(self, *words: str) -> str:
        done = subprocess.run(
            [self.program, "-L", self.name, "-f", "/dev/null", *words],
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=True,
        )
        return done.stdout

    def start(self, command: str, columns: int, rows: int, **environ: str) -> None:
        set_up = "".join(f"export {name}={shlex.quote(value)}; " for name, value in environ.items())
        unset = "unset CI NO_COLOR FORCE_COLOR COLUMNS LINES; "
        self.tmux(
            "new-session", "-d", "-x", str(columns), "-y", str(rows), "-c", str(ROOT),
            f"{unset}{set_up}{command}; echo done-$?; sleep {LIMIT_S}",
        )  # fmt: skip

    def shown(self, *words: str) -> str:
        return self.tmux("capture-pane", "-p", *words)

    def wait_for(self, pattern: str, *words: str) -> str:
        end = time.monotonic() + LIMIT_S
        while time.monotonic() < end:
            shown = self.shown(*words)
            if re.search(pattern, shown):
                return shown
            time.sleep(0.05)
        raise AssertionError(f"{pattern!r} never showed:\n{shown}")


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    program = shutil.which("tmux")
    if program is None:
        pytest.skip("tmux is not installed")
    found = Terminal(program)
    yield found
    subprocess.run([program, "-L", found.name, "kill-server"], capture_output=True, timeout=LIMIT_S, check=False)


LIVE = """
import sys, time
from pathlib import Path
from zcheck.cli.terminal import LiveLines
names = tuple(f"zope-{n:02}" for n in range(1, int(sys.argv[1]) + 1))
with LiveLines(names) as lines:
    for name in names:
        lines(name, "waiting for the others")
    lines(names[-1], "reading its Control Panel " + "x" * 300)
    while not Path(sys.argv[2]).exists():
        time.sleep(0.05)
print("over")
"""


def live(clients: int, until: Path) -> str:
    """Lines that live until this file is there."""
    return f"{shlex.quote(sys.executable)} -c {shlex.quote(LIVE)} {clients} {shlex.quote(str(until))}"


@pytest.mark.parametrize(("columns", "rows"), [(80, 10), (200, 24), (40, 6)])
def test_more_clients_than_rows_are_counted_and_nothing_scrolls(
    terminal: Terminal, columns: int, rows: int, tmp_path: Path
) -> None:
    terminal.start(live(50, tmp_path / "over"), columns, rows, TERM="screen")
    shown = terminal.wait_for(r"zope-50  reading")
    lines = [line for line in shown.splitlines() if line]
    assert len(lines) <= rows - 1
    assert any(line.startswith("zope-50  reading its Control ") for line in lines)
    counted = re.search(r"and (\d+) more: (\d+) waiting", shown)
    assert counted is not None
    assert 50 == int(counted[1]) + sum(line.startswith("zope-") for line in lines)
    assert counted[1] == counted[2]
    (tmp_path / "over").touch()
    after = terminal.wait_for("done-0", "-S", "-")
    assert ["over", "done-0"] == [line for line in after.splitlines() if line]


def test_few_clients_have_a_line_each(terminal: Terminal, tmp_path: Path) -> None:
    terminal.start(live(3, tmp_path / "over"), 80, 24, TERM="screen")
    shown = terminal.wait_for("zope-03  reading")
    assert ["zope-01", "zope-02", "zope-03"] == [line[:7] for line in shown.splitlines() if line]
    assert "more" not in shown


def preflight(*options: str) -> str:
    return f"{shlex.quote(sys.executable)} -m zcheck preflight --offline --no-state {shlex.join(options)} {SAMPLE}"


@pytest.mark.parametrize("columns", [80, 200])
def test_a_report_fits_the_terminal_and_is_coloured(terminal: Terminal, columns: int) -> None:
    terminal.start(preflight(), columns, 40, TERM="screen-256color")
    shown = terminal.wait_for("done-2", "-e")
    assert "\033[1m\033[38;5;196mcritical" in shown
    # What the terminal itself had to break is one line here.
    plain = terminal.shown("-J")
    assert all(len(line) <= columns for line in plain.splitlines() if " " in line.strip())
    assert "CRITICAL: " in plain


COLOURLESS = {"no colour": {"NO_COLOR": "1"}, "a dumb terminal": {"TERM": "dumb"}, "CI": {"CI": "true"}}


@pytest.mark.parametrize("environ", COLOURLESS.values(), ids=COLOURLESS)
def test_nothing_is_coloured_where_that_is_not_wanted(terminal: Terminal, environ: dict[str, str]) -> None:
    terminal.start(preflight(), 220, 40, **{"TERM": "screen-256color", **environ})
    shown = terminal.wait_for("done-2", "-e")
    assert "critical: mount-points-agree" in shown
    assert "\033" not in shown


@pytest.mark.parametrize("environ", COLOURLESS.values(), ids=COLOURLESS)
def test_a_log_has_whole_lines_and_no_escapes(environ: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, *shlex.split(preflight())[1:]],
        cwd=ROOT,
        env={**{name: value for name, value in os.environ.items() if name != "FORCE_COLOR"}, **environ},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert (2, "") == (done.returncode, done.stderr)
    assert "\033" not in done.stdout
    assert done.stdout.splitlines()[-1].startswith("CRITICAL: ")


def test_a_terminal_without_unicode_shows_what_it_lacks_escaped(tmp_path: Path, terminal: Terminal) -> None:
    # What Python makes of a locale that knows no UTF-8.
    folder = tmp_path / "\N{LATIN SMALL LETTER O WITH DIAERESIS}ffentlich"
    folder.mkdir()
    (folder / "clients.ini").write_text("[cluster]\nname = x\n[client:app1]\naddress = 127.0.0.1:1\nzope-conf = none\n")
    command = f"cd {shlex.quote(str(folder))} && {preflight('--only', 'zope-conf-parses')}"
    command = command.replace(SAMPLE, "../*/clients.ini")
    terminal.start(command, 100, 40, TERM="screen", LC_ALL="C", PYTHONUTF8="0", PYTHONIOENCODING="ascii")
    shown = terminal.wait_for(r"done-\d", "-S", "-")
    assert r"unknown: zope-conf-parses: ../\udcc3\udcb6ffentlich/none" in shown
    assert "Traceback" not in shown


# --- readable on white and on black ----------------------------------------------------------------


def luminance(number: int) -> float:
    """Of a colour of the palette's cube, which terminals do not change (WCAG 2)."""
    assert 16 <= number <= 231
    levels = (0, 95, 135, 175, 215, 255)
    cube = number - 16
    channels = [levels[cube // 36] / 255, levels[cube // 6 % 6] / 255, levels[cube % 6] / 255]
    linear = [one / 12.92 if one <= 0.03928 else ((one + 0.055) / 1.055) ** 2.4 for one in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("severity", text._COLOURS)
def test_each_colour_is_legible_on_a_light_and_on_a_dark_terminal(severity: str) -> None:
    colour = re.search(r"38;5;(\d+)$", text._COLOURS[severity])
    assert colour is not None
    own = luminance(int(colour[1]))
    assert 1.05 / (own + 0.05) >= 3.9
    assert (own + 0.05) / 0.05 >= 3.9
