"""Whether the clock of zcheck's own machine can be compared with anything."""

from __future__ import annotations

from zcheck.facts import Facts, OwnClock

OWN_CLOCK_WAS_SET = "the clock of zcheck's own machine was set during this run"


def own_clock_was_set(facts: Facts) -> bool:
    """Where it was, no time of another machine or of a file can be called wrong by it."""
    own = facts.maybe(OwnClock)
    return own is not None and own.set_by_s is not None
