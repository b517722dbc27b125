"""One initialised Zope database, made once and copied."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import subprocess
from pathlib import Path

from zcheck.commands.demo.forkserver import ForkServer
from zcheck.commands.demo.processes import START_LIMIT_S, DidNotStart, environment, last_lines

_SEED_CONF = """\
instancehome {home}
<zodb_db main>
  <filestorage>
    path {home}/Data.fs
  </filestorage>
  mount-point /
</zodb_db>
"""


class Seed:
    """An initialised Zope database with one manager, and an empty one; clusters start from copies of these files.

    Three clients that start at once on an empty database would all try to initialise it and two would fail, and a
    client with an ``inituser`` file writes at start, which a read-only one must not.  So this is done once, before.
    """

    def __init__(self, folder: Path, user: str, password: str) -> None:
        self.folder = folder
        self.user = user
        self.password = password

    @property
    def database(self) -> Path:
        return self.folder / "Data.fs"

    @property
    def empty(self) -> Path:
        return self.folder / "Empty.fs"

    @classmethod
    def make(
        cls, folder: Path, forkserver: ForkServer | None = None, *, user: str = "admin", limit_s: float = START_LIMIT_S
    ) -> Seed:
        """Make one in ``folder``; :class:`DidNotStart` where Zope fails."""
        folder.mkdir(parents=True, exist_ok=True)
        seed = cls(folder, user, secrets.token_urlsafe(12))
        conf, log = folder / "seed.conf", folder / "seed.log"
        conf.write_text(_SEED_CONF.format(home=folder))
        # The password is told through a pipe: a command line is there for everybody to read.
        told = (str(conf), str(seed.empty), user, seed.password)
        with contextlib.ExitStack() as ended:
            forks = forkserver or ended.enter_context(ForkServer())
            process = forks.start("seed", *told, folder=folder, log=log, env=environment({}))
            try:
                code = process.wait(limit_s)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                raise DidNotStart(f"Zope did not initialise a database within {limit_s:.0f} s") from None
        if code:
            raise DidNotStart(f"Zope could not initialise a database:\n{last_lines(log.read_text(errors='replace'))}")
        return seed
