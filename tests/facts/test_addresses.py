"""When are two spellings of a server one server?  Three answers: yes, no, cannot be told."""

from __future__ import annotations

import itertools

import pytest

from zcheck.facts import HostPort, Inventory, Names, addresses
from zcheck.facts.addresses import HERE, Endpoint, InvalidAddress, parse_server
from zcheck.parsers import clients_ini

INI = """\
[cluster]
name = test
[client:app1]
address = app1.example.com:8080
[client:app2]
address = app2.example.com:8080
[client:app3]
address = elsewhere:8080
[hosts]
app1.example.com = 10.0.0.1
app2.example.com = 10.0.0.2
zeo1 = 10.0.0.5
zeo1.example.com = 10.0.0.5
both = 10.0.0.5 2001:db8::5
own = 127.0.0.1
second = 127.0.0.2
third = 127.0.0.3
"""
CLUSTER = clients_ini.parse(INI, "clients.ini")
NAMES = Names({"dns": ("10.0.0.5",), "me": ("127.0.1.1",), "out": ("192.0.2.77",)}, here=("192.0.2.77",))
APP1, APP2, ELSEWHERE = "app1.example.com", "app2.example.com", "elsewhere"


@pytest.mark.parametrize(
    ("expected", "text"),
    [
        pytest.param(("127.0.0.1", 8100, None), "8100", id="bare port"),
        pytest.param(("127.0.0.1", 8100, None), ":8100", id="port behind a colon"),
        pytest.param(("zeo1.x", 8100, None), "ZEO1.X:8100", id="upper case"),
        pytest.param(("zeo1", 8100, None), "zeo1.:8100", id="dot at the end"),
        pytest.param(("::1", 8100, None), "[::1]:8100", id="IPv6"),
        pytest.param(("2001:db8::5", 8100, None), "[2001:0db8:0::5]:8100", id="IPv6 written long"),
        pytest.param(("10.0.0.5", 8100, None), "[::ffff:10.0.0.5]:8100", id="IPv4 in IPv6"),
        pytest.param(("zeo_1", 8100, None), "zeo_1:8100", id="underscore"),
        pytest.param(("", 0, "/run/zeo.sock"), "/run/zeo.sock", id="unix socket"),
        pytest.param(("", 0, "/run/zeo.sock"), "/var/run//zeo.sock", id="the same written otherwise"),
        pytest.param(("", 0, "var/zeo.sock"), "./var/zeo.sock", id="relative socket"),
        pytest.param(("", 0, "/srv/a b/zeo.sock"), "/srv/a b/zeo.sock", id="socket with a blank"),
    ],
)
def test_what_is_an_address(expected: tuple[str, int, str | None], text: str) -> None:
    end = parse_server(text, APP1)
    assert expected == (end.host, end.port, end.path)


@pytest.mark.parametrize(
    ("expected", "text"),
    [
        pytest.param("has no port", "zeo1", id="no port"),
        pytest.param("has no port", "zeo.sock", id="a socket without a slash is taken for a host"),
        pytest.param("has no port", "::1", id="IPv6 without brackets"),
        pytest.param("has no port", "zeo1:8100,zeo2:8100", id="comma"),
        pytest.param("not one address", "zeo1:8100 zeo2:8100", id="two on a line"),
        pytest.param("not one address", "zeo1:8100 # main", id="comment"),
        pytest.param("not one address", "zeo1 8100", id="blank for a colon"),
        pytest.param("is no address", "zeo1:eight", id="word for a port"),
        pytest.param("is no address", "zeo1:99999", id="port too high"),
        pytest.param("is no address", '"zeo1:8100"', id="quotes"),
        pytest.param("is no address", "", id="nothing"),
        pytest.param("port 0", "zeo1:0", id="port 0"),
        pytest.param("is a URL", "http://zeo1:8100", id="URL"),
        pytest.param("is a URL", "zeo://zeo1:8100", id="zodburi"),
        pytest.param("because of its '/'", "zeo1:8100/", id="slash behind it"),
        pytest.param("no host called that", "10.0.0.256:8100", id="no IPv4"),
        pytest.param("no host called that", "*:8100", id="asterisk"),
        pytest.param("no host called that", "user@zeo1:8100", id="user"),
        pytest.param("NUL", "/run/zeo\0.sock", id="NUL in a path"),
    ],
)
def test_what_is_no_address(expected: str, text: str) -> None:
    with pytest.raises(InvalidAddress, match=expected.replace("'", ".")) as caught:
        parse_server(text, APP1)
    assert str(caught.value).isprintable()


DOCKER = "host.docker.internal:8100"
SAME = [
    ("zeo1:8100", APP1, "zeo1:8100", APP2, "a name"),
    ("unknown:8100", APP1, "UNKNOWN.:8100", ELSEWHERE, "a name that nothing knows"),
    ("zeo1:8100", APP1, "10.0.0.5:8100", APP2, "a name and its address"),
    ("zeo1:8100", APP1, "zeo1.example.com:8100", APP2, "two names with one address"),
    ("both:8100", APP1, "[2001:db8::5]:8100", APP2, "one of two addresses"),
    ("dns:8100", APP1, "zeo1:8100", APP2, "DNS and [hosts]"),
    ("10.0.0.5:8100", APP1, "[::ffff:10.0.0.5]:8100", APP2, "IPv4 in IPv6"),
    ("localhost:8100", APP1, "127.0.0.1:8100", APP1, "localhost and its address"),
    ("8100", APP1, "[::1]:8100", APP1, "bare port and IPv6"),
    ("localhost:8100", APP1, "app1.example.com:8100", APP2, "localhost on the server's machine"),
    ("localhost:8100", APP1, "10.0.0.1:8100", APP2, "localhost and the machine's address"),
    ("localhost:8100", ELSEWHERE, "elsewhere:8100", APP2, "localhost and the machine's unknown name"),
    ("own:8100", APP1, "8100", HERE, "a name that [hosts] gives the loopback address"),
    ("own:8100", APP1, "own:8100", APP2, "the same name on two machines"),
    ("me:8100", APP1, "localhost:8100", HERE, "DNS here gives a loopback address: the machine of zcheck"),
    ("out:8100", APP1, "localhost:8100", HERE, "an address of the machine of zcheck"),
    ("/run/zeo.sock", APP1, "/var/run/zeo.sock", APP1, "one socket"),
    ("127.0.0.2:8100", APP1, "127.0.0.2:8100", APP1, "a loopback alias"),
    (DOCKER, APP1, DOCKER, APP1, "two containers of one machine"),
    (DOCKER, APP1, "gateway.docker.internal:8100", APP1, "two names of the machine around"),
    (DOCKER, APP1, "10.0.0.1:8100", APP2, "the machine around, and its address"),
    ("/run/zeo.sock", APP1, "/run/zeo.sock", "10.0.0.1", "one socket, the machine by name and address"),
]
DIFFERENT = [
    ("zeo1:8100", APP1, "zeo1:8200", APP1, "another port"),
    ("unknown:8100", APP1, "other:8200", APP1, "another port of unknown names"),
    ("10.0.0.5:8100", APP1, "10.0.0.6:8100", APP2, "two addresses"),
    ("zeo1:8100", APP1, "10.0.0.6:8100", APP2, "a name and a foreign address"),
    ("localhost:8100", APP1, "localhost:8100", APP2, "localhost of two machines"),
    ("8100", APP1, "127.0.0.1:8100", APP2, "bare port of two machines"),
    ("127.0.0.2:8100", APP1, "127.0.0.2:8100", APP2, "a loopback alias of two machines"),
    (DOCKER, APP1, DOCKER, APP2, "containers of two machines"),
    ("host.containers.internal:8100", APP1, "host.containers.internal:8100", APP2, "the same with Podman"),
    (DOCKER, APP1, "zeo1:8100", APP1, "the machine around, and another one"),
    ("/run/zeo.sock", APP1, "/run/zeo.sock", APP2, "one path on two machines"),
    ("/run/zeo.sock", APP1, "/run/other.sock", APP1, "two paths on one machine"),
    ("var/zeo.sock", APP1, "var/zeo.sock", APP2, "a relative path on two machines"),
    ("localhost:8100", APP1, "zeo1:8100", APP1, "localhost and another machine"),
    ("/run/zeo.sock", APP1, "zeo1:8100", APP1, "a socket here and a port of another machine"),
]
OPEN = [
    ("zeo1:8100", APP1, "unknown:8100", APP2, "a name that nothing knows"),
    ("unknown:8100", APP1, "other:8100", APP1, "two names that nothing knows"),
    ("localhost:8100", APP1, "localhost:8100", ELSEWHERE, "a machine that nothing knows"),
    ("localhost:8100", APP1, "unknown:8100", APP1, "localhost and a name that nothing knows"),
    ("/run/zeo.sock", APP1, "8100", APP1, "a socket and a port of one machine"),
    ("var/zeo.sock", APP1, "var/zeo.sock", APP1, "relative to a directory that no file tells"),
    ("/run/zeo.sock", APP1, "/run/zeo.sock", ELSEWHERE, "one path, a machine that nothing knows"),
    ("127.0.0.2:8100", APP1, "127.0.0.1:8100", APP1, "two loopback addresses, or a server on every address"),
    ("127.0.0.2:8100", APP1, "10.0.0.1:8100", APP2, "a loopback alias and the machine's own address"),
    (DOCKER, APP1, "localhost:8100", APP1, "the machine around, and the container's own loopback"),
    (DOCKER, APP1, DOCKER, ELSEWHERE, "the machine around, and one that nothing knows"),
    ("second:8100", HERE, "third:8100", HERE, "names of two loopback addresses"),
    ("own:8100", APP1, "127.0.0.1:8100", APP1, "[hosts]' loopback address may be each client's own"),
]
CASES = [
    pytest.param(expected, *case[:4], id=case[4])
    for expected, cases in ((True, SAME), (False, DIFFERENT), (None, OPEN))
    for case in cases
]


@pytest.mark.parametrize(("expected", "one", "machine", "other", "another"), CASES)
def test_one_server_or_two(expected: bool | None, one: str, machine: str, other: str, another: str) -> None:
    ones, others = parse_server(one, machine), parse_server(other, another)
    assert expected is addresses.same_server(ones, others, CLUSTER, NAMES)
    assert expected is addresses.same_server(others, ones, CLUSTER, NAMES)


def test_without_dns_a_name_that_only_dns_knows_cannot_be_told() -> None:
    ones, others = parse_server("dns:8100", APP1), parse_server("zeo1:8100", APP1)
    assert addresses.same_server(ones, others, CLUSTER) is None


@pytest.mark.parametrize(
    ("expected", "ones", "others"),
    [
        pytest.param(True, "zeo1:8100", "10.0.0.5:8100", id="one each"),
        pytest.param(True, "zeo1:8100 10.0.0.6:8100", "10.0.0.6:8100 zeo1:8100", id="order"),
        pytest.param(True, "zeo1:8100 10.0.0.5:8100", "zeo1:8100", id="twice the same"),
        pytest.param(False, "zeo1:8100 10.0.0.6:8100", "zeo1:8100", id="one more"),
        pytest.param(False, "zeo1:8100", "10.0.0.6:8100 unknown:8200", id="none in common"),
        pytest.param(None, "zeo1:8100 unknown:8100", "zeo1:8100", id="one more that cannot be told"),
    ],
)
def test_several_servers_are_a_set(expected: bool | None, ones: str, others: str) -> None:
    left, right = ([parse_server(text, APP1) for text in side.split()] for side in (ones, others))
    assert expected is addresses.same_servers(left, right, CLUSTER, NAMES)
    assert expected is addresses.same_servers(right, left, CLUSTER, NAMES)


def test_sameness_is_an_equivalence_where_it_is_proven() -> None:
    texts = [
        "zeo1:8100",
        "10.0.0.5:8100",
        "zeo1.example.com:8100",
        "localhost:8100",
        "8100",
        "unknown:8100",
        "own:8100",
    ]
    ends = [parse_server(text, machine) for text in texts for machine in (APP1, APP2, ELSEWHERE)]
    same = {(a, b) for a, b in itertools.product(ends, ends) if addresses.same_server(a, b, CLUSTER, NAMES)}
    assert all((a, a) in same for a in ends)
    assert all((b, a) in same for a, b in same)
    assert all((a, c) in same for (a, b), (b_again, c) in itertools.product(same, same) if b == b_again)


def test_two_are_one_server_exactly_where_their_points_meet() -> None:
    texts = ["zeo1:8100", "10.0.0.5:8100", "10.0.0.5:8101", "localhost:8100", "8101", "unknown:8100", "own:8100"]
    texts += ["both:8100", "[2001:db8::5]:8100", "/run/zeo.sock", "/var/run/zeo.sock", "/srv/zeo.sock", "./zeo.sock"]
    ends = [parse_server(text, machine) for text in texts for machine in (APP1, APP2, ELSEWHERE, "nowhere")]
    for names in (NAMES, None):
        points = {end: addresses.meeting_points(end, CLUSTER, names) for end in ends}
        for one, other in itertools.product(ends, ends):
            same = addresses.same_server(one, other, CLUSTER, names)
            assert bool(points[one] & points[other]) is (same is True), (one, other)
            if not points[one] & points[other] and one.path is None and other.path is None:
                # Apart from each other, their ports and whether a name is open decide.
                told = one.port == other.port and any(addresses.is_open(end, CLUSTER, names) for end in (one, other))
                assert (None if told else False) is same, (one, other)


@pytest.mark.parametrize(
    ("expected", "one", "other"),
    [
        pytest.param(True, "app1.example.com", "APP1.example.com.", id="one name"),
        pytest.param(True, "unknown", "unknown", id="an unknown name"),
        pytest.param(True, "localhost", "127.0.0.1", id="loopback"),
        pytest.param(True, "app1.example.com", "10.0.0.1", id="name and address"),
        pytest.param(False, "app1.example.com", "app2.example.com", id="two"),
        pytest.param(False, "app1.example.com", "localhost", id="not the machine of zcheck"),
        pytest.param(None, "unknown", "other", id="two unknown names"),
    ],
)
def test_one_machine_or_two(expected: bool | None, one: str, other: str) -> None:
    assert expected is addresses.same_machine(one, other, CLUSTER, NAMES)


def test_a_person_is_told_whose_localhost_is_meant() -> None:
    assert "localhost:8100 on app1.example.com" == str(parse_server("localhost:8100", APP1))
    assert "zeo1:8100" == str(parse_server("zeo1:8100", APP1))
    assert "localhost:8100" == str(parse_server("localhost:8100", HERE))


# --- what is dialled -----------------------------------------------------------------------------


def with_zeo(section: str) -> Inventory:
    return clients_ini.parse(f"{INI}[zeo:main]\n{section}\n", "clients.ini")


def dial(text: str, client: str, cluster: Inventory) -> HostPort | str:
    found = cluster.client(client)
    return addresses.dialled(parse_server(text, found.machine), found, cluster, NAMES)


@pytest.mark.parametrize(
    ("expected", "text", "section"),
    [
        pytest.param(HostPort("10.0.0.5", 8100), "zeo1:8100", "address = other:1", id="by [hosts]"),
        pytest.param(HostPort("dns", 8100), "dns:8100", "address = other:1", id="by DNS"),
        pytest.param(HostPort("10.0.0.1", 8100), "8100", "address = other:1", id="the client's machine"),
        pytest.param(
            HostPort("127.0.0.1", 18100), "zeo1:8100", "address = zeo1:8100\nconnect = 127.0.0.1:18100", id="connect"
        ),
        pytest.param(
            HostPort("127.0.0.1", 18100),
            "10.0.0.5:8100",
            "address = zeo1:8100\nconnect = 127.0.0.1:18100",
            id="connect, other spelling",
        ),
        pytest.param(
            HostPort("10.0.0.1", 8100),
            "localhost:8100",
            "address = localhost:8100\nconnect = 127.0.0.1:18100",
            id="whose localhost was not said",
        ),
        pytest.param(
            HostPort("127.0.0.1", 18100),
            "localhost:8100",
            "address = localhost:8100\nmachine = app1.example.com\nconnect = 127.0.0.1:18100",
            id="localhost of a machine",
        ),
        pytest.param(
            HostPort("10.0.0.1", 8100),
            "localhost:8100",
            "address = localhost:8100\nmachine = app2.example.com\nconnect = 127.0.0.1:18100",
            id="localhost of another machine",
        ),
    ],
)
def test_what_is_dialled_from_here(expected: HostPort, text: str, section: str) -> None:
    assert expected == dial(text, "app1", with_zeo(section))


def test_a_socket_of_another_machine_cannot_be_dialled() -> None:
    with pytest.raises(InvalidAddress, match="unix socket on app1"):
        dial("/run/zeo.sock", "app1", CLUSTER)


@pytest.mark.parametrize(
    ("expected", "text"),
    [
        ("127.0.0.1:8100@app1.example.com", "localhost:8100"),
        ("127.0.0.2:8100@app1.example.com", "127.0.0.2:8100"),
        ("host.docker.internal:8100@app1.example.com", "host.docker.internal:8100"),
        ("/run/zeo.sock@app1.example.com", "/run/zeo.sock"),
    ],
)
def test_how_an_endpoint_of_one_machine_is_written_as_an_alias(expected: str, text: str) -> None:
    assert expected == parse_server(text, APP1).as_alias


def test_an_endpoint_says_where_it_is() -> None:
    assert (True, APP1) == (parse_server("8100", APP1).is_local, parse_server("8100", APP1).where)
    assert Endpoint("zeo1:8100", APP1, "zeo1", 8100).where == "zeo1"


@pytest.mark.parametrize(
    ("expected", "one", "other"),
    [
        pytest.param(True, "127.0.0.1", "localhost", id="localhost and its address"),
        pytest.param(True, "127.0.0.2", "second", id="an alias and its name"),
        pytest.param(False, "127.0.0.2", "127.0.0.3", id="two aliases"),
        pytest.param(False, "second", "third", id="two aliases by name"),
        pytest.param(False, "127.0.0.2", "localhost", id="an alias and localhost"),
        pytest.param(True, "zeo1", "10.0.0.5", id="a name and its address"),
        pytest.param(True, "host.docker.internal", "host.docker.internal", id="the machine around"),
        pytest.param(None, "host.docker.internal", "localhost", id="the machine around, and localhost"),
        pytest.param(None, "unknown", "10.0.0.5", id="a name that nothing knows"),
    ],
)
def test_one_address_or_two(expected: bool | None, one: str, other: str) -> None:
    assert expected is addresses.same_address(one, other, CLUSTER, NAMES)
    assert expected is addresses.same_address(other, one, CLUSTER, NAMES)
