"""The catalogue: one check is one file and one page, in a folder for its stage.

``CATALOGUE`` is written by hand, in the order in which checks are judged and told; a test proves it complete.
"""

from __future__ import annotations

from zcheck.check import Check

CATALOGUE: tuple[Check, ...] = (
    # inventory
    # config
    # reach
    # identity
    # consistency
    # balancer
)
