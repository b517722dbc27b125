"""Five machines for the suite that is asked for by ``ZCHECK_NETWORK=1``: ``make test-network``.

``zeo`` is for the ZEO server, ``app1`` to ``app3`` are for the clients, ``front`` for HAProxy and zcheck.  They are
made once; a test that loses packets, changes what a machine calls another or switches one off finds them mended.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from network import machines
from network.sites import Site

from zcheck.commands.demo import Seed


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.environ.get("ZCHECK_NETWORK") != "1":
        reason = "asked for by make test-network (ZCHECK_NETWORK=1)"
    else:
        reason = machines.why_not()
    for item in items if reason else ():
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def seed(tmp_path_factory: pytest.TempPathFactory) -> Seed:
    """An initialised Zope database."""
    pytest.importorskip("Zope2", reason="real clusters need the extra [demo]")
    return Seed.make(tmp_path_factory.mktemp("seed"))


@pytest.fixture(scope="session")
def five_machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[machines.Network]:
    folder = tmp_path_factory.mktemp("network")
    with machines.Network(folder, ["zeo", "app1", "app2", "app3", "front"]) as made:
        yield made


@pytest.fixture
def network(five_machines: machines.Network) -> Iterator[machines.Network]:
    """The five machines, as they should be."""
    yield five_machines
    five_machines.mend()


@pytest.fixture
def make_site(network: machines.Network, seed: Seed) -> Iterator[Callable[..., Site]]:
    """``make_site(...)`` takes what :class:`~sites.Site` takes and returns it running; it ends with the test."""
    with ExitStack() as ended:

        def make(*arguments: Any, **options: Any) -> Site:
            made = Site(network, seed, *arguments, **options)
            ended.callback(made.stop)
            return made.start()

        yield make
