"""Whether a running client is younger than its zope.conf, which it does not read again."""

from __future__ import annotations

import posixpath

from zcheck.facts import ControlPanel, Facts, Names, SeenThere, ZopeConf, addresses


def started_and_written(facts: Facts, client: str) -> tuple[float, float] | str:
    """The latest moment at which a client can have started, and when its file was written; or why that says nothing.

    By ``via`` both are by the clock of the client's own machine; else the file is one of zcheck's own machine.
    """
    there = _there(facts.each(SeenThere).get(client))
    if there is not None:
        return there
    panel, conf = facts.each(ControlPanel).get(client), facts.each(ZopeConf).get(client)
    if panel is None:
        return "its Control Panel was not read"
    return (
        _why_not(facts, client, panel, conf)
        or _here(panel, conf)
        or "its Control Panel does not show since when it runs"
    )


def is_younger_than_its_file(facts: Facts, client: str) -> bool:
    """Whether it surely started after its file was written, and so runs with what is in it."""
    times = started_and_written(facts, client)
    panel = facts.each(ControlPanel).get(client)
    if isinstance(times, str):
        return False
    there = _there(facts.each(SeenThere).get(client)) is not None
    earliest = times[0] if there or panel is None or panel.started_at is None else panel.started_at[0]
    return earliest >= times[1]


def _there(seen: SeenThere | None) -> tuple[float, float] | None:
    """When the process was started and its file written, both by the clock of the client's own machine."""
    if seen is None or not seen.is_inside or seen.process is None or seen.process.started_at is None:
        return None
    return None if seen.conf_mtime is None else (seen.process.started_at, seen.conf_mtime)


def _here(panel: ControlPanel, conf: ZopeConf | None) -> tuple[float, float] | None:
    """The latest moment at which the process can have started, and when the file was written."""
    started = panel.started_at
    return None if conf is None or conf.mtime is None or started is None else (started[1], conf.mtime)


def _why_not(facts: Facts, client: str, panel: ControlPanel, conf: ZopeConf | None) -> str:
    """Why the file's time says nothing about the process; empty where it does."""
    names = facts.maybe(Names)
    if not addresses.is_here(facts.inventory.client(client).machine, facts.inventory, names):
        return "its zope.conf is that of another machine: the time of a copy says nothing"
    if conf is None or conf.mtime is None:
        return "when its zope.conf was written is not known"
    home = conf.top.first("instancehome")
    if home is not None and panel.instance_home and posixpath.normpath(home.value) != panel.instance_home:
        return f"it runs in {panel.instance_home}, which is not what its zope.conf names"
    return ""
