"""A hint, followed to the letter, repairs: every folder of sample-confs that shows a fault has it repaired beside it.

``repaired/`` holds a clients.ini and the files that were changed; what was not changed is named where it is.  The run
on it has nothing of the fault and nothing new, and each line that was changed stands in the hint: its key, or the
section that it opens.
"""

from __future__ import annotations

import difflib
import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from zcheck import cli

SAMPLES = Path(__file__).resolve().parents[1] / "sample-confs"
HEALTHY = ("healthy", "balancer-healthy")
# Its seven findings are repaired by a new file, which 'zcheck haproxy render' writes.
WHOLE = {"balancer-of-2010": "its whole file is of 2010: 'zcheck haproxy render' writes one of today"}
FOLDERS = sorted(path.parent.name for path in SAMPLES.glob("*/clients.ini") if path.parent.name not in HEALTHY)
PATHS = re.compile(r"^(zope-conf|wsgi-ini|env-file|conf|config|password-file) = ((?:\.\./)*)(.*)$", re.MULTILINE)


@pytest.fixture
def samples(tmp_path: Path) -> Path:
    """A copy in which nobody but the owner reads a password."""
    copy = tmp_path / "sample-confs"
    shutil.copytree(SAMPLES, copy)
    return copy


def findings(ini: Path, capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    capsys.readouterr()
    cli.main(["preflight", "--offline", "-o", "json", str(ini)])
    out = capsys.readouterr()
    assert out.out, out.err
    found: list[dict[str, Any]] = json.loads(out.out)["findings"]
    return found


def changes(folder: Path) -> list[str]:
    """What a reader of the hint has to know of each line that was changed: its key, or the section that it opens."""
    wanted: list[str] = []
    for path in sorted((folder / "repaired").rglob("*")):
        if path.is_dir():
            continue
        name = str(path.relative_to(folder / "repaired"))
        before = folder / name
        if before.is_file():
            wanted += changed_sections(before, path) if name == "clients.ini" else changed(before, path)
        elif f" = {name}" not in (folder / "repaired" / "clients.ini").read_text() and path.suffix != ".ini":
            # Nothing but a hint names this file.
            wanted.append(name)
    return list(dict.fromkeys(wanted))


def changed(before: Path, after: Path) -> Iterator[str]:
    old, new = lines_of(before.read_text()), lines_of(after.read_text())
    for tag, start, end, begin, stop in difflib.SequenceMatcher(a=old, b=new).get_opcodes():
        if tag != "equal":
            yield from keys(new[begin:stop] or old[start:end])


def changed_sections(before: Path, after: Path) -> Iterator[str]:
    """Of a clients.ini: ``[kind`` of a section that came or went, the keys that differ in the others."""
    old, new = sections_of(before), sections_of(after)
    for name in old.keys() | new.keys():
        if name not in old or name not in new:
            yield name.partition(":")[0]
        elif name == "[hosts]" and old[name] != new[name]:
            yield name
        else:
            yield from (line.partition(" =")[0] for line in new[name] if line not in old[name])


def sections_of(path: Path) -> dict[str, list[str]]:
    """The lines of each section; a path without the way out of the folder."""
    found: dict[str, list[str]] = {}
    for line in lines_of(PATHS.sub(r"\1 = \3", path.read_text())):
        if line[0] == "[":
            section = found[line] = []
        else:
            section.append(line)
    return found


def lines_of(text: str) -> list[str]:
    """The lines that say something."""
    lines = [line.strip() for line in text.splitlines()]
    return [line for line in lines if line and line[0] not in ";#"]


def keys(lines: list[str]) -> list[str]:
    """The keys of lines, and of a section the line alone that opens it."""
    found: list[str] = []
    inside: list[str] = []
    for line in lines:
        closing = re.match(r"</(\w+)>", line)
        opening = re.match(r"<(\w+)", line)
        if closing is not None:
            if inside:
                inside.pop()
            else:
                found.append(f"{closing[1]}>")
        elif opening is not None:
            if not inside:
                found.append(f"<{opening[1]}")
            inside.append(opening[1])
        elif not inside:
            found.append(re.split(r"[\s=]", line)[0])
    return found


@pytest.mark.parametrize("folder", FOLDERS)
def test_what_a_hint_says_repairs(folder: str, samples: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = findings(samples / folder / "clients.ini", capsys)
    assert broken
    hints = " ".join(finding["hint"] or "" for finding in broken)
    for finding in broken:
        if (finding["hint"] or "").startswith("chmod "):
            command = finding["hint"].replace(f"{samples / folder}/", "")
            subprocess.run(shlex.split(command), cwd=samples / folder / "repaired", check=True, timeout=60)
    assert [] == findings(samples / folder / "repaired" / "clients.ini", capsys)
    if folder not in WHOLE:
        assert [] == [key for key in changes(SAMPLES / folder) if key not in hints]
        assert all(finding["hint"] for finding in broken if finding["severity"] == "CRITICAL")


def test_every_folder_that_shows_a_fault_has_it_repaired() -> None:
    assert [] == [folder for folder in FOLDERS if not (SAMPLES / folder / "repaired" / "clients.ini").is_file()]
