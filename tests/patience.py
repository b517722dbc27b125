"""Limits for what has to be quick: they hold on an idle machine, and stretch with what else the machine has to do."""

from __future__ import annotations

import os

CORES = os.cpu_count() or 1


def patient(limit_s: float) -> float:
    """The limit on this machine now: where five programs want each core, each of them takes five times as long.

    What it is for is told apart all the same: something that ends by itself, and something that hangs.
    """
    busy = os.getloadavg()[0] / CORES
    # The average lags behind by a minute.
    return limit_s * max(1.0, 2 * busy)
