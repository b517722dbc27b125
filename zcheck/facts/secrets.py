"""Which names speak of a secret: their values are shown nowhere, and nobody is asked to write them into clients.ini."""

from __future__ import annotations

import re

_SECRET_NAME = re.compile(r"pass|secret|token|key|credential", re.IGNORECASE)


def speaks_of_a_secret(name: str) -> bool:
    """Whether a key or variable of this name holds something that must not be shown."""
    return _SECRET_NAME.search(name) is not None
