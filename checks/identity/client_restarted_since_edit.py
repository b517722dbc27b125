"""Every client was started after its zope.conf was last written.

What it examines
    When the client's process was started, against the time at which its zope.conf was written: as its own machine
    tells both (``via``), else by "Running For" on its Control Panel, and then only where the client runs on the machine
    on which zcheck runs, and from the instance home that the file names: the time of a copy elsewhere says nothing.
    More than 2 s is a finding, or more than ``client-restarted-since-edit`` in ``[zcheck]`` of clients.ini says; and
    never less than one unit of what the Control Panel shows.
Why it matters
    A running client does not read its zope.conf again. What was changed in it comes into force with the next restart,
    at night perhaps, when a machine reboots; and until then the files tell of a cluster that is not there.
What it does not prove
    That the file was changed in anything that matters: see database-locations-agree. Nor that included files are older.
How to repair it
    Restart the client, out of the balancer, and run zcheck again.

>>> own = "[client:app1]\\naddress = 127.0.0.1:8081\\n[client:app2]\\naddress = 127.0.0.1:8082"
>>> import msgspec
>>> here = inventory(own)
>>> def client(written, since="10 min 5 sec"):
...     panel = ControlPanel((), running_for=since, read_at=1700000605.5)
...     return [panel, msgspec.structs.replace(zope_conf(), mtime=written)]
>>> show(client_restarted_since_edit, here, app1=client(1699990000.0), app2=client(1700000001.0))
OK
>>> show(client_restarted_since_edit, here, app1=client(1699990000.0), app2=client(1700000300.0))
WARNING app2: zope.conf was written about 4 min 58 s after app2 was started
>>> def there(started, written):
...     process = ListeningProcess(7, started_at=started)
...     return [*client(1.0), SeenThere("app", process=process, distributions={}, conf_mtime=written)]
>>> show(client_restarted_since_edit, app1=there(1700000000.0, 1690000000.0), app2=there(1700000000.0, 1700003600.0))
WARNING app2: zope.conf was written about 1 h after app2 was started
>>> show(client_restarted_since_edit, here, app1=client(1699990000.0), app2=NotGathered("a login page"))
UNKNOWN app2: a login page
"""

from __future__ import annotations

from collections.abc import Iterator

from zcheck.check import Place, Problem, Severity, Skipped, check
from zcheck.facts import ControlPanel, Facts, Names, OwnClock, SeenThere, Thresholds, ZopeConf
from zcheck.rules.own_clock import OWN_CLOCK_WAS_SET, own_clock_was_set
from zcheck.rules.process_ages import started_and_written


@check(
    "client-restarted-since-edit",
    stage="identity",
    needs=[ControlPanel, ZopeConf],
    uses=[Names, OwnClock, SeenThere, Thresholds],
    severity=Severity.WARNING,
    after=["client-port-answers", "client-serves-http", "client-is-connected-to-zeo"],
)
def client_restarted_since_edit(facts: Facts) -> Iterator[Problem | Skipped]:
    """By the latest moment at which the process can have started."""
    limit_s = max((facts.maybe(Thresholds) or Thresholds()).client_restarted_since_edit_s, 2.0)
    if own_clock_was_set(facts):
        yield Skipped(facts.clients, OWN_CLOCK_WAS_SET)
        return
    for client in facts.each(ControlPanel):
        conf, times = facts.each(ZopeConf).get(client), started_and_written(facts, client)
        if conf is None or isinstance(times, str):
            yield Skipped((client,), times if isinstance(times, str) else "no zope.conf of it is at hand")
        elif times[1] - times[0] > limit_s:
            hint = f"see that the file is what {client} should run with, then restart it, out of the balancer"
            message = f"{conf.file} was written about {_duration(times[1] - times[0])} after {client} was started"
            yield Problem((client,), message, (Place(conf.file),), hint)


def _duration(seconds: float) -> str:
    """Two units at most: ``4 min 59 s``, ``2 h 5 min``, ``3 days 2 h``."""
    units = (("day", 86400), ("h", 3600), ("min", 60), ("s", 1))
    parts = []
    rest = round(seconds)
    for name, size in units:
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count} {name}{'s' * (name == 'day' and count > 1)}")
    return " ".join(parts[:2]) or "0 s"
