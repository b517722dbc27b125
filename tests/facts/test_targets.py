"""What may be written to: nothing that clients.ini pins otherwise, nothing that keeps writes to itself."""

from __future__ import annotations

import pytest

from zcheck.facts import Facts, HostPort, ListeningProcess, Names, SeenThere, ServerFromThere, ZopeConf, targets
from zcheck.testing import inventory, zope_conf

INI = """
[cluster]
name = test
{cluster}
[client:app1]
address = 10.0.0.1:8080
{client}
"""


def facts_for(conf: ZopeConf, cluster: str = "", client: str = "") -> Facts:
    return Facts().with_fact("", inventory(INI.format(cluster=cluster, client=client))).with_fact("app1", conf)


DEMO = """
<zodb_db main>
  mount-point /
  <demostorage>
    <zeoclient base>
      server 10.0.0.5:8100
    </zeoclient>
  </demostorage>
</zodb_db>
"""


@pytest.mark.parametrize(
    ("expected", "conf", "cluster", "client"),
    [
        pytest.param("", zope_conf(server="10.0.0.5:8100"), "", "", id="not pinned"),
        pytest.param("", zope_conf(server="10.0.0.5:8100"), "zeo = 10.0.0.5:8100\nstorage = 1", "", id="pinned here"),
        pytest.param(
            "pins 10.0.0.6", zope_conf(server="10.0.0.5:8100"), "zeo = 10.0.0.6:8100", "", id="another server"
        ),
        pytest.param(
            "pins 10.0.0.5", zope_conf(server="zeo1:8100"), "zeo = 10.0.0.5:8100", "", id="not known to be it"
        ),
        pytest.param(
            "pins 10.0.0.5",
            zope_conf(server="10.0.0.5:8100 10.0.0.6:8100"),
            "zeo = 10.0.0.5:8100",
            "",
            id="one of two servers is another",
        ),
        pytest.param(
            "storage main", zope_conf(server="10.0.0.5:8100", storage="1"), "storage = main", "", id="another storage"
        ),
        pytest.param("read-only client", zope_conf(server="10.0.0.5:8100"), "", "role = read-only", id="role"),
        pytest.param("read-only", zope_conf(server="10.0.0.5:8100", read_only="on"), "", "", id="says read-only"),
        pytest.param("<demostorage>", zope_conf(DEMO), "", "", id="writes stay in a demostorage"),
    ],
)
def test_what_is_not_written_over_zeo(expected: str, conf: ZopeConf, cluster: str, client: str) -> None:
    (target,) = targets.zeo_targets(facts_for(conf, cluster, client))
    assert expected in target.not_written
    assert bool(expected) == bool(target.not_written)


def test_a_loopback_server_is_dialled_at_the_clients_machine() -> None:
    (target,) = targets.zeo_targets(facts_for(zope_conf(server="localhost:8100")))
    assert target.dialled == (HostPort("10.0.0.1", 8100),)


def test_a_unix_socket_of_another_machine_cannot_be_dialled() -> None:
    (target,) = targets.zeo_targets(facts_for(zope_conf(server="/var/zeo.sock")))
    assert "10.0.0.1" in target.unreachable
    assert target.dialled == ()


def test_connect_of_a_zeo_section_is_how_it_is_reached_and_the_conf_is_what_is_compared() -> None:
    client = "[zeo:main]\naddress = zeo1:8100\nconnect = 127.0.0.1:18100"
    (target,) = targets.zeo_targets(facts_for(zope_conf(server="zeo1:8100"), client=client))
    assert target.servers == ("zeo1:8100",)
    assert target.dialled == (HostPort("127.0.0.1", 18100),)


def test_an_address_with_an_unknown_variable_is_no_target() -> None:
    assert targets.zeo_targets(facts_for(zope_conf(server="$(ZEO):8100"))) == ()


@pytest.mark.parametrize(
    ("expected", "conf", "cluster", "client"),
    [
        pytest.param("", zope_conf(server="10.0.0.5:8100"), "", "", id="not pinned"),
        pytest.param("", zope_conf(server="10.0.0.5:8100"), "zeo = 10.0.0.5:8100", "", id="pinned here"),
        pytest.param("pins", zope_conf(server="10.0.0.6:8100"), "zeo = 10.0.0.5:8100", "", id="pinned elsewhere"),
        pytest.param("read-only", zope_conf(server="10.0.0.5:8100"), "", "role = read-only", id="role"),
    ],
)
def test_who_may_make_the_first_write_over_http(expected: str, conf: ZopeConf, cluster: str, client: str) -> None:
    facts = facts_for(conf, cluster, client)
    reason = targets.may_start_http(facts, facts.inventory.client("app1"))
    assert expected in reason
    assert bool(expected) == bool(reason)


def test_pinned_and_no_zope_conf_begins_only_where_it_can_be_recognised() -> None:
    facts = Facts().with_fact("", inventory(INI.format(cluster="zeo = 10.0.0.5:8100\nstorage = 2", client="")))
    assert targets.may_start_http(facts, facts.inventory.client("app1")) == ""
    way = targets.pinned_target(facts.inventory, None)
    assert way is not None
    assert (way.dialled, way.storage, way.not_written) == ((HostPort("10.0.0.5", 8100),), "2", "")


def test_a_storage_pinned_alone_tells_no_server_to_recognise_a_client_by() -> None:
    facts = Facts().with_fact("", inventory(INI.format(cluster="storage = 1", client="")))
    assert targets.pinned_target(facts.inventory, None) is None
    assert "no zope.conf" in targets.may_start_http(facts, facts.inventory.client("app1"))


def seen(addresses: str) -> SeenThere:
    server = ServerFromThere("main", "zeo1:8100", "zope.conf", 3, "answers", addresses=tuple(addresses.split()))
    return SeenThere("m", process=ListeningProcess(7), distributions={"zope": "6.3"}, servers=(server,))


STRANGE = {
    "the same here": ("", "10.0.0.5", ["10.0.0.5", "10.0.0.5"], ""),
    "the same for one of them": ("", "10.0.0.5", ["10.0.0.5", "10.0.0.6"], ""),
    "another for all of them": (
        "zeo1 is 192.0.2.5 for zcheck, and 10.0.0.5 for them: give its address in [hosts] of clients.ini",
        "192.0.2.5",
        ["10.0.0.5", "10.0.0.5"],
        "",
    ),
    "another, and [hosts] says which": ("", "192.0.2.5", ["10.0.0.5", "10.0.0.5"], "[hosts]\nzeo1 = 10.0.0.5"),
    "another, and [zeo:main] says how to get there": (
        "",
        "192.0.2.5",
        ["10.0.0.5", "10.0.0.5"],
        "[zeo:main]\naddress = zeo1:8100\nconnect = 127.0.0.1:18100",
    ),
    "their own machine, by its loopback address": ("", "192.0.2.5", ["127.0.1.1", "127.0.1.1"], ""),
}


@pytest.mark.parametrize(("expected", "here", "there", "more"), STRANGE.values(), ids=STRANGE)
def test_nothing_is_written_where_a_name_leads_from_here_alone(
    expected: str, here: str, there: list[str], more: str
) -> None:
    clients = "".join(f"[client:app{n}]\naddress = 10.0.1.{n}:8080\n" for n in (1, 2))
    facts = Facts().with_fact("", inventory(f"{clients}{more}")).with_fact("", Names({"zeo1": (here,)}))
    for number, addresses in enumerate(there, 1):
        facts = facts.with_fact(f"app{number}", zope_conf(server="zeo1:8100"))
        facts = facts.with_fact(f"app{number}", seen(addresses))
    assert [expected, expected] == [target.not_written for target in targets.zeo_targets(facts)]
