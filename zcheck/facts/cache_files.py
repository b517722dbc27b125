"""Where a Zope client keeps its persistent ZEO cache, by its zope.conf."""

from __future__ import annotations

from typing import NamedTuple

from zcheck.facts.config import Database, Setting, ZopeConf
from zcheck.facts.paths import is_absolute, normal_path


class CacheFile(NamedTuple):
    """A cache file: its database, its name, its path, and the lines that decide where it is."""

    database: str
    lines: tuple[Setting, ...]
    """``client`` or ``cache-path`` first; ``storage`` where it is given."""
    name: str
    path: str
    folder_lines: tuple[Setting, ...]
    """The line that names the folder of a path that does not; empty for the working directory, too."""

    @property
    def is_known(self) -> bool:
        """Whether the path says by itself where the file is."""
        return is_absolute(self.path) and not any(line.unresolved for line in (*self.lines, *self.folder_lines))


def cache_lines(database: Database) -> tuple[Setting, ...]:
    """The lines of a storage on ZEO that keeps its cache in a file; none of another."""
    leaf = database.leaf
    first = (leaf.first("client") or leaf.first("cache-path")) if leaf is not None and database.is_zeo else None
    if leaf is None or first is None:
        return ()
    return tuple(line for key in ("client", "cache-path", "storage") for line in leaf.all(key))


def cache_file(conf: ZopeConf, database: Database) -> CacheFile | None:
    """Where a storage keeps its cache (ZEO.ClientStorage, ZEO.zconfig); None: in a temporary file, which is its own.

    Without ``var`` the file is in the working directory, which is taken to be the instance's own home.
    """
    lines, leaf = cache_lines(database), database.leaf
    if not lines or leaf is None:
        return None
    first = lines[0]
    name = first.value if first.key == "cache-path" else f"{first.value}-{database.storage_name}.zec"
    folder = () if is_absolute(name) else (*leaf.all("var"), *conf.top.all("instancehome"))
    home = conf.top.value("instancehome", f"the working directory of {conf.file}")
    path = normal_path(name, normal_path(leaf.value("var", home), home))
    return CacheFile(database.name, lines, name, path, folder[:1])
