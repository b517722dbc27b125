"""How long an offline run over a large cluster takes, beside ZConfig's bare parser on the same files.

Everything is a ratio of whole processes in one run, in seconds of processor time, so that neither a slow nor a busy
machine changes much.  What is compared with is the least that any program must do: start an interpreter, read the same
files, and parse each zope.conf with ZConfig's parser into a context that throws everything away.

    python benchmarks/offline.py             a goal missed exits 1
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

SIZES = (250, 500, 1000)
ROUNDS = 5
GOAL = 3.0
"""Times the bare parser, for the largest cluster."""
GROWTH = 1.3
"""How much more than twice as long twice as many clients may take."""
CACHE = tempfile.TemporaryDirectory()
HELP_GOAL = 6.0
"""``zcheck --help`` as times of ``python -c pass``."""

ZOPE_CONF = """\
%define INSTANCE /srv/app{number}

instancehome $INSTANCE
clienthome $INSTANCE/var
debug-mode off
default-zpublisher-encoding utf-8

<environment>
  TZ UTC
  CHAMELEON_CACHE $INSTANCE/var/cache
  PTS_LANGUAGES en de
</environment>

<zodb_db main>
  # Main database
  cache-size 30000
  <zeoclient>
    read-only false
    read-only-fallback false
    blob-dir $INSTANCE/var/blobcache
    shared-blob-dir off
    server zeo1.example.com:8100
    storage 1
    name zeostorage
    var $INSTANCE/var
    cache-size 128MB
  </zeoclient>
  mount-point /
</zodb_db>

<zodb_db archive>
  cache-size 5000
  <zeoclient>
    server zeo1.example.com:8100
    storage archive
    name archivestorage
    blob-dir $INSTANCE/var/blobcache-archive
    cache-size 32MB
  </zeoclient>
  mount-point /archive
</zodb_db>
"""

ZOPE_INI = """\
[app:zope]
use = egg:Zope#main
zope_conf = %(here)s/zope.conf

[server:main]
use = egg:waitress#main
host = 0.0.0.0
port = 8080
threads = 4

[pipeline:main]
pipeline =
    egg:Zope#httpexceptions
    zope

[formatter_generic]
format = %(asctime)s %(levelname)s [%(name)s:%(lineno)s][%(threadName)s] %(message)s
"""

ZEO_CONF = """\
<zeo>
  address 0.0.0.0:8100
</zeo>
<filestorage 1>
  path /srv/zeo1/var/Data.fs
  blob-dir /srv/zeo1/var/blobs
</filestorage>
<filestorage archive>
  path /srv/zeo1/var/Archive.fs
  blob-dir /srv/zeo1/var/blobs-archive
</filestorage>
"""

CLUSTER = """\
[cluster]
name = large
zeo = zeo1.example.com:8100
storage = 1

[zeo:main]
address = zeo1.example.com:8100
conf = zeo.conf

[hosts]
zeo1.example.com = 192.0.2.5
"""

BARE = """\
import glob, io, sys
from ZConfig.cfgparser import ZConfigParser

class Context:
    def startSection(self, *given): return self
    def endSection(self, *given): pass
    def addValue(self, *given): pass
    def importSchemaComponent(self, package): pass

class Resource:
    def __init__(self, path):
        with open(path, encoding="utf-8") as file:
            self.file, self.url = io.StringIO(file.read()), path

context = Context()
for path in glob.glob(sys.argv[1] + "/app*/zope.conf"):
    ZConfigParser(Resource(path), context).parse(context)
for path in glob.glob(sys.argv[1] + "/app*/zope.ini"):
    with open(path, encoding="utf-8") as file:
        file.read()
"""


def write_cluster(folder: Path, clients: int) -> Path:
    """A healthy cluster of this many clients; its clients.ini."""
    text = CLUSTER
    for number in range(1, clients + 1):
        home = folder / f"app{number}"
        home.mkdir()
        (home / "zope.conf").write_text(ZOPE_CONF.format(number=number))
        (home / "zope.ini").write_text(ZOPE_INI)
        address = f"10.{number // 62500}.{number // 250 % 250}.{number % 250 + 1}:8080"
        text += f"\n[client:app{number}]\naddress = {address}\nzope-conf = app{number}/zope.conf\n"
    (folder / "zeo.conf").write_text(ZEO_CONF)
    ini = folder / "clients.ini"
    ini.write_text(text)
    return ini


def seconds(*arguments: str) -> float:
    """Processor time of one process of this interpreter, from its start to its end; it must end well."""
    # Compiled modules are kept, wherever the interpreter is told not to: a user's second run finds them as well.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = CACHE.name
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def best(*measured: Callable[[], float]) -> list[float]:
    """The shortest of several rounds, the measured taking turns so that a disturbance meets all of them."""
    rounds = [[measure() for measure in measured] for _ in range(ROUNDS)]
    return [min(times) for times in zip(*rounds, strict=True)]


def offline(clients: int) -> tuple[float, float]:
    """Seconds of an offline run and of the bare parser on the files of so many clients."""
    with tempfile.TemporaryDirectory() as name:
        ini = write_cluster(Path(name), clients)
        ours, bare = best(
            lambda: seconds("-m", "zcheck", "preflight", "--offline", str(ini)), lambda: seconds("-c", BARE, name)
        )
    return ours, bare


def main() -> int:
    """Print the ratios; 1 when one of them misses its goal."""
    missed = []
    measured = []
    for clients in SIZES:
        ours, bare = offline(clients)
        measured.append(ours)
        print(f"{clients:5} clients offline: {ours:6.3f} s, bare parser {bare:6.3f} s, ratio {ours / bare:4.2f}")
    if measured[-1] / bare > GOAL:
        missed.append(f"{SIZES[-1]} clients take more than {GOAL} times the bare parser")
    for smaller, larger, before, after in zip(SIZES, SIZES[1:], measured, measured[1:], strict=False):
        growth = after / before / (larger / smaller)
        print(f"from {smaller} to {larger} clients: {growth:4.2f} times what grows with them")
        if growth > GROWTH:
            missed.append(f"from {smaller} to {larger} clients it grows faster than the cluster")
    shown, empty = best(lambda: seconds("-m", "zcheck", "--help"), lambda: seconds("-c", "pass"))
    print(f"zcheck --help: {shown:6.3f} s, python -c pass {empty:6.3f} s, ratio {shown / empty:4.2f}")
    if shown / empty > HELP_GOAL:
        missed.append(f"zcheck --help takes more than {HELP_GOAL} times python -c pass")
    for goal in missed:
        print(f"missed: {goal}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
