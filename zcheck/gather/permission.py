"""May a request be sent, may something be written, now?"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from zcheck.facts import ControlPanel, KnownApart, KnownBroken, LeftOut, NotGathered, targets
from zcheck.facts.history import ZeoHistories
from zcheck.gather.run import Run, side_by_side
from zcheck.system.duty import ASSUMED_HOLD_S, Duty

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
    if run.duty is None:
        run.duty = Duty(run.settings.max_rate, time.monotonic())
    time.sleep(min(run.duty.wait_s(time.monotonic()), run.deadline.left()))
    # When its commit ends is not seen from here: the next may begin so long after this one has begun.
    run.duty.held(_hold_s(run), time.monotonic())
    return ""


def recall(run: Run) -> None:
    """What earlier runs found broken: it is known of processes, and stays so until something proves the contrary."""
    from zcheck.system import state

    panels = {
        one.name: panel
        for one in run.inventory.clients
        if isinstance(panel := run.facts.raw(ControlPanel, one.name), ControlPanel)
    }
    processes = {name: panel.process_id for name, panel in panels.items() if panel.process_id is not None}
    kept = state.unanswered(run.settings.state_folder)
    # Another process has a connection of its own.
    run.owing = {
        str(one.dialled): kept[str(one.dialled)]
        for one in run.inventory.clients
        if str(one.dialled) in kept
        and (one.name not in panels or kept[str(one.dialled)].process_id == panels[one.name].process_id)
    }
    still = {one.name: run.owing[str(one.dialled)] for one in run.inventory.clients if str(one.dialled) in run.owing}
    still = {name: owes for name, owes in still.items() if name in panels}
    waits = side_by_side({name: partial(_may_wait, run, name, owes) for name, owes in still.items()}, run.deadline.left)
    run.may_wait = frozenset(str(run.inventory.client(name).dialled) for name, waiting in waits.items() if waiting)
    apart = tuple(
        KnownApart(one.database, (first, second), _moment(one.at))
        for one in state.apart(run.settings.state_folder, run.inventory.file)
        for first, second in [sorted(one.processes)]
        if all(processes.get(name) == process for name, process in one.processes.items())
    )
    run.keep("", KnownBroken({name: _moment(owes.at) for name, owes in still.items()}, apart))


def _may_wait(run: Run, client: str, owes: state.Unanswered) -> bool:
    """Whether a thread of the client may still wait for the answer that it owes.

    Its own list of open database connections tells how long each has been held by a request; nobody is asked for that.
    """
    import time

    from zcheck.probes import http
    from zcheck.system import state

    age_s = time.time() - owes.at
    credentials = run.inventory.credentials
    if age_s >= state.ASK_AGAIN_AFTER_S or credentials is None or isinstance(run.secret, NotGathered):
        return age_s < state.ASK_AGAIN_AFTER_S
    one = run.inventory.client(client)
    held_s = http.probe_longest_request(one, credentials.user, run.secret, run.settings.timeout_s, run.inventory.hosts)
    return held_s is None or held_s > age_s - SAME_MOMENT_S


SAME_MOMENT_S = 2.0
"""How much earlier than it is remembered a question may have been asked, beside its own wait."""


def _moment(at: float) -> str:
    import datetime

    return datetime.datetime.fromtimestamp(at, datetime.timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")


def _hold_s(run: Run) -> float:
    """How long a commit of ours holds the lock: as long as one over the storage did; else a guess."""
    fact = run.facts.raw(ZeoHistories)
    histories = fact.histories if isinstance(fact, ZeoHistories) else ()
    return max((one.held_s for one in histories if one.held_s is not None), default=ASSUMED_HOLD_S)


def remember_who_hung(run: Run, hung: Iterable[str], answered: Iterable[str]) -> None:
    """Keep whose thread may still wait for its ZEO server, so that the next run does not take another one."""
    import time

    from zcheck.system import state

    before = state.unanswered(run.settings.state_folder)
    own = {str(client.dialled) for client in run.inventory.clients}
    # What was kept of other clusters stays; of this one's clients, what is still known of their processes.
    kept = {where: one for where, one in before.items() if where not in own} | dict(run.owing)
    for name in hung:
        panel = run.facts.raw(ControlPanel, name)
        process = panel.process_id if isinstance(panel, ControlPanel) else None
        kept[str(run.inventory.client(name).dialled)] = state.Unanswered(process, time.time())
    for name in answered:
        kept.pop(str(run.inventory.client(name).dialled), None)
    run.owing = {where: one for where, one in kept.items() if where in own}
    if kept != before:
        state.keep_unanswered(run.settings.state_folder, kept)
    for name in hung:
        # Its Control Panel hung by the same cause: one finding tells both.
        if isinstance(run.facts.raw(ControlPanel, name), NotGathered):
            because = LeftOut("it hangs when it has to ask its storage", "client-is-connected-to-zeo")
            run.keep(name, because, ControlPanel)


def why_not_asked(door: HttpTarget) -> str:
    return (
        f"{door.name} did not answer an earlier run when it had to ask its {door.storage}, and one of its threads may"
        " wait still, so it was not asked again: restart it"
    )
