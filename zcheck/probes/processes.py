"""Are two running clients one process?  Asked only where two of them look alike.

A process id is unique on one machine and nowhere else: in containers nearly every client has the same one, and those
of one deployment start in the same second.  What only the process itself can know tells them apart: the moment at which
it first counted its references, which it shows as long as it lives.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import msgspec

from zcheck.facts import ControlPanel
from zcheck.probes.http import FirstCount

ALL_S = 15.0
"""What all these looks may take in one run."""
BETWEEN_S = 1.1
"""Between two looks, so that two processes that were never asked before show two different seconds."""


def look_alike(panels: Mapping[str, ControlPanel]) -> list[list[str]]:
    """The clients, two or more together, that may be one process by what their Control Panels say."""
    groups: list[list[str]] = []
    for name, panel in panels.items():
        if panel.process_id is None:
            continue
        for group in groups:
            if panels[group[0]].may_be(panel):
                group.append(name)
                break
        else:
            groups.append([name])
    return [group for group in groups if len(group) > 1]


def told_apart(
    panels: Mapping[str, ControlPanel], look: Callable[[str], FirstCount | None], left: Callable[[], float]
) -> dict[str, ControlPanel]:
    """The panels of those that look alike, with what ``look`` says of each, one after the other.

    Two that were never looked at before must not be looked at in one second; that is waited for once in the life of a
    process, and what there is no time for is left to the next run.
    """
    found: dict[str, ControlPanel] = {}
    end = time.monotonic() + ALL_S
    fresh = False
    for name in (name for group in look_alike(panels) for name in group):
        if left() <= BETWEEN_S or time.monotonic() > end:
            break
        if fresh:
            time.sleep(BETWEEN_S)
        count = look(name)
        fresh = count is not None and count.fresh
        found[name] = msgspec.structs.replace(panels[name], references_at=None if count is None else count.at)
    return found
