"""The command line: the only package that prints or exits.

One module holds the options that commands share, one what is printed, one how a run is made; the others each hold a
family of commands.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import time
from collections.abc import Sequence
from typing import NoReturn

import click

from zcheck import __version__
from zcheck.cli import output
from zcheck.cli.balancer import export_command, haproxy, receipt, rolling_restart
from zcheck.cli.documents import completion, explain, init, schema
from zcheck.cli.facts import diff, gather
from zcheck.cli.isolation import isolation, recheck
from zcheck.cli.options import UNKNOWN, Suggesting
from zcheck.cli.output import FORMATS, complain, rendered, where_it_failed
from zcheck.cli.verify import demo, leftovers, monitor, plan, preflight
from zcheck.system import clock
from zcheck.system.shortages import ShortageError, allow_many_files
from zcheck.system.signals import Interrupt, interruptible

__all__ = ["FORMATS", "main", "rendered", "run", "zcheck"]

_STARTED = time.perf_counter()

_REMEDIES = {
    errno.EMFILE: "; allow this process more of them: ulimit -n 4096",
    errno.ENFILE: "; this machine has no more of them",
    errno.ENOSPC: "; make room on that disk",
}
"""What to do where the machine on which zcheck runs lacks something."""


@click.group(cls=Suggesting, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, message="zcheck %(version)s")
def zcheck() -> None:
    """Prove that the Zope clients of a ZODB/ZEO cluster can be load balanced, before anyone balances them.

    Exit codes are those of Nagios: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN (also wrong usage and unreadable input).
    """


for _command in (
    preflight, monitor, plan, demo, explain, leftovers, isolation, recheck, gather, diff,
    haproxy, rolling_restart, receipt, export_command, init, schema, completion,
):  # fmt: skip
    zcheck.add_command(_command)


def main(argv: Sequence[str] | None = None, *, started: float | None = None) -> int:
    """Run one command; the exit code is 0, 1, 2 or 3 whatever happens.

    ``started``: when the process began, by ``time.perf_counter``, where it began for this command alone.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    begun = time.perf_counter() if started is None else started
    output.begin()
    if started is None:
        clock.begin()
    code = _code_of(arguments, begun)
    output.flush()
    # Nobody has read that it is well: it does not count as such.
    return UNKNOWN if not code and output.is_incomplete() else code


def _code_of(arguments: list[str], begun: float) -> int:
    try:
        code = zcheck.main(args=arguments, prog_name="zcheck", standalone_mode=False, obj=begun)
        return code if isinstance(code, int) else 0
    except click.ClickException as error:
        complain(_usage(error))
    except (KeyboardInterrupt, click.Abort) as error:
        complain("zcheck: interrupted")
        if isinstance(error, Interrupt):
            for left in error.left:
                complain(f"left behind: {left}")
            if error.left:
                complain(f"remove it: {error.removal}")
    except BrokenPipeError:
        output.lose_stdout()
    except SystemExit:
        # Click ends so when the reader of our output is gone.
        output.lose_stdout()
    except ShortageError as shortage:
        complain(f"zcheck: the result is UNKNOWN: {shortage}")
    except OSError as error:
        # The system's own words alone: what stands beside them may hold a secret.
        what = f"{os.strerror(error.errno)}{_REMEDIES.get(error.errno, '')}" if error.errno else where_it_failed(error)
        complain(f"zcheck: the result is UNKNOWN: {what}")
    except Exception as error:
        complain(f"zcheck: internal error, the result is UNKNOWN: {where_it_failed(error)}")
    return UNKNOWN


def run() -> NoReturn:
    """The console script."""
    code = UNKNOWN
    try:
        output.open_closed_streams()
        allow_many_files()
        with interruptible(complain):
            code = main(started=_STARTED)
        with contextlib.suppress(OSError, ValueError, AttributeError):
            sys.stderr.flush()
    finally:
        # Threads that hang in a name look-up or a silent peer must not keep the process alive; and whatever happens
        # here, Python's own code for it is never the answer.
        os._exit(code)


def _usage(error: click.ClickException) -> str:
    message = error.format_message()
    context = getattr(error, "ctx", None)
    if isinstance(error, click.UsageError) and context is not None:
        return f"{context.command_path}: {message}\ntry: {context.command_path} --help"
    return message
