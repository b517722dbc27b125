"""Who checks the checker: every small change to the judge of isolation has to be noticed by its tests.

``python benchmarks/mutation.py [--sample N] [--seed N] [--jobs N]`` makes one change at a time (a comparison turned, a
constant moved, a condition negated, a statement left out), runs ``tests/test_isolation.py`` on it, and prints those
that no test noticed and the score.  A change that only concerns words is left out.
"""

from __future__ import annotations

import argparse
import ast
import copy
import importlib
import random
import subprocess
import sys
import types
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
MODULE = "zcheck.consistency.judge.isolation"
SOURCE = ROOT / "zcheck" / "consistency" / "judge" / "isolation.py"
LIMIT_S = 300

Change = Callable[[Any], object]

# What only makes sentences; and what is tested elsewhere.
WORDS = frozenset({"_tell", "_did", "_saw", "_what", "_since", "_as_of", "number", "behind", "_NOTHING"})

TURNED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}


def mutants(tree: ast.Module) -> Iterator[tuple[str, Callable[[], ast.Module]]]:
    """Each change in words, and what makes the whole tree with it."""

    def make(path: tuple[int, ...], change: Change) -> ast.Module:
        mutant = copy.deepcopy(tree)
        change(_at(mutant, path))
        return mutant

    for path, node in _places(tree):
        for words, change in _changes(node):
            yield f"line {getattr(node, 'lineno', '?')}: {words}", partial(make, path, change)


def _places(tree: ast.Module) -> Iterator[tuple[tuple[int, ...], ast.AST]]:
    def walk(node: ast.AST, path: tuple[int, ...]) -> Iterator[tuple[tuple[int, ...], ast.AST]]:
        if isinstance(node, ast.FunctionDef) and node.name in WORDS:
            return
        if isinstance(node, ast.JoinedStr):
            return
        yield path, node
        for number, child in enumerate(ast.iter_child_nodes(node)):
            yield from walk(child, (*path, number))

    for number, child in enumerate(tree.body):
        if isinstance(child, ast.ClassDef | ast.FunctionDef):
            yield from walk(child, (number,))


def _at(tree: ast.Module, path: tuple[int, ...]) -> ast.AST:
    node: ast.AST = tree.body[path[0]]
    for number in path[1:]:
        node = list(ast.iter_child_nodes(node))[number]
    return node


def _changes(node: Any) -> Iterator[tuple[str, Change]]:
    if isinstance(node, ast.Compare) and type(node.ops[0]) in TURNED:
        turned = TURNED[type(node.ops[0])]
        yield f"{ast.unparse(node)} with {turned.__name__}", lambda found: found.ops.__setitem__(0, turned())
    if isinstance(node, ast.BoolOp):
        other = ast.Or if isinstance(node.op, ast.And) else ast.And
        yield f"{ast.unparse(node)} with {other.__name__}", lambda found: setattr(found, "op", other())
    if isinstance(node, ast.If):
        yield (
            f"not ({ast.unparse(node.test)})",
            lambda found: setattr(found, "test", ast.UnaryOp(ast.Not(), found.test)),
        )
    if isinstance(node, ast.Constant) and isinstance(node.value, int) and not isinstance(node.value, bool):
        yield f"{node.value} + 1", lambda found: setattr(found, "value", found.value + 1)
    body = getattr(node, "body", None)
    for number, statement in enumerate(body if isinstance(body, list) else []):
        if isinstance(statement, ast.Assign | ast.AugAssign | ast.Continue) or _is_call(statement):
            words = f"without: {ast.unparse(statement)}"
            yield words, lambda found, number=number: found.body.__setitem__(number, ast.Pass())


def _is_call(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call)


def run_one(number: int) -> int:
    """In a process of its own: the tests on the module with one change."""
    import pytest

    _, make = next(islice(mutants(ast.parse(SOURCE.read_text(encoding="utf-8"))), number, None))
    package = importlib.import_module("zcheck.consistency.judge")
    module = types.ModuleType(MODULE)
    module.__file__ = str(SOURCE)
    sys.modules[MODULE] = module
    package.isolation = module  # type: ignore[attr-defined]
    exec(compile(ast.fix_missing_locations(make()), str(SOURCE), "exec"), module.__dict__)
    quiet = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--no-header"]
    return int(pytest.main([*quiet, str(ROOT / "tests" / "consistency" / "judge" / "test_isolation.py")]))


def noticed(number: int) -> bool:
    try:
        command = [sys.executable, __file__, "--one", str(number)]
        return subprocess.run(command, capture_output=True, cwd=ROOT, timeout=LIMIT_S, check=False).returncode != 0
    except subprocess.TimeoutExpired:
        return True


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sample", type=int, default=0, help="so many, drawn by the seed; 0: all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one is not None:
        return run_one(given.one)
    words = [told for told, _ in mutants(ast.parse(SOURCE.read_text(encoding="utf-8")))]
    numbers = list(range(len(words)))
    if given.sample:
        numbers = sorted(random.Random(given.seed).sample(numbers, min(given.sample, len(numbers))))
    with ThreadPoolExecutor(given.jobs) as pool:
        found = dict(zip(numbers, pool.map(noticed, numbers), strict=True))
    for number, seen in found.items():
        if not seen:
            print(f"not noticed: {words[number]}")
    score = sum(found.values())
    print(f"{score} of {len(found)} changes were noticed ({score / len(found):.0%}); there are {len(words)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
