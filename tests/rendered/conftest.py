"""What the tests of rendered clusters share: the recipes, installed once, and an offline run's findings."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

from zcheck import cli

PACKAGES = ("zc.buildout", "plone.recipe.zope2instance", "plone.recipe.zeoserver")

Findings = set[tuple[str, str, str]]
Judge = Callable[[Path], Findings]


@pytest.fixture(scope="session")
def buildout(slow: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command ``buildout`` of a virtual environment with today's recipes."""
    folder = tmp_path_factory.mktemp("recipes")
    venv.create(folder, with_pip=True)
    binaries = folder / ("Scripts" if sys.platform == "win32" else "bin")
    install = [str(binaries / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PACKAGES]
    subprocess.run(install, check=True, timeout=600)
    return binaries / "buildout"


@pytest.fixture
def render(buildout: Path, tmp_path: Path) -> Callable[[str], Path]:
    """Run a buildout, offline: the folder of its parts."""

    def run(text: str, name: str = "site") -> Path:
        folder = tmp_path / name
        folder.mkdir()
        (folder / "buildout.cfg").write_text(text)
        done = subprocess.run([buildout], cwd=folder, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return folder

    return run


@pytest.fixture
def judge(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Judge:
    """Preflight a clients.ini offline: check, severity and clients of each finding of the config stage."""

    def run(ini: Path) -> Findings:
        report = tmp_path / "report.json"
        cli.main(["preflight", "--offline", "--output", f"json:{report}", str(ini)])
        capsys.readouterr()
        found = json.loads(report.read_text())
        ran = {check["check"]: check["outcome"] for check in found["checks"]}
        # A cluster of which nothing was judged would pass as well.
        assert {"zope-conf-parses", "root-mount-exists", "mount-points-agree"} <= {
            name for name, outcome in ran.items() if outcome in ("pass", "problem", "unknown")
        }
        return {
            (finding["check"], finding["severity"], " ".join(sorted(finding["clients"])))
            for finding in found["findings"]
            if finding["stage"] == "config"
        }

    return run
