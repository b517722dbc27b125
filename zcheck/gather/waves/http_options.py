"""What every test through the running clients is told."""

from __future__ import annotations

from functools import partial
from typing import Any

from zcheck.gather import permission, routes
from zcheck.gather.run import Run

LOG_S = 2.0
"""How long the storage's log of a short run's documents may take to be read."""


def recorded(run: Run, database: str, place: str = "") -> dict[str, Any]:
    """How the history of a folder is kept: with the storage's own log, by which it can be judged exactly."""
    from zcheck.consistency.http.names import folder_id
    from zcheck.consistency.recording.writer import Tape

    worker, longer = run.worker, run.settings.isolation
    told: dict[str, Any] = {}
    if worker is not None and run.ways:
        folder = folder_id(run.settings.run_id)
        # A busy server has long lists: of a short run they are read where that is cheap.
        reserved_s = run.deadline.reserved_s
        within_s = reserved_s if longer is not None else min(LOG_S, reserved_s / 2)
        told["log"] = lambda after, containers: worker.versions(
            database, folder, within_s=within_s, after=after, containers=containers
        )
    if longer is not None and not place:
        taped = routes.tape(run, "http", database)
        told |= {
            "go_on_s": longer.duration_s,
            "tape": Tape(*taped) if taped is not None else None,
            "window_s": longer.window_s if "log" in told else None,
            "tell": lambda so_far: run.progress("", f"through the running clients, {so_far}"),
        }
    return told


def through_clients(run: Run, user: str, secret: str) -> dict[str, Any]:
    """What every level through the running clients is told."""
    return {
        "user": user,
        "password": secret,
        "run_id": run.settings.run_id,
        "before_write": partial(permission._before_write, run),
        "timeout_s": run.settings.timeout_s,
        "deadline": run.deadline.left,
        "progress": run.progress,
        "hosts": run.inventory.hosts,
        "clean_up_s": run.deadline.reserved_s,
    }
