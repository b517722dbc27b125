"""One spelling for one path, by the rules of the machine that it is a path of.

Windows knows no case and both slashes; a path that is Windows' shows it by a drive letter, by a share or by a
backslash, as does the folder that a relative path is joined to.
"""

from __future__ import annotations

import ntpath
import posixpath
import re

_OF_WINDOWS = re.compile(r"[a-zA-Z]:[\\/]|\\\\|[^\\]*\\")


def is_windows(path: str) -> bool:
    """Whether this is a path of Windows: ``C:\\Zope``, ``c:/zope``, ``\\\\server\\share``, ``var\\cache``."""
    return _OF_WINDOWS.match(path) is not None


def normal_path(path: str, base: str = "") -> str:
    """One spelling for one path; a relative one is joined to ``base``."""
    if is_windows(path) or is_windows(base):
        return ntpath.normcase(ntpath.normpath(ntpath.join(base, path)))
    return posixpath.normpath(posixpath.join(base, path))


def is_absolute(path: str) -> bool:
    """Whether a path says where it is by itself, on Windows too."""
    return path.startswith(("/", "\\\\")) or path[1:3] in (":\\", ":/")


def is_below(path: str, folder: str) -> bool:
    """Whether a path, in its one spelling, lies in a folder."""
    return path.startswith((f"{folder.rstrip('/')}/", f"{folder.rstrip(chr(92))}\\"))
