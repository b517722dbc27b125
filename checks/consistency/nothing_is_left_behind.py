"""Nothing that zcheck wrote is left in the databases.

What it examines
    After the clean-up: whether the test folder is gone on every client, and the markers on every server. An earlier
    run from here that was ended before it had seen to that is told beside the result, by the journal that it left.
Why it matters
    A test that leaves its litter in a production database is not run a second time.
What it does not prove
    That a run from another machine left nothing: ``zcheck leftovers`` looks for all of them. That no trace is left: the
    transactions themselves stand in the database's history, as every edit does, until the next pack.
How to repair it
    ``zcheck leftovers clients.ini --remove``, once the cluster answers. The folder can be deleted by hand as well: its
    title says what it is.

>>> show(nothing_is_left_behind, Remains(checked=("app1", "app2")), app1=[], app2=[])
OK
>>> left = Remains(left=("/zcheck-4f is still shown by app2",), removal="zcheck leftovers clients.ini --remove")
>>> show(nothing_is_left_behind, left, app1=[], app2=[])
WARNING app1, app2: /zcheck-4f is still shown by app2
>>> show(nothing_is_left_behind, Remains(removal="zcheck leftovers clients.ini --remove", ended_runs=("4f",)), app1=[])
note app1: an earlier run (4f) ended before it saw that nothing was left: zcheck leftovers clients.ini --remove
OK
>>> show(nothing_is_left_behind, Remains(unknown=("app2 could not be asked",)), app1=[], app2=[])
UNKNOWN app1, app2: whether anything is left is not known: app2 could not be asked
"""

from __future__ import annotations

from collections.abc import Iterator

from zcheck.check import Note, Problem, Severity, Unknown, check
from zcheck.facts import Facts, Remains


@check("nothing-is-left-behind", stage="consistency", needs=[Remains], severity=Severity.WARNING)
def nothing_is_left_behind(facts: Facts) -> Iterator[Problem | Unknown | Note]:
    """Connections come and go without zcheck too, so one more of them is told and is no finding."""
    remains = facts.the(Remains)
    for left in remains.left:
        yield Problem(facts.clients, left, hint=remains.removal, about=left)
    if remains.unknown:
        message = f"whether anything is left is not known: {'; '.join(remains.unknown)}"
        yield Unknown(facts.clients, message, hint=remains.removal)
    if remains.ended_runs:
        runs = f"an earlier run ({', '.join(remains.ended_runs)})"
        yield Note(facts.clients, f"{runs} ended before it saw that nothing was left: {remains.removal}")
    for server, (before, after) in remains.connections.items():
        if after > before:
            yield Note(facts.clients, f"{server} has {after} connections, before this run it had {before}")
