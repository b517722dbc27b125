"""A process that has imported Zope, and forks a server for each line that it is told; run as a program.

A Zope client needs a second of computing until it answers, and three quarters of it are imports.  What is forked has
them behind it.  It is a process of its own like any other: a session, a log, signals, an environment and a time of
start of its own.  Only its command line stays that of this program; where that is looked at, a client is executed.

It imports nothing of zcheck, since a client has nothing of it either.  When its standard input ends, which it does
when the process that started it is gone, it kills what it forked and ends.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

# Everything that a client with the products of a plain Zope imports until it answers.
MODULES = (
    "OFS.absoluteurl",
    "OFS.browser",
    "OFS.metadirectives",
    "OFS.Application",
    "OFS.Uninstalled",
    "Products.Five.browser.adding",
    "Products.Five.browser.metaconfigure",
    "Products.Five.component.browser",
    "Products.Five.fiveconfigure",
    "Products.Five.fivedirectives",
    "Products.Five.sizeconfigure",
    "Products.Five.skin.standardmacros",
    "Products.Five.utilities.browser.marker",
    "Products.Five.viewlet.metaconfigure",
    "Products.OFSP",
    "Products.PageTemplates.ZopePageTemplate",
    "Products.PageTemplates.engine",
    "Products.PageTemplates.unicodeconflictresolver",
    "Products.SiteAccess.VirtualHostMonster",
    "Products.ZODBMountPoint.MountedObject",
    "ZEO.ClientStorage",
    "ZODB.config",
    "ZPublisher.HTTPRequest",
    "Zope2.App.schema",
    "Zope2.App.startup",
    "Zope2.App.zcml",
    "Zope2.Startup.datatypes",
    "Zope2.Startup.handlers",
    "Zope2.Startup.run",
    "Zope2.Startup.serve",
    "Zope2.Startup.starter",
    "paste.translogger",
    "waitress",
    "webdav.NullResource",
    "zmi.styles.subscriber",
    "zope.browsermenu.metadirectives",
    "zope.browserresource.metadirectives",
    "zope.i18n.compile",
    "zope.i18n.negotiator",
    "zope.i18n.zcml",
    "zope.publisher.zcml",
    "zope.security.metadirectives",
    "zope.security.zcml",
    "zope.site.site",
    "zope.structuredtext",
    "zope.traversing.browser",
    "zope.viewlet.metadirectives",
)


def main() -> int:
    """Fork what standard input tells until it ends; in a forked process, run it and return its exit code."""
    sys.path[0] = "/"
    for name in MODULES:
        # One that another release of Zope does not have is no fault: a client imports what it needs.
        try:
            importlib.import_module(name)
        except ModuleNotFoundError:
            continue
    gc.collect()
    gc.freeze()
    woken, wakes = os.pipe()
    os.set_blocking(wakes, False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    signal.set_wakeup_fd(wakes)
    pending = b""
    running: set[int] = set()
    while True:
        ready, _, _ = select.select([0, woken], [], [])
        if woken in ready:
            os.read(woken, 4096)
            running -= _those_that_ended()
        if 0 not in ready:
            continue
        read = os.read(0, 65536)
        if not read:
            for pid in running:
                os.kill(pid, signal.SIGKILL)
            return 0
        *lines, pending = (pending + read).split(b"\n")
        for line in lines:
            request = json.loads(line)
            pid = os.fork()
            if pid == 0:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                os.close(woken)
                os.close(wakes)
                _stand_alone(request)
                return RUNS[request["run"]](*request["arguments"])
            running.add(pid)


def _those_that_ended() -> set[int]:
    """Their process ids, after they were told."""
    ended: set[int] = set()
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ended
        if pid == 0:
            return ended
        ended.add(pid)
        _tell(ended=pid, code=os.waitstatus_to_exitcode(status))


def _tell(**words: int) -> None:
    os.write(1, json.dumps(words).encode() + b"\n")


def _stand_alone(request: dict[str, Any]) -> None:
    """Become what a process of its own would be: session, output, folder, environment, and what depends on them."""
    os.setsid()
    # Told now and by itself, so that whoever hears it can signal the whole session.
    _tell(started=os.getpid())
    nothing = os.open(os.devnull, os.O_RDONLY)
    log = os.open(request["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.close(nothing)
    os.close(log)
    os.chdir(request["folder"])
    sys.path[0] = request["folder"]
    os.environ.clear()
    os.environ.update(request["environment"])
    time.tzset()
    # Two things that Zope fixes when it is imported, and that differ from one client to the next.
    importlib.import_module("App.ApplicationManager").ApplicationManager.process_start = int(time.time())
    importlib.import_module("OFS.LockItem")._randGen.seed()


def serve(ini: str) -> int:
    """A Zope client, as ``python -m Zope2.Startup.serve`` runs it."""
    sys.argv = ["serve", ini]
    return int(importlib.import_module("Zope2.Startup.serve").main(sys.argv) or 0)


def seed(conf: str, empty: str, user: str, password: str) -> int:
    """Initialise the database that ``conf`` names, with a manager, and a bare one at ``empty``."""
    importlib.import_module("Zope2.Startup.run").configure_wsgi(conf)
    zope = importlib.import_module("Zope2")
    app = zope.app()
    app.acl_users._doAddUser(user, password, ["Manager"], [])
    importlib.import_module("transaction").commit()
    app._p_jar.close()
    zope.DB.close()
    importlib.import_module("ZODB").DB(empty).close()
    return 0


RUNS: dict[str, Callable[..., int]] = {"serve": serve, "seed": seed}

if __name__ == "__main__":
    sys.exit(main())
