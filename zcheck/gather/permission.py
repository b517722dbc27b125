"""May a request be sent, may something be written, now?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from zcheck.facts import ControlPanel, LeftOut, NotGathered, targets
from zcheck.gather.run import Run

if TYPE_CHECKING:
    from zcheck.consistency.http.client import HttpTarget
    from zcheck.system import state


def gently(run: Run) -> dict[str, Any]:
    return {"max_rate": run.settings.max_rate, "pause_file": run.settings.pause_file}


def locked(run: Run, ways: list[targets.ZeoTarget]) -> str:
    """Why nothing may be written now: somebody holds a commit lock; empty where nobody does."""
    from zcheck.probes import zeo

    for storage, dialled in dict.fromkeys((way.storage, dialled) for way in ways for dialled in way.dialled):
        asked = run.asked.get(dialled)
        if asked is None or isinstance(asked, NotGathered) or storage not in asked.storages:
            continue
        reason = zeo.wait_until_free(dialled, storage, timeout_s=min(run.settings.timeout_s, run.within_s())).reason
        if reason:
            return reason
    return ""


def _before_write(run: Run, client: str) -> str | None:
    """A look at the commit locks of this client's servers, right before a write through it, and no haste."""
    paused = _wait_for_our_turn(run)
    if paused:
        return paused
    own = [way for way in targets.zeo_targets(run.facts) if way.client == client]
    return locked(run, own) or None


def _wait_for_our_turn(run: Run) -> str:
    """Keep the rate of writes through the clients, and wait while the pause file exists; why not, in the end."""
    import os
    import time

    while run.settings.pause_file is not None and os.path.exists(run.settings.pause_file):  # noqa: PTH110
        if not run.deadline.left():
            return f"{run.settings.pause_file} told zcheck to pause"
        time.sleep(0.1)
    run.writes_over_http += 1
    too_early_s = (run.writes_over_http - run.settings.max_rate) / run.settings.max_rate - (
        time.monotonic() - run.began
    )
    time.sleep(min(max(too_early_s, 0.0), run.deadline.left()))
    return ""


def remember_who_hung(
    run: Run, owing: Mapping[str, state.Unanswered], hung: Iterable[str], answered: Iterable[str]
) -> None:
    """Keep whose thread may still wait for its ZEO server, so that the next run does not take another one."""
    import time

    from zcheck.system import state

    kept = dict(owing)
    for name in hung:
        panel = run.facts.raw(ControlPanel, name)
        process = panel.process_id if isinstance(panel, ControlPanel) else None
        kept[str(run.inventory.client(name).dialled)] = state.Unanswered(process, time.time())
    for name in answered:
        kept.pop(str(run.inventory.client(name).dialled), None)
    if kept != owing:
        state.keep_unanswered(run.settings.state_folder, kept)
    for name in hung:
        # Its Control Panel hung by the same cause: one finding tells both.
        if isinstance(run.facts.raw(ControlPanel, name), NotGathered):
            because = LeftOut("it hangs when it has to ask its ZEO server", "client-is-connected-to-zeo")
            run.keep(name, because, ControlPanel)


def why_not_asked(door: HttpTarget) -> str:
    return (
        f"{door.name} did not answer an earlier run when it had to ask its ZEO server, and one of its threads may wait"
        " still, so it was not asked again: restart it"
    )
