"""Compose files to services, joined as compose joins them."""

from __future__ import annotations

import pytest

from zcheck.parsers.compose import ComposeError, EnvFile, Project, Service, fill, load, parse


def loaded(*files: tuple[str, str], beside: dict[str, str] | None = None) -> Project:
    there = beside or {}

    def read(path: str) -> str:
        if path not in there:
            raise FileNotFoundError(2, "No such file or directory", path)
        return there[path]

    return load([(path, parse(text, path)) for path, text in files], read)


def service(*files: tuple[str, str], beside: dict[str, str] | None = None) -> Service:
    (one,) = loaded(*files, beside=beside).services
    return one


def variables(one: Service) -> dict[str, str | None]:
    return {name: value.text if value is not None else None for name, value in one.environment.items()}


BASE = ("compose.yaml", "services:\n  a:\n    image: plone\n    environment:\n      A: '1'\n      B: '2'\n")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param("[B=3, C=4, D]", {"A": "1", "B": "3", "C": "4", "D": None}, id="a list"),
        pytest.param("{B: 3, C: 4, D: }", {"A": "1", "B": "3", "C": "4", "D": None}, id="a mapping"),
    ],
)
def test_a_second_file_is_merged_into_the_first(given: str, expected: dict[str, str | None]) -> None:
    other = ("compose.prod.yaml", f"services:\n  a:\n    ports: ['8081:8080']\n    environment: {given}\n")
    one = service(BASE, other)
    assert expected == variables(one)
    assert ("plone", "compose.yaml", 2) == (one.image, one.file, one.line)
    assert ("compose.yaml", "compose.prod.yaml") == one.files
    assert [("8080", "8081")] == [(port.inner, port.outer) for port in one.ports]


def test_lists_are_added_to_and_commands_replaced() -> None:
    first = ("a.yaml", "services:\n  a:\n    command: [x, y]\n    env_file: a.env\n    ports: ['1:2']\n")
    other = ("a2.yaml", "services:\n  a:\n    command: z\n    env_file: [b.env]\n    ports: ['1:2', '3:4']\n")
    one = service(first, other)
    assert ("z",) == one.command
    assert (EnvFile("a.env"), EnvFile("b.env")) == one.env_files
    assert ["2", "4"] == [port.inner for port in one.ports]


def test_what_a_service_extends() -> None:
    text = "services:\n  a:\n    extends: {file: ../base.yaml, service: b}\n    environment: {C: d}\n"
    base = "services:\n  b: {image: plone, env_file: b.env, environment: {C: x, E: f}}\n"
    one = service(("app/compose.yaml", text), beside={"base.yaml": base})
    assert ("plone", {"C": "d", "E": "f"}, (EnvFile("b.env"),)) == (one.image, variables(one), one.env_files)
    assert ("app/compose.yaml", 2) == (one.file, one.line)


def test_what_a_service_extends_and_is_not_here_is_a_remark() -> None:
    project = loaded(("compose.yaml", "services:\n  a:\n    extends: {file: base.yaml, service: b}\n"))
    assert ("compose.yaml:3: base.yaml is not here, and its services are missing below",) == project.notes


def test_a_service_that_extends_itself_is_refused() -> None:
    with pytest.raises(ComposeError, match=r"^compose.yaml:3: service a extends itself"):
        loaded(("compose.yaml", "services:\n  a:\n    extends: a\n"))


def test_included_files() -> None:
    text = "include: [zeo.yaml, {path: [app/compose.yaml]}]\nservices:\n  a: {image: x}\n"
    there = {"zeo.yaml": "services: {zeo: {image: y}}\n", "app/compose.yaml": "services: {b: {image: z}}\n"}
    assert ["a", "zeo", "b"] == [one.name for one in loaded(("compose.yaml", text), beside=there).services]


def test_files_that_include_each_other() -> None:
    there = {"b.yaml": "include: [compose.yaml, b.yaml]\nservices: {b: {image: y}}\n"}
    project = loaded(("compose.yaml", "include: [b.yaml]\nservices: {a: {image: x}}\n"), beside=there)
    assert ["a", "b"] == [one.name for one in project.services]


def test_files_of_the_first_form() -> None:
    assert ["a", "b"] == [one.name for one in loaded(("fig.yml", "a: {image: x}\nb: {build: .}\n")).services]


ENV = {"A": "1", "EMPTY": ""}
FILLED: dict[str, tuple[str, str, tuple[str, ...], tuple[str, ...]]] = {
    "nothing": ("zeo:8100", "zeo:8100", (), ()),
    "a variable": ("x$A", "x1", (), ()),
    "a variable in braces": ("${A}x", "1x", (), ()),
    "an unknown one": ("${B}:8100", "${B}:8100", ("B",), ()),
    "a default": ("${B:-zeo}:8100", "zeo:8100", (), ("B",)),
    "a default that is not needed": ("${A:-zeo}", "1", (), ()),
    "a default for what is empty": ("${EMPTY:-zeo}", "zeo", (), ("EMPTY",)),
    "a default that what is empty does not need": ("${EMPTY-zeo}", "", (), ()),
    "a must": ("${B:?give it}", "${B:?give it}", ("B",), ()),
    "another where it is set": ("${A:+x}", "${A:+x}", ("A",), ()),
    "a dollar": ("a$$b", "a$b", (), ()),
    "one within another": ("${B:-${A}}", "${B:-${A}}", ("A variable",), ()),
}


@pytest.mark.parametrize(("text", "filled", "unknown", "by_default"), FILLED.values(), ids=FILLED)
def test_variables(text: str, filled: str, unknown: tuple[str, ...], by_default: tuple[str, ...]) -> None:
    value = fill(text, ENV)
    assert (filled, bool(unknown), by_default) == (value.text, bool(value.unknown), value.by_default)
    assert text == value.written
    assert (not unknown and not by_default) == value.is_certain


def test_the_file_beside() -> None:
    dot_env = "A=zeo1:8100 # not this\nexport B='x y'\n# C=1\nD=$A\nE=\"q\"\n"
    text = "services:\n  a: {image: x, environment: {A: $A, B: $B, C: $C, D: $D, E: $E}}\n"
    one = service(("app/compose.yaml", text), beside={"app/.env": dot_env})
    assert {"A": "zeo1:8100", "B": "x y", "C": "$C", "D": "$D", "E": "q"} == variables(one)


def test_where_things_lie_and_how_a_service_is_called() -> None:
    text = """\
services:
  a:
    volumes: [./etc/zope.conf:/app/etc/zope.conf:ro, data:/data, {type: bind, source: ../b, target: /b/}]
    container_name: plone_a
    networks: {back: {aliases: [alias-a]}, front: }
    deploy: {replicas: 3}
    profiles: [debug]
    network_mode: host
"""
    one = service(("app/compose.yaml", text))
    assert {"/app/etc/zope.conf": "./app/etc/zope.conf", "/b": "./b"} == one.mounted
    assert (("plone_a", "alias-a"), "3", ("debug",), True) == (
        one.other_names,
        one.copies,
        one.profiles,
        one.on_the_host,
    )
