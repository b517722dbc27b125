"""Remove a folder of ours, with what is ours in it and nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable

from zcheck.consistency.http import answering_page
from zcheck.consistency.http.client import Door
from zcheck.consistency.http.forms import NotAccepted
from zcheck.consistency.http.names import is_an_id_of_ours

IsOurs = Callable[[str, str], bool]
"""Of an id and a title: whether a run of ours made it."""


def by_title(run_id: str) -> IsOurs:
    """Known by the titles that a run gives to what it makes."""
    document = re.compile(rf"^zcheck \d+ [0-9a-f]{{32}} run {re.escape(run_id)}$")
    return lambda name, title: bool(document.match(title)) or title == answering_page.title(run_id)


def by_id(name: str, title: str) -> bool:
    """Known by the ids that a run gives; for the run itself, and where an application changes the titles."""
    return is_an_id_of_ours(name)


def remove_folder(door: Door, name: str, is_ours: IsOurs) -> tuple[str, ...]:
    """Remove the folder of this name at the client's place; the ids of what others have put there, which stays with it.

    Raises :exc:`NotAccepted` and :exc:`~zcheck.probes.http_connection.HttpTrouble`.
    """
    path = f"{door.target.place}/{name}"
    held = door.contents(path)
    if held is None:
        raise NotAccepted("error", f"what is in {path} could not be learnt, so it was not removed")
    foreign = tuple(one for one, title in held.items() if not is_ours(one, title))
    if foreign:
        mine = [one for one in held if one not in foreign]
        if mine:
            door.delete(mine, path)
        return foreign
    if answering_page.NAME in held:
        try:
            door.remove_by_page(f"{path}/{answering_page.NAME}", len(held))
        except NotAccepted as refused:
            if refused.sent or refused.kind != "not-saved":
                raise
        else:
            return ()
    door.delete([name])
    return ()
