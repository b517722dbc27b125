"""What a cluster is made of: ZEO servers, clients, and the machines that they run on."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from zcheck.facts import Role

HOST = "127.0.0.1"


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """A machine that servers of the cluster run on; without more it is this one, by its loopback address."""

    name: str = HOST
    """As the files name it."""
    dialled: str = HOST
    """Its IP address."""
    binds: str = HOST
    """The IP address that its servers listen on."""
    enter: tuple[str, ...] = ()
    """What stands before a command that is to run there."""


class ZeoSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One ZEO server.  Every storage in ``storages`` begins as the same initialised Zope database.

    So two servers hold a database and its copy.  Those in ``empty`` hold a bare root, ready to be mounted.
    """

    name: str = "main"
    storages: tuple[str, ...] = ("1",)
    empty: tuple[str, ...] = ()
    blobs: bool = False
    """Whether they keep blobs as well."""
    options: str = ""
    """More lines for the ``<zeo>`` section."""
    more: str = ""
    """More sections for zeo.conf."""
    machine: Machine = Machine()
    port: int | None = None
    """None: one that is free."""


class ClientSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One Zope client, and how it differs from its neighbours."""

    name: str
    zeo: str = "main"
    """The ZEO server that it runs on."""
    told_zeo: str | None = None
    """The ZEO server that the zope.conf on disk names once the client runs; default: the one it runs on."""
    server: str | None = None
    """The ``server`` lines (several with blanks between), such as a proxy's; default: the server, in a spelling of the
    client's own."""
    storage: str = "1"
    zeoclient: str = ""
    """More lines for the ``<zeoclient>`` section of the main database."""
    more: str = ""
    """More lines for zope.conf; ``ZEO_ADDRESS`` in them is replaced by the address of the client's ZEO server."""
    edit: Callable[[str], str] | None = None
    """Has the last word on the text of zope.conf."""
    read_only: bool = False
    role: Role = "balanced"
    threads: int = 4
    running: bool = True
    """False: it stands in clients.ini, and is not started."""
    env: dict[str, str] = {}
    """More environment for the process."""
    ini: str = ""
    """More lines for its section of clients.ini."""
    machine: Machine = Machine()
    port: int | None = None
    """None: one that is free."""


def specs(
    count: int, *, last: Mapping[str, object] | None = None, every: Mapping[str, object] | None = None
) -> tuple[ClientSpec, ...]:
    """``app1`` to ``appN``: all with the fields that ``every`` gives, the last one with those of ``last`` besides."""
    made = [changed(ClientSpec(name=f"app{number}"), every or {}) for number in range(1, count + 1)]
    made[-1] = changed(made[-1], last or {})
    return tuple(made)


def changed(spec: ClientSpec, changes: Mapping[str, object]) -> ClientSpec:
    return msgspec.structs.replace(spec, **changes)
