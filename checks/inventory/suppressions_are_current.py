"""Every suppression is in force, for clients that exist, and not about to run out.

What it examines
    ``expires`` of each ``[suppress:NAME]`` section against the day of the run (UTC; the day itself is included), and
    the ``clients`` it names. A suppression is told from 14 days before its day.
Why it matters
    A suppression is a promise to repair something by a day. After that day the finding is back, perhaps in the night;
    one for a client that is gone, or was misspelt, hides nothing and makes believe that it did.
What it does not prove
    That what is suppressed is harmless, or that the finding still exists.
How to repair it
    Repair what was suppressed and remove the section; or give it another day, with a reason that still holds.

>>> ini = inventory('''[client:app1]
... address = app1:8080
... [client:app2]
... address = app2:8080
... [suppress:app2-upgrade]
... check = versions-agree
... clients = app2
... reason = upgraded first
... expires = 2026-12-31
... ''')
>>> show(suppressions_are_current, ini, Today("2026-11-20"))
OK
>>> show(suppressions_are_current, ini, Today("2026-12-30"))
WARNING app2: app2-upgrade suppresses versions-agree until 2026-12-31, for 1 more day
>>> show(suppressions_are_current, ini, Today("2027-01-01"))
WARNING app2: app2-upgrade suppressed versions-agree until 2026-12-31: the finding counts again
>>> show(suppressions_are_current, ini)
UNKNOWN app2: app2-upgrade expires on 2026-12-31, and what day it is was not told
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator

from zcheck.check import Place, Problem, Severity, Skipped, Unknown, check
from zcheck.facts import Facts, Inventory, Suppression, Today
from zcheck.rules.inventory import listed

DAYS_AHEAD = 14


@check("suppressions-are-current", stage="inventory", severity=Severity.WARNING, uses=[Today])
def suppressions_are_current(facts: Facts) -> Iterator[Problem | Unknown | Skipped]:
    inventory, today = facts.inventory, facts.maybe(Today)
    if not inventory.suppressions:
        yield Skipped(facts.clients, "nothing is suppressed")
    for one in inventory.suppressions:
        strangers = [name for name in one.clients if name not in inventory.client_names]
        if strangers:
            message = f"{one.name} suppresses {one.check} for {listed(strangers)}, and no client has that name"
            where = _places(one, inventory, "clients")
            yield Problem(_clients(one, inventory), message, where, about=f"{one.name}'s clients")
        if one.expires is not None and today is None:
            message = f"{one.name} expires on {one.expires}, and what day it is was not told"
            yield Unknown(_clients(one, inventory), message, _places(one, inventory, "expires"), about=one.name)
        elif one.expires is not None and today is not None:
            yield from _by_the_day(one, inventory, one.expires, today.date)


def _by_the_day(one: Suppression, inventory: Inventory, expires: str, today: str) -> Iterator[Problem]:
    days = (datetime.date.fromisoformat(expires) - datetime.date.fromisoformat(today)).days
    if days > DAYS_AHEAD:
        return
    if days < 0:
        message = f"{one.name} suppressed {one.check} until {expires}: the finding counts again"
    elif days == 0:
        message = f"{one.name} suppresses {one.check} until {expires}: today is its last day"
    else:
        message = f"{one.name} suppresses {one.check} until {expires}, for {days} more day{'s' if days > 1 else ''}"
    hint = f"repair it and remove [{one.section.name}], or give it another day"
    yield Problem(_clients(one, inventory), message, _places(one, inventory, "expires"), hint, about=one.name)


def _clients(one: Suppression, inventory: Inventory) -> tuple[str, ...]:
    """The clients that it is about; all of them where it names none that exists."""
    return tuple(name for name in inventory.client_names if name in one.clients) or inventory.client_names


def _places(one: Suppression, inventory: Inventory, key: str) -> tuple[Place, ...]:
    text = {"expires": f"expires = {one.expires}", "clients": f"clients = {' '.join(one.clients)}"}[key]
    return (Place(inventory.file, one.section.line_of(key), text),)
