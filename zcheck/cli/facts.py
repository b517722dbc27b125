"""What was gathered, as a file: what changed between two of them."""

from __future__ import annotations

import click

from zcheck.cli.output import echo
from zcheck.cli.runs import load_facts, of_cluster, state_folder


@click.command()
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
    new = load_facts(files[-1])
    old = load_facts(files[0] if len(files) == 2 else _last_good(new.facts.inventory.file))
    reports = [pipeline.judge_again(saved, CATALOGUE, {}) for saved in (old, new)]
    changes = differences(old.facts, new.facts, *reports)
    echo("\n".join(map(str, changes)) if changes else f"nothing changed since {old.run.started}")
    return 1 if changes else 0


def _last_good(ini: str) -> str:
    from zcheck.probes import state

    kept = state.good(state_folder(), of_cluster(ini))
    if kept is None:
        raise click.ClickException(f"no run of {ini} that was OK is remembered; give two files of saved facts")
    return kept
