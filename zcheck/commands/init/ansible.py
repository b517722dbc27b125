"""The hosts of an Ansible inventory as clients, by what ``ansible-inventory --list`` tells of them.

Its output is JSON in which the variables of groups are those of each host already; templates in them are not filled in.
"""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from zcheck.commands.init.found import Found, InitError, sanitised
from zcheck.facts import HostPort
from zcheck.parsers import clients_ini
from zcheck.probes import files

MAX_CHARACTERS = 64 * 1024 * 1024
LIMIT_S = 60.0

PORTS = ("zope_port", "zope_http_port", "http_port")
CONFS = ("zope_conf", "zope_conf_path")
"""What sites call a client's port, and the path of its zope.conf."""
_SSH = ("", "smart", "ssh", "ansible.builtin.ssh", "paramiko", "paramiko_ssh", "ansible.builtin.paramiko_ssh")
_LOCAL = ("local", "ansible.builtin.local")
_IN_A_CONTAINER = {"docker": "docker", "community.docker.docker": "docker", "containers.podman.podman": "podman"}

Variables = Mapping[str, Any]


def hosts(path: str, group: str | None = None) -> tuple[list[Found], list[str]]:
    """The clients among the hosts of an inventory, and what has to be said of the others.

    ``path`` holds what ``ansible-inventory --list`` prints, or is an inventory, of which that program is asked.
    Without a ``group`` it is the hosts that have a Zope client's port or zope.conf among their variables, all hosts
    where none has.  Raises :exc:`InitError`, and :exc:`zcheck.probes.files.CannotRead`.
    """
    listed = _listed(path)
    variables = _variables(listed)
    if group is not None:
        if group not in listed and group != "all":
            known = ", ".join(sorted(name for name in listed if name != "_meta")[:20])
            raise InitError(f"{path}: there is no group {group}; there are {known or 'none'}")
        return [_client(host, variables.get(host, {}), path) for host in _members(listed, group)], []
    everybody = _members(listed, "all") or sorted(variables)
    own = [host for host in everybody if any(key in variables.get(host, {}) for key in (*PORTS, *CONFS))]
    others = [host for host in everybody if host not in own]
    notes = []
    if own and others:
        shown = ", ".join(others[:20]) + (f" and {len(others) - 20} more" if len(others) > 20 else "")
        notes = [f"{path}: taken for no Zope client, since none of {', '.join((*PORTS, *CONFS))} is set: {shown}"]
    return [_client(host, variables.get(host, {}), path) for host in own or everybody], notes


# --- what ansible-inventory prints -----------------------------------------------------------------


def _listed(path: str) -> dict[str, Any]:
    # A folder is an inventory as well, and a program may be one.
    text = "" if Path(path).is_dir() else files.read_text(path, MAX_CHARACTERS)
    try:
        listed = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError):
        listed = None
    # An inventory may be written in JSON as well; what is printed of one always has this part.
    printed = listed if isinstance(listed, dict) and "_meta" in listed else _told_by_ansible(path)
    if not isinstance(printed, dict) or "_meta" not in printed:
        raise InitError(f"{path}: not what 'ansible-inventory --list' prints")
    return printed


def _told_by_ansible(path: str) -> Any:
    import subprocess

    by_hand = f"run: ansible-inventory -i {shlex.quote(path)} --list > inventory.json, and give that"
    program = shutil.which("ansible-inventory")
    if program is None:
        raise InitError(f"{path}: ansible-inventory, which reads it, is not installed here; {by_hand}")
    try:
        done = subprocess.run(
            [program, "-i", path, "--list"], stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InitError(f"{path}: ansible-inventory did not answer ({type(error).__name__}); {by_hand}") from None
    try:
        return msgspec.json.decode(done.stdout[:MAX_CHARACTERS])
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise InitError(f"{path}: ansible-inventory could not read it; {by_hand}") from None


def _variables(listed: Mapping[str, Any]) -> dict[str, Variables]:
    meta = listed.get("_meta")
    found = meta.get("hostvars") if isinstance(meta, dict) else None
    return {host: told for host, told in found.items() if isinstance(told, dict)} if isinstance(found, dict) else {}


def _members(listed: Mapping[str, Any], group: str) -> list[str]:
    """The hosts of a group and of the groups within it, in their order."""
    members: dict[str, None] = {}
    waiting, seen = [group], set()
    while waiting:
        name = waiting.pop(0)
        told = listed.get(name)
        if name in seen or not isinstance(told, dict):
            continue
        seen.add(name)
        members.update(dict.fromkeys(host for host in _names(told.get("hosts"))))
        waiting += _names(told.get("children"))
    return list(members)


def _names(told: Any) -> list[str]:
    return [name for name in told if isinstance(name, str)] if isinstance(told, list | dict) else []


# --- one host ---------------------------------------------------------------------------------------


def _client(host: str, variables: Variables, path: str) -> Found:
    name = sanitised(host)
    notes = [] if name == host else [f"for the role: zcheck_clients: [{name}] in the inventory, beside {host}"]
    address, why = _address(host, variables)
    via, doubts = _via(host, variables)
    keys = []
    if address is not None and address.host.lower() != host.lower() and _is_sound(host):
        keys.append(("machine", host))
    conf = _said(variables, *CONFS)
    if conf:
        keys.append(("zope-conf", conf))
    else:
        notes.append("zope-conf: with 'via' it is the file that the process on the port was started with")
    if via and address is None:
        # A draft that nobody completed contacts nobody.
        doubts.append(f"via = {via}")
    elif via:
        keys.append(("via", via))
    return Found(name=name, origin=f"from {path}", address=address, keys=tuple(keys), notes=(*why, *notes, *doubts))


def _address(host: str, variables: Variables) -> tuple[HostPort | None, list[str]]:
    where = _said(variables, "ansible_host", "ansible_ssh_host") or host
    port = _said(variables, *PORTS)
    if not port:
        return None, [f"address: {_shown(where)}, and no variable of the inventory tells the port ({', '.join(PORTS)})"]
    try:
        return clients_ini.host_port(f"[{where}]:{port}" if where.count(":") > 1 else f"{where}:{port}"), []
    except ValueError as error:
        return None, [f"address: {_shown(where)} with port {_shown(port)} {error}"]


def _via(host: str, variables: Variables) -> tuple[str, list[str]]:
    """A command that runs Python there, as Ansible would get there; and what has to be said of it."""
    templates = [key for key in _GOVERNING if _is_template(variables.get(key))]
    doubts = [f"{key} is a template of Ansible's: write what it means" for key in templates]
    connection = _said(variables, "ansible_connection")
    python = _said(variables, "ansible_python_interpreter")
    python = "python3" if python.startswith("auto") or not python else python
    if variables.get("ansible_become") in (True, "true", "yes"):
        doubts.append(
            "via: Ansible becomes another user there: 'sudo -n -u USER' before the Python, to see the process"
        )
    where = _said(variables, "ansible_host", "ansible_ssh_host") or host
    if connection in _LOCAL:
        return python, doubts
    if connection in _IN_A_CONTAINER:
        return shlex.join([_IN_A_CONTAINER[connection], "exec", "-i", where, python]), doubts
    if connection not in _SSH:
        return "", [*doubts, f"via = ...   how {_shown(connection)} leads there is not known here"]
    user, port = (
        _said(variables, "ansible_user", "ansible_ssh_user"),
        _said(variables, "ansible_port", "ansible_ssh_port"),
    )
    key = _said(variables, "ansible_ssh_private_key_file", "ansible_private_key_file")
    words = ["ssh", "-oBatchMode=yes"]
    words += [f"-p{port}"] if port else []
    words += ["-i", key] if key else []
    for more in ("ansible_ssh_common_args", "ansible_ssh_extra_args"):
        try:
            words += shlex.split(_said(variables, more))
        except ValueError:
            doubts.append(f"via: {more} was left out: its quotes do not end")
    return shlex.join([*words, "--", f"{user}@{where}" if user else where, python]), doubts


_GOVERNING = (
    *("ansible_host", "ansible_user", "ansible_port", "ansible_connection", "ansible_python_interpreter"),
    *("ansible_ssh_private_key_file", "ansible_ssh_common_args", "ansible_ssh_extra_args", *PORTS, *CONFS),
)


def _said(variables: Variables, *keys: str) -> str:
    """The first of these variables that is there; what is a template, encrypted or no plain value says nothing."""
    value = next((variables[key] for key in keys if key in variables), "")
    plain = isinstance(value, str | int) and not isinstance(value, bool) and not _is_template(value)
    return str(value).strip() if plain else ""


def _is_template(value: Any) -> bool:
    return isinstance(value, str) and ("{{" in value or "{%" in value)


def _is_sound(host: str) -> bool:
    try:
        clients_ini.host_port(f"{host}:1")
    except ValueError:
        return False
    return True


def _shown(text: str) -> str:
    return text if len(text) < 80 else f"{text[:80]}..."
