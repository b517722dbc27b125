"""The wheel holds what it should and nothing else, and a stranger's ``checks`` folder is not taken for ours."""

from __future__ import annotations

import email
import email.message
import importlib.util
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from zcheck import __version__
from zcheck.checks import CATALOGUE

ROOT = Path(__file__).resolve().parents[1]
LIMIT_S = 120
PARTS = ("zcheck", "checks", "setup.py", "pyproject.toml", "README.rst", "LICENSE")
STRANGER = "raise SystemExit('a stranger was imported')\n"


def run(*command: str | Path, cwd: Path, path: Path | None = None) -> str:
    env = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    if path is not None:
        env["PYTHONPATH"] = str(path)
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=env, capture_output=True, text=True, timeout=LIMIT_S
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from a copy of the tree, in whose build folder a stale check lies."""
    if importlib.util.find_spec("setuptools") is None:
        pytest.skip("building a wheel without the network needs setuptools in this environment")
    folder = tmp_path_factory.mktemp("packaging")
    tree = folder / "tree"
    tree.mkdir()
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, tree / part, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / part, tree / part)
    for stale in ("zcheck/checks/config/stale_check.py", "checks/__init__.py", "zcheck/stale.py"):
        path = tree / "build" / "lib" / stale
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(STRANGER)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input"]
    run(*pip, "wheel", "--no-deps", "--no-build-isolation", "--no-index", "-w", folder, tree, cwd=folder)
    (made,) = folder.glob("*.whl")
    return made


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel installed in a folder of its own; what it depends on comes from this environment."""
    target = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input"]
    run(*pip, "install", "--no-deps", "--no-index", "--target", target, wheel, cwd=target.parent)
    return target


@pytest.fixture
def strange_checkout(tmp_path: Path) -> Path:
    """Somebody's project that has a ``checks`` folder of its own."""
    (tmp_path / "checks" / "config").mkdir(parents=True)
    for folder in (tmp_path / "checks", tmp_path / "checks" / "config"):
        (folder / "__init__.py").write_text(STRANGER)
    return tmp_path


def files_of_the_tree() -> set[str]:
    ours = {path.relative_to(ROOT) for path in (ROOT / "zcheck").rglob("*") if path.is_file()}
    checks = {"zcheck" / path.relative_to(ROOT) for path in (ROOT / "checks").rglob("*.py")}
    return {str(path) for path in ours | checks if "__pycache__" not in path.parts}


def test_the_wheel_holds_exactly_our_files(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert files_of_the_tree() == names


def test_the_wheel_says_what_it_is(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        inside = {name.partition("/")[2]: name for name in archive.namelist() if ".dist-info/" in name}
        metadata: email.message.Message = email.message_from_bytes(archive.read(inside["METADATA"]))
        entry_points = archive.read(inside["entry_points.txt"]).decode()
        top = archive.read(inside["top_level.txt"]).decode()
    assert ("zodb-zcheck", ">=3.10") == (metadata["Name"], metadata["Requires-Python"])
    assert {"demo", "test", "lint", "docs", "contrib"} == set(metadata.get_all("Provides-Extra", []))
    assert "zcheck = zcheck.cli:run" in entry_points
    assert ["zcheck"] == top.split()
    assert any(name.endswith("LICENSE") for name in inside)
    description = metadata.get_payload()
    assert "Exit codes" in description
    assert ".. image::" not in description


@pytest.mark.parametrize("where", ["installed", "editable"])
def test_in_a_checkout_with_its_own_checks_ours_are_found(where: str, installed: Path, strange_checkout: Path) -> None:
    path = installed if where == "installed" else ROOT
    code = "import zcheck.checks as found; print(found.__file__); print(*[c.name for c in found.CATALOGUE])"
    file, names = run(sys.executable, "-c", code, cwd=strange_checkout, path=path).split("\n")[:2]
    assert (path / "zcheck" / "checks" / "__init__.py").resolve() == Path(file).resolve()
    assert [check.name for check in CATALOGUE] == names.split()


def test_the_command_runs_in_a_checkout_with_its_own_checks(installed: Path, strange_checkout: Path) -> None:
    for command in ([sys.executable, "-m", "zcheck"], [sys.executable, installed / "bin" / "zcheck"]):
        assert __version__ in run(*command, "--version", cwd=strange_checkout, path=installed)
        told = run(*command, "explain", cwd=strange_checkout, path=installed)
        assert [] == [check.name for check in CATALOGUE if check.name not in told]


def test_the_packages_are_listed_one_by_one() -> None:
    """Every folder of ours with an ``__init__.py`` is in setup.py's list, or it would be missing from the wheel."""
    folders = [path.parent.relative_to(ROOT) for path in (ROOT / "zcheck").rglob("__init__.py")]
    folders += [Path("zcheck") / path.parent.relative_to(ROOT) for path in (ROOT / "checks").rglob("__init__.py")]
    text = (ROOT / "setup.py").read_text()
    assert [] == [name for name in (".".join(folder.parts) for folder in folders) if f'"{name}",' not in text]
    assert "find_packages" not in text
