"""A bare ZEO server for a benchmark: the one that the tests start."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from cluster.zeo_servers import ZeoServer, zeo_server

__all__ = ["ZeoServer", "bare_zeo"]


@contextmanager
def bare_zeo() -> Iterator[ZeoServer]:
    """A running server with an empty storage, gone with its folder when the block is left."""
    with tempfile.TemporaryDirectory() as folder, zeo_server(Path(folder) / "zeo") as server:
        yield server
