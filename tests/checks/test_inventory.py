"""The checks of the inventory stage: each where it fires, and beside it where it must not."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from patience import patient

from zcheck.checks import CATALOGUE
from zcheck.checks.inventory.at_least_two_clients import at_least_two_clients
from zcheck.checks.inventory.client_addresses_are_distinct import client_addresses_are_distinct
from zcheck.checks.inventory.clients_on_several_machines import clients_on_several_machines
from zcheck.checks.inventory.credentials_are_private import credentials_are_private
from zcheck.checks.inventory.suppressions_are_current import suppressions_are_current
from zcheck.checks.inventory.three_or_more_clients import three_or_more_clients
from zcheck.checks.inventory.zeo_server_is_pinned import zeo_server_is_pinned
from zcheck.facts import Facts, Inventory, Names, NotGathered, SecretFile, SecretFiles, Today
from zcheck.gather.collect import collect
from zcheck.gather.kinds import wanted_kinds
from zcheck.gather.settings import Settings
from zcheck.parsers.clients_ini import parse
from zcheck.report.structs import Judgement
from zcheck.runner import run
from zcheck.testing import inventory, judge

SAMPLES = Path(__file__).resolve().parents[2] / "sample-confs"
STAGE = tuple(check for check in CATALOGUE if check.stage == "inventory")
FROM_FILES = tuple(check for check in CATALOGUE if check.stage in ("inventory", "config"))
TODAY = "2026-11-20"

Told = list[tuple[str, str]]


def told(judgement: Judgement) -> Told:
    """Severity and clients of each finding."""
    return [(finding.severity, " ".join(finding.clients)) for finding in judgement.findings]


def outcome(judgement: Judgement) -> str:
    (result,) = judgement.results
    return result.outcome


def clients(*lines: str, more: str = "") -> Inventory:
    """An inventory of clients app1, app2 ..., each of whose sections has these lines, ``;`` between."""
    sections = [f"[client:app{n}]\n" + line.replace("; ", "\n") for n, line in enumerate(lines, 1)]
    return inventory("\n".join([*sections, more, ""]))


def at(*addresses: str, more: str = "") -> Inventory:
    return clients(*(f"address = {address}" for address in addresses), more=more)


# --- how many --------------------------------------------------------------------------------------

WORKER = "address = a:1; role = worker"
COUNTS: dict[str, tuple[tuple[str, ...], Told, Told]] = {
    "one": (("address = a:1",), [("CRITICAL", "app1")], []),
    "one and a worker": (("address = a:1", WORKER), [("CRITICAL", "app1")], []),
    "a worker alone": ((WORKER,), [("CRITICAL", "app1")], []),
    "two": (("address = a:1", "address = b:1"), [], [("ADVICE", "app1 app2")]),
    "two and a worker": (("address = a:1", WORKER, "address = b:1"), [], [("ADVICE", "app1 app3")]),
    "a candidate counts": (("address = a:1", "address = b:1; role = candidate"), [], [("ADVICE", "app1 app2")]),
    "a reader counts": (("address = a:1", "address = b:1; role = read-only"), [], [("ADVICE", "app1 app2")]),
    "three": (("address = a:1", "address = b:1", "address = c:1"), [], []),
    "three and a worker": (("address = a:1", "address = b:1", "address = c:1", WORKER), [], []),
}


@pytest.mark.parametrize(("lines", "two", "three"), COUNTS.values(), ids=COUNTS)
def test_how_many(lines: tuple[str, ...], two: Told, three: Told) -> None:
    facts = clients(*lines)
    assert two == told(judge(at_least_two_clients, facts))
    assert three == told(judge(three_or_more_clients, facts))


def test_a_single_client_is_one_finding() -> None:
    judgement = run(STAGE, facts_of_inventory(at("a:1", more="[cluster]\nzeo = zeo1:8100")))
    assert [("at-least-two-clients", "CRITICAL")] == [(f.check, f.severity) for f in judgement.findings]
    because = {result.check: result.because for result in judgement.results}
    assert "at-least-two-clients" == because["three-or-more-clients"] == because["clients-on-several-machines"]


def facts_of_inventory(given: Inventory) -> Facts:
    """What the stage reads, all of it unremarkable."""
    return Facts().with_fact("", given).with_fact("", Names()).with_fact("", SecretFiles()).with_fact("", Today(TODAY))


# --- addresses and machines ------------------------------------------------------------------------

HOSTS = "[hosts]\napp1.example.com = 192.0.2.11\nwww = 192.0.2.11 192.0.2.12\nv6 = 2001:db8::1\n"
DNS = Names({"dns1": ("192.0.2.11",), "dns2": ("192.0.2.12",)}, here=("192.0.2.99",))
ONE = [("CRITICAL", "app1 app2")]
CANNOT_TELL = [("UNKNOWN", "app2")]

ADDRESSES: dict[str, tuple[tuple[str, ...], Told]] = {
    "two machines": (("192.0.2.11:8080", "192.0.2.12:8080"), []),
    "two ports": (("192.0.2.11:8080", "192.0.2.11:8081"), []),
    "one text": (("app1:8080", "app1:8080"), ONE),
    "one text in capitals": (("app1:8080", "APP1:8080"), ONE),
    "one text with a final dot": (("app1:8080", "app1.:8080"), ONE),
    "a name and its address": (("app1.example.com:8080", "192.0.2.11:8080"), ONE),
    "a name and another address": (("app1.example.com:8080", "192.0.2.12:8080"), []),
    "a name and its address, other ports": (("app1.example.com:8080", "192.0.2.11:8081"), []),
    "by DNS": (("dns1:8080", "192.0.2.11:8080"), ONE),
    "by DNS and by hosts": (("dns1:8080", "app1.example.com:8080"), ONE),
    "by DNS, two machines": (("dns1:8080", "dns2:8080"), []),
    "one of several addresses": (("www:8080", "192.0.2.12:8080"), ONE),
    "IPv6, spelled otherwise": (("[2001:db8::1]:8080", "[2001:DB8:0::1]:8080"), ONE),
    "IPv6, by its name": (("v6:8080", "[2001:db8::1]:8080"), ONE),
    "IPv4 within IPv6": (("[::ffff:192.0.2.11]:8080", "192.0.2.11:8080"), ONE),
    "local spellings": (("localhost:8080", "127.0.0.1:8080"), ONE),
    "local spellings, other ports": (("localhost:8080", "127.0.0.1:8081"), []),
    "this machine by its address": (("localhost:8080", "192.0.2.99:8080"), ONE),
    "names that nothing knows": (("app1:8080", "app2:8080"), []),
    "a name that nothing knows, an address": (("192.0.2.11:8080", "unknown:8080"), CANNOT_TELL),
    "the same on another port": (("192.0.2.11:8080", "unknown:8081"), []),
    "three of one address are one finding": (("a:1", "a:1", "a:1"), [("CRITICAL", "app1 app2 app3")]),
    "two pairs are two findings": (
        ("192.0.2.11:1", "192.0.2.12:1", "dns1:1", "dns2:1"),
        [("CRITICAL", "app1 app3"), ("CRITICAL", "app2 app4")],
    ),
}


@pytest.mark.parametrize(("addresses", "expected"), ADDRESSES.values(), ids=ADDRESSES)
def test_addresses(addresses: tuple[str, ...], expected: Told) -> None:
    assert expected == told(judge(client_addresses_are_distinct, at(*addresses, more=HOSTS), DNS))


@pytest.mark.parametrize(
    ("addresses", "expected"), [row for row in ADDRESSES.values() if row[1] in ([], ONE)], ids=lambda row: str(row)
)
def test_the_order_of_addresses_does_not_matter(addresses: tuple[str, ...], expected: Told) -> None:
    assert expected == told(judge(client_addresses_are_distinct, at(*reversed(addresses), more=HOSTS), DNS))


CONNECTS: dict[str, tuple[tuple[str, ...], Told]] = {
    "one forward for two": (
        ("address = a:1; connect = 127.0.0.1:18081", "address = b:1; connect = localhost:18081"),
        ONE,
    ),
    "a forward each": (("address = a:1; connect = 127.0.0.1:18081", "address = b:1; connect = 127.0.0.1:18082"), []),
    "a forward to the other's address": (("address = a:1", "address = b:1; connect = a:1"), ONE),
    "one address, a forward each": (
        ("address = a:1; connect = 127.0.0.1:18081", "address = a:1; connect = 127.0.0.1:18082"),
        ONE,
    ),
    "one address and one forward are one finding": (
        ("address = a:1; connect = 127.0.0.1:18081", "address = a:1; connect = 127.0.0.1:18081"),
        ONE,
    ),
}


@pytest.mark.parametrize(("lines", "expected"), CONNECTS.values(), ids=CONNECTS)
def test_where_zcheck_connects(lines: tuple[str, ...], expected: Told) -> None:
    assert expected == told(judge(client_addresses_are_distinct, clients(*lines), Names()))


def test_both_lines_are_shown() -> None:
    given = clients("address = a:1; connect = 127.0.0.1:18081", "address = b:1; connect = 127.0.0.1:18081")
    (finding,) = judge(client_addresses_are_distinct, given, Names()).findings
    assert [(3, "connect = 127.0.0.1:18081"), (6, "connect = 127.0.0.1:18081")] == [
        (place.line, place.text) for place in finding.places
    ]
    assert "zcheck would reach app1 and app2 by one address: 127.0.0.1:18081" == finding.message


MACHINES: dict[str, tuple[tuple[str, ...], Told]] = {
    "two machines": (("address = 192.0.2.11:1", "address = 192.0.2.12:1"), []),
    "one machine": (("address = 192.0.2.11:1", "address = 192.0.2.11:2"), [("ADVICE", "app1 app2")]),
    "one machine by two names": (("address = dns1:1", "address = app1.example.com:2"), [("ADVICE", "app1 app2")]),
    "one machine by machine": (
        ("address = 192.0.2.11:1; machine = dns1", "address = 192.0.2.12:1; machine = dns1"),
        [("ADVICE", "app1 app2")],
    ),
    "two machines behind one address": (
        ("address = 192.0.2.11:1; machine = dns1", "address = 192.0.2.11:2; machine = dns2"),
        [],
    ),
    "one name that nothing knows": (("address = a:1", "address = a:2"), [("ADVICE", "app1 app2")]),
    "two names that nothing knows": (("address = a:1", "address = b:1"), []),
    "a name that nothing knows, an address": (("address = 192.0.2.11:1", "address = unknown:1"), CANNOT_TELL),
    "the same beside two machines": (
        ("address = 192.0.2.11:1", "address = unknown:1", "address = 192.0.2.12:1"),
        [],
    ),
    "three on one": (
        ("address = 192.0.2.11:1", "address = dns1:2", "address = www:3"),
        [("ADVICE", "app1 app2 app3")],
    ),
    "two joined by a third of two addresses": (
        ("address = 192.0.2.11:1", "address = 192.0.2.12:1", "address = www:3"),
        [("ADVICE", "app1 app2 app3")],
    ),
    "a worker elsewhere is no help": (
        ("address = 192.0.2.11:1", "address = 192.0.2.11:2", "address = 192.0.2.12:1; role = worker"),
        [("ADVICE", "app1 app2")],
    ),
    "a worker beside one of them is no harm": (
        ("address = 192.0.2.11:1", "address = 192.0.2.12:2", "address = 192.0.2.12:1; role = worker"),
        [],
    ),
}


@pytest.mark.parametrize(("lines", "expected"), MACHINES.values(), ids=MACHINES)
def test_machines(lines: tuple[str, ...], expected: Told) -> None:
    assert expected == told(judge(clients_on_several_machines, clients(*lines, more=HOSTS), DNS))


@pytest.mark.parametrize(
    ("expected", "names"),
    [
        ("add 'unknown = ADDRESS' to [hosts], or run without --offline", Names()),
        ("add 'unknown = ADDRESS' to [hosts]: DNS does not know it here", Names(looked_up=True)),
    ],
    ids=["offline", "DNS was asked"],
)
def test_what_to_do_about_a_name_that_nothing_knows(expected: str, names: Names) -> None:
    given = clients("address = 192.0.2.11:1", "address = unknown:1")
    for one in (clients_on_several_machines, client_addresses_are_distinct):
        (finding,) = judge(one, given, names).findings
        assert expected == finding.hint


# --- the password ----------------------------------------------------------------------------------

BY_FILE = at("a:1", "b:1", more="[cluster]\nuser = admin\npassword-file = secret\n")
INLINE = at("a:1", "b:1", more="[cluster]\nuser = admin\npassword = hunter2\n")
ALL = "app1 app2"

MODES: dict[str, tuple[int, str]] = {
    "its owner's": (0o600, ""),
    "its owner's to read": (0o400, ""),
    "its owner's, executable": (0o700, ""),
    "others may run it, not read it": (0o611, ""),
    "its group's": (0o640, "its group can read it"),
    "everybody's": (0o644, "its group and all others can read it"),
    "others' alone": (0o604, "all others can read it"),
    "its group's to write": (0o620, "its group can write it"),
}


@pytest.mark.parametrize(("mode", "who"), MODES.values(), ids=MODES)
def test_the_password_file(mode: int, who: str) -> None:
    judgement = judge(credentials_are_private, BY_FILE, SecretFiles((SecretFile("secret", mode, 8),)))
    expected = [f"secret holds the password and has mode {mode:04o}: {who}"] if who else []
    assert expected == [finding.message for finding in judgement.findings]
    assert ([("WARNING", ALL)] if who else []) == told(judgement)


def test_a_password_within_the_inventory_is_not_shown() -> None:
    (finding,) = judge(credentials_are_private, INLINE, SecretFiles((SecretFile("clients.ini", 0o644, 8),))).findings
    assert ("password", "chmod 600 clients.ini") == (finding.places[0].text, finding.hint)
    assert "hunter2" not in repr(finding)


def test_no_password_from_a_file_is_nothing_to_examine() -> None:
    assert "skipped" == outcome(judge(credentials_are_private, at("a:1", "b:1"), SecretFiles()))


def test_a_password_file_that_is_not_there_is_unknown() -> None:
    missing = (SecretFiles, NotGathered("secret: No such file or directory"))
    assert [("UNKNOWN", ALL)] == told(judge(credentials_are_private, BY_FILE, missing))


# --- suppressions ----------------------------------------------------------------------------------


def suppressing(*lines: str) -> Inventory:
    section = "\n".join(["[suppress:old]", "check = versions-agree", "reason = because", *lines])
    return at("a:1", "b:1", more=section)


DAYS: dict[str, tuple[str, str]] = {
    "a day more than told": ("2026-12-05", ""),
    "two weeks ahead": ("2026-12-04", "old suppresses versions-agree until 2026-12-04, for 14 more days"),
    "tomorrow": ("2026-11-21", "old suppresses versions-agree until 2026-11-21, for 1 more day"),
    "today": ("2026-11-20", "old suppresses versions-agree until 2026-11-20: today is its last day"),
    "yesterday": ("2026-11-19", "old suppressed versions-agree until 2026-11-19: the finding counts again"),
    "years ago": ("2020-02-29", "old suppressed versions-agree until 2020-02-29: the finding counts again"),
}


@pytest.mark.parametrize(("expires", "message"), DAYS.values(), ids=DAYS)
def test_suppressions(expires: str, message: str) -> None:
    judgement = judge(suppressions_are_current, suppressing(f"expires = {expires}"), Today(TODAY))
    assert ([message] if message else []) == [finding.message for finding in judgement.findings]
    assert ([("WARNING", ALL)] if message else []) == told(judgement)
    assert ("problem" if message else "pass") == outcome(judgement)


def test_the_same_suppression_has_one_fingerprint_on_every_day() -> None:
    given = suppressing("expires = 2026-12-04")
    first, second = (judge(suppressions_are_current, given, Today(day)).findings for day in (TODAY, "2026-12-01"))
    assert first[0].message != second[0].message
    assert first[0].fingerprint == second[0].fingerprint


SUPPRESSED_CLIENTS: dict[str, tuple[str, Told]] = {
    "one": ("clients = app2", []),
    "all, by name": ("clients = app1 app2", []),
    "a stranger": ("clients = app9", [("WARNING", "app1 app2")]),
    "a stranger beside one": ("clients = app2, app9", [("WARNING", "app2")]),
}


@pytest.mark.parametrize(("line", "expected"), SUPPRESSED_CLIENTS.values(), ids=SUPPRESSED_CLIENTS)
def test_suppressions_of_clients(line: str, expected: Told) -> None:
    assert expected == told(judge(suppressions_are_current, suppressing(line), Today(TODAY)))


def test_a_suppression_without_a_day_needs_no_calendar() -> None:
    assert "pass" == outcome(judge(suppressions_are_current, suppressing()))


def test_no_suppression_is_nothing_to_examine() -> None:
    assert "skipped" == outcome(judge(suppressions_are_current, at("a:1", "b:1"), Today(TODAY)))


def test_the_day_is_not_told() -> None:
    judgement = judge(suppressions_are_current, suppressing("expires = 2026-12-31", "clients = app2"))
    assert CANNOT_TELL == told(judgement)


# --- the pin ---------------------------------------------------------------------------------------

PINS: dict[str, tuple[str, Told]] = {
    "pinned": ("zeo = zeo1:8100\nstorage = 1", []),
    "pinned to several": ("zeo = zeo1:8100 zeo2:8100", []),
    "a storage alone": ("storage = 1", [("ADVICE", ALL)]),
    "not pinned": ("name = x", [("ADVICE", ALL)]),
}


@pytest.mark.parametrize(("lines", "expected"), PINS.values(), ids=PINS)
def test_pins(lines: str, expected: Told) -> None:
    assert expected == told(judge(zeo_server_is_pinned, at("a:1", "b:1", more=f"[cluster]\n{lines}")))


def test_no_pin_without_a_section_for_it() -> None:
    assert [("ADVICE", ALL)] == told(judge(zeo_server_is_pinned, at("a:1", "b:1")))


# --- samples ---------------------------------------------------------------------------------------

SAMPLE_FINDINGS: dict[str, list[tuple[str, str, str]]] = {
    "healthy": [],
    "only-one-client": [("at-least-two-clients", "CRITICAL", "app1")],
    "only-two-clients": [("three-or-more-clients", "ADVICE", "app1 app2")],
    "two-clients-one-address": [("client-addresses-are-distinct", "CRITICAL", "app1 app2")],
    "password-others-can-read": [("credentials-are-private", "WARNING", "app1 app2 app3")],
    "clients-on-one-machine": [("clients-on-several-machines", "ADVICE", "app1 app2 app3")],
    "zeo-server-not-pinned": [("zeo-server-is-pinned", "ADVICE", "app1 app2 app3")],
    "suppression-expired": [("suppressions-are-current", "WARNING", "app3")],
}


@pytest.fixture
def sample(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """The clients.ini of a copy of a sample, whose files have the modes that a checkout usually gives them."""
    folder = tmp_path / str(request.param)
    shutil.copytree(SAMPLES / folder.name, folder)
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return folder / "clients.ini"


def gathered(ini: Path) -> Facts:
    """What an offline run reads."""
    given = parse(ini.read_text(), str(ini))
    wanted = wanted_kinds(FROM_FILES)
    offline = Settings(run_id="test", offline=True, today=TODAY)
    return collect(given, offline, wanted, NotGathered("not needed offline")).facts


@pytest.mark.parametrize(("sample", "expected"), SAMPLE_FINDINGS.items(), ids=SAMPLE_FINDINGS, indirect=["sample"])
def test_a_sample_shows_its_fault_and_no_other(sample: Path, expected: list[tuple[str, str, str]]) -> None:
    judgement = run(FROM_FILES, gathered(sample), today=TODAY)
    assert expected == [(f.check, f.severity, " ".join(f.clients)) for f in judgement.findings]
    for finding in judgement.findings:
        for place in finding.places:
            line = Path(place.file).read_text().splitlines()[(place.line or 0) - 1]
            assert place.text in line


def test_every_check_of_the_stage_has_a_sample() -> None:
    shown = {check for findings in SAMPLE_FINDINGS.values() for check, _, _ in findings}
    assert {check.name for check in STAGE} == shown


ZOPES_OWN = """
import sys
from Zope2.Startup.options import ZopeWSGIOptions
for path in sys.argv[1:]:
    options = ZopeWSGIOptions(configfile=path)()
    print(sorted(database.name for database in options.configroot.databases))
"""


def test_zope_itself_reads_the_healthy_sample(tmp_path: Path) -> None:
    pytest.importorskip("Zope2", reason="Zope is not installed")
    confs = []
    for number in (1, 2, 3):
        home = tmp_path / f"app{number}"
        (home / "var").mkdir(parents=True)
        text = (SAMPLES / f"healthy/app{number}/etc/zope.conf").read_text()
        conf = home / "zope.conf"
        conf.write_text(text.replace(f"/srv/app{number}", str(home)))
        confs.append(str(conf))
    run_ = subprocess.run([sys.executable, "-c", ZOPES_OWN, *confs], capture_output=True, text=True, timeout=60)
    assert (0, ["['archive', 'main']"] * 3) == (run_.returncode, run_.stdout.splitlines()), run_.stderr


# --- size ------------------------------------------------------------------------------------------


def test_a_thousand_clients_are_judged_in_a_moment() -> None:
    addresses = [f"app{n}.example.com:8080" if n % 2 else f"10.0.{n // 256}.{n % 256}:8080" for n in range(1000)]
    hosts = "[hosts]\n" + "".join(f"app{n}.example.com = 10.1.{n // 256}.{n % 256}\n" for n in range(1, 1000, 2))
    facts = facts_of_inventory(at(*addresses, more=f"{hosts}[cluster]\nzeo = zeo1:8100\n"))
    started = time.monotonic()
    judgement = run(STAGE, facts, today=TODAY)
    assert time.monotonic() - started < patient(5)
    assert [] == told(judgement)
