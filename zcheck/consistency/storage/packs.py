"""Whether a storage may have been packed while a run wrote: what is missing from its log then tells nothing.

A pack removes replaced versions and, with garbage collection, every object that nothing refers to, which zcheck's
markers are.  Nothing older than its moment can be undone afterwards: so as long as something from before can be undone,
there was none.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from zcheck.consistency.storage import markers
from zcheck.consistency.storage.common import NoAnswer

if TYPE_CHECKING:
    from zcheck.consistency.storage.connection import Connection

MOST_LISTED = 1000


def listed_as_undoable(connection: Connection, most: int = MOST_LISTED) -> list[int] | None:
    """The newest transactions that could be undone, newest first; None where that is off, as while a pack goes on."""
    try:
        found = connection.call("undoInfo", 0, -most, None)
    except NoAnswer:
        raise
    except Exception:  # as the server words it
        return None
    return [markers.number(base64.decodebytes(one["id"] + b"\n")) for one in found]


def may_be_packed_since(connection: Connection, tid: int) -> bool:
    """Whether the storage may have been packed after this transaction.  Storages that undo nothing are not told of."""
    if not connection.can("IStorageUndoable"):
        return False
    listed = listed_as_undoable(connection)
    if listed is None:
        return True
    # So many others were committed since that the list does not reach back.
    return not any(one <= tid for one in listed) and len(listed) < MOST_LISTED
