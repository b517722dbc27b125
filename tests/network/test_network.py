"""Real faults of a real network, and what zcheck on the fifth machine says without a look from the others."""

from __future__ import annotations

import http.client
from collections.abc import Callable

import pytest
from network.machines import Loss, Network, program
from network.sites import CLIENTS, Site
from patience import patient

MakeSite = Callable[..., Site]

HAPROXY = """
[balancer:front]
type = haproxy
config = haproxy.cfg
backend = zope
admin-socket = admin.sock
public-bind = *:80
status-bind = 127.0.0.1:8404
"""


def test_a_healthy_cluster_passes_and_haproxy_opens_its_clients_by_proof(make_site: MakeSite, network: Network) -> None:
    haproxy = program("haproxy")
    if haproxy is None:
        pytest.skip("haproxy is not installed")
    site, front = make_site(via=False, ini=HAPROXY), network["front"]
    config = site.folder / "haproxy.cfg"
    config.write_text(site.zcheck("haproxy", "render", site.cluster.ini).out)
    with front.background(haproxy, "-db", "-f", config, log=site.folder / "haproxy.log"):
        told = site.preflight()
        assert (0, (6, 6, 6)) == (told.code, told.proven), told.out
        for name in CLIENTS:
            opened = site.zcheck("haproxy", "enable", site.cluster.ini, name)
            assert 0 == opened.code, opened.out + opened.err
        with front.network():
            connection = http.client.HTTPConnection(front.address, 80, timeout=5)
            connection.request("GET", "/")
            assert 200 == connection.getresponse().status


def test_a_cut_on_the_way_back_from_zeo_is_told_as_the_client_that_hangs(make_site: MakeSite, network: Network) -> None:
    site = make_site(via=False)
    network.lose("zeo", "app2")
    told = site.preflight()
    assert [("CRITICAL", "client-is-connected-to-zeo", ("app2",))] == told.told, told.out
    assert (2, (2, 6, 6)) == (told.code, told.proven)
    assert told.seconds < patient(30)


def test_a_machine_that_is_gone_is_one_finding(make_site: MakeSite, network: Network) -> None:
    site = make_site(via=False)
    network.switch_off("app3")
    told = site.preflight()
    assert [("CRITICAL", "client-port-answers", ("app3",))] == told.told, told.out
    assert (2, (2, 6, 6)) == (told.code, told.proven)
    assert told.seconds < patient(30)


@pytest.mark.parametrize("how", ["blackhole", "unreachable"])
def test_a_zeo_server_that_only_the_clients_reach_is_proven_through_them(
    make_site: MakeSite, network: Network, how: Loss
) -> None:
    site = make_site(via=False)
    network.lose("front", "zeo", how)
    told = site.preflight()
    assert (0, [], (6, 0, 6)) == (told.code, told.told, told.proven), told.out
    assert "the ZEO server zeo:8100 cannot be reached from here" in told.result("zeo-server-answers")["because"]


def test_a_zeo_machine_that_is_gone_for_everybody_is_one_finding(make_site: MakeSite, network: Network) -> None:
    site = make_site(via=False)
    network.switch_off("zeo")
    told = site.preflight()
    assert ["zeo-server-answers"] == [check for _, check, _ in told.told], told.out
    assert (2, (0, 0, 6)) == (told.code, told.proven)
    assert told.seconds < patient(60)


def test_a_name_that_means_another_zeo_server_on_one_machine_splits_the_cluster(
    make_site: MakeSite, network: Network
) -> None:
    """The files are the same, letter by letter; what runs is not."""
    network["app2"].says(zeo=network["app3"].address)
    site = make_site(via=False, zeo_on=("zeo", "app3"))
    told = site.preflight()
    assert "CRITICAL" in [severity for severity, _, clients in told.told if "app2" in clients], told.out
    assert 2 == told.code
