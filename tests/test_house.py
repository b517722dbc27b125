"""A test lies where the thing lies that it tests: ``tests/parsers/test_zope_conf.py``, ``zcheck/parsers/zope_conf.py``.

Behind the module's name may stand what of it is tested: ``test_zope_conf_against_zope.py``.  A folder of modules is
tested by a file beside the folder of its tests: ``tests/checks/test_config.py`` tests the checks of a stage together.
"""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

OF_WHOLE_RUNS = ("cluster", "network", "plone", "rendered")
"""Folders whose tests run the whole tool: on real clusters, on several machines, on Plone, on what recipes render."""
OF_THE_REPOSITORY = frozenset(
    f"test_{name}.py"
    for name in (
        *("catalogue", "ci", "contrib", "docs", "house", "no_secret", "packaging", "readme", "repaired"),
        *("sample_confs", "secrets", "world"),
    )
)


def mirrors_something(inside: Path) -> bool:
    """Whether a test file, by its path below tests/, is named for a module or a folder of modules."""
    if inside.parts[0] in OF_WHOLE_RUNS or str(inside) in OF_THE_REPOSITORY:
        return True
    words = inside.stem.removeprefix("test_").split("_")
    names = ["_".join(words[:count]) for count in range(1, len(words) + 1)]
    room = ROOT / "zcheck" / inside.parent
    return any((room / f"{name}.py").is_file() or (room / name / "__init__.py").is_file() for name in names)


def test_no_test_file_mirrors_nothing() -> None:
    tests = [path.relative_to(ROOT / "tests") for path in (ROOT / "tests").rglob("test_*.py")]
    assert tests
    assert [] == sorted(str(inside) for inside in tests if not mirrors_something(inside))


def test_every_exception_is_one() -> None:
    assert [] == [name for name in OF_THE_REPOSITORY if not (ROOT / "tests" / name).is_file()]
    assert [] == [name for name in OF_WHOLE_RUNS if not (ROOT / "tests" / name).is_dir()]


@pytest.mark.parametrize(
    ("expected", "name"),
    [
        (True, "parsers/test_zope_conf.py"),
        (True, "parsers/test_zope_conf_against_zope.py"),
        (True, "checks/test_config.py"),
        (True, "checks/config/test_mount_points_agree.py"),
        (True, "cluster/test_anything.py"),
        (True, "test_world.py"),
        (False, "parsers/test_world.py"),
        (False, "parsers/test_zope.py"),
        (False, "test_zope_conf.py"),
        (False, "checks/test_mount_points_agree.py"),
        (False, "nowhere/test_zope_conf.py"),
    ],
)
def test_the_rule_itself(expected: bool, name: str) -> None:
    assert expected == mirrors_something(Path(name))
