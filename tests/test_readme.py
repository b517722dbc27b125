"""What the README shows is what happens."""

from __future__ import annotations

import importlib.util
import re
import shlex
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import test_catalogue  # type: ignore[import-not-found]

from zcheck.check import Check
from zcheck.checks import CATALOGUE

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.rst").read_text(encoding="utf-8")


def blocks() -> list[str]:
    """The literal blocks of the README, dedented."""
    found = re.findall(r"::\n\n((?:(?: {4}.*)?\n)+)", README)
    return [textwrap.dedent(block).strip() for block in found]


def sessions() -> dict[str, str]:
    """Each command that the README shows with a prompt, and what it prints."""
    shown = [block.removeprefix("$ ").partition("\n") for block in blocks() if block.startswith("$ ")]
    return {command: output.strip("\n") for command, _, output in shown}


OFFLINE = {command: output for command, output in sessions().items() if "--offline" in command}


@pytest.mark.parametrize(("command", "expected"), OFFLINE.items(), ids=OFFLINE)
def test_an_offline_run_prints_what_the_readme_shows(command: str, expected: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *shlex.split(command)], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert without_measures(expected) == without_measures(done.stdout), STALE


STALE = "what the README shows is not what is printed: python docs/refresh_readme.py"


def without_measures(text: str) -> list[str]:
    """The lines without what differs from run to run: times, ports, names of folders.  What is counted stays."""
    for pattern, instead in (
        (r"(?<![\w.])\d+\.\d+ (?=m?s\b)", "N "),
        (r"(?<!\d)[23]\d{4}(?!\d)", "PORT"),
        (r"/tmp/\S*?zcheck-demo-[a-z0-9_]{8}", "/tmp/zcheck-demo"),
        (r"zcheck-[0-9a-f]{12}", "zcheck-RUN"),
    ):
        text = re.sub(pattern, instead, text)
    # How many of a client's threads a burst meets is a matter of chance.
    lines = [line for line in text.strip().splitlines() if "threads met; the others" not in line]
    return [line for line in (" ".join(line.split()) for line in lines) if line]


@pytest.mark.parametrize("command", ["make demo", "zcheck demo --fault copy-hidden"])
def test_the_counts_of_a_demo_are_those_of_today(command: str) -> None:
    """That the whole of it is what is printed is tested where clusters are started."""
    (counted,) = re.findall(r"(\d+) of (\d+) checks; .*not proven: (\d+) ", sessions()[command])
    run, total, not_proven = map(int, counted)
    assert (len(CATALOGUE), len(CATALOGUE)) == (total, run + not_proven), STALE


def test_the_readme_shows_the_two_commands_and_the_broken_cluster() -> None:
    assert {"make demo", "make test", "zcheck demo --fault copy-hidden"} | set(OFFLINE) == set(sessions())
    assert OFFLINE


def test_the_check_that_the_readme_adds_is_one(tmp_path: Path) -> None:
    (source,) = [block for block in blocks() if block.startswith('"""')]
    file = tmp_path / "http_realms_agree.py"
    file.write_text(source + "\n")
    name = "zcheck.checks.config.http_realms_agree"
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None and spec.loader is not None
    sys.modules[name] = module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
        check: Check = module.http_realms_agree
        test_catalogue.test_name_file_function_and_folder_agree.rule(check)
        test_catalogue.test_the_page_has_a_true_sentence_and_the_four_headings.rule(check)
        test_catalogue.test_the_examples_show_a_pass_a_problem_and_an_unknown.rule(check)
        test_catalogue.test_the_examples_are_true.rule(check)
        test_catalogue.test_the_body_is_short.rule(check)
    finally:
        del sys.modules[name]
