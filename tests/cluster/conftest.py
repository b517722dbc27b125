"""Real clusters for tests.

``cluster`` is a healthy one with three clients, shared by the tests of a worker: a test leaves it as it found it.
``make_cluster`` starts an odd one for a single test, ``share_cluster`` one for the tests of a module.  All start from
one seed, which is made once in a session, and their clients are forked from a process that has imported Zope.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from zcheck.commands.demo import Cluster, ForkServer, Seed

MakeCluster = Callable[..., Cluster]


@pytest.fixture(scope="session")
def forkserver() -> Iterator[ForkServer]:
    """Zope, imported once for all clients of a worker."""
    pytest.importorskip("Zope2", reason="real clusters need the extra [demo]")
    with ForkServer() as made:
        yield made


@pytest.fixture(scope="session")
def seed(tmp_path_factory: pytest.TempPathFactory, forkserver: ForkServer) -> Seed:
    """An initialised Zope database, made by the first worker that asks for it and shared by all."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "seed"
    folder.mkdir(exist_ok=True)
    told = folder / "password"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not told.exists():
            made = Seed.make(folder, forkserver)
            told.touch(mode=0o600)
            told.write_text(made.password)
    return Seed(folder, "admin", told.read_text())


@pytest.fixture(scope="session")
def cluster(seed: Seed, forkserver: ForkServer) -> Iterator[Cluster]:
    """One ZEO server and the healthy clients app1, app2 and app3."""
    with Cluster(3, seed=seed, forkserver=forkserver) as running:
        yield running


@pytest.fixture(scope="module")
def forked_from(forkserver: ForkServer) -> ForkServer | None:
    """What clients are forked from; None in a module that looks at their command lines, so that they are executed."""
    return forkserver


@contextmanager
def _making(seed: Seed, forkserver: ForkServer | None) -> Iterator[MakeCluster]:
    with ExitStack() as ended:

        def make(*arguments: Any, start: bool = True, **options: Any) -> Cluster:
            made = Cluster(*arguments, **{"seed": seed, "forkserver": forkserver, **options})
            ended.callback(made.stop)
            return made.start() if start else made

        yield make


@pytest.fixture
def make_cluster(seed: Seed, forked_from: ForkServer | None) -> Iterator[MakeCluster]:
    """``make_cluster(...)`` takes what :class:`Cluster` takes and returns it running; it ends with the test.

    With ``start=False`` it is laid out and not started, so that a test can learn its ports first.
    """
    with _making(seed, forked_from) as make:
        yield make


@pytest.fixture(scope="module")
def share_cluster(seed: Seed, forked_from: ForkServer | None) -> Iterator[MakeCluster]:
    """The same for the tests of a module; each leaves what it shares as it found it."""
    with _making(seed, forked_from) as make:
        yield make
