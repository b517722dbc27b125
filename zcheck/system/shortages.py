"""What zcheck's own process or machine lacks: it is named as such, and no peer is blamed for it."""

from __future__ import annotations

import contextlib
import errno


class ShortageError(Exception):
    """Nothing could be asked, for want of something of our own; the message says of what, and what to do."""


_WORDS = {
    errno.EMFILE: "zcheck may open no more files and sockets; ulimit -n 4096 allows more",
    errno.ENFILE: "this machine, on which zcheck runs, can open no more files and sockets",
}
NO_TEMPORARY_FOLDER = "zcheck finds no folder for temporary files that it may write to; TMPDIR names one"


def of_ours(error: BaseException) -> str:
    """What of our own is short, where that is what an error says; else empty."""
    return _WORDS.get(error.errno or 0, "") if isinstance(error, OSError) else ""


def why_no_temporary_folder() -> str:
    """Why no file can be made that is gone by itself; empty where one can."""
    try:
        import tempfile

        with tempfile.TemporaryFile():
            return ""
    except OSError as error:
        return of_ours(error) or NO_TEMPORARY_FOLDER


def allow_many_files() -> None:
    """Use as many file descriptors as this user may: many clients need more than what is usual."""
    import resource

    with contextlib.suppress(OSError, ValueError):
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
