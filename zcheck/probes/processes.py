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
    panels: Mapping[str, ControlPanel], look: Callable[[str], str | None], left: Callable[[], float]
) -> dict[str, ControlPanel]:
    """The panels of those that look alike, with what ``look`` says of each, one after the other."""
    found: dict[str, ControlPanel] = {}
    for group in look_alike(panels):
        for number, name in enumerate(group):
            if left() <= BETWEEN_S:
                return found
            time.sleep(BETWEEN_S if number else 0.0)
            found[name] = msgspec.structs.replace(panels[name], references_at=look(name))
    return found
