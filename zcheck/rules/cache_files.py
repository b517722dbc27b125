"""What a hint says of the ZEO cache of a client that was on another database.

A ZEO client asks the server for what changed since the last transaction that its cache knows. Transactions of another
storage are none that the right server could invalidate: what was cached there is shown for ever.
"""

from __future__ import annotations

from collections.abc import Iterable

from zcheck.facts import Facts, ZopeConf
from zcheck.facts.backing import runs_without_zeo
from zcheck.facts.cache_files import cache_file

MOST_FILES = 6
UNNAMED = "its ZEO cache file (client and var in zope.conf)"


def kept(facts: Facts, client: str, database: str) -> str | None:
    """The cache file that must go, as a hint names it; None where the client surely keeps none."""
    conf = facts.each(ZopeConf).get(client)
    if conf is None:
        return None if runs_without_zeo(facts, client, database) else UNNAMED
    own = conf.database(database)
    found = cache_file(conf, own) if own is not None else None
    if found is None:
        return None
    return found.path if found.is_known else UNNAMED


def restarted(facts: Facts, client: str, database: str) -> str:
    """How one client is restarted that was on another database."""
    file = kept(facts, client, database)
    return f"stop {client}, remove {file}, and start it" if file else f"restart {client}"


def without_caches(facts: Facts, clients: Iterable[str], database: str) -> str:
    """The end of a hint, for those of several clients that were on another database; empty where none keeps a file."""
    files = {client: file for client in clients if (file := kept(facts, client, database))}
    named = [f"{file} of {client}" for client, file in files.items() if file != UNNAMED]
    if not files:
        return ""
    more = len(named) - MOST_FILES
    shown = "; ".join([*named[:MOST_FILES], *([f"and {more} more"] if more > 0 else [])])
    which = f"its ZEO cache file ({shown})" if named else UNNAMED
    return f"; stop each client that was on another database, remove {which}, and start it"
