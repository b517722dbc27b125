"""What may stand in the place of any fact: that it was not gathered, or left out."""

from __future__ import annotations

import msgspec


class NotGathered(msgspec.Struct, frozen=True, tag=True):
    """A fact that was wanted and could not be had; a check that needs it is UNKNOWN."""

    reason: str
    hint: str = ""
    """What to do so that it can be had."""
    told_by: str = ""
    """Of the checks that need it, the one that is UNKNOWN for this reason; the others are skipped because of it.

    Several names, with blanks between: the first that is part of the run.
    """
    file: str = ""
    line: int | None = None
    """The line that is to be mended, where one is known."""


class LeftOut(msgspec.Struct, frozen=True, tag=True):
    """A fact that nobody wanted or that cannot exist; a check that needs it is skipped.

    ``because`` names the check whose finding is the cause, where there is one.
    """

    reason: str
    because: str | None = None
