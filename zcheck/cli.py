"""The command line: the only module that prints or exits."""

from __future__ import annotations

import contextlib
import difflib
import functools
import importlib
import os
import re
import secrets
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import click

from zcheck import __version__

_STARTED = time.perf_counter()

UNKNOWN = 3
"""The exit code for wrong usage, unreadable input, an interrupted run, a closed pipe and a crash of our own."""

FORMATS = ("text", "nagios", "json", "junit", "github", "sarif", "prometheus", "html")


def main(argv: Sequence[str] | None = None, *, started: float | None = None) -> int:
    """Run one command; the exit code is 0, 1, 2 or 3 whatever happens.

    ``started``: when the process began, by ``time.perf_counter``, where it began for this command alone.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    begun = time.perf_counter() if started is None else started
    try:
        code = zcheck.main(args=arguments, prog_name="zcheck", standalone_mode=False, obj=begun)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except click.ClickException as error:
        _complain(_usage(error))
    except (KeyboardInterrupt, click.Abort):
        _complain("zcheck: interrupted")
    except BrokenPipeError:
        # Whoever read our output is gone; what is still in the buffer must not raise again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    except SystemExit:
        # Click ends so when the reader of our output is gone.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    except Exception as error:
        _complain(f"zcheck: internal error, the result is UNKNOWN: {_where(error)}")
    return UNKNOWN


def run() -> NoReturn:
    """The console script."""
    with _interruptible():
        code = main(started=_STARTED)
    with contextlib.suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    # Threads that hang in a name look-up or a silent peer must not keep the process alive.
    os._exit(code)


def _usage(error: click.ClickException) -> str:
    message = error.format_message()
    context = getattr(error, "ctx", None)
    if isinstance(error, click.UsageError) and context is not None:
        return f"{context.command_path}: {message}\ntry: {context.command_path} --help"
    return message


def _where(error: Exception) -> str:
    """The kind of a crash and where it happened; never the values, which may hold a secret."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f" in {Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace is not None else ""
    return f"{type(error).__name__}{place}"


def _complain(message: str) -> None:
    from zcheck.reporters.text import clean

    with contextlib.suppress(OSError):
        sys.stderr.write("\n".join(clean(line) for line in message.splitlines()) + "\n")
        sys.stderr.flush()


class Duration(click.ParamType[float]):
    """Seconds, or a number with ``s``, ``m`` or ``h``."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh]?)", str(value).strip())
        seconds = float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[match[2]] if match else 0.0
        if seconds <= 0:
            self.fail(f"{value!r} is no duration; write seconds, or a number with s, m or h", param, ctx)
        return seconds


class Output(click.ParamType[tuple[str, str]]):
    """``FORMAT`` or ``FORMAT:PATH``."""

    name = "format[:path]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        if isinstance(value, tuple):
            return value
        form, _, path = str(value).partition(":")
        if form not in FORMATS:
            near = difflib.get_close_matches(form, FORMATS, 1)
            self.fail(
                f"there is no format {form!r}; formats are {', '.join(FORMATS)}"
                + (f"; did you mean {near[0]!r}?" if near else ""),
                param,
                ctx,
            )
        return form, path


class Names(click.ParamType[tuple[str, ...]]):
    """Names with commas between."""

    name = "names"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        if isinstance(value, tuple):
            return value
        return tuple(name.strip() for name in str(value).split(",") if name.strip())


class Suggesting(click.Group):
    """A group that names the nearest command for an unknown one."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and self.get_command(ctx, args[0]) is None:
            near = difflib.get_close_matches(args[0], self.list_commands(ctx), 1)
            ctx.fail(f"there is no command {args[0]!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
        return super().resolve_command(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


@click.group(cls=Suggesting, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, message="zcheck %(version)s")
def zcheck() -> None:
    """Prove that the Zope clients of a ZODB/ZEO cluster can be load balanced, before anyone balances them.

    Exit codes are those of Nagios: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN (also wrong usage and unreadable input).
    """


INI = click.argument("ini", metavar="CLIENTS.INI", type=click.Path(dir_okay=False))


def run_options(command: Callable[..., int]) -> Callable[..., int]:
    """The options of every command that runs a preflight; the environment's ZCHECK_NAME stands in for each."""
    options = [
        click.option("--offline", is_flag=True, help="Judge the files alone: open no socket, look up no name."),
        click.option("--read-only", is_flag=True, help="Write nothing anywhere; less is proven."),
        click.option("--only", type=Names(), multiple=True, metavar="NAMES", help="Only these checks or stages."),
        click.option("--skip", type=Names(), multiple=True, metavar="NAMES", help="Leave these out."),
        click.option(
            "--fail-on",
            type=click.Choice(["advice", "warning", "critical"]),
            default="warning",
            show_default=True,
            help="The mildest finding that makes the exit code other than 0.",
        ),
        click.option("--timeout", type=Duration(), default="5", show_default=True, help="One wait for a peer."),
        click.option("--deadline", type=Duration(), default="60", show_default=True, help="The whole run."),
        click.option(
            "-o",
            "--output",
            type=Output(),
            multiple=True,
            metavar="FORMAT[:PATH]",
            help=f"{', '.join(FORMATS)}; without a path to stdout, alone. Repeatable.",
        ),
        click.option("--save-facts", metavar="PATH", help="Keep what was gathered in a file; no secret is in it."),
        click.option(
            "--max-rate",
            type=click.FloatRange(min=0.1),
            default=20.0,
            show_default=True,
            help="Writes a second, after a burst of as many.",
        ),
        click.option(
            "--pause-file", type=click.Path(), metavar="PATH", help="Begin no write while a file of this name exists."
        ),
        click.option("--no-state", is_flag=True, help="Keep neither journal nor last good facts in the state folder."),
        click.option("--timings", is_flag=True, help="Tell where the time went."),
        click.option("-v", "--verbose", is_flag=True, help="Tell each check."),
        click.option("-q", "--quiet", is_flag=True, help="Tell the verdict alone."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@zcheck.command()
@click.argument("ini", metavar="CLIENTS.INI", required=False, type=click.Path(dir_okay=False))
@run_options
@click.option("--receipt", metavar="PATH", help="Write down what was verified, when the exit code is 0.")
@click.option("--facts", metavar="PATH", help="Judge saved facts: nothing is read or contacted, CLIENTS.INI neither.")
@click.pass_context
def preflight(ctx: click.Context, /, ini: str | None, **options: Any) -> int:
    """Verify the cluster: the gate before balancing.

    Runs all stages.  Writes test markers that nothing links to, and one folder named zcheck-RUN through the running
    clients, and removes them; see "zcheck plan".
    """
    facts = options.pop("facts") or os.environ.get("ZCHECK_FACTS")
    if facts is not None:
        return _judge_again(ctx, facts, options)
    if ini is None:
        raise click.MissingParameter(ctx=ctx, param=ctx.command.params[0])
    return _preflight(ctx, "preflight", ini, options)


MONITOR: dict[str, Any] = {"read_only": True, "deadline": 8.0, "timeout": 2.5, "output": (("nagios", ""),)}
"""What a monitor wants where its command line says nothing else."""
GRACE_S = 0.5
"""How long after its deadline a monitor's answer is still waited for."""


@zcheck.command()
@INI
@run_options
@click.pass_context
def monitor(ctx: click.Context, /, ini: str, **options: Any) -> int:
    """The same for Nagios and its like: writes nothing, answers in one line within 8 s.

    Short for preflight with --read-only, --output nagios, --deadline 8 and --timeout 2.5; an option that is given wins.
    Every running client is asked once for the transactions that its ZEO server lists; not with --no-state.
    """
    from zcheck.reporters import nagios

    try:
        return _preflight(ctx, "monitor", ini, options, MONITOR)
    except Exception as error:
        # A monitor shows what is on stdout and nothing else; what happened is told on stderr as well.
        why = error.format_message() if isinstance(error, click.ClickException) else f"internal error: {_where(error)}"
        click.echo(nagios.unknown(why, time.perf_counter() - ctx.obj), nl=False)
        raise


def _preflight(
    ctx: click.Context, command: str, ini: str, options: dict[str, Any], own: Mapping[str, Any] | None = None
) -> int:
    """One run; ``own``: what this command takes where the command line says nothing, whatever else says."""
    from zcheck import preflight as pipeline
    from zcheck.checks import CATALOGUE
    from zcheck.gather import Settings
    from zcheck.terminal import LiveLines

    inventory, secret = _inventory(ini)
    options = _completed(ctx, options, inventory.options, inventory.file, own or {})
    stdout = [form for form, path in options["output"] if not path]
    if len(stdout) > 1:
        raise click.UsageError(f"only one format can go to stdout, not {' and '.join(stdout)}", ctx)
    reasons = _left_out(ctx, options, inventory)
    settings = Settings(
        run_id=secrets.token_hex(6),
        offline=options["offline"],
        read_only=options["read_only"],
        timeout_s=options["timeout"],
        deadline_s=options["deadline"],
        state_folder=None if options["no_state"] else _state_folder(),
        may_ask_servers=command != "monitor" or not options["no_state"],
        max_rate=options["max_rate"],
        pause_file=options["pause_file"],
    )
    with _interruptible(), LiveLines(inventory.client_names) as lines:
        work = partial(
            pipeline.examine,
            inventory,
            CATALOGUE,
            settings,
            command=command,
            reasons=reasons,
            secret=secret,
            fail_on=options["fail_on"],
            progress=lines,
            timings=options["timings"],
            startup_s=time.perf_counter() - ctx.obj,
        )
        # Nothing is to be cleaned up after a run that writes nothing: it may be left alone in whatever it hangs.
        found = _within(settings.deadline_s + GRACE_S, work) if settings.read_only and own else work()
    if found is None:
        raise click.ClickException(f"no answer within {settings.deadline_s:g} s: zcheck itself hangs")
    _keep_facts(found, reasons, settings, options["save_facts"])
    _deliver(found.report, options, "nagios" if own else "text")
    if options.get("receipt") and not found.report.verdict.exit_code:
        _write_receipt(found, options["receipt"])
    return int(found.report.verdict.exit_code)


def _write_receipt(examination: Any, path: str) -> None:
    from zcheck import receipt

    try:
        receipt.write(receipt.make(examination.report, examination.facts), path)
    except OSError as error:
        raise click.ClickException(f"{path}: cannot be written: {error.strerror}") from None


MOST_FACTS = 256 * 1024 * 1024
"""The largest file of saved facts that is read, in bytes."""


def _keep_facts(found: Any, reasons: dict[str, str], settings: Any, path: str | None) -> None:
    """Save a run's facts where the user wants them; those of a run that was OK are remembered as well."""
    from zcheck.probes import state

    report = found.report
    if report.verdict.status == "OK" and not settings.offline and settings.state_folder is not None:
        state.keep_good(settings.state_folder, _of_cluster(report.cluster.file), _dumped(found, reasons))
    if path:
        _save_facts(found, reasons, path)


def _save_facts(found: Any, reasons: dict[str, str], path: str) -> None:
    """Put a run's facts into a file that only its owner can read: no secret is in it, but names and addresses are."""
    _write(path, _dumped(found, reasons), 0o600)


def _dumped(found: Any, reasons: dict[str, str]) -> str:
    from zcheck import savedfacts

    return savedfacts.dump(savedfacts.Saved(found.report.run, reasons, found.facts), __version__)


def _of_cluster(ini: str) -> str:
    """What tells one cluster's last good facts from another's: where its clients.ini is."""
    return str(Path(ini).resolve())


def _saved(path: str) -> Any:
    """The saved facts of a file."""
    from zcheck import savedfacts
    from zcheck.probes import files

    try:
        return savedfacts.load(files.read_text(path, MOST_FACTS))
    except files.CannotRead as error:
        raise click.ClickException(str(error)) from None
    except savedfacts.CannotRead as error:
        raise click.ClickException(f"{path}: {error}") from None


def _judge_again(ctx: click.Context, path: str, options: dict[str, Any]) -> int:
    """The verdict on saved facts, as of the day on which they were gathered."""
    from zcheck import preflight as pipeline
    from zcheck.checks import CATALOGUE

    saved = _saved(path)
    inventory = saved.facts.inventory
    # Of what clients.ini said, only what moves the exit code still applies: no file is to be written again.
    stated = {name: value for name, value in inventory.options.items() if name == "fail-on"}
    options = _completed(ctx, options, stated, path)
    # Offline or read-only is what the run was; what it left out for that is told by its own file.
    reasons = _left_out(ctx, {**options, "offline": False, "read_only": False}, inventory)
    report = pipeline.judge_again(saved, CATALOGUE, reasons, fail_on=options["fail_on"])
    _deliver(report, options)
    return int(report.verdict.exit_code)


def _within(limit_s: float, work: Callable[[], Any]) -> Any:
    """What the work returns, or None where it takes longer; it is left behind then, in a thread of its own."""
    done: list[Any] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            done.append(work())
        except BaseException as error:  # handed on to the caller below
            failed.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(limit_s)
    if failed:
        raise failed[0]
    return done[0] if done else None


def _left_out(ctx: click.Context, options: dict[str, Any], inventory: Any) -> dict[str, str]:
    """Why each check that these options do not want is left out, by name."""
    from zcheck import preflight as pipeline
    from zcheck.checks import CATALOGUE

    try:
        return pipeline.left_out(
            CATALOGUE,
            [name for names in options["only"] for name in names],
            [name for names in options["skip"] for name in names],
            offline=options["offline"],
            read_only=options["read_only"],
            credentials=inventory.credentials is not None,
        )
    except pipeline.UnknownCheck as error:
        raise click.UsageError(str(error), ctx) from None


def _deliver(report: Any, options: dict[str, Any], usual: str = "text") -> None:
    """Write the report in every form that was asked for; ``usual`` goes to stdout where none was for it."""
    outputs = options["output"] or ((usual, ""),)
    if all(path for _, path in outputs):
        outputs = (*outputs, (usual, ""))
    for form, path in outputs:
        text = rendered(
            report,
            form,
            colour=not path and _colours(),
            verbose=options["verbose"],
            quiet=options["quiet"],
            width=None if path else _width(),
        )
        if path:
            _write(path, text)
        else:
            _say(text)
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
    module = importlib.import_module(f"zcheck.reporters.{form}")
    if form == "text":
        return str(module.render(report, colour=colour, verbose=verbose, quiet=quiet, width=width))
    if form in _WITH_PAGES:
        return str(module.render(report, _pages() if pages is None else pages))
    return str(module.render(report))


# The formats that bring the checks' pages with them.
_WITH_PAGES = frozenset({"sarif", "html"})


def _pages() -> tuple[Any, ...]:
    from zcheck.checks import CATALOGUE
    from zcheck.report import Page

    return tuple(Page(check.name, check.stage, check.severity.name, check.page) for check in CATALOGUE)


def _say(text: str) -> None:
    """Print a report; what the terminal's encoding lacks is shown escaped."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")
    click.echo(text, nl=False, color=True)


def _summarise(report: Any) -> None:
    """Add the step's summary to the file that GitHub names; that it cannot be written changes no verdict."""
    path = os.environ.get("GITHUB_STEP_SUMMARY")
    if not path:
        return
    from zcheck.reporters import github

    try:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(github.summary(report))
    except OSError as error:
        _complain(f"{path}: cannot be written: {error.strerror}")


def _width() -> int | None:
    """The terminal's columns; None where stdout is none."""
    from zcheck.terminal import lives

    return max(shutil.get_terminal_size().columns, 40) if lives(sys.stdout) else None


def _echo(text: str) -> None:
    """Print lines that may hold what a file or a peer said."""
    from zcheck.reporters.text import clean

    _say("\n".join(clean(line) for line in text.splitlines()) + "\n")


def _colours() -> bool:
    from zcheck.terminal import colours

    return colours(sys.stdout)


def _write(path: str, text: str, mode: int = 0o644) -> None:
    """Put a report into a file whole: a reader finds the old one or the new one, never a part.

    Whoever collects reports runs as another user, and there is no secret in one.
    """
    unfinished = f"{path}.{os.getpid()}.part"
    try:
        Path(unfinished).write_text(text, encoding="utf-8")
        Path(unfinished).chmod(mode)
        Path(unfinished).replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            Path(unfinished).unlink()
        raise click.ClickException(f"{path}: cannot be written: {error.strerror}") from None


def _inventory(ini: str) -> tuple[Any, Any]:
    """The inventory, and the password or why there is none."""
    from zcheck import inventory
    from zcheck.checks import CATALOGUE
    from zcheck.probes import files
    from zcheck.runner import cannot_be_suppressed

    try:
        text = files.read_text(ini)
        found = inventory.parse(text, ini, [check.name for check in CATALOGUE])
    except (files.CannotRead, inventory.InventoryError) as error:
        raise click.ClickException(str(error)) from None
    for suppression in found.suppressions:
        if any(check.name == suppression.check and cannot_be_suppressed(check) for check in CATALOGUE):
            line = suppression.section.line_of("check")
            what = f"{suppression.check} cannot be suppressed: it tells that edits are lost"
            raise click.ClickException(f"{ini}:{line}: {what}; remove [suppress:{suppression.name}]")
    return found, files.password(found, text, os.environ)


def _completed(
    ctx: click.Context,
    options: dict[str, Any],
    stated: dict[str, str],
    file: str,
    own: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Options with what ``ZCHECK_*`` and then clients.ini's ``[zcheck]`` say where the command line says nothing.

    ``own`` is what the command itself says: it wins over both.
    """
    completed = dict(options)
    for parameter in ctx.command.params:
        name = parameter.name or ""
        if name not in options or ctx.get_parameter_source(name) is not click.core.ParameterSource.DEFAULT:
            continue
        if own and name in own:
            completed[name] = own[name]
            continue
        variable = f"ZCHECK_{name.upper()}"
        value, source = os.environ.get(variable), variable
        if value is None:
            value, source = stated.get(name.replace("_", "-")), f"{file}: [zcheck] {name.replace('_', '-')}"
        if value is not None:
            try:
                completed[name] = parameter.type_cast_value(ctx, value.split() if parameter.multiple else value)
            except click.BadParameter as error:
                raise click.ClickException(f"{source}: {error.message}") from None
    return completed


def _state_folder() -> str:
    base = os.environ.get("XDG_STATE_HOME") or str(Path("~/.local/state").expanduser())
    return str(Path(base) / "zcheck")


@contextlib.contextmanager
def _interruptible() -> Any:
    """Make SIGTERM and SIGHUP end the run as Ctrl-C does: by an exception, so that clean-up happens."""

    def interrupt(number: int, frame: Any) -> NoReturn:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@zcheck.command()
@INI
@run_options
@click.pass_context
def plan(ctx: click.Context, /, ini: str, **options: Any) -> int:
    """Tell what preflight with these options would read, contact and write, and touch nothing."""
    from zcheck import plan as planning
    from zcheck.checks import CATALOGUE
    from zcheck.gather import wanted_kinds

    inventory, _ = _inventory(ini)
    options = _completed(ctx, options, inventory.options, inventory.file)
    reasons = _left_out(ctx, options, inventory)
    text = planning.tell(
        inventory,
        wanted_kinds(check for check in CATALOGUE if check.name not in reasons),
        timeout_s=options["timeout"],
        deadline_s=options["deadline"],
        offline=options["offline"],
        read_only=options["read_only"],
    )
    _echo(text)
    return 0


@zcheck.command()
@click.option("--keep", is_flag=True, help="Leave the cluster running and tell how to go on by hand.")
@click.option("--clients", type=click.IntRange(2, 20), default=3, show_default=True, help="How many Zope clients.")
@click.option(
    "--fault",
    type=click.Choice(["copy", "copy-hidden", "mount", "storage", "down"]),
    help="Break the cluster first, and see what zcheck says.",
)
@click.pass_context
def demo(ctx: click.Context, keep: bool, clients: int, fault: str | None) -> int:
    """Start a real ZEO server and real Zope clients on loopback, and run preflight on them."""
    from zcheck import demo as demonstration

    def verify(path: str) -> int:
        with preflight.make_context("zcheck preflight", [path], obj=time.perf_counter()) as context:
            return int(preflight.invoke(context))

    with _interruptible():
        return demonstration.run_demo(keep=keep, clients=clients, fault=fault, preflight=verify, say=click.echo)


def _check_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    from zcheck.checks import CATALOGUE

    return [check.name for check in CATALOGUE if check.name.startswith(incomplete)]


@zcheck.command()
@click.argument("check", required=False, shell_complete=_check_names)
@click.option("--facts", metavar="PATH", help="Saved facts: tell how the check came out on that cluster, and why.")
@click.option("-v", "--verbose", is_flag=True, help="Also the examples by which the check is tested.")
@click.pass_context
def explain(ctx: click.Context, check: str | None, facts: str | None, verbose: bool) -> int:
    """Show a check's page; without a name, the catalogue by stage and by symptom.

    A symptom in quotes ("editors lose changes") shows the checks that find its cause.
    """
    from zcheck.checks import CATALOGUE
    from zcheck.reporters import page
    from zcheck.symptoms import nearest

    if check is None:
        _say("\n".join([*_catalogue(), "", *_by_symptom()]) + "\n")
        return 0
    known = {one.check: one for one in _pages()}
    if check in known:
        report = None
        if facts is not None:
            from zcheck import preflight as pipeline

            report = pipeline.judge_again(_saved(facts), CATALOGUE, {})
        _say(page.render(known[check], report, colour=_colours(), width=_width(), examples=verbose))
        return 0
    near = difflib.get_close_matches(check, known, 1)
    symptom = nearest(check) if " " in check.strip() or not near else None
    if symptom is not None:
        titles = [f"  {name:<30} {known[name].title}" for name in symptom.checks if name in known]
        _say("\n".join([symptom.name, *titles]) + "\n")
        return 0
    raise click.UsageError(f"there is no check {check!r}" + (f"; did you mean {near[0]!r}?" if near else ""), ctx)


def _catalogue() -> list[str]:
    from zcheck.check import STAGES

    lines = []
    for stage in STAGES:
        lines.append(stage)
        lines += [f"  {one.check:<30} {one.severity:<9} {one.title}" for one in _pages() if one.stage == stage]
    return lines


def _by_symptom() -> list[str]:
    from zcheck.symptoms import SYMPTOMS

    known = {one.check for one in _pages()}
    lines = ["by symptom"]
    for symptom in SYMPTOMS:
        lines.append(f"  {symptom.name}: {', '.join(name for name in symptom.checks if name in known)}")
    return lines


@zcheck.command()
@INI
@click.option("--remove", is_flag=True, help="Remove what is found, however young; not beside a running preflight.")
@click.option("--timeout", type=Duration(), default="5", show_default=True, help="One wait for a peer.")
@click.option("--deadline", type=Duration(), default="60", show_default=True, help="The whole search.")
@click.option("--since", type=Duration(), default="168h", show_default=True, help="How far back storages are searched.")
@click.pass_context
def leftovers(ctx: click.Context, /, ini: str, **options: Any) -> int:
    """Find what a killed run left in the cluster.

    Exit code 0: nothing, 1: something; with --remove 0: nothing is left on any client, 2: something still is.
    """
    from zcheck import leftovers as remains

    inventory, secret = _inventory(ini)
    options = _completed(ctx, options, inventory.options, inventory.file)
    with _interruptible():
        outcome = remains.look(
            inventory,
            secret,
            timeout_s=options["timeout"],
            deadline_s=options["deadline"],
            since_s=options["since"],
            remove=options["remove"],
        )
    _echo(outcome.text)
    return outcome.exit_code


@zcheck.command()
@click.argument("files", nargs=-1, required=True, type=click.Path())
def init(files: tuple[str, ...]) -> int:
    """Draft a clients.ini from what a site has.

    FILES are zope.conf files (the ini beside each is found), a buildout's folder, an haproxy.cfg or pound.cfg, or a
    compose file.  What they do not tell is a comment in the draft.
    """
    from zcheck import init as drafting

    try:
        _echo(drafting.draft(files))
    except drafting.InitError as error:
        raise click.ClickException(str(error)) from None
    return 0


@zcheck.command()
@click.argument("files", metavar="[BEFORE] FACTS", nargs=-1, required=True)
@click.pass_context
def diff(ctx: click.Context, files: tuple[str, ...]) -> int:
    """Tell what changed between two files of saved facts: conf lines, addresses, versions, processes, findings.

    With one file: since the last run of that cluster that was OK.  Exit code 0: nothing changed, 1: something did.
    """
    from zcheck import preflight as pipeline
    from zcheck.checks import CATALOGUE
    from zcheck.differences import differences

    if len(files) > 2:
        raise click.UsageError("give one or two files of saved facts", ctx)
    new = _saved(files[-1])
    old = _saved(files[0] if len(files) == 2 else _last_good(new.facts.inventory.file))
    reports = [pipeline.judge_again(saved, CATALOGUE, {}) for saved in (old, new)]
    changes = differences(old.facts, new.facts, *reports)
    _echo("\n".join(map(str, changes)) if changes else f"nothing changed since {old.run.started}")
    return 1 if changes else 0


def _last_good(ini: str) -> str:
    from zcheck.probes import state

    kept = state.good(_state_folder(), _of_cluster(ini))
    if kept is None:
        raise click.ClickException(f"no run of {ini} that was OK is remembered; give two files of saved facts")
    return kept


@zcheck.command()
@INI
@click.option("--duration", type=Duration(), default="30s", show_default=True, help="Of each level and database.")
@click.option("--workloads", type=Names(), metavar="NAMES", help="Only these, with commas; all of them by default.")
@click.option("--seed", type=click.IntRange(min=0), help="Replay the schedule of this seed; a new one by default.")
@click.option(
    "--rate", type=click.FloatRange(min=0.1), default=20.0, show_default=True, help="Commits a second over ZEO."
)
@click.option("--history", type=click.Path(dir_okay=False), help="Keep the history here, for zcheck recheck.")
@click.option(
    "--level", type=click.Choice(["zeo", "http", "both"]), default="both", show_default=True, help="Through what."
)
@run_options
@click.pass_context
def isolation(ctx: click.Context, /, ini: str, **options: Any) -> int:
    """Find out what isolation the cluster guarantees, and whether it held: the longer test.

    Writes unreachable objects over ZEO, and one folder through the running clients, and removes them.  The report is
    preflight's; its last lines tell what was read and which level held.
    """
    from zcheck import isolate

    inventory, secret = _inventory(ini)
    options = _completed(ctx, options, inventory.options, inventory.file)
    try:
        plan = isolate.plan(options["workloads"] or (), options["level"], options["duration"], options["seed"])
    except ValueError as error:
        raise click.UsageError(str(error), ctx) from None
    longest_s = 2 * options["duration"] * (1 + (options["level"] == "both"))
    options = {**options, "deadline": options["deadline"] + longest_s, "max_rate": options["rate"]}
    with _interruptible():
        found = _examiner(ctx, "isolation", {**options, "isolation": plan}, secret)(inventory, isolate.left_out(plan))
    if options["history"]:
        _write(options["history"], isolate.recorded(found, plan.seed))
    _deliver(found.report, options)
    if not options["quiet"] and all(path for _, path in options["output"]):
        _echo("\n".join([*isolate.summary(found), f"seed {plan.seed}"]))
    return int(found.report.verdict.exit_code)


@zcheck.command()
@click.argument("history", metavar="HISTORY", type=click.Path(dir_okay=False))
@click.option(
    "--fail-on",
    type=click.Choice(["advice", "warning", "critical"]),
    default="warning",
    show_default=True,
    help="The mildest finding that makes the exit code other than 0.",
)
@click.option("-o", "--output", type=Output(), multiple=True, metavar="FORMAT[:PATH]", help=", ".join(FORMATS))
@click.option(
    "--elle",
    type=click.Choice(["rw-register", "list-append"]),
    help="Print the history as elle-cli reads it, for this model, and judge nothing.",
)
@click.option("-v", "--verbose", is_flag=True, help="Tell each check.")
@click.option("-q", "--quiet", is_flag=True, help="Tell the verdict alone.")
def recheck(history: str, **options: Any) -> int:
    """Judge a saved history again.

    HISTORY is what "zcheck isolation --history" wrote.  One that was cut or edited is UNKNOWN, whatever it says.
    """
    from zcheck import recheck as rechecking
    from zcheck.consistency import record

    try:
        recorded = record.loads(Path(history).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, record.NoHistory) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise click.ClickException(f"{history}: cannot be judged: {reason}") from None
    if options["elle"]:
        for one in recorded.histories:
            _echo(record.elle(one, options["elle"]))
        return UNKNOWN if recorded.faults else 0
    report = rechecking.of_file(recorded, history, options["fail_on"])
    _deliver(report, options)
    if not options["quiet"] and not options["output"]:
        _echo("\n".join(rechecking.summary(recorded.histories)))
    return int(report.verdict.exit_code)


@zcheck.command()
def schema() -> int:
    """Print the JSON Schema of the report."""
    from zcheck.reporters import json

    click.echo(json.schema(), nl=False)
    return 0


@zcheck.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> int:
    """Print the completion script for a shell: eval "$(zcheck completion bash)"."""
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(zcheck, {}, "zcheck", "_ZCHECK_COMPLETE").source())
    return 0


# --- the balancer: HAProxy, the gate, receipts ----------------------------------------------------


BALANCER = click.option("--balancer", metavar="NAME", help="Which [balancer:NAME], where there are several.")
MAX_AGE = click.option(
    "--max-age", type=Duration(), default="10m", show_default=True, help="How long a receipt is good."
)
USE_RECEIPT = click.option("--receipt", metavar="FILE", help="Trust this receipt, if it still holds, instead of a run.")
MIN_UP = click.option(
    "--min-up", type=click.IntRange(0), default=1, show_default=True, help="Servers that stay in rotation."
)


def _gated(command: Callable[..., int]) -> Callable[..., int]:
    """Tell why the gate could not work; nothing was changed then, and the exit code is 3."""

    @functools.wraps(command)
    def guarded(*arguments: Any, **options: Any) -> int:
        from zcheck import gate, receipt
        from zcheck.balancer.render import CannotRender
        from zcheck.balancer.socket import Trouble

        try:
            return command(*arguments, **options)
        except (gate.CannotGate, Trouble, CannotRender, receipt.NoReceipt) as error:
            raise click.ClickException(str(error)) from None

    return guarded


def _examiner(ctx: click.Context, command: str, options: dict[str, Any], secret: Any) -> Callable[..., Any]:
    """A function that runs a whole preflight of an inventory, without the checks of some names."""
    from zcheck import preflight as pipeline
    from zcheck.checks import CATALOGUE
    from zcheck.gather import Settings
    from zcheck.terminal import LiveLines

    def examine(inventory: Any, without: Any) -> Any:
        left_out = {**options, "skip": (*options["skip"], tuple(without))}
        settings = Settings(
            run_id=secrets.token_hex(6),
            offline=options["offline"],
            read_only=options["read_only"],
            timeout_s=options["timeout"],
            deadline_s=options["deadline"],
            state_folder=None if options["no_state"] else _state_folder(),
            max_rate=options["max_rate"],
            pause_file=options["pause_file"],
            isolation=options.get("isolation"),
        )
        reasons = _left_out(ctx, left_out, inventory)
        with LiveLines(inventory.client_names) as lines:
            found = pipeline.examine(
                inventory,
                CATALOGUE,
                settings,
                command=command,
                reasons=reasons,
                secret=secret,
                fail_on=options["fail_on"],
                progress=lines,
                timings=options["timings"],
            )
        if options.get("save_facts"):
            _save_facts(found, reasons, options["save_facts"])
        return found

    return examine


def _must_prove(ctx: click.Context, options: dict[str, Any]) -> None:
    """What opens servers does so by a whole run, or not at all."""
    for name in ("offline", "read_only", "only"):
        if options[name]:
            option = name.replace("_", "-")
            raise click.UsageError(f"--{option} proves too little to open a server by", ctx)


def _gate(inventory: Any, options: dict[str, Any], **settings: Any) -> Any:
    from zcheck import gate

    section = gate.choose(inventory, options["balancer"])
    folder = None if options.get("no_state") else _state_folder()
    own = gate.Settings(timeout_s=options["timeout"], **settings)
    return gate.Gate(inventory, section, own, _complain, folder)


def _told(outcome: Any, options: dict[str, Any]) -> int:
    """The report where there is one to tell, and what is open now."""
    if outcome.examination is not None and (outcome.code or options["output"]):
        from zcheck.preflight import with_code

        _deliver(with_code(outcome.examination.report, outcome.code), options)
    elif not options["quiet"]:
        for what, names in (("opened", outcome.opened), ("closed", outcome.closed)):
            if names:
                _echo(f"{what}: {', '.join(names)}")
        if not outcome.opened and not outcome.closed:
            _echo("nothing was changed")
    return int(outcome.code)


def _of_receipt(inventory: Any, secret: Any, path: str, options: dict[str, Any], *, live: bool = True) -> Any:
    """The receipt, when it still holds for this inventory; refused with every reason where it does not."""
    from zcheck import receipt

    found = receipt.read(path)
    judged = _judged_receipt(found, inventory, secret, options, live=live)
    if os.path.realpath(inventory.file) != found.ini:
        raise receipt.NoReceipt(f"{path}: is of another clients.ini")
    if judged.outcome != "good":
        raise receipt.NoReceipt(f"{path}: does not hold: {'; '.join(judged.reasons)}")
    return found


def _judged_receipt(found: Any, inventory: Any, secret: Any, options: dict[str, Any], *, live: bool) -> Any:
    from zcheck import gather, receipt
    from zcheck.facts import ControlPanel

    panels = None
    if live:
        settings = gather.Settings(run_id="receipt", timeout_s=options["timeout"], deadline_s=30.0)
        wanted = gather.with_what_they_need({ControlPanel})
        panels = gather.Gathering(inventory, settings, wanted, secret, lambda client, what: None).run()
    return receipt.judge(found, max_age_s=options["max_age"], panels=panels, with_balancer=live)


@zcheck.group("haproxy", cls=Suggesting)
def haproxy() -> None:
    """HAProxy in front of the clients: render its configuration, and open what was verified."""


@haproxy.command("render")
@INI
@BALANCER
@click.option("--receipt", metavar="FILE", help="Servers that this receipt covers start open.")
@MAX_AGE
@click.option(
    "--format", "form", type=click.Choice(["haproxy", "buildout"]), default="haproxy", show_default=True, help="What."
)
@_gated
def haproxy_render(ini: str, **options: Any) -> int:
    """Print a haproxy.cfg for the cluster; servers that no fresh receipt covers are disabled.

    With --format buildout the parts of a buildout that make it.  Reads files alone.
    """
    from zcheck import export, gate
    from zcheck.balancer import render
    from zcheck.facts import BalancerSection, IniSection

    inventory, secret = _inventory(ini)
    if inventory.balancers or options["balancer"]:
        section = gate.choose(inventory, options["balancer"])
    else:
        section = BalancerSection("front", IniSection("balancer:front", 1), {"type": "haproxy"})
    verified: Any = ()
    if options["receipt"]:
        verified = _of_receipt(inventory, secret, options["receipt"], options, live=False).clients
    threads = export.threads_of(_files_alone(inventory))
    written = render.buildout if options["form"] == "buildout" else render.haproxy_cfg
    _echo(written(inventory, gate.for_haproxy(section), threads, verified).removesuffix("\n"))
    return 0


def _files_alone(inventory: Any) -> Any:
    """The facts that the clients' files tell."""
    from zcheck import gather
    from zcheck.facts import NotGathered, WsgiConf

    settings = gather.Settings(run_id="files", offline=True)
    wanted = gather.with_what_they_need({WsgiConf})
    return gather.Gathering(inventory, settings, wanted, NotGathered("not asked for"), lambda client, what: None).run()


@haproxy.command("verify")
@INI
@BALANCER
@run_options
@click.pass_context
@_gated
def haproxy_verify(ctx: click.Context, /, ini: str, **options: Any) -> int:
    """Judge the balancer: its files, its health check, and what runs now against clients.ini.

    Changes nothing.  Tells whether enable would work: the socket's rights, and enough health checks.
    """
    from zcheck import gate
    from zcheck.facts import Balancers

    inventory, secret = _inventory(ini)
    options = _completed(ctx, options, inventory.options, inventory.file)
    options["only"] = (*options["only"], ("balancer",))
    door = _gate(inventory, options)
    with _interruptible():
        examination = _examiner(ctx, "haproxy verify", options, secret)(inventory, ())
        read = examination.facts.raw(Balancers)
        wrong = list(gate.wrongs(door, read.confs.get(door.section.name) if isinstance(read, Balancers) else None))
    _deliver(examination.report, options)
    for line in wrong:
        _complain(line)
    code = examination.report.verdict.exit_code
    return 2 if wrong else int(code)


@haproxy.command("status")
@INI
@BALANCER
@click.option("--watch", is_flag=True, help="Show it again and again, until Ctrl-C.")
@click.option("--interval", type=Duration(), default="2", show_default=True, help="Between two looks.")
@click.option("--timeout", type=Duration(), default="5", show_default=True, help="One wait for HAProxy.")
@_gated
def haproxy_status(ini: str, **options: Any) -> int:
    """Show every server: open or closed, its health, users, queue, errors, and when it was verified."""
    inventory, _ = _inventory(ini)
    door = _gate(inventory, options)
    while True:
        text = _table(door)
        if options["watch"] and _width() is not None:
            click.clear()
        _echo(text)
        if not options["watch"]:
            return 0
        sys.stdout.flush()
        time.sleep(options["interval"])


def _table(door: Any) -> str:
    """The servers in columns."""
    from zcheck import gate
    from zcheck.receipt import spoken

    lines: list[tuple[str, ...]] = [
        ("server", "client", "state", "health", "for", "sessions", "queue", "total", "errors", "verified", "")
    ]
    for row in gate.rows(door):
        verified = f"{spoken(time.time() - row.opened_at)} ago" if row.opened_at is not None else "-"
        figures = (row.sessions, row.queued, row.total, row.errors)
        known = (row.server, row.client or "-", row.state, row.health, spoken(row.since_s))
        lines.append((*known, *map(str, figures), verified, row.note))
    widths = [max(len(line[at]) for line in lines) for at in range(len(lines[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)


@haproxy.command("enable")
@INI
@click.argument("clients", nargs=-1)
@BALANCER
@USE_RECEIPT
@MAX_AGE
@click.option("--close-failed", is_flag=True, help="Close open servers whose clients failed, but never below --min-up.")
@MIN_UP
@click.option("--admit-timeout", type=Duration(), default="60", show_default=True, help="For a server's health checks.")
@run_options
@click.pass_context
@_gated
def haproxy_enable(ctx: click.Context, /, ini: str, clients: tuple[str, ...], **options: Any) -> int:
    """Open the servers of these clients (of all that are balanced), after a preflight has proven them.

    What is open is left as it is.  Where something is open, a client that disagrees with it is refused; where nothing
    is, one finding about a client to be opened opens none.
    """
    from zcheck import gate

    inventory, secret = _inventory(ini)
    options = _completed(ctx, options, inventory.options, inventory.file)
    _must_prove(ctx, options)
    settings = {"min_up": options["min_up"], "fail_on": options["fail_on"], "admit_s": options["admit_timeout"]}
    door = _gate(inventory, options, **settings)
    with _interruptible(), door.alone():
        verified = None
        if options["receipt"]:
            verified = _of_receipt(inventory, secret, options["receipt"], options).clients
        examine = _examiner(ctx, "haproxy enable", options, secret)
        outcome = gate.enable(door, clients, examine, verified=verified, close_failed=options["close_failed"])
    return _told(outcome, options)


@haproxy.command("drain")
@INI
@click.argument("client")
@BALANCER
@MIN_UP
@click.option("--drain-timeout", type=Duration(), default="30", show_default=True, help="For users to leave.")
@click.option("--finish-timeout", type=Duration(), default="5m", show_default=True, help="For requests to end.")
@click.option("--timeout", type=Duration(), default="5", show_default=True, help="One wait for HAProxy.")
@_gated
def haproxy_drain(ini: str, client: str, **options: Any) -> int:
    """Take a client's server out of rotation: no new users, then none, and wait until its requests have ended."""
    from zcheck import gate

    inventory, _ = _inventory(ini)
    waits = {"drain_s": options["drain_timeout"], "finish_s": options["finish_timeout"]}
    door = _gate(inventory, options, min_up=options["min_up"], **waits)
    with _interruptible(), door.alone():
        outcome = gate.drain(door, client)
    for name in outcome.closed:
        _echo(f"closed: {name}")
    return int(outcome.code)


@zcheck.command("rolling-restart")
@INI
@click.argument("clients", nargs=-1)
@click.option(
    "--command",
    required=True,
    metavar="COMMAND",
    help="What restarts a client; {client}, {machine}, {server} and {address} are filled in. No shell is used.",
)
@click.option("--warm-up", multiple=True, metavar="PATH", help="Ask this of a client before it is opened. Repeatable.")
@click.option(
    "--changing", type=Names(), default="", metavar="NAMES", help="Checks that may fail until all are restarted."
)
@BALANCER
@MIN_UP
@click.option("--admit-timeout", type=Duration(), default="60", show_default=True, help="For a server's health checks.")
@click.option("--drain-timeout", type=Duration(), default="30", show_default=True, help="For users to leave.")
@click.option("--finish-timeout", type=Duration(), default="5m", show_default=True, help="For requests to end.")
@click.option("--start-timeout", type=Duration(), default="2m", show_default=True, help="For a client to come back.")
@run_options
@click.pass_context
@_gated
def rolling_restart(ctx: click.Context, /, ini: str, clients: tuple[str, ...], **options: Any) -> int:
    """Restart one client after the other behind the balancer; no request is lost.

    Each is taken out, restarted, verified, warmed up and put in again, never with fewer than --min-up others in
    rotation.  It ends at the first that does not come back verified, and leaves that one closed.
    """
    from zcheck import gate

    inventory, secret = _inventory(ini)
    options = _completed(ctx, options, inventory.options, inventory.file)
    _must_prove(ctx, options)
    door = _gate(
        inventory,
        options,
        min_up=options["min_up"],
        fail_on=options["fail_on"],
        admit_s=options["admit_timeout"],
        drain_s=options["drain_timeout"],
        finish_s=options["finish_timeout"],
        start_s=options["start_timeout"],
    )
    # That a conf was edited since a client started is a reason to restart it, and not one against it.
    changing = (*options["changing"], "client-restarted-since-edit")
    restart = gate.Restart(options["command"], options["warm_up"], changing)
    with _interruptible(), door.alone():
        outcome = gate.rolling_restart(
            door, clients, _examiner(ctx, "rolling-restart", options, secret), restart, secret
        )
    return _told(outcome, options)


@zcheck.command()
@click.argument("file", metavar="FILE", type=click.Path(dir_okay=False))
@MAX_AGE
@click.option("--timeout", type=Duration(), default="5", show_default=True, help="One wait for a peer.")
@_gated
def receipt(file: str, **options: Any) -> int:
    """Tell whether an earlier OK still holds: nothing has changed, the processes are the same, and it is fresh.

    Exit code 0: it does; 2: it does not; 3: it cannot be told.
    """
    from zcheck import receipt as receipts

    found = receipts.read(file)
    age = receipts.spoken(time.time() - found.made_at)
    told = f"{found.cluster}: {len(found.clients)} clients, verified {age} ago"
    unchanged = receipts.judge(found, max_age_s=options["max_age"], panels=None)
    if unchanged.outcome == "good":
        inventory, secret = _inventory(found.ini)
        unchanged = _judged_receipt(found, inventory, secret, options, live=True)
    for reason in unchanged.reasons:
        _echo(reason)
    verdict = {"good": "OK", "bad": "CRITICAL", "unknown": "UNKNOWN"}[unchanged.outcome]
    _echo(f"{verdict}: {told}{'' if unchanged.outcome == 'good' else '; it does not hold any more'}")
    return {"good": 0, "bad": 2, "unknown": UNKNOWN}[unchanged.outcome]


@zcheck.command("export")
@INI
@click.option("--format", "form", type=click.Choice(["json", "hosts"]), default="json", show_default=True, help="How.")
@USE_RECEIPT
@MAX_AGE
@run_options
@click.pass_context
@_gated
def export_command(ctx: click.Context, /, ini: str, **options: Any) -> int:
    """Print the verified clients for another balancer: JSON, or one HOST:PORT a line.

    Exit code 0 when there is one at least, else 3; who was left out, and why, is told on stderr.
    """
    from zcheck import export, gate

    inventory, secret = _inventory(ini)
    options = _completed(ctx, options, inventory.options, inventory.file)
    _must_prove(ctx, options)
    if options["receipt"]:
        verified = _of_receipt(inventory, secret, options["receipt"], options).clients
        found = export.export(inventory, (), export.threads_of(_files_alone(inventory)), verified)
    else:
        with _interruptible():
            examination = _examiner(ctx, "export", options, secret)(inventory, ("balancer",))
        findings = gate.failing(examination, options["fail_on"])
        found = export.export(inventory, findings, export.threads_of(examination.facts))
    for name, why in found.left_out.items():
        _complain(f"{name}: left out: {why}")
    click.echo(export.text(found, options["form"]), nl=False)
    return 0 if found.clients else UNKNOWN
