"""HAProxy's own files and program: read the configuration, and let ``haproxy -c`` judge it.

Nothing is bound and no server is started by ``-c``.  The environment of zcheck is not HAProxy's: the program is run
with none.
"""

from __future__ import annotations

import os
import posixpath
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from zcheck.facts import (
    Balancers,
    BalancerSection,
    BalancerVerdict,
    BalancerVerdicts,
    ConfFault,
    HaproxyAlert,
    HaproxyConf,
    HaproxyRun,
    Inventory,
    LeftOut,
    NotGathered,
)
from zcheck.parsers import haproxy_cfg as parser

MAX_FILES = 1000
"""Files of one folder; configurations that are generated have hundreds."""

MAX_OUTPUT = 256 * 1024
"""Bytes of what ``haproxy -c`` says that are read."""

ELSEWHERE = ("/usr/sbin/haproxy", "/usr/local/sbin/haproxy", "/usr/local/bin/haproxy", "/opt/haproxy/sbin/haproxy")
"""Where the program is when it is not on the PATH, as it is not for most users."""

Read = Callable[[str], str]

_ALERT = re.compile(r"^\[(ALERT|WARNING)\][^:]*: (.*)$")
_WHERE = re.compile(r"\[([^\[\]]+):(\d+)\]")
# What another machine, or another user, may find as it should be: a name, a user, a file, a part of the build.
_ONLY_HERE = re.compile(
    r"could not resolve address|invalid address: |cannot find (?:user|group) id"
    r"|no such file or directory|permission denied|unable to (?:stat|open|load|access)"
    r"|can't open|cannot open|error opening file|failed to open|unable to find required 'global"
    r"|prometheus-exporter|Lua|not (?:supported|available) (?:on|by|in) this (?:platform|build|version)",
    re.IGNORECASE,
)
_FOLLOWS = re.compile(
    r"Failed to initialize server|Error\(s\) found in configuration|Fatal errors found|Some warnings were found",
)


class Cannot(OSError):
    """A configuration that could not be read; ``str()`` says which file and why."""


def config_files(section: BalancerSection, inventory: Inventory) -> tuple[str, ...]:
    """The files and folders that ``config`` names, blanks or commas between several of them.

    One path with blanks in it is taken for one where there is such a file.
    """
    value = section.values.get("config", "")
    folder = posixpath.dirname(inventory.file)
    if not value or Path(value).exists():
        return (value,) if value else ()
    written = value.removeprefix(f"{folder}/") if folder else value
    return tuple(posixpath.join(folder, one) for one in written.replace(",", " ").split())


def read_config(section: BalancerSection, inventory: Inventory, read: Read) -> HaproxyConf:
    """A balancer's configuration; what cannot be read is a fault of kind ``unread``."""
    backend = section.values.get("backend")
    named = config_files(section, inventory)
    if not named:
        fault = ConfFault(
            "unread",
            f"[{section.section.name}] names no configuration",
            inventory.file,
            section.section.line,
            "write config = haproxy.cfg",
        )
        return HaproxyConf((), faults=(fault,), backend=backend)
    others = tuple(section.values.get("other-backends", "").replace(",", " ").split())
    try:
        conf = parser.parse([(file, read(file)) for file in _in_order(named)], backend)
        return msgspec.structs.replace(conf, others=others)
    except OSError as error:
        return HaproxyConf(named, faults=(ConfFault("unread", _without_path(error, named), named[0]),), backend=backend)


def _in_order(named: Sequence[str]) -> list[str]:
    """The files as HAProxy reads them: of a folder those that end with ``.cfg``, by name, none that are hidden."""
    found: list[str] = []
    for path in named:
        if not Path(path).is_dir():
            found.append(path)
            continue
        inside = [one.name for one in Path(path).iterdir() if one.name.endswith(".cfg") and one.is_file()]
        files = [posixpath.join(path, one) for one in sorted(inside, key=os.fsencode) if not one.startswith(".")]
        if not files:
            raise Cannot(f"{path}: no file in it ends with .cfg")
        found += files[:MAX_FILES]
        if len(files) > MAX_FILES:
            raise Cannot(f"{path}: more than {MAX_FILES} files")
    return found


def _without_path(error: OSError, named: Sequence[str]) -> str:
    text = str(error) if isinstance(error, Cannot) or error.strerror is None else f"{error.filename}: {error.strerror}"
    return text.removeprefix(f"{named[0]}: ")


# --- haproxy -c ----------------------------------------------------------------------------------


def program() -> str | None:
    """The path of the program; None where it is not installed."""
    return shutil.which("haproxy") or next((path for path in ELSEWHERE if os.access(path, os.X_OK)), None)


def verdict(conf: HaproxyConf, *, offline: bool, timeout_s: float) -> BalancerVerdict:
    """What is wrong with a configuration, by our own reading and by HAProxy's."""
    faults = (*conf.faults, *parser.no_listener(conf))
    return BalancerVerdict(conf.files, faults, _why_not_run(conf, offline) or check(conf.files, timeout_s))


def _why_not_run(conf: HaproxyConf, offline: bool) -> NotGathered | LeftOut | None:
    if offline:
        return LeftOut("left out by --offline: HAProxy looks names up itself")
    if any(fault.kind == "unread" for fault in conf.faults):
        return LeftOut("the configuration could not be read")
    unknown = [line for line in conf.unresolved if any(not name.startswith("HAPROXY_") for name in line.unresolved)]
    if unknown:
        line = unknown[0]
        reason = (
            f"{line.file}:{line.line} takes {line.unresolved[0]} from HAProxy's environment, which is not known here"
        )
        return NotGathered(reason, "run haproxy -c -dW where HAProxy runs")
    if program() is None:
        return LeftOut("haproxy is not installed here")
    return None


def check(files: Sequence[str], timeout_s: float) -> HaproxyRun | NotGathered:
    """Run ``haproxy -c -dW`` on these files; each run ends after ``timeout_s`` seconds."""
    executable = program()
    if executable is None:
        return NotGathered("haproxy is not installed here")
    try:
        strict = _run(executable, files, timeout_s, "-c", "-dW")
        lenient = _run(executable, files, timeout_s, "-c") if strict.returncode else strict
        version = _run(executable, (), timeout_s, "-v").stdout
    except subprocess.TimeoutExpired:
        return NotGathered(f"haproxy -c did not end within {timeout_s:g} s")
    except OSError as error:
        return NotGathered(f"{executable}: {error.strerror}")
    match = re.search(rb"version (\d[\w.]*)", version)
    told = strict.stderr[:MAX_OUTPUT].decode("utf-8", "replace")
    number = match[1].decode("ascii") if match else "of unknown version"
    found = alerts(told)
    starts = not lenient.returncode
    if not starts and not any(alert.fatal for alert in found):
        # What is no fault of a line is said on the other stream, as that nothing listens.
        said = lenient.stdout[:MAX_OUTPUT].decode("utf-8", "replace").strip().splitlines()
        found = (*(HaproxyAlert(line[:500]) for line in said[-1:]), *found)
    return HaproxyRun(number, strict.returncode, starts, found)


def _run(executable: str, files: Sequence[str], timeout_s: float, *options: str) -> subprocess.CompletedProcess[bytes]:
    """Paths are relative to the folder of the first file, as they are where HAProxy is started there."""
    folder = Path(files[0]).resolve().parent if files else Path("/")
    named = [word for file in files for word in ("-f", str(Path(file).resolve()))]
    return subprocess.run(
        [executable, *options, *named],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=timeout_s,
        cwd=folder,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"},
        check=False,
    )


def alerts(said: str) -> tuple[HaproxyAlert, ...]:
    """The causes among what HAProxy printed; what only follows from them is left out."""
    found = []
    for line in said.splitlines():
        match = _ALERT.match(line)
        if match is None or _FOLLOWS.search(match[2]):
            continue
        where = _WHERE.search(match[2])
        text = re.sub(r"^config : (?:parsing )?", "", match[2])
        text = _WHERE.sub("", text, count=1).strip(" :") if where is not None else text
        # It may quote the line, and what stands in it.
        text = " ".join(parser.redacted(text.split(" ")))
        found.append(
            HaproxyAlert(
                text[:500],
                where[1] if where else "",
                int(where[2]) if where else None,
                _ONLY_HERE.search(match[2]) is not None,
                match[1] == "ALERT",
            )
        )
    return tuple(found)


# --- what a run gathers --------------------------------------------------------------------------


def gather(
    inventory: Inventory, read: Read, *, judge: bool, offline: bool, timeout_s: float
) -> tuple[Balancers | LeftOut, BalancerVerdicts | LeftOut]:
    """Every balancer's configuration, and the verdict on each; ``judge``: let HAProxy itself judge them as well."""
    if not inventory.balancers:
        nothing = LeftOut("no balancer section in clients.ini")
        return nothing, nothing
    confs, verdicts = {}, {}
    for section in inventory.balancers:
        conf = read_config(section, inventory, read)
        if not any(fault.kind == "unread" for fault in conf.faults):
            confs[section.name] = conf
        verdicts[section.name] = verdict(conf, offline=offline or not judge, timeout_s=timeout_s)
    if not confs:
        reason = "no balancer's configuration could be read"
        return LeftOut(reason, "haproxy-config-is-valid"), BalancerVerdicts(verdicts)
    unread = tuple(section.name for section in inventory.balancers if section.name not in confs)
    return Balancers(confs, unread), BalancerVerdicts(verdicts)
