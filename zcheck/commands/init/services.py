"""The Zope clients and ZEO servers among the services of a compose file."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from zcheck.commands.init.found import Everything, Found, FoundZeo, InitError, sanitised
from zcheck.facts import HostPort, addresses
from zcheck.facts.addresses import HERE
from zcheck.parsers import compose, redact

_ZOPE_IMAGE = re.compile(r"(?:^|/)(plone-backend|plone|zope|zms)(?=[:@]|$)|plone-backend")
_ZEO_IMAGE = re.compile(r"(?:^|/)[\w.-]*zeo[\w.-]*(?=[:@]|$)")
_ZOPE_VARIABLES = ("ZEO_ADDRESS", "RELSTORAGE_DSN", "ZEO_STORAGE", "ZOPE_CONF")


def of_compose(path: str, text: str, found: Everything) -> None:
    try:
        services = compose.parse(text).get("services")
    except compose.ComposeError as error:
        advice = "give what 'docker compose config' prints"
        raise InitError(f"{path}:{error.line}: {error}; {advice}") from None
    if not isinstance(services, dict):
        raise InitError(f"{path}: it has no services")
    others = []
    for name, service in services.items():
        if not isinstance(service, dict):
            continue
        variables = _variables(service)
        if _is_zope(service, variables):
            found.clients.append(_of_service(path, name, service, variables))
        elif _ZEO_IMAGE.search(str(service.get("image") or "")):
            found.zeo_servers.append(FoundZeo(sanitised(name), None, f"{name}:{variables.get('ZEO_PORT') or 8100}"))
        else:
            others.append(name)
    if others:
        found.notes.append(f"{path}: taken for no Zope client: {', '.join(others)}")


def _is_zope(service: Mapping[str, compose.Node], variables: Mapping[str, str | None]) -> bool:
    image = str(service.get("image") or "")
    return any(name in variables for name in _ZOPE_VARIABLES) or (
        _ZOPE_IMAGE.search(image) is not None and _ZEO_IMAGE.search(image) is None
    )


def _variables(service: Mapping[str, compose.Node]) -> dict[str, str | None]:
    """The ``environment`` of a service; None for what compose takes from its own environment."""
    environment = service.get("environment")
    if isinstance(environment, dict):
        return {name: value if isinstance(value, str) else None for name, value in environment.items()}
    pairs = [one.partition("=") for one in environment if isinstance(one, str)] if isinstance(environment, list) else []
    return {name: value if equals else None for name, equals, value in pairs}


def _of_service(
    path: str, name: str, service: Mapping[str, compose.Node], variables: Mapping[str, str | None]
) -> Found:
    inside = variables.get("LISTEN_PORT") or "8080"
    port = int(inside) if re.fullmatch(r"[1-9][0-9]{0,4}", inside) and int(inside) < 65536 else 8080
    notes = ["zope-conf: it lies within the image; copy it here, such as by 'docker compose cp'"]
    keys: list[tuple[str, str]] = []
    published = _published(service.get("ports"), port)
    if published is not None:
        keys.append(("connect", str(published)))
    else:
        notes.append("connect: its port is not published; zcheck must run where the name of the service is known")
    keys += [("env-file", env_file) for env_file in _env_files(path, service.get("env_file"))]
    for variable, value in sorted(variables.items()):
        if value is None or "${" in value or _is_secret(variable, value):
            why = (
                "it may hold a secret: give it in an env-file" if value and "${" not in value else "compose fills it in"
            )
            notes.append(f"env.{variable} = ...   {why}")
        elif re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", variable):
            keys.append((f"env.{variable}", value))
    if _copies(service) != "1":
        notes.append(
            f"{_copies(service)} containers answer by this name: each needs an address and a section of its own"
        )
    return Found(
        name=sanitised(name),
        origin=f"from {path}, service {name}",
        address=HostPort(re.sub(r"[^A-Za-z0-9_.-]", "-", name), port),
        keys=tuple(keys),
        notes=tuple(notes),
    )


def _is_secret(variable: str, value: str) -> bool:
    return (
        redact.speaks_of_a_secret(variable)
        or variable.lower().endswith("dsn")
        or redact.without_userinfo(value) != value
        or "password" in value.lower()
    )


def _copies(service: Mapping[str, compose.Node]) -> str:
    deploy = service.get("deploy")
    replicas = deploy.get("replicas") if isinstance(deploy, dict) else None
    return str(service.get("scale") or replicas or "1")


def _published(ports: compose.Node, inside: int) -> HostPort | None:
    """Where this machine publishes the port ``inside`` the container."""
    for one in ports if isinstance(ports, list) else ():
        if isinstance(one, dict):
            host, outer, inner = str(one.get("host_ip") or ""), str(one.get("published") or ""), str(one.get("target"))
        elif isinstance(one, str):
            *front, inner = one.partition("/")[0].rsplit(":", 1)
            host, _, outer = (front[0] if front else "").rpartition(":")
        else:
            continue
        if inner == str(inside) and re.fullmatch(r"[1-9][0-9]{0,4}", outer) and int(outer) < 65536:
            host = host.strip("[]")
            return HostPort(host if addresses.is_literal(host) and host not in ("0.0.0.0", "::") else HERE, int(outer))
    return None


def _env_files(path: str, given: compose.Node) -> list[str]:
    """The last of the ``env_file`` entries: it wins, and clients.ini takes one."""
    entries = given if isinstance(given, list) else [given]
    names = [one.get("path") if isinstance(one, dict) else one for one in entries]
    found = [os.path.join(os.path.dirname(path), one) for one in names if isinstance(one, str)]  # noqa: PTH118, PTH120
    return found[-1:]
