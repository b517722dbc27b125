"""What is printed and written: reports in every format, lines, complaints."""

from __future__ import annotations

import contextlib
import importlib
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import click

from zcheck.system import atomic_write

FORMATS = ("text", "nagios", "json", "junit", "github", "sarif", "prometheus", "html")


def where_it_failed(error: Exception) -> str:
    """The kind of a crash and where it happened; never the values, which may hold a secret."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f" in {Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace is not None else ""
    return f"{type(error).__name__}{place}"


_unwritten: list[str] = []
"""What of this command's output could not be written: a command that has not said what it found never ends with 0."""

# A stream that fails, or that a caller has closed or taken away, raises one of these.
_NO_STREAM = (OSError, ValueError, AttributeError)


def begin() -> None:
    """Forget what an earlier command of this process could not write."""
    _unwritten.clear()


def is_incomplete() -> bool:
    """Whether something that this command was to print or write could not be."""
    return bool(_unwritten)


def open_closed_streams() -> None:
    """Let what is written to a closed stdin, stdout or stderr fail as a write does.

    Otherwise the next socket or file would get its number, and be written into; and Python has None for the stream.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            # Reading it ends at once, writing to it fails: that is what whoever closed it has asked for.
            placeholder = os.open(os.devnull, os.O_RDONLY)
            if placeholder != number:
                os.dup2(placeholder, number)
                os.close(placeholder)
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "r" if number == 0 else "w", encoding="utf-8", closefd=False))  # noqa: SIM115


def complain(message: str) -> None:
    """Say something on stderr; that it cannot be said changes nothing."""
    from zcheck.report.formats.text import clean

    with contextlib.suppress(*_NO_STREAM):
        sys.stderr.write("\n".join(clean(line) for line in message.splitlines()) + "\n")
        sys.stderr.flush()


def keep_unwritten(path: str, error: Exception) -> None:
    """Note that something was not written, and say so where anybody can hear it."""
    _unwritten.append(path)
    if not isinstance(error, BrokenPipeError):  # Who reads no further wants to hear no more.
        reason = (error.strerror if isinstance(error, OSError) else None) or "it is closed"
        complain(f"{path}: cannot be written: {reason}")


def flush() -> None:
    """Write what is still kept back."""
    try:
        sys.stdout.flush()
    except _NO_STREAM as error:
        lose_stdout(error)


def lose_stdout(error: Exception | None = None) -> None:
    """Note that stdout takes no more, and stop writing to it.  None: its reader is gone."""
    keep_unwritten("standard output", error or BrokenPipeError())
    # What is still in its buffer must not fail again, and what follows is not tried.
    sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115


def deliver(report: Any, options: dict[str, Any], usual: str = "text") -> None:
    """Write the report in every form that was asked for; ``usual`` goes to stdout where none was for it."""
    outputs = options["output"] or ((usual, ""),)
    if all(path for _, path in outputs):
        outputs = (*outputs, (usual, ""))
    for form, path in outputs:
        text = rendered(
            report,
            form,
            colour=not path and in_colours(),
            verbose=options["verbose"],
            quiet=options["quiet"],
            width=None if path else terminal_width(),
        )
        if path:
            write_file(path, text)
        else:
            say(text)
        if form == "github":
            _summarise(report)


def rendered(
    report: Any,
    form: str,
    *,
    colour: bool = False,
    verbose: bool = False,
    quiet: bool = False,
    width: int | None = None,
    pages: tuple[Any, ...] | None = None,
) -> str:
    """The report in one of ``FORMATS``; each format's module is loaded when it is asked for.

    ``pages``: the checks' pages, for the formats that bring them; None: those of the catalogue.
    """
    module = importlib.import_module(f"zcheck.report.formats.{form}")
    if form == "text":
        return str(module.render(report, colour=colour, verbose=verbose, quiet=quiet, width=width))
    if form in _WITH_PAGES:
        return str(module.render(report, all_pages() if pages is None else pages))
    return str(module.render(report))


# The formats that bring the checks' pages with them.
_WITH_PAGES = frozenset({"sarif", "html"})


def all_pages() -> tuple[Any, ...]:
    from zcheck.checks import CATALOGUE
    from zcheck.report.structs import Page

    return tuple(Page(check.name, check.stage, check.severity.name, check.page) for check in CATALOGUE)


def say(text: str) -> None:
    """Print a report; what the terminal's encoding lacks is shown escaped.

    That it cannot be printed is kept for the exit code, and is no error here: what was found is reported otherwise.
    """
    try:
        if hasattr(sys.stdout, "reconfigure"):
            sys.stdout.reconfigure(errors="backslashreplace")
        click.echo(text, nl=False, color=True)
        sys.stdout.flush()
    except _NO_STREAM as error:
        lose_stdout(error)


def _summarise(report: Any) -> None:
    """Add the step's summary to the file that GitHub names; that it cannot be written changes no verdict."""
    path = os.environ.get("GITHUB_STEP_SUMMARY")
    if not path:
        return
    from zcheck.report.formats import github

    try:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(github.summary(report))
    except OSError as error:
        complain(f"{path}: cannot be written: {error.strerror}")


def terminal_width() -> int | None:
    """The terminal's columns; None where stdout is none."""
    from zcheck.cli.terminal import lives

    return max(shutil.get_terminal_size().columns, 40) if lives(sys.stdout) else None


def echo(text: str) -> None:
    """Print lines that may hold what a file or a peer said."""
    from zcheck.report.formats.text import clean

    say("\n".join(clean(line) for line in text.splitlines()) + "\n")


def echo_wrapped(text: str) -> None:
    """The same; at a terminal no line is broken within a word."""
    from zcheck.report.formats.text import wrapped

    width = terminal_width()
    echo(text if width is None else "\n".join(wrapped(text.splitlines(), width)))


def in_colours() -> bool:
    from zcheck.cli.terminal import colours

    return colours(sys.stdout)


def write_file(path: str, text: str, mode: int = 0o644) -> None:
    """Put a report into a file whole; there is no secret in one, and whoever collects reports runs as another user.

    That it cannot be written is kept for the exit code, as in :func:`say`.
    """
    try:
        atomic_write.write(path, text.encode("utf-8", "backslashreplace"), mode)
    except OSError as error:
        keep_unwritten(path, error)
