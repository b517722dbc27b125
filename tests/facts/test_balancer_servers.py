"""Which server of a balancer is which client: one rule, by address."""

from __future__ import annotations

import pytest

from zcheck.facts import Names
from zcheck.facts.balancer_servers import Match, Matcher, is_at
from zcheck.parsers import clients_ini

INI = """\
[cluster]
name = test
[client:app1]
address = app1.example.com:8080
[client:app2]
address = 10.0.0.2:8080
balancer-server = plone2
[client:app3]
address = 127.0.0.3:8080
[client:app4]
address = localhost:8084
[client:app5]
address = unknown:8085
[hosts]
app1.example.com = 10.0.0.1
"""
CLUSTER = clients_ini.parse(INI, "clients.ini")
MATCHER = Matcher(CLUSTER, Names({"www2": ("10.0.0.2",)}))


@pytest.mark.parametrize(
    ("expected", "host", "port"),
    [
        pytest.param(Match("app1"), "APP1.example.com.", 8080, id="the same name"),
        pytest.param(Match("app1"), "10.0.0.1", 8080, id="the address of its name"),
        pytest.param(Match("app2"), "www2", 8080, id="a name of its address"),
        pytest.param(Match(), "10.0.0.2", 8081, id="another port"),
        pytest.param(Match(None, ("app3",)), "10.0.0.9", 8080, id="another address, or the balancer's own machine"),
        pytest.param(Match(), "127.0.0.2", 8084, id="another loopback alias"),
        pytest.param(Match("app3"), "127.0.0.3", 8080, id="a loopback alias"),
        pytest.param(Match("app4"), "127.0.0.1", 8084, id="localhost"),
        pytest.param(Match(), "127.0.0.3", 8084, id="an alias is not localhost"),
        pytest.param(Match(None, ("app1", "app2")), "127.0.0.1", 8080, id="which machine's loopback is not known"),
        pytest.param(Match(None, ("app5",)), "10.0.0.5", 8085, id="a client that nothing knows"),
        pytest.param(Match(), "", 8080, id="a unix socket"),
        pytest.param(Match(None, ("app2", "app3", "app4", "app5")), "10.0.0.2", None, id="a port that is not known"),
    ],
)
def test_which_client_is_at_an_address(expected: Match, host: str, port: int | None) -> None:
    assert expected == MATCHER.client_at(host, port)


def test_of_several_servers_of_a_client_the_one_with_its_name_is_the_first() -> None:
    servers = [("spare", "10.0.0.2"), ("plone2", "10.0.0.2"), ("stranger", "10.0.0.9"), ("app1", "10.0.0.1")]
    found = MATCHER.servers_of(servers, lambda one: MATCHER.client_at(one[1], 8080), lambda one: one[0])
    assert {"app1": ["app1"], "app2": ["plone2", "spare"]} == {
        client: [name for name, _ in several] for client, several in found.items()
    }


def test_the_right_name_with_another_address_is_not_the_client() -> None:
    assert is_at("10.0.0.9", 8080, CLUSTER.client("app2"), CLUSTER, None) is False
