"""What must not change the verdict of the config stage, and a hundred single lines that must."""

from __future__ import annotations

import random

import pytest
from config_lines import CLIENTS, HARMLESS, LINES, OPEN_SERVERS, REFUSED, SERVERS, Files, healthy
from hypothesis import given, settings
from hypothesis import strategies as st
from judging import found, judged

from zcheck.facts import Facts
from zcheck.parsers import clients_ini, zope_conf
from zcheck.report.structs import Judgement
from zcheck.rules.databases import Shared
from zcheck.rules.server_lines import Comparison, alike, comparison


def judge(files: Files) -> Judgement:
    """What the checks that read zope.conf and clients.ini say of these files."""
    cluster = clients_ini.parse("\n".join(files["clients.ini"]), "clients.ini")
    facts = Facts().with_fact("", cluster)
    texts = {f"{name}/etc/zope.conf": "\n".join(lines) for name, lines in files.items()}

    def read(path: str) -> str:
        if path not in texts:
            raise OSError(2, "No such file or directory", path)
        return texts[path]

    for client in cluster.clients:
        path = f"{client.name}/etc/zope.conf"
        facts = facts.with_fact(client.name, zope_conf.parse(texts[path], path, client.env, read))
    return judged(facts)


def said(judgement: Judgement) -> str:
    """The checks that found something, in alphabetical order, with a question mark behind what is UNKNOWN."""
    marks = {"UNKNOWN": "?"}
    table = found(judgement)
    return " ".join(sorted({name + marks.get(severity, "") for name, one in table.items() for severity, _ in one}))


def test_the_base_of_what_follows_is_healthy() -> None:
    assert "" == said(judge(healthy()))


# --- a hundred single lines ----------------------------------------------------------------------


def test_there_are_a_hundred_of_them() -> None:
    assert len(LINES) >= 100
    assert len({(number, line) for number, line, _ in LINES}) == len(LINES)


@pytest.mark.parametrize(
    ("number", "line", "expected"), LINES, ids=[f"{number}: {line!a}" for number, line, _ in LINES]
)
def test_one_line_changes_the_verdict_to_the_right_check(number: int, line: str | None, expected: str) -> None:
    files = healthy()
    before = files["app2"][number - 1]
    files["app2"][number - 1 : number] = [] if line is None else [line]
    assert before != line
    judgement = judge(files)
    assert expected == said(judgement), [finding.message for finding in judgement.findings]
    assert all("app2" in finding.clients for finding in judgement.findings)
    if expected == REFUSED:
        (finding, *_) = judgement.findings
        assert ("app2",) == finding.clients


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        pytest.param("zeo = zeo1.example.com:8100", "zeo = 192.0.2.9:8100", "zeo-server-is-the-pinned-one", id="pin"),
        pytest.param(
            "zeo = zeo1.example.com:8100", "zeo = zeo9:8100", "zeo-server-is-the-pinned-one?", id="unknown pin"
        ),
        pytest.param("storage = 1", "storage = main", "zeo-server-is-the-pinned-one", id="pinned storage"),
        pytest.param("zeo1 = 192.0.2.5", "zeo1 = 192.0.2.6", SERVERS, id="another address"),
        pytest.param("zeo1 = 192.0.2.5", "zeo3 = 192.0.2.5", OPEN_SERVERS, id="no address"),
    ],
)
def test_one_line_of_clients_ini_changes_it_as_well(before: str, after: str, expected: str) -> None:
    files = healthy()
    files["clients.ini"][files["clients.ini"].index(before)] = after
    assert expected == said(judge(files))


# --- what must not change it ---------------------------------------------------------------------


@pytest.mark.parametrize(("number", "line"), HARMLESS, ids=[f"{number}: {line}" for number, line in HARMLESS])
def test_one_line_that_means_the_same_changes_nothing(number: int, line: str | None) -> None:
    files = healthy()
    files["app2"][number - 1 : number] = [] if line is None else line.split("\n")
    judgement = judge(files)
    assert "" == said(judgement), [finding.message for finding in judgement.findings]


# Every line of a group may change places with every other one, and every group with its neighbours.
def shuffled(lines: list[str], chance: random.Random) -> list[str]:
    """The same zope.conf in another order: sections at the top, and in each section its keys and sections."""
    blocks: list[list[str]] = []
    depth = 0
    for line in lines:
        word = line.strip()
        if not word or word.startswith("%define"):
            continue
        if depth:
            blocks[-1].append(line)
        else:
            blocks.append([line])
        depth += word.startswith("<") - 2 * word.startswith("</")
    ordered = [block if len(block) < 3 else [block[0], *shuffled(block[1:-1], chance), block[-1]] for block in blocks]
    chance.shuffle(ordered)
    return [line for block in ordered for line in block]


SPELLINGS = (
    "zeo1.example.com:8100",
    "192.0.2.5:8100",
    "zeo1:8100",
    "ZEO1.EXAMPLE.COM.:8100",
    "[::ffff:192.0.2.5]:8100",
)
FAULTS = [
    (number, line, expected) for number, line, expected in LINES if expected != REFUSED and (number, line) != (1, None)
]
WORDS = st.sampled_from([None, *FAULTS])


@settings(max_examples=150, deadline=None)
@given(fault=WORDS, chance=st.randoms(use_true_random=False))
def test_order_and_spelling_never_change_the_verdict(
    fault: tuple[int, str | None, str] | None, chance: random.Random
) -> None:
    files = healthy()
    if fault is not None:
        number, line, _ = fault
        files["app2"][number - 1 : number] = [] if line is None else [line]
    expected = said(judge(files))
    changed = dict(files)
    for client in CLIENTS:
        defines = [line for line in files[client] if line.startswith("%define")]
        lines = [respelt(line, chance) for line in shuffled(files[client], chance)]
        changed[client] = defines + lines
    changed["clients.ini"] = with_clients_in_another_order(files["clients.ini"], chance)
    assert expected == said(judge(changed))


def respelt(line: str, chance: random.Random) -> str:
    """The ZEO server by any of its names."""
    word, _, value = line.strip().partition(" ")
    return f"{word} {chance.choice(SPELLINGS)}" if word == "server" and value in SPELLINGS else line


def with_clients_in_another_order(lines: list[str], chance: random.Random) -> list[str]:
    sections: list[list[str]] = [[]]
    for line in lines:
        if line.startswith("["):
            sections.append([])
        sections[-1].append(line)
    chance.shuffle(sections)
    return [line for section in sections for line in section]


# --- what is not compared one by one is judged as if it were --------------------------------------

SERVER_LINES = [
    *("zeo1:8100", "10.0.0.5:8100", "10.0.0.6:8100", "zeo1:8101", "localhost:8100", "8100", "unknown:8100"),
    *("another:8100", "both:8100", "own:8100", "/run/zeo.sock", "/srv/zeo.sock", "var/zeo.sock"),
]
KNOWN_HOSTS = "[hosts]\nzeo1 = 10.0.0.5\nboth = 10.0.0.5 10.0.0.6\nown = 127.0.0.1\napp1 = 10.0.0.1\napp2 = 10.0.0.5"


@given(st.lists(st.lists(st.sampled_from(SERVER_LINES), min_size=1, max_size=3), min_size=2, max_size=7))
def test_server_lines_by_key_and_shape_are_judged_as_each_against_each(written: list[list[str]]) -> None:
    text = "[cluster]\nname = test\n"
    text += "".join(f"[client:app{n}]\naddress = app{n}:8080\n" for n in range(1, len(written) + 1))
    cluster = clients_ini.parse(text + KNOWN_HOSTS, "clients.ini")
    members = {}
    for client, lines in zip(cluster.clients, written, strict=True):
        servers = "".join(f"server {line}\n" for line in lines)
        conf = f"<zodb_db main>\n<zeoclient>\n{servers}</zeoclient>\nmount-point /\n</zodb_db>"
        members[client.name] = zope_conf.parse(conf, "zope.conf", {}, str).databases[0]
    facts = Facts().with_fact("", cluster)
    sides = alike(members, facts)
    quick = comparison(facts, Shared("database main", members))
    plain = Comparison(quick.same)
    groups = plain.joined(sides)
    assert groups == quick.joined(sides)
    assert plain.differing(groups) == quick.differing(groups)
