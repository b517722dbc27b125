"""One initialised Zope database, made once and copied."""

from __future__ import annotations

import secrets
import subprocess
import sys
from pathlib import Path

from zcheck.commands.demo.processes import START_LIMIT_S, DidNotStart, environment, last_lines

_SEED_SCRIPT = """
import sys
import ZODB
import transaction
from Zope2.Startup.run import configure_wsgi

user, password = sys.stdin.read().split()
configure_wsgi(sys.argv[1])
import Zope2
app = Zope2.app()
app.acl_users._doAddUser(user, password, ["Manager"], [])
transaction.commit()
app._p_jar.close()
Zope2.DB.close()
ZODB.DB(sys.argv[2]).close()
"""

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
    def make(cls, folder: Path, *, user: str = "admin", limit_s: float = START_LIMIT_S) -> Seed:
        """Make one in ``folder`` (it takes about a second); :class:`DidNotStart` where Zope fails."""
        folder.mkdir(parents=True, exist_ok=True)
        seed = cls(folder, user, secrets.token_urlsafe(12))
        conf = folder / "seed.conf"
        conf.write_text(_SEED_CONF.format(home=folder))
        command = [sys.executable, "-c", _SEED_SCRIPT, str(conf), str(seed.empty)]
        # The password goes through a pipe: a command line is there for everybody to read.
        try:
            done = subprocess.run(
                command,
                input=f"{user} {seed.password}",
                cwd=folder,
                env=environment({}),
                capture_output=True,
                text=True,
                timeout=limit_s,
            )
        except subprocess.TimeoutExpired:
            raise DidNotStart(f"Zope did not initialise a database within {limit_s:.0f} s") from None
        if done.returncode:
            raise DidNotStart(f"Zope could not initialise a database:\n{last_lines(done.stderr)}")
        return seed
