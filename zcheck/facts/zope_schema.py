"""The keys that zope.conf's sections know, with datatype and default, over all versions from Zope 2.7 to Zope 6.

Taken from Zope's zopeschema.xml and wsgischema.xml (ZServer's component.xml), the skeleton zope.conf of Zope 2,
plone.recipe.zope2instance's wsgischema.xml, and the component.xml of ZODB, ZEO, RelStorage, tempstorage,
zc.zlibstorage, cipher.encryptingstorage and zc.beforestorage.  A section type that is not here is an add-on's, and
nothing is said of it.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from zcheck.facts import ConfFault, Section, Setting, ZeoConf, ZopeConf


class Key(NamedTuple):
    """What a schema says of a key: its datatype, its default where it has one, whether it may be given twice."""

    kind: str
    default: str
    many: bool


def _keys(text: str) -> dict[str, Key]:
    """A table from lines of ``name datatype [default]``; a ``*`` behind the name lets it be given several times."""
    found = {}
    for line in filter(None, text.splitlines()):
        name, kind, *default = line.split()
        found[name.rstrip("*")] = Key(kind, " ".join(default), name.endswith("*"))
    return found


_STORAGE_ON_ZEO = """
server* text
storage text 1
name text
cache-size size 20MB
blob-dir path
shared-blob-dir boolean off
blob-cache-size size
blob-cache-size-check integer
read-only boolean off
read-only-fallback boolean off
client-label text
"""

_DATABASE = """
mount-point* text
connection-class text
container-class text
class-factory text
cache-size integer 5000
cache-size-bytes size 0
large-record-size size 16MB
pool-size integer 7
pool-timeout time
historical-pool-size integer 3
historical-cache-size integer 1000
historical-cache-size-bytes size 0
historical-timeout time 5m
version-pool-size integer
version-cache-size integer
database-name text
allow-implicit-cross-references boolean on
"""

_LOG_FILE = """
path path
level text
format text
dateformat text
formatter text
style text
arbitrary-fields text
max-size size
old-files integer
when text
interval integer
encoding text
delay boolean
"""

_LOG = "level text\npropagate boolean"

KEYS: dict[str, dict[str, Key]] = {
    "": _keys("""
instancehome path
clienthome path
products* path
extensions path
path* path
pid-filename path
lock-filename path
debug-mode boolean off
debug-exceptions boolean off
effective-user text
enable-product-installation boolean
locale text
datetime-format text us
zserver-threads integer
zserver-read-only-mode boolean off
python-check-interval integer
structured-text-header-level integer 3
rest-input-encoding text
rest-output-encoding text
rest-header-level integer 3
rest-language-code text
publisher-profile-file path
cgi-maxlen integer 0
http-realm text Zope
http-header-max-length integer 8192
enable-ms-author-via boolean off
enable-ms-public-header boolean off
enable-xmlrpc boolean
automatically-quote-dtml-request-data boolean on
dns-server text
ip-address text
port-base integer
trusted-proxy* text
maximum-number-of-session-objects integer 1000
session-add-notify-script-path text
session-delete-notify-script-path text
session-timeout-minutes integer 20
session-resolution-seconds integer 20
suppress-all-access-rules boolean off
suppress-all-site-roots boolean off
database-quota-size size
read-only-database boolean off
zeo-client-name text
max-listen-sockets integer 1000
large-file-threshold size 512KB
max-conflict-retries integer 3
conflict-error-log-level text
mime-types* path
default-zpublisher-encoding text utf-8
security-policy-implementation text C
skip-authentication-checking boolean off
skip-ownership-checking boolean off
verbose-security boolean off
zmi-bookmarkable-urls boolean on
webdav-source-port integer 0
clear-untrusted-proxy-headers boolean
python path
"""),
    "zodb_db": _keys(_DATABASE),
    "zeoclient": _keys(
        _STORAGE_ON_ZEO
        + """
client text
var path
min-disconnect-poll integer 5
max-disconnect-poll integer 300
wait boolean on
username text
password text
realm text
drop-cache-rather-verify boolean off
"""
    ),
    "clientstorage": _keys(_STORAGE_ON_ZEO + "cache-path path\nserver-sync boolean off\nwait-timeout integer 30"),
    "ssl": _keys("""
certificate path
key path
password-function text
authenticate path
check-hostname boolean true
server-hostname text
"""),
    "filestorage": _keys("""
path path
blob-dir path
create boolean off
read-only boolean off
quota size
packer text
pack-gc boolean true
pack-keep-old boolean true
"""),
    "mappingstorage": _keys("name text"),
    "temporarystorage": _keys("name text"),
    "demostorage": _keys("name text\nquota size"),
    "blobstorage": _keys("blob-dir path\nlayout text"),
    "zlibstorage": _keys("compress boolean true"),
    "serverzlibstorage": _keys("compress boolean true"),
    "encryptingstorage": _keys("encrypt boolean\nconfig path"),
    "serverencryptingstorage": _keys("encrypt boolean\nconfig path"),
    "before": _keys("before text\nbefore-from-file path"),
    "relstorage": _keys("""
name text
read-only boolean false
create boolean
blob-dir path
shared-blob-dir boolean
blob-cache-size size
blob-cache-size-check integer
blob-cache-size-check-external boolean false
blob-chunk-size size
keep-history boolean true
replica-conf path
ro-replica-conf path
replica-timeout float 600
revert_when_stale boolean false
poll-interval float
pack-gc boolean true
pack-dry-run boolean
pack-prepack-only boolean false
pack-skip-prepack boolean false
pack-batch-timeout float
pack-duty-cycle float
pack-max-delay float
pack-commit-busy-delay float
cache-servers text
cache-module-name text
cache-prefix text
cache-local-mb integer
cache-local-storage text
cache-local-dir path
cache-local-dir-count integer
cache-local-dir-read-count integer
cache-local-dir-compress boolean
cache-local-dir-write-max-size size
cache-local-object-max size
cache-local-compression text
cache-delta-size-limit integer
commit-lock-timeout integer
commit-lock-id integer
create-schema boolean true
"""),
    "postgresql": _keys("dsn text\ndriver text auto"),
    "mysql": _keys("""
driver text auto
host text
user text
passwd text
db text
port integer
unix_socket path
connect_timeout integer
compress boolean
named_pipe boolean
read_default_file path
read_default_group text
client_flag text
load_infile text
charset text
"""),
    "oracle": _keys("driver text auto\nuser text\npassword text\ndsn text\ntwophase boolean"),
    "sqlite3": _keys("driver text auto\ndata-dir path\ngevent_yield_interval integer"),
    "http-server": _keys("""
address text
force-connection-close boolean off
fast-listen boolean on
use-wsgi boolean off
webdav-source-clients text
"""),
    "webdav-source-server": _keys("address text\nforce-connection-close boolean off\nuse-wsgi boolean off"),
    "ftp-server": _keys("address text"),
    "monitor-server": _keys("address text"),
    "icp-server": _keys("address text"),
    "fast-cgi": _keys("address text"),
    "persistent-cgi": _keys("path path"),
    "clock-server": _keys("method text\nperiod integer 60\nuser text\npassword text\nhost text"),
    "zoperunner": _keys("""
program* text
daemon boolean true
backoff-limit integer 10
forever boolean false
user text
hang-around boolean false
umask text 022
default-to-interactive boolean true
prompt text
socket-name path
transcript path
directory path
exit-codes text
logfile path
python path
zdrun path
start-test-program text
start-timeout integer
stop-timeout integer
"""),
    "warnfilter": _keys("action text\nmessage text\ncategory text\nmodule text\nlineno integer"),
    "eventlog": _keys(_LOG),
    "logger": _keys(_LOG + "\nname text"),
    "logfile": _keys(_LOG_FILE),
    "dos_protection": _keys("""
form-memory-limit size 1MB
form-disk-limit size 1GB
form-memfile-limit size 4KB
form-part-limit integer 1024
"""),
}

# ZEO's own server.xml and zdaemon's runner, at the top of a ZEO server's file; the first line of each is the oldest.
ZEO_KEYS: dict[str, dict[str, Key]] = {
    "zeo": _keys("""
address address
read-only boolean false
invalidation-queue-size integer 100
invalidation-age float
transaction-timeout integer
pid-filename path
client-conflict-resolution boolean false
msgpack boolean
monitor-address text
authentication-protocol text
authentication-database path
authentication-realm text
"""),
    "ssl": _keys("certificate path\nkey path\npassword-function text\nauthenticate text"),
    "runner": KEYS["zoperunner"],
    "zrs": _keys("""
replicate-to text
replicate-from text
keep-alive-delay integer
"""),
}

ONLY_ZEO_4 = frozenset(
    {"monitor-address", "authentication-protocol", "authentication-database", "authentication-realm"}
)
"""Keys of ``<zeo>`` that ZEO 5 and later refuse."""

# At the top of Zope's wsgischema.xml (Zope 4 to 6) there are these alone; plone.recipe.zope2instance's has two more.
_WSGI_KEYS = frozenset(
    {"instancehome", "clienthome", "pid-filename", "debug-mode", "debug-exceptions", "locale", "datetime-format"}
    | {"python-check-interval", "http-realm", "automatically-quote-dtml-request-data", "trusted-proxy"}
    | {"security-policy-implementation", "skip-authentication-checking", "skip-ownership-checking"}
    | {"verbose-security", "zmi-bookmarkable-urls", "default-zpublisher-encoding", "max-conflict-retries"}
    | {"enable-xmlrpc", "enable-ms-public-header", "webdav-source-port"}
    | {"clear-untrusted-proxy-headers", "python"}
)
SURELY_ZOPE_2_KEYS = frozenset(
    {"zserver-threads", "zserver-read-only-mode", "ip-address", "port-base", "lock-filename", "effective-user"}
    | {"dns-server", "max-listen-sockets", "http-header-max-length", "maximum-number-of-session-objects"}
    | {"session-add-notify-script-path", "session-delete-notify-script-path", "session-timeout-minutes"}
    | {"session-resolution-seconds", "structured-text-header-level", "rest-input-encoding", "rest-output-encoding"}
    | {"rest-header-level", "rest-language-code"}
)
"""Keys at the top that no Zope 4 or later has known; of the rest of Zope 2's, early releases of Zope 4 knew some."""

ONLY_ZOPE_2_SECTIONS = frozenset(
    {"http-server", "webdav-source-server", "ftp-server", "monitor-server", "icp-server", "fast-cgi"}
    | {"persistent-cgi", "clock-server", "eventlog", "logger", "cgi-environment", "warnfilter"}
)
"""Sections at the top that Zope 4 and later refuse."""

# The storages that are an add-on's, and the package that a file imports for each.
_IMPORTED = {
    "clientstorage": "ZEO",
    "relstorage": "relstorage",
    "zlibstorage": "zc.zlibstorage",
    "serverzlibstorage": "zc.zlibstorage",
    "encryptingstorage": "cipher.encryptingstorage",
    "serverencryptingstorage": "cipher.encryptingstorage",
    "before": "zc.beforestorage",
    "s3blobstorage": "zodb_s3blobs",
    "pgjsonb": "zodb_pgjsonb",
    "neostorage": "neo.client",
    "zrs": "zc.zrs",
}
# Packages that bring these and no other storage.
_BRINGS_NO_OTHER = frozenset({*_IMPORTED.values(), "tempstorage", "Products.TemporaryFolder", "ZODB", "ZServer"})
# Storages of ZODB itself, and tempstorage's, which Zope's own schema imports where it is installed.
BUILT_IN = frozenset(
    {"zeoclient", "filestorage", "mappingstorage", "demostorage", "blobstorage", "temporarystorage"}
    | {"fullstorage", "minimalstorage", "bdbstorage"}
)


def is_known(storage: str) -> bool:
    """Whether zcheck knows what the keys of this kind of storage mean."""
    return storage in KEYS or storage in BUILT_IN or storage == "zrs"


# Any key is allowed in these, each of them once.
_ANY_KEY = ("environment", "cgi-environment", "product-config")

_REQUIRED = {
    "zeoclient": ("server",),
    "clientstorage": ("server",),
    "filestorage": ("path",),
    "blobstorage": ("blob-dir",),
}
_REQUIRED_OF_ZEO = {**_REQUIRED, "zeo": ("address",), "ssl": ("certificate", "authenticate")}

_SIZE = re.compile(r"(-?\d+)\s*(kb|mb|gb)?", re.IGNORECASE)
_TIME = re.compile(r"(-?\d+)\s*([smhd])?", re.IGNORECASE)
_FACTORS = {"": 1, "kb": 1024, "mb": 1024**2, "gb": 1024**3, "s": 1, "m": 60, "h": 3600, "d": 86400}
_BOOLEANS = {"yes": "on", "true": "on", "on": "on", "no": "off", "false": "off", "off": "off"}
_LONGEST_NUMBER = 40


# Most clients give the same values.
@lru_cache(maxsize=1024)
def canonical(kind: str, value: str) -> str | None:
    """One spelling for equal values of a datatype of ZConfig; None where ZConfig refuses the value."""
    if kind in ("text", "path"):
        return value
    if kind == "boolean":
        return _BOOLEANS.get(value.lower())
    if kind == "address":
        return _address(value)
    if len(value) > _LONGEST_NUMBER:
        return None
    if kind in ("size", "time"):
        match = (_SIZE if kind == "size" else _TIME).fullmatch(value)
        return None if match is None else str(int(match[1]) * _FACTORS[(match[2] or "").lower()])
    try:
        return str(int(value)) if kind == "integer" else str(float(value))
    except ValueError:
        return None


def _address(value: str) -> str | None:
    """ZConfig's ``socket-binding-address``; None for what it refuses."""
    if "/" in value or not value:
        return value or None
    _host, colon, port = value.rpartition(":")
    if not colon and not port.isdecimal() and not re.search(r"\s", port):
        return value  # a host without a port, which is another finding
    return value if port.isdecimal() and int(port) <= 65535 else None


def meant(kind: str, key: str) -> str | None:
    """The known key that an unknown one of a section of this type is most like; None where there is none."""
    return next(iter(difflib.get_close_matches(key[:100], KEYS.get(kind, {}), 1)), None)


def every_section(conf: ZopeConf) -> Iterator[Section]:
    """The whole file as one section, and every section in it, however deep."""
    waiting = [conf.top]
    while waiting:
        section = waiting.pop(0)
        yield section
        waiting += section.sections


def refusals(conf: ZopeConf) -> Iterator[ConfFault]:
    """The keys for which Zope refuses to start: of no version, given twice, missing, or of a wrong form."""
    partial = any(fault.kind == "unread" for fault in conf.faults)
    for section in every_section(conf):
        yield from _of_section(section, KEYS, _REQUIRED, partial)
    if not partial:
        storages = [inner for database in conf.databases for inner in _within(database.section)]
        yield from not_imported(storages, conf.imports)


def zeo_refusals(conf: ZeoConf) -> Iterator[ConfFault]:
    """The same of a ZEO server's own file: what ZEO's schema refuses, whatever the version."""
    partial = any(fault.kind == "unread" for fault in conf.faults)
    tables = {**KEYS, **ZEO_KEYS}
    for setting in conf.settings:
        message = f"'{setting.key}' stands outside of every section, where ZEO knows no key"
        yield ConfFault("refused", message, setting.file, setting.line, "put the line into its section, or remove it")
    waiting = list(conf.sections)
    storages = [storage.section for storage in conf.storages]
    while waiting:
        section = waiting.pop(0)
        if section.type in _NOT_OF_ZEO and section in conf.sections:
            message = f"<{section.type}> is no section that ZEO knows here"
            yield ConfFault("refused", message, section.file, section.line, f"remove the <{section.type}> section")
            continue
        yield from _of_section(section, tables, _REQUIRED_OF_ZEO, partial)
        waiting += section.sections
    if not partial:
        yield from not_imported([inner for one in storages for inner in (one, *_within(one))], conf.imports)


# What other programs' files have at their top.
_NOT_OF_ZEO = frozenset({"environment", "cgi-environment", "logger", "accesslog", "warnfilter", "product-config"})


def of_zope_2(conf: ZopeConf) -> Iterator[Setting | Section]:
    """The keys and sections at the top that Zope 4 and later refuse."""
    for setting in conf.settings:
        if setting.key in KEYS[""] and setting.key not in _WSGI_KEYS:
            yield setting
    for section in conf.sections:
        if section.type in ONLY_ZOPE_2_SECTIONS:
            yield section


def not_imported(storages: Iterable[Section], imports: Sequence[str]) -> Iterator[ConfFault]:
    """The storages of add-ons that no ``%import`` brings, as far as that is sure."""
    unsure = any(package not in _BRINGS_NO_OTHER for package in imports)
    misspelt = {package.lower(): package for package in imports if package not in _BRINGS_NO_OTHER}
    for section in storages:
        package = _IMPORTED.get(section.type)
        missing = f"unknown type name: <{section.type}>"
        if package is not None and package.lower() in misspelt:
            message = f"{missing}, for '%import {misspelt[package.lower()]}' names no package; it is {package}"
            yield ConfFault("refused", message, section.file, section.line, f"write '%import {package}'")
        elif package is not None and package not in imports and not unsure:
            message = f"{missing}, for it is {package}'s, and the file has no '%import {package}'"
            hint = f"write '%import {package}' at the top of the file"
            yield ConfFault("refused", message, section.file, section.line, hint)
        elif package is None and not imports and section.type not in KEYS and section.type not in BUILT_IN:
            message = f"{missing}, for it is an add-on's, and the file imports none"
            hint = "write '%import' and the package that brings it at the top of the file"
            yield ConfFault("refused", message, section.file, section.line, hint)


def _within(section: Section) -> Iterator[Section]:
    waiting = list(section.sections)
    while waiting:
        inner = waiting.pop(0)
        yield inner
        waiting += inner.sections


def _of_section(
    section: Section, tables: Mapping[str, dict[str, Key]], required: Mapping[str, Sequence[str]], partial: bool
) -> Iterator[ConfFault]:
    known = tables.get(section.type, {})
    if len({setting.key for setting in section.settings}) < len(section.settings):
        yield from _twice(section, known)
    for setting in section.settings:
        if setting.key in known:
            yield from _malformed(setting, known[setting.key])
        elif section.type in tables and section.type not in _NOT_SURE:
            yield _unknown(section.type, setting, known)
    for key in required.get(section.type, ()):
        if section.first(key) is None and not partial:
            message = f"<{section.type}> has no '{key}'"
            yield ConfFault("refused", message, section.file, section.line, f"write '{key} ...' into it")


# Of these no package's own schema was at hand to be compared with.
_NOT_SURE = frozenset({"encryptingstorage", "serverencryptingstorage", "before", "zoperunner", "warnfilter", "zrs"})

_HOST_AND_PORT = re.compile(r"\S+:\d{1,5}")


def _unknown(kind: str, setting: Setting, known: Mapping[str, Key]) -> ConfFault:
    """A key of no version; the second address of a ``server`` line that was broken in two is told as such."""
    nearest = next(iter(difflib.get_close_matches(setting.key[:100], known, 1)), None)
    owner = f"<{kind}>" if kind else "Zope"
    message = f"'{setting.key[:100]}' is no key that {owner} knows"
    hint = "remove the line"
    if "server" in known and _HOST_AND_PORT.fullmatch(setting.key) and not setting.value:
        hint = f"write 'server {setting.key}'"
    elif nearest is not None:
        message, hint = f"{message}; did you mean '{nearest}'?", f"write '{nearest}', or remove the line"
    return ConfFault("refused", message, setting.file, setting.line, hint)


def _twice(section: Section, known: dict[str, Key]) -> Iterator[ConfFault]:
    first: dict[str, Setting] = {}
    for setting in section.settings:
        key = known.get(setting.key)
        if (key is not None and not key.many) or section.type in _ANY_KEY:
            earlier = first.setdefault(setting.key, setting)
            if earlier is not setting:
                message = f"'{setting.key}' is given twice; the first is at line {earlier.line}"
                yield ConfFault(
                    "refused", message, setting.file, setting.line, f"remove one of the two '{setting.key}' lines"
                )


_WORDS = {
    "address": "an address: HOST:PORT, a port, or the path of a unix socket",
    "boolean": "on or off",
    "integer": "a whole number",
    "float": "a number",
    "size": "a number of bytes, such as 20MB",
    "time": "a time, such as 5m",
}


def _malformed(setting: Setting, key: Key) -> Iterator[ConfFault]:
    if setting.unresolved or setting.seal or key.kind not in _WORDS:
        return
    if canonical(key.kind, setting.value) is None:
        shown = setting.value if len(setting.value) < _LONGEST_NUMBER else setting.value[:_LONGEST_NUMBER] + "..."
        message = f"'{setting.key} {shown}' is not {_WORDS[key.kind]}"
        yield ConfFault(
            "refused", message, setting.file, setting.line, f"write '{setting.key}' with {_WORDS[key.kind]}"
        )
