"""How a run may behave, and the longer test of isolation that it may do."""

from __future__ import annotations

import msgspec

from zcheck.facts import Facts

LONG_S = 60.0
"""From how long on a test of isolation is judged while it goes on, and what was judged is dropped."""
WINDOW_S = 10.0


class Isolation(msgspec.Struct, frozen=True):
    """The longer test of isolation, in place of preflight's short one, at one level or at both."""

    duration_s: float
    workloads: tuple[str, ...]
    seed: int
    zeo: bool = True
    http: bool = True
    history: str | None = None
    """The file to which histories are written while they are made."""

    @property
    def window_s(self) -> float | None:
        """A long test is judged after each so many seconds, and what was judged is dropped; None: all is kept."""
        return WINDOW_S if self.duration_s > LONG_S else None


class Settings(msgspec.Struct, frozen=True):
    """How a run may behave; times in seconds."""

    run_id: str
    offline: bool = False
    read_only: bool = False
    timeout_s: float = 5.0
    deadline_s: float = 60.0
    today: str = ""
    """The day of the run: an ISO date, UTC."""
    state_folder: str | None = None
    """Where journals are kept; None: nowhere."""
    may_ask_servers: bool = True
    """Whether a run that writes nothing may send the one request by which a client asks its ZEO server."""
    judges_rotation: bool = False
    """Whether what a running balancer does is a finding of this command; else it is a note."""
    max_rate: float = 100.0
    """Commits a second, after a first burst of as many."""
    pause_file: str | None = None
    """While a file of this name exists no write is begun."""
    isolation: Isolation | None = None
    gathered: Facts = Facts()
    """What ``zcheck gather`` found on the clients' own machines, for the clients of which there is something."""
