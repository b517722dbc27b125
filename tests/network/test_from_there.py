"""The same machines, seen from each client's own by ssh: faults that no file and no look from the fifth would show."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from network.machines import Loss, Network
from network.sites import CLIENTS, Site
from patience import patient

MakeSite = Callable[..., Site]
BOUND_S = 40
"""What a run may take when something of the network swallows packets; its waits are of five seconds."""


def test_a_healthy_cluster_passes_and_every_machine_was_looked_from(make_site: MakeSite) -> None:
    told = make_site().preflight()
    assert (0, [], (6, 6, 6)) == (told.code, told.told, told.proven), told.out
    for check in ("names-resolve-alike", "products-agree", "client-restarted-since-edit"):
        assert ("pass", []) == (told.result(check)["outcome"], told.result(check)["skipped_for"]), check


def test_localhost_on_three_machines_is_three_servers(make_site: MakeSite) -> None:
    """The files are the same, letter by letter."""
    clients = {name: {"server": "localhost:8100", "zeo": name} for name in CLIENTS}
    told = make_site(zeo_on=CLIENTS, clients=clients).preflight()
    servers = told.finding("zeo-servers-agree")
    assert ("CRITICAL", list(CLIENTS)) == (servers["severity"], servers["clients"])
    assert "localhost:8100 on app2 for app2" in servers["message"]
    # Three witnesses: the lines, the storages, the pages.
    assert {"every-database-is-one", "edits-are-seen-everywhere"} <= {check for _, check, _ in told.told}
    assert (2, (0, 0, 6)) == (told.code, told.proven)


def test_a_name_that_means_another_server_on_one_machine_is_found_with_the_split(
    make_site: MakeSite, network: Network
) -> None:
    network["app2"].says(zeo=network["app3"].address)
    told = make_site(zeo_on=("zeo", "app3")).preflight()
    name = told.finding("names-resolve-alike")
    assert name["message"].startswith("zeo is 10.213.77.13 on app2's machine; 10.213.77.10 on that of app1, app3")
    assert "CRITICAL" == told.finding("edits-are-seen-everywhere")["severity"]
    assert (2, (2, 6, 6)) == (told.code, told.proven), told.out


def test_a_name_that_was_changed_under_a_running_client_is_found_before_it_is_restarted(
    make_site: MakeSite, network: Network
) -> None:
    site = make_site()
    network["app2"].says(zeo=network["app3"].address)
    told = site.preflight()
    assert [("WARNING", "names-resolve-alike", CLIENTS)] == [(s, c, tuple(sorted(n))) for s, c, n in told.told]
    assert (1, (6, 6, 6)) == (told.code, told.proven), told.out


@pytest.mark.parametrize(("sender", "receiver"), [("zeo", "app2"), ("app2", "zeo")], ids=["way back", "way there"])
def test_a_one_way_cut_is_told_as_what_the_client_sees(
    make_site: MakeSite, network: Network, sender: str, receiver: str
) -> None:
    site = make_site()
    network.lose(sender, receiver)
    told = site.preflight()
    assert [("CRITICAL", "client-is-connected-to-zeo", ("app2",))] == told.told, told.out
    message = told.finding("client-is-connected-to-zeo")["message"]
    assert "hangs as soon as it has to ask its ZEO server; from app2's machine zeo:8100 is silent" in message
    assert (2, (2, 6, 6)) == (told.code, told.proven)
    assert told.seconds < patient(BOUND_S)


def test_a_machine_that_is_gone_is_one_finding(make_site: MakeSite, network: Network) -> None:
    site = make_site()
    network.switch_off("app3")
    told = site.preflight()
    assert [("CRITICAL", "client-port-answers", ("app3",))] == told.told, told.out
    assert (2, (2, 6, 6)) == (told.code, told.proven)
    assert told.seconds < patient(BOUND_S)


def test_a_zeo_machine_that_is_gone_is_one_finding(make_site: MakeSite, network: Network) -> None:
    site = make_site()
    network.switch_off("zeo")
    told = site.preflight()
    assert ["zeo-server-answers"] == [check for _, check, _ in told.told], told.out
    assert (2, (0, 0, 6)) == (told.code, told.proven)
    assert told.seconds < patient(60)


@pytest.mark.parametrize("how", ["blackhole", "unreachable"])
def test_a_zeo_server_that_only_the_clients_reach_is_proven_through_them(
    make_site: MakeSite, network: Network, how: Loss
) -> None:
    site = make_site()
    network.lose("front", "zeo", how)
    told = site.preflight()
    assert (0, [], (6, 0, 6)) == (told.code, told.told, told.proven), told.out
    assert "from the machine of app1, app2, app3 it answers" in told.result("zeo-server-answers")["because"]


def test_a_machine_with_another_host_key_is_not_looked_from(make_site: MakeSite, network: Network) -> None:
    """Who answers for app2 may be anybody: ssh says no, and zcheck does not know what app2's machine sees."""
    site = make_site()
    known = network.folder / "known_hosts"
    kept = known.read_text()
    lines = {line.split(",")[0]: line for line in kept.splitlines()}
    lines["app2"] = lines["app2"].split(" ")[0] + " " + lines["app1"].split(" ", 1)[1]
    known.write_text("\n".join(lines.values()) + "\n")
    try:
        told = site.preflight()
    finally:
        known.write_text(kept)
    assert {"UNKNOWN"} == {severity for severity, _, _ in told.told}, told.out
    assert {("app2",)} == {clients for _, _, clients in told.told}, told.out
    assert "Host key verification failed" in told.out
    assert (3, (6, 6, 6)) == (told.code, told.proven)


def test_without_a_way_in_each_machine_gathers_for_itself(make_site: MakeSite, network: Network) -> None:
    """What ``zcheck gather --client`` prints on the machines is judged on the fifth, with what that reaches."""
    network["app2"].says(zeo=network["app3"].address)
    site = make_site(via=False, zeo_on=("zeo", "app3"))
    folder = site.folder / "gathered"
    folder.mkdir()
    for name in CLIENTS:
        gathered = site.zcheck("gather", site.cluster.ini, "--client", name, on=name)
        assert 0 == gathered.code, gathered.err
        assert site.cluster.password not in gathered.out
        (folder / f"{name}.json").write_text(gathered.out)
    told = site.preflight("--gathered", folder)
    assert "zeo is 10.213.77.13 on app2's machine" in told.finding("names-resolve-alike")["message"]
    assert (2, (2, 6, 6)) == (told.code, told.proven), told.out
