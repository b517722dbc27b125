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


def complain(message: str) -> None:
    from zcheck.report.formats.text import clean

    with contextlib.suppress(OSError):
        sys.stderr.write("\n".join(clean(line) for line in message.splitlines()) + "\n")
        sys.stderr.flush()


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
    """Print a report; what the terminal's encoding lacks is shown escaped."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")
    click.echo(text, nl=False, color=True)


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
    """Put a report into a file whole; there is no secret in one, and whoever collects reports runs as another user."""
    try:
        atomic_write.write(path, text.encode(), mode)
    except OSError as error:
        raise click.ClickException(f"{path}: cannot be written: {error.strerror}") from None
