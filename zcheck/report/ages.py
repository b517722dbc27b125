"""How old what is told is, in words."""

from __future__ import annotations

import datetime

import msgspec

from zcheck.report.structs import Run


def spoken(seconds: float) -> str:
    """``90 s``, ``15 min``, ``3 h``, ``2 days``."""
    for limit, unit, name in ((120, 1, "s"), (7200, 60, "min"), (172800, 3600, "h")):
        if seconds < limit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds / 86400:.0f} days"


def aged(run: Run, now: float) -> Run:
    """The same run, looked at ``now`` (seconds since the epoch); as it is where nobody can tell when it began."""
    begun = _begun(run)
    return run if begun is None else msgspec.structs.replace(run, age_s=round(now - begun.timestamp(), 3))


def age_note(run: Run) -> str:
    """That facts are not of today, for a person; empty where they were gathered by the run that judged them."""
    begun = _begun(run)
    if run.age_s is msgspec.UNSET or begun is None:
        return ""
    moment = begun.strftime("%Y-%m-%d %H:%M UTC")
    if run.age_s < 0:
        return f"these facts were gathered at {moment}, which by this machine's clock is still to come"
    return f"these facts were gathered {spoken(run.age_s)} ago, {moment}; the cluster may have changed since"


def _begun(run: Run) -> datetime.datetime | None:
    try:
        begun = datetime.datetime.fromisoformat(run.started.replace("Z", "+00:00"))
    except ValueError:
        return None
    return begun if begun.tzinfo is not None else None
