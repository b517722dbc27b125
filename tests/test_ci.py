"""What ``.ci/run`` makes of tests that fail beside others; two texts stand for what pytest says."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

MAKEFILE = """lint:
\t@true
test:
\t@echo "$(PYTEST)" >>asked
\t@if [ -f again ]; then cat second; exit $$(cat code); else touch again; cat first; exit 1; fi
"""
CLOSING = "1 passed in 3.10s"


def names(*numbers: int) -> list[str]:
    return [f"tests/cluster/test_a.py::test_{number}[one - two]" for number in numbers]


@pytest.mark.parametrize(
    ("expected", "late", "first", "second"),
    [
        pytest.param(0, names(1), names(1), [], id="one passes when it is run again"),
        pytest.param(0, names(1, 2, 3), names(1, 2, 3), [], id="three do"),
        pytest.param(1, names(1, 2, 3, 4), names(1, 2, 3, 4), [], id="four do"),
        pytest.param(1, [], names(1), names(1), id="one fails again"),
        pytest.param(1, names(2), names(1, 2), names(1), id="one fails again and one does not"),
    ],
)
def test_what_passed_only_when_run_again_is_told_and_is_not_many(
    expected: int, late: list[str], first: list[str], second: list[str], tmp_path: Path
) -> None:
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "run", tmp_path / ".ci" / "run")
    (tmp_path / "Makefile").write_text(MAKEFILE)
    (tmp_path / "first").write_text("".join(f"FAILED {name} - assert [1] == [2]\n" for name in first))
    (tmp_path / "second").write_text("".join(f"FAILED {name} - late\n" for name in second) + f"{CLOSING}\n")
    (tmp_path / "code").write_text("1" if second else "0")
    done = subprocess.run(["bash", ".ci/run"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    told = done.stdout.partition("Passed only when run again:\n")[2]
    assert late == [line.strip() for line in told.splitlines() if line.startswith("    ")]
    assert (expected, CLOSING) == (done.returncode, done.stdout.splitlines()[-1])
    assert (tmp_path / "asked").read_text().splitlines()[1].endswith("-n 0")
