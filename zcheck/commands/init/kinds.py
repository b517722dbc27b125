"""What kind of file a draft is asked to be made of: those that are read, and those that are known and not read."""

from __future__ import annotations

import enum
import re
from pathlib import Path

import msgspec

from zcheck.parsers import compose, yaml_text
from zcheck.parsers.yaml_text import Node, Table


class Kind(enum.Enum):
    """A kind of file that is read."""

    WSGI_INI = enum.auto()
    BUILDOUT = enum.auto()
    ZEO = enum.auto()
    ZOPE = enum.auto()
    HAPROXY = enum.auto()
    POUND = enum.auto()
    COMPOSE = enum.auto()


class Unread(msgspec.Struct, frozen=True):
    """A file that is known for what it is, and not read; ``instead``: what to give or to do."""

    what: str
    instead: str
    line: int | None = None


_ADDRESSES = "give the zope.conf files, and write into the draft the addresses by which it reaches the clients"
_CONFS = "give the zope.conf files of the clients"
_RENDERED = "render it first, and give the file that comes out"

# The first sign that is found counts, so that what holds another's words (nginx's "listen 80;") comes before it.
_SIGNS: tuple[tuple[re.Pattern[str], Kind | Unread], ...] = tuple(
    (re.compile(sign, re.MULTILINE), kind)
    for sign, kind in (
        (
            r"^\[(client|balancer|zeo):[^\]\n]+\]",
            Unread("a clients.ini", "run 'zcheck plan' on it: a draft is not needed"),
        ),
        (r"^\[(app|server|pipeline|composite):", Kind.WSGI_INI),
        (r"^\[buildout\]", Kind.BUILDOUT),
        (r"^[ \t]*<zeo>", Kind.ZEO),
        (r"^[ \t]*(<zodb_db\b|instancehome\b|%define[ \t]+INSTANCE|<http-server>)", Kind.ZOPE),
        (r"^[ \t]*(<(VirtualHost|Proxy|Location|IfModule|Directory)\b|ProxyPass\b)", Unread("Apache's", _ADDRESSES)),
        (r"^[ \t]*backend[ \t]+\w+[ \t]*\{(?!\{)", Unread("Varnish's", _ADDRESSES)),
        (
            r"^[ \t]*vcl[ \t]+[0-9.]+[ \t]*;|^[ \t]*sub[ \t]+vcl_\w+|^[ \t]*\.host[ \t]*=",
            Unread("Varnish's", _ADDRESSES),
        ),
        (
            r"^[ \t]*(http|events|stream|server|upstream[ \t]+[^\s{]+|location[ \t]+[^{\n]+)\s*\{(?!\{)"
            r"|^[ \t]*proxy_pass[ \t]+\S+;",
            Unread("nginx's", _ADDRESSES),
        ),
        (r"^\[{1,2}(entryPoints|providers|http\.|tcp\.|frontends|backends)[^\n]*\]", Unread("Traefik's", _ADDRESSES)),
        (r"^[ \t]*(reverse_proxy[ \t]|route[ \t]*\{)", Unread("Caddy's", _ADDRESSES)),
        (r"^[ \t]*cache_peer[ \t]", Unread("Squid's", _ADDRESSES)),
        (r"^[ \t]*(proxy\.server|server\.modules)[ \t]*\+?=", Unread("lighttpd's", _ADDRESSES)),
        (r"^\[(program|supervisord|supervisorctl)\b", Unread("supervisor's", _CONFS)),
        (r"^\[(Unit|Service)\]", Unread("systemd's", _CONFS)),
        (r"^\[uwsgi\]", Unread("uWSGI's", _CONFS)),
        (r"^FROM[ \t]+\S+", Unread("a Dockerfile", "give the compose file, or the zope.conf files")),
        (r"^[ \t]*(backend|listen|frontend)[ \t]+([^\s;{]|\{\{)[^;\n]*(?<![{;\s])[ \t]*$", Kind.HAPROXY),
        (r"^[ \t]*(global|defaults)[ \t]*(#.*)?$", Kind.HAPROXY),
        (r"(?i:^[ \t]*(BackEnd|ListenHTTPS?|UrlGroup)\b)", Kind.POUND),
    )
)
_YAML = re.compile(r"^(services|apiVersion|version|include|http|entryPoints|static_resources)[ \t]*:", re.MULTILINE)
_HELM = re.compile(r"\{\{-?\s*(/\*|\.(Values|Release|Chart)\b|include\b|template\b|define\b|with\b|range\b|if\b|end\b)")
_JINJA = re.compile(r"\{%.{0,200}?%\}|\{\{.{0,200}?\}\}")


def kind_of(path: str, text: str) -> Kind | Unread | None:
    """The kind of a file; None where nothing in it tells.

    Raises :exc:`zcheck.parsers.compose.ComposeError` for YAML that cannot be read.
    """
    suffixes = {suffix.lower() for suffix in Path(path).suffixes}
    if suffixes & {".yml", ".yaml", ".json"} or (_YAML.search(text) and not _sign(text)):
        return _of_yaml(path, text)
    return _sign(text)


def _sign(text: str) -> Kind | Unread | None:
    found = next(((match, kind) for sign, kind in _SIGNS if (match := sign.search(text))), None)
    if found is None:
        return None
    match, kind = found
    if isinstance(kind, Unread):
        return msgspec.structs.replace(kind, line=text.count("\n", 0, match.start()) + 1)
    return kind


def _of_yaml(path: str, text: str) -> Kind | Unread | None:
    try:
        documents = yaml_text.parse_all(text)
    except yaml_text.YamlError as error:
        template = _HELM.search(text) or _JINJA.search(text)
        if template is not None:
            line = text.count("\n", 0, template.start()) + 1
            is_helm = _HELM.search(text) is not None
            return Unread("a Helm template", _pods(), line) if is_helm else Unread("a template", _RENDERED, line)
        raise compose.ComposeError(path, error.line, str(error)) from None
    for document in documents:
        found = _of_document(path, document)
        if found is not None:
            return found
    return None


def _of_document(path: str, document: Node) -> Kind | Unread | None:
    if isinstance(document, list):
        names = {key for table in yaml_text.tables(document) for key in table}
        if names & {"hosts", "tasks", "import_playbook", "ansible.builtin.import_playbook"}:
            return Unread("an Ansible playbook", "give its inventory: --ansible-inventory FILE")
        return None
    if not isinstance(document, Table):
        return None
    if isinstance(document.get("services"), Table):
        return Kind.COMPOSE
    if "apiVersion" in document and "kind" in document:
        kind = document["kind"]
        shown = f" ({kind})" if isinstance(kind, str) and re.fullmatch(r"[A-Za-z]{1,40}", kind) else ""
        return Unread(f"a Kubernetes manifest{shown}", _pods(), document.line_of("apiVersion"))
    if "apiVersion" in document and "name" in document:
        return Unread("a Helm chart", _pods(), document.line_of("apiVersion"))
    if Path(path).name.startswith("values") and {"image", "replicaCount", "backend", "frontend"} & set(document):
        return Unread("a file of values of a Helm chart", _pods())
    for key in ("entryPoints", "providers", "http", "tcp"):
        inside = document.get(key)
        if key in ("entryPoints", "providers") and inside is not None:
            return Unread("Traefik's", _ADDRESSES, document.line_of(key))
        if isinstance(inside, Table) and {"routers", "services", "middlewares"} & set(inside):
            return Unread("Traefik's", _ADDRESSES, document.line_of(key))
    if "static_resources" in document:
        return Unread("Envoy's", _ADDRESSES, document.line_of("static_resources"))
    if any(isinstance(one, Table) and {"hosts", "children"} & set(one) for one in document.values()):
        return Unread("an Ansible inventory", "give it so: --ansible-inventory FILE")
    if "include" in document or "services" in document or compose.looks_like_the_first_form(document):
        return Kind.COMPOSE
    return None


def _pods() -> str:
    return "give the zope.conf files, and write a [client:] section with its own address for every pod"
