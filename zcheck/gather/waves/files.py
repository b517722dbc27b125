"""Every file that clients.ini names."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import msgspec

from zcheck.facts import (
    Balancers,
    BalancerVerdicts,
    Client,
    Inventory,
    LeftOut,
    NotGathered,
    SecretFiles,
    SeenThere,
    SharedBlobs,
    StorageCaches,
    Thresholds,
    Today,
    WsgiConf,
    ZeoConfs,
    ZopeConf,
)
from zcheck.gather.run import Run
from zcheck.gather.waves import balancers, caches, machines
from zcheck.parsers import clients_ini, wsgi_ini, zeo_conf, zope_conf
from zcheck.probes import files
from zcheck.probes.remote import answers


def read(run: Run) -> None:
    if SecretFiles in run.wanted:
        run.keep("", _secret_files(run), SecretFiles)
    if Thresholds in run.wanted:
        run.keep("", clients_ini.thresholds(run.inventory.options))
    if Today in run.wanted:
        run.keep("", Today(run.settings.today))
    clients = run.inventory.clients
    if ZopeConf in run.wanted:
        confs = {client.name: _zope_conf(run, client) for client in clients}
        run.facts = run.facts.with_facts(ZopeConf, confs)
    if WsgiConf in run.wanted:
        inis = {client.name: _wsgi_conf(run, client) for client in clients}
        run.facts = run.facts.with_facts(WsgiConf, inis)
        for client in clients:
            _tell_another_conf(run, client, inis[client.name])
    if SeenThere in run.wanted:
        seen = {client.name: machines.seen_there(run, client, None) for client in clients}
        run.facts = run.facts.with_facts(SeenThere, seen)
    if SharedBlobs in run.wanted:
        # Taken back once the machines have answered.
        run.keep("", LeftOut(answers.OFFLINE), SharedBlobs)
    if StorageCaches in run.wanted:
        caches.leave_out(run)
    if ZeoConfs in run.wanted:
        servers = zeo_conf.of_servers(
            run.inventory, files.read_as_it_is, partial(_reader, run.inventory), answers.environment_of_server
        )
        run.keep("", servers or LeftOut("clients.ini names no file of a ZEO server"), ZeoConfs)

    if run.wanted & {Balancers, BalancerVerdicts}:
        balancers.read(run)


def _zope_conf(run: Run, client: Client) -> ZopeConf | NotGathered | LeftOut:
    brought = run.settings.gathered.raw(ZopeConf, client.name)
    if isinstance(brought, ZopeConf | NotGathered):
        return brought
    if client.via is not None and answers.conf_is_there(client):
        return LeftOut(answers.OFFLINE) if run.settings.offline else machines.found_there(run, client, ZopeConf)
    if client.zope_conf is None:
        return LeftOut("clients.ini names no zope-conf for it")
    try:
        env = answers.environment(client, run.looked.get(client.name))
        text = files.read_as_it_is(client.zope_conf)
        conf = zope_conf.parse(text, client.zope_conf, env, _reader(run.inventory, client.zope_conf))
        variables = answers.variables_of(run.inventory, client, run.looked.get(client.name))
        return msgspec.structs.replace(conf, mtime=files.modified(client.zope_conf), variables=variables)
    except files.CannotRead as error:
        return _unreadable(run.inventory, client, error)


def _wsgi_conf(run: Run, client: Client) -> WsgiConf | NotGathered | LeftOut:
    brought = run.settings.gathered.raw(WsgiConf, client.name)
    if isinstance(brought, WsgiConf | NotGathered):
        return brought
    if client.via is not None and answers.ini_is_there(client):
        return LeftOut(answers.OFFLINE) if run.settings.offline else machines.found_there(run, client, WsgiConf)
    conf = run.facts.raw(ZopeConf, client.name)
    known = conf if isinstance(conf, ZopeConf) else None
    beside = None if answers.conf_is_there(client) else client.zope_conf
    return wsgi_ini.of_client(beside, client.wsgi_ini, known, files.read_if_there, client.ini_vars)


def _secret_files(run: Run) -> SecretFiles | NotGathered | LeftOut:
    """Where the password comes from; why it cannot be had is told once, for all that needs it."""
    found = files.secret_files(run.inventory)
    if run.settings.offline:
        # A repository holds no password, and the files in it are judged without one.
        return LeftOut(f"{found.reason}; offline it is not needed") if isinstance(found, NotGathered) else found
    if run.inventory.credentials is not None and isinstance(run.secret, NotGathered):
        return msgspec.structs.replace(run.secret, told_by="edits-are-seen-everywhere")
    return found


def _tell_another_conf(run: Run, client: Client, ini: object) -> None:
    """A client whose ini starts it with another zope.conf that is at hand too: the wrong one was compared."""
    conf = run.facts.raw(ZopeConf, client.name)
    if client.zope_conf is None or client.lie_there or not isinstance(conf, ZopeConf):
        return
    if client.wsgi_ini is None and not isinstance(ini, WsgiConf):
        ini = _of_another_conf(run, client, client.zope_conf)
    if isinstance(ini, WsgiConf) and ini.zope_conf:
        fault = wsgi_ini.another_conf(ini, client.zope_conf)
        # A copy under another name is no other file: the one that the ini names must be there as well.
        if fault is not None and files.is_another_file(ini.zope_conf, client.zope_conf):
            run.keep(client.name, msgspec.structs.replace(conf, faults=(*conf.faults, fault)))


def _of_another_conf(run: Run, client: Client, zope_conf: str) -> WsgiConf | None:
    """The only ini beside this zope.conf, where it starts a file that no client of clients.ini has."""
    others = [other.zope_conf for other in run.inventory.clients if other.name != client.name]
    for path in wsgi_ini.candidates(zope_conf):
        try:
            text = files.read_if_there(path)
        except files.CannotRead:
            continue
        found = wsgi_ini.parse(text, path, client.ini_vars) if text is not None else None
        if found is not None and found.zope_conf is not None:
            mine = any(other is not None and wsgi_ini.is_started_with(found, other) for other in others)
            return None if mine else found
    return None


def _unreadable(inventory: Inventory, client: Client, error: files.CannotRead) -> NotGathered:
    """A file that clients.ini names and that cannot be read: one check tells it, with the line that names it."""
    key = "env-file" if error.path == client.env_file else "zope-conf"
    mend = f"correct {key} of [{client.section.name}]"
    hint = f"{mend}, which is relative to {inventory.file}, or copy the file there" if error.is_missing else mend
    line = client.section.line_of(key)
    return NotGathered(str(error), hint, "zope-conf-parses", file=inventory.file, line=line)


def _reader(inventory: Inventory, path: str) -> Callable[[str], str]:
    """The bounded reader of what this file includes."""
    return files.conf_reader(files.folders_of(path, inventory.file))
