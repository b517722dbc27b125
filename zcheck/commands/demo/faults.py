"""What ``zcheck demo --fault`` breaks."""

from __future__ import annotations

import msgspec

from zcheck.commands.demo.specs import ClientSpec, ZeoSpec, specs

FAULTS = ("copy", "copy-hidden", "mount", "storage", "down")


class Demo(msgspec.Struct, frozen=True):
    """What is brought up, and one line on what is wrong with it."""

    clients: tuple[ClientSpec, ...]
    zeo: tuple[ZeoSpec, ...]
    sentence: str


_ARCHIVE = """
<zodb_db archive>
  <zeoclient>
    server ZEO_ADDRESS
    storage archive
    var $INSTANCE/var
  </zeoclient>
  mount-point /archive
</zodb_db>"""


def broken_by(fault: str | None, count: int) -> Demo:
    last = f"app{count}"
    main, copy = ZeoSpec(), ZeoSpec(name="copy")
    if fault is None:
        return Demo(specs(count), (main,), "Nothing is broken: all clients share one database.")
    if fault == "copy":
        wrong = f"{last} runs on another ZEO server, with a copy of the database, and its zope.conf says so."
        return _broken(wrong, specs(count, last={"zeo": "copy"}), main, copy)
    if fault == "copy-hidden":
        wrong = f"{last} runs on a copy of the database; its zope.conf was mended since, but it was not restarted."
        return _broken(wrong, specs(count, last={"zeo": "copy", "told_zeo": "main"}), main, copy)
    if fault == "mount":
        wrong = f"{last} does not mount /archive, as the others do."
        return _broken(wrong, specs(count, every={"more": _ARCHIVE}, last={"more": ""}), ZeoSpec(empty=("archive",)))
    if fault == "storage":
        wrong = f"{last} uses the storage 'staging' of the ZEO server, not '1' as the others do."
        return _broken(wrong, specs(count, last={"storage": "staging"}), ZeoSpec(storages=("1", "staging")))
    if fault == "down":
        return _broken(f"{last} is not running.", specs(count, last={"running": False}), main)
    raise ValueError(f"there is no fault {fault!r}; choose from {', '.join(FAULTS)}")


def _broken(wrong: str, clients: tuple[ClientSpec, ...], *zeo: ZeoSpec) -> Demo:
    return Demo(clients, zeo, f"Broken on purpose: {wrong}")
