"""One test for many files: it lists all that break a rule, not the first one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

import pytest

T = TypeVar("T")


def each(things: Mapping[str, T]) -> Callable[[Callable[[T], None]], Callable[[], None]]:
    """Make of a rule, which asserts something of one thing, a test of all: those that break it are told by name.

    The rule itself is the test's attribute ``rule``.
    """

    def of_all(rule: Callable[[T], None]) -> Callable[[], None]:
        def test() -> None:
            assert things, "there is nothing to look at"
            broken = []
            for name, thing in things.items():
                try:
                    rule(thing)
                except (Exception, pytest.fail.Exception) as error:
                    broken.append(f"{name}: {error or type(error).__name__}")
            if broken:
                pytest.fail("\n".join(broken), pytrace=False)

        test.__name__, test.__doc__, test.__module__ = rule.__name__, rule.__doc__, rule.__module__
        test.rule = rule  # type: ignore[attr-defined]
        return test

    return of_all
