"""What may touch the world, and what may be imported at start-up: held on the syntax trees of every module of ours.

Which of our own modules may import which is import-linter's matter: ``make lint``, contracts in pyproject.toml.
"""

from __future__ import annotations

import ast
import fnmatch
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[1]

WORLD_FACING = (
    "zcheck.__main__",
    "zcheck.cli",
    "zcheck.cli.*",
    "zcheck.commands.*",
    "zcheck.consistency.http.*",
    "zcheck.consistency.recording.writer",
    "zcheck.consistency.storage.*",
    "zcheck.gather.*",
    "zcheck.probes.*",
    "zcheck.system.*",
)
"""Who may reach files, sockets, clocks and programs; all other modules are pure."""
BARRED = frozenset({"os", "socket", "ssl", "subprocess", "time", "random", "urllib", "requests", "ZODB", "ZEO"})
HEAVY = frozenset({"ZODB", "ZEO", "requests", "rich", "jinja2", "mechanicalsoup"})
# Reading and joining URLs is text work, and reaches nothing.
NOT_THE_WORLD = frozenset({"urllib.parse"})
# The writer is a program of its own, started by its module's name: it has no start-up that others wait for.
WORKERS = frozenset({"zcheck.consistency.storage.child"})
# Whole modules that live on a heavy library; nothing but one of these imports them when it is imported itself.
LAZY = frozenset({"zcheck.consistency.storage.connection", "zcheck.probes.http_session", *WORKERS})
MAY_PRINT = (
    "zcheck.__main__",
    "zcheck.cli",
    "zcheck.cli.*",
    "zcheck.testing",
    "zcheck.probes.remote.script",
    "zcheck.commands.demo.zygote",
    *WORKERS,
)


def _sources() -> Iterator[tuple[str, Path]]:
    """Every module of ours by its importable name."""
    for top, prefix in (("zcheck", "zcheck"), ("checks", "zcheck.checks")):
        for path in sorted((ROOT / top).rglob("*.py")):
            inside = path.relative_to(ROOT / top)
            if top == "zcheck" and inside.parts[0] == "checks":
                continue  # the symlink to the folder that the second turn of this loop walks
            parts = [prefix, *inside.with_suffix("").parts]
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


SOURCES = dict(_sources())


class Import(NamedTuple):
    module: str
    line: int
    at_top: bool
    """Executed when the module is imported."""
    for_types: bool
    """Inside ``if TYPE_CHECKING``."""


def imports(tree: ast.Module, package: str) -> Iterator[Import]:
    """Every import of a module; ``from x import y`` gives ``x.y`` where that is a module of ours, else ``x``."""

    def walk(node: ast.AST, at_top: bool, for_types: bool) -> Iterator[Import]:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, node.lineno, at_top, for_types)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, package)
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                yield Import(inner if inner in SOURCES else base, node.lineno, at_top, for_types)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for statement in node.body:
                yield from walk(statement, at_top, True)
            for statement in node.orelse:
                yield from walk(statement, at_top, for_types)
        else:
            inside = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            for child in ast.iter_child_nodes(node):
                yield from walk(child, at_top and not inside, for_types)

    yield from walk(tree, True, False)


def _absolute(node: ast.ImportFrom, package: str) -> str:
    if not node.level:
        return node.module or ""
    parts = package.split(".")
    base = parts[: len(parts) - node.level + 1]
    return ".".join([*base, *([node.module] if node.module else [])])


def imports_of(name: str) -> list[Import]:
    path = SOURCES[name]
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    return list(imports(ast.parse(path.read_text(encoding="utf-8")), package))


def is_pure(name: str) -> bool:
    return not any(fnmatch.fnmatchcase(name, pattern) for pattern in WORLD_FACING)


def is_barred(module: str) -> bool:
    return module.partition(".")[0] in BARRED and module not in NOT_THE_WORLD


def is_heavy(module: str) -> bool:
    return module.partition(".")[0] in HEAVY or module in LAZY


def calls_in(names: Iterator[str], wanted: set[str]) -> list[str]:
    """The calls of these functions, as places."""
    return [
        f"{SOURCES[name]}:{node.lineno}: {called}()"
        for name in names
        for node in ast.walk(ast.parse(SOURCES[name].read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and (called := ast.unparse(node.func)) in wanted
    ]


def test_only_the_world_facing_modules_reach_the_world() -> None:
    assert [] == [
        f"{SOURCES[name]}:{one.line}: {name} may not import {one.module}"
        for name in filter(is_pure, SOURCES)
        for one in imports_of(name)
        if is_barred(one.module) and not one.for_types
    ]


def test_heavy_libraries_are_imported_where_they_are_used() -> None:
    assert [] == [
        f"{SOURCES[name]}:{one.line}: import {one.module} inside the function that uses it"
        for name in SOURCES
        if name not in LAZY
        for one in imports_of(name)
        if is_heavy(one.module) and one.at_top and not one.for_types
    ]


def test_a_pure_module_opens_no_file() -> None:
    wanted = {"open", "input", "exec", "eval", "__import__", "breakpoint"}
    assert [] == calls_in(filter(is_pure, SOURCES), wanted)


def test_only_the_command_line_prints_or_exits() -> None:
    others = (name for name in SOURCES if not any(fnmatch.fnmatchcase(name, one) for one in MAY_PRINT))
    assert [] == calls_in(others, {"print", "exit", "quit", "sys.exit"})


def test_every_room_that_may_reach_the_world_is_there() -> None:
    assert [] == [one for one in (*WORLD_FACING, *LAZY) if not any(fnmatch.fnmatchcase(name, one) for name in SOURCES)]


def test_the_script_for_other_machines_needs_the_standard_library_alone() -> None:
    foreign = {i.module.partition(".")[0] for i in imports_of("zcheck.probes.remote.script")} - sys.stdlib_module_names
    # What these were called in Python 2.7.
    assert set() == foreign - {"httplib", "urllib2", "urlparse", "ConfigParser", "StringIO", "Queue"}


def test_starting_the_command_line_loads_nothing_heavy() -> None:
    code = "import sys, zcheck.cli; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert set() == HEAVY & set(done.stdout.split())


# The test itself is tested: an import that must be found, in each form that an import can have.
FORMS = {
    "import": ("import os", Import("os", 1, True, False)),
    "import as": ("import zcheck.facts as f", Import("zcheck.facts", 1, True, False)),
    "dotted": ("import os.path", Import("os.path", 1, True, False)),
    "from": ("from os import path", Import("os", 1, True, False)),
    "from our package": ("from zcheck import facts", Import("zcheck.facts", 1, True, False)),
    "a name from our module": ("from zcheck.facts import Facts", Import("zcheck.facts", 1, True, False)),
    "relative": ("from . import judge", Import("zcheck.consistency.judge", 1, True, False)),
    "relative, one up": ("from ..facts import Facts", Import("zcheck.facts", 1, True, False)),
    "in a function": ("def f():\n    import ZODB", Import("ZODB", 2, False, False)),
    "in a class": ("class C:\n    import ZODB", Import("ZODB", 2, True, False)),
    "guarded by try": ("try:\n    import ZODB\nexcept ImportError:\n    pass", Import("ZODB", 2, True, False)),
    "for types": ("if TYPE_CHECKING:\n    import ZODB", Import("ZODB", 2, True, True)),
}


@pytest.mark.parametrize(("source", "expected"), FORMS.values(), ids=FORMS)
def test_every_form_of_import_is_seen(source: str, expected: Import) -> None:
    assert [expected] == list(imports(ast.parse(source), "zcheck.consistency"))
