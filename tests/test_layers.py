"""The import table of ARCHITECTURE.rst, enforced on the syntax trees of every module of ours."""

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

PARSERS = (
    "zcheck.inventory",
    "zcheck.zopeconf",
    "zcheck.wsgiconf",
    "zcheck.zeoconf",
    "zcheck.redact",
    "zcheck.balancer.conf",
)
# What reads HAProxy's files, runs its program, asks what it would ask and speaks to its socket.
BALANCER = ("zcheck.balancer.socket", "zcheck.balancer.program", "zcheck.balancer.health")
EVERYTHING = ("zcheck", "zcheck.*")


class Layer(NamedTuple):
    """Which of our modules the modules that ``names`` match may import, and whether they may touch the world."""

    names: tuple[str, ...]
    may_import: tuple[str, ...]
    world: bool = False


# The first row that matches a module counts.
TABLE = (
    Layer(("zcheck", "zcheck.balancer", "zcheck.consistency", "zcheck.probes"), ()),
    Layer(("zcheck.facts", "zcheck.facts.*"), ("zcheck.facts.*",)),
    Layer(("zcheck.addresses", "zcheck.evidence", "zcheck.redact"), ("zcheck.facts",)),
    Layer(("zcheck.check",), ("zcheck.facts",)),
    Layer(("zcheck.consistency.history",), ("zcheck.facts",)),
    Layer(
        ("zcheck.consistency.judge", "zcheck.consistency.isolation"),
        ("zcheck.facts", "zcheck.consistency.history", "zcheck.consistency.isolation"),
    ),
    Layer(("zcheck.checks",), ("zcheck.check", "zcheck.checks.*")),
    Layer(
        ("zcheck.checks.consistency", "zcheck.checks.consistency.*"),
        (
            "zcheck.check",
            "zcheck.facts",
            "zcheck.addresses",
            "zcheck.consistency.history",
            "zcheck.consistency.judge",
            "zcheck.consistency.isolation",
            "zcheck.checks.consistency._*",
        ),
    ),
    # What a client did in the write-here-read-there test is a witness to its connection and its database as well.
    Layer(
        ("zcheck.checks.identity.client_is_connected_to_zeo", "zcheck.checks.identity.every_database_is_one"),
        (
            "zcheck.check",
            "zcheck.facts",
            "zcheck.evidence",
            "zcheck.checks.identity._*",
            "zcheck.consistency.history",
            "zcheck.consistency.judge",
        ),
    ),
    *(
        Layer(
            (f"zcheck.checks.{stage}", f"zcheck.checks.{stage}.*"),
            ("zcheck.check", "zcheck.facts", "zcheck.addresses", "zcheck.evidence", f"zcheck.checks.{stage}._*"),
        )
        for stage in ("inventory", "config", "reach", "identity", "balancer")
    ),
    Layer(("zcheck.runner", "zcheck.verdict", "zcheck.report"), ("zcheck.check", "zcheck.facts", "zcheck.report")),
    Layer(("zcheck.reporters", "zcheck.reporters.*"), ("zcheck.report", "zcheck.reporters.*")),
    Layer(("zcheck.topology",), ("zcheck.facts", "zcheck.addresses", "zcheck.report")),
    Layer(
        ("zcheck.timelines",),
        ("zcheck.facts", "zcheck.report", "zcheck.consistency.history", "zcheck.consistency.isolation"),
    ),
    Layer(("zcheck.symptoms",), ()),
    Layer(
        ("zcheck.savedfacts", "zcheck.differences"),
        ("zcheck.facts", "zcheck.report", "zcheck.redact", "zcheck.consistency", "zcheck.consistency.history"),
    ),
    Layer(("zcheck.zeoconf",), ("zcheck.facts", "zcheck.addresses", "zcheck.redact", "zcheck.zopeconf")),
    Layer((*PARSERS, "zcheck.targets"), ("zcheck.facts", "zcheck.addresses", "zcheck.redact")),
    Layer(("zcheck.balancer.render",), ("zcheck.facts",)),
    Layer(("zcheck.there",), (), world=True),
    Layer(
        ("zcheck.probes.*", "zcheck.consistency.*", *BALANCER),
        (
            "zcheck.facts",
            "zcheck.addresses",
            "zcheck.targets",
            *PARSERS,
            "zcheck.probes.*",
            "zcheck.consistency.*",
            *BALANCER,
        ),
        world=True,
    ),
    Layer(
        ("zcheck.gather", "zcheck.live"),
        (
            "zcheck.facts",
            "zcheck.check",
            "zcheck.addresses",
            "zcheck.targets",
            "zcheck.gather",
            "zcheck.live",
            *PARSERS,
            "zcheck.probes",
            "zcheck.probes.*",
            "zcheck.consistency",
            "zcheck.consistency.*",
            *BALANCER,
        ),
        world=True,
    ),
    Layer(
        ("zcheck.testing",),
        ("zcheck.facts", "zcheck.check", "zcheck.runner", "zcheck.report", *PARSERS),
    ),
    # The last row: what a user starts, and what puts the parts together.
    *(
        Layer((f"zcheck.{name}",), EVERYTHING, world=True)
        for name in (
            "__main__",
            "cli",
            "cli.*",
            "demo",
            "plan",
            "leftovers",
            "preflight",
            "terminal",
            "signals",
            "gate",
            "export",
            "receipt",
            "whole",
            "recheck",
            "isolate",
            "init",
            "init.*",
            "gathered",
        )
    ),
)

BARRED = frozenset({"os", "socket", "ssl", "subprocess", "time", "random", "urllib", "requests", "ZODB", "ZEO"})
HEAVY = frozenset({"ZODB", "ZEO", "requests", "rich", "jinja2", "mechanicalsoup"})
# Reading and joining URLs is text work, and reaches nothing.
NOT_THE_WORLD = frozenset({"urllib.parse"})
# The writer is a program of its own, started by its module's name: it has no start-up that others wait for.
WORKERS = frozenset({"zcheck.consistency.worker"})
# Whole modules that live on a heavy library; nothing but one of these imports them when it is imported itself.
LAZY = frozenset({"zcheck.probes.session", *WORKERS})
MAY_PRINT = ("zcheck.__main__", "zcheck.cli", "zcheck.cli.*", "zcheck.testing", "zcheck.there", *WORKERS)


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
modules = pytest.mark.parametrize("name", SOURCES)


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


def layer_of(name: str) -> Layer | None:
    return next((layer for layer in TABLE if matches(name, layer.names)), None)


def matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def is_barred(module: str) -> bool:
    return module.partition(".")[0] in BARRED and module not in NOT_THE_WORLD


def is_heavy(module: str) -> bool:
    return module.partition(".")[0] in HEAVY or module in LAZY


def is_ours(module: str) -> bool:
    return module == "zcheck" or module.startswith("zcheck.")


@modules
def test_a_module_has_a_row_in_the_table(name: str) -> None:
    assert layer_of(name) is not None, f"{name} is in no row of the import table: add it there and to ARCHITECTURE.rst"


@modules
def test_a_module_imports_only_what_its_row_allows(name: str) -> None:
    layer = layer_of(name)
    assert layer is not None
    allowed = (*layer.may_import, "zcheck")  # the package itself holds the version and nothing else
    wrong = [i for i in imports_of(name) if is_ours(i.module) and not matches(i.module, allowed)]
    assert [] == [f"{SOURCES[name]}:{i.line}: {name} may not import {i.module}" for i in wrong]


@modules
def test_only_the_world_facing_modules_reach_the_world(name: str) -> None:
    layer = layer_of(name)
    assert layer is not None
    if layer.world:
        return
    wrong = [i for i in imports_of(name) if is_barred(i.module) and not i.for_types]
    assert [] == [f"{SOURCES[name]}:{i.line}: {name} may not import {i.module}" for i in wrong]


@modules
def test_heavy_libraries_are_imported_where_they_are_used(name: str) -> None:
    if name in LAZY:
        return
    heavy = [i for i in imports_of(name) if is_heavy(i.module) and i.at_top and not i.for_types]
    assert [] == [f"{SOURCES[name]}:{i.line}: import {i.module} inside the function that uses it" for i in heavy]


@modules
def test_a_pure_module_opens_no_file(name: str) -> None:
    layer = layer_of(name)
    assert layer is not None
    if layer.world:
        return
    calls = {"open", "input", "exec", "eval", "__import__", "breakpoint"}
    assert [] == [f"{SOURCES[name]}:{line}: {called}()" for called, line in _calls(name) if called in calls]


@modules
def test_only_the_command_line_prints_or_exits(name: str) -> None:
    if matches(name, MAY_PRINT):
        return
    calls = {"print", "exit", "quit", "sys.exit"}
    assert [] == [f"{SOURCES[name]}:{line}: {called}()" for called, line in _calls(name) if called in calls]


def _calls(name: str) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(SOURCES[name].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node.lineno


def test_the_script_for_other_machines_needs_the_standard_library_alone() -> None:
    if "zcheck.there" not in SOURCES:
        pytest.skip("zcheck.there does not exist")
    foreign = {i.module.partition(".")[0] for i in imports_of("zcheck.there")} - sys.stdlib_module_names
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


PLANTED = {
    "a check imports the runner": ("zcheck.checks.config.x", "zcheck.runner"),
    "a check imports a probe": ("zcheck.checks.reach.x", "zcheck.probes.http"),
    "a check imports another stage's helper": ("zcheck.checks.reach.x", "zcheck.checks.config._helper"),
    "a config check judges histories": ("zcheck.checks.config.x", "zcheck.consistency.judge"),
    "a reporter reads facts": ("zcheck.reporters.text", "zcheck.facts"),
    "facts import anything": ("zcheck.facts", "zcheck.check"),
    "a probe imports a check": ("zcheck.probes.http", "zcheck.checks"),
    "the demo is imported by gather": ("zcheck.gather", "zcheck.demo"),
}


@pytest.mark.parametrize(("name", "imported"), PLANTED.values(), ids=PLANTED)
def test_the_table_forbids(name: str, imported: str) -> None:
    layer = layer_of(name)
    assert layer is not None
    assert not matches(imported, (*layer.may_import, "zcheck"))
