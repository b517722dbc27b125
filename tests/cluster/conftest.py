"""Real clusters for tests.

``cluster`` is a healthy one with three clients, shared by the tests of a worker: a test leaves it as it found it.
``make_cluster`` starts an odd one for a single test.  Both start from one seed, which is made once in a session.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from zcheck.commands.demo import Cluster, Seed


@pytest.fixture(scope="session")
def seed(tmp_path_factory: pytest.TempPathFactory) -> Seed:
    """An initialised Zope database, made by the first worker that asks for it and shared by all."""
    pytest.importorskip("Zope2", reason="real clusters need the extra [demo]")
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "seed"
    folder.mkdir(exist_ok=True)
    told = folder / "password"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not told.exists():
            made = Seed.make(folder)
            told.touch(mode=0o600)
            told.write_text(made.password)
    return Seed(folder, "admin", told.read_text())


@pytest.fixture(scope="session")
def cluster(seed: Seed) -> Iterator[Cluster]:
    """One ZEO server and the healthy clients app1, app2 and app3."""
    with Cluster(3, seed=seed) as running:
        yield running


@pytest.fixture
def make_cluster(seed: Seed) -> Iterator[Callable[..., Cluster]]:
    """``make_cluster(...)`` takes what :class:`Cluster` takes and returns it running; it ends with the test.

    With ``start=False`` it is laid out and not started, so that a test can learn its ports first.
    """
    with ExitStack() as ended:

        def make(*arguments: Any, start: bool = True, **options: Any) -> Cluster:
            made = Cluster(*arguments, seed=seed, **options)
            ended.callback(made.stop)
            return made.start() if start else made

        yield make
