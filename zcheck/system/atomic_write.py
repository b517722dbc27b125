"""Files that are written whole: who reads one finds the old one or the new one, never a part."""

from __future__ import annotations

import os
from pathlib import Path


def write(path: str, content: bytes, mode: int | None = None) -> None:
    """Put it there; OSError where that cannot be done.

    ``mode``: who may read it; by default as the user's umask has it.  What is no file of its own, such as a pipe,
    ``/dev/null`` or ``/dev/stdout``, is written into: nothing may take its place.  A symlink stays one.
    """
    target = Path(path)
    if path.startswith(("/dev/", "/proc/")) or (target.exists() and not target.is_file()):
        with target.open("wb") as stream:
            stream.write(content)
        return
    target = target.resolve()
    unfinished = Path(f"{target}.{os.getpid()}.part")
    try:
        unfinished.write_bytes(content)
        if mode is not None:
            unfinished.chmod(mode)
        unfinished.replace(target)
    except OSError:
        unfinished.unlink(missing_ok=True)
        raise
