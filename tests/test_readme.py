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
    assert without_coverage(expected) == without_coverage(done.stdout)


def without_coverage(text: str) -> list[str]:
    """All lines, of the last one the verdict alone: how many checks there are changes with every new one."""
    *lines, last = (line.rstrip() for line in text.strip().splitlines())
    return [*lines, last.partition(":")[0]]


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
        test_catalogue.test_name_file_function_and_folder_agree(check)
        test_catalogue.test_the_page_has_a_true_sentence_and_the_four_headings(check)
        test_catalogue.test_the_examples_show_a_pass_a_problem_and_an_unknown(check)
        test_catalogue.test_the_examples_are_true(check)
        test_catalogue.test_the_body_is_short(check)
    finally:
        del sys.modules[name]
