"""What answers at one address, by thread and by process; and what a run removes, and what it does not."""

from __future__ import annotations

import random
import re
import socket
from collections.abc import Iterator

import msgspec
import pytest
from cluster.proxies import Proxy
from cluster.test_http_level import (
    add_folder,
    client_of,
    every_pair,
    line,
    post,
    recorder,
    remove_folder,
    run,
    seen,
    shows,
    targets,
    who_shows,
)

from zcheck.commands.demo import HOST, Cluster
from zcheck.consistency.http import names as our_names
from zcheck.consistency.http.leftovers import leftovers, remove_leftovers
from zcheck.facts import Client, HostPort, Process
from zcheck.facts.history import History
from zcheck.probes import answering
from zcheck.probes.http_connection import Line

SLOW_S = 20.0
"""A busy machine is no fault."""


class OneOfMany(Proxy):
    """A service address: each connection is led to another of these processes, by chance."""

    def __init__(self, ports: list[int]) -> None:
        self._chance = random.Random(7)
        self._ports = ports
        super().__init__(HostPort(HOST, ports[0]))

    def _serve(self, client: socket.socket) -> None:
        self._target = HostPort(HOST, self._chance.choice(self._ports))
        super()._serve(client)


@pytest.fixture
def service(cluster: Cluster) -> Iterator[OneOfMany]:
    """Behind it are app2 and app3."""
    made = OneOfMany([cluster.clients[name].port for name in ("app2", "app3")])
    try:
        yield made
    finally:
        made.close()


def processes_behind(cluster: Cluster, client: Client) -> tuple[Process, ...]:
    found = answering.look(client, cluster.user, cluster.password, SLOW_S, lambda: 60.0)
    assert isinstance(found, answering.AnsweringProcesses)
    return found.processes


def answered(history: History, client: str) -> set[str]:
    return {op.answered_by for op in history.operations if op.session == client and op.answered_by}


def test_one_process_answers_at_each_address_and_says_so(cluster: Cluster) -> None:
    asked = targets(cluster)
    known = {target.name: processes_behind(cluster, target.client) for target in asked}
    assert [1, 1, 1] == [len(found) for found in known.values()]
    history = run(cluster, asked, timeout_s=SLOW_S)
    for name, (process,) in known.items():
        (said,) = answered(history, name)
        assert said.startswith(f"{process.process_id}@")


def test_all_threads_of_a_client_are_met(cluster: Cluster) -> None:
    history = run(cluster, timeout_s=SLOW_S)
    assert every_pair(cluster) == seen(history, cluster)
    assert [4, 4, 4] == [state.threads for state in history.clients]
    assert all(state.threads_met >= 3 for state in history.clients)


def test_every_process_behind_an_address_is_met_and_proven(cluster: Cluster, service: OneOfMany) -> None:
    first, second, _ = targets(cluster, app2=service.address)
    known = processes_behind(cluster, second.client)
    assert 2 == len(known)
    history = run(cluster, [first, msgspec.structs.replace(second, processes=known)], timeout_s=SLOW_S)
    assert ("", ()) == (history.stopped, history.left)
    assert 2 == len(answered(history, "app2"))
    assert (True, True) == (seen(history, cluster)["app1", "app2"], seen(history, cluster)["app2", "app1"])
    assert [] == who_shows(cluster)


# --- what is removed --------------------------------------------------------------------------------


def test_no_listing_of_the_root_is_asked_for(cluster: Cluster) -> None:
    with recorder(cluster, "app1") as heard:
        history = run(cluster, targets(cluster, app1=heard.address), timeout_s=SLOW_S)
        asked = re.findall(rb"^(?:GET|POST) (\S+)", bytes(heard.heard), re.MULTILINE)
    assert ("", ()) == (history.stopped, history.left)
    assert [] == [path for path in asked if path.partition(b"?")[0] in (b"/", b"/manage_main", b"/manage_delObjects/")]


@pytest.fixture
def left_over(cluster: Cluster) -> Iterator[str]:
    """The folder of a killed run, into which somebody has put a folder of his own."""
    name = "zcheck-0123456789ab"
    add_folder(cluster, "app1", name, our_names.folder_title("0123456789ab").replace(" ", "+"))
    path = f"/{name}/manage_addProduct/OFSP/manage_addFolder"
    assert 302 == post(cluster, "app1", path, "id=contract&title=signed")
    yield name
    if shows(cluster, "app1", name):
        remove_folder(cluster, "app1", name)


def test_what_others_put_into_our_folder_stays(cluster: Cluster, left_over: str) -> None:
    options = {"user": cluster.user, "password": cluster.password, "timeout_s": SLOW_S}
    stays: dict[str, str] = {}
    found = remove_leftovers(targets(cluster)[:1], **options, stays=stays)
    assert {"app1": (left_over,)} == found
    assert "contract" in stays[left_over]
    assert 200 == line(cluster, "app1").ask("GET", f"/{left_over}/contract/title_or_id", timeout_s=10).status


def test_what_was_written_a_moment_ago_may_be_used_by_a_run(cluster: Cluster) -> None:
    name = "zcheck-0123456789ab"
    add_folder(cluster, "app1", name, our_names.folder_title("0123456789ab").replace(" ", "+"))
    options = {"user": cluster.user, "password": cluster.password, "timeout_s": SLOW_S}
    ages: list[float | None] = []

    def may_be_used(run_id: str, age_s: float | None) -> bool:
        ages.append(age_s)
        return len(ages) == 1

    found = remove_leftovers(targets(cluster)[:1], **options, may_be_used=may_be_used)
    assert {"app1": (name,)} == found
    assert ages[0] is not None
    assert abs(ages[0]) < 60
    assert {"app1": ()} == remove_leftovers(targets(cluster)[:1], **options, may_be_used=may_be_used)


def test_a_folder_with_another_title_is_ours_by_its_name_and_contents(cluster: Cluster) -> None:
    name = "n-zcheck-0123456789ab"
    add_folder(cluster, "app1", name, "A+Folder")
    options = {"user": cluster.user, "password": cluster.password, "timeout_s": SLOW_S}
    assert {"app1": (name,)} == leftovers(targets(cluster)[:1], **options)
    assert {"app1": ()} == remove_leftovers(targets(cluster)[:1], **options)


def test_nothing_is_written_where_a_mapping_leads_elsewhere(cluster: Cluster) -> None:
    asked = Line(
        client_of(cluster, "app1", host_header="elsewhere"), [HOST], user=cluster.user, password=cluster.password
    )

    def map_to(text: str) -> int:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        body = f"map_text={text}".encode()
        return asked.ask("POST", "/virtual_hosting/set_map", timeout_s=SLOW_S, body=body, headers=headers).status

    add_folder(cluster, "app1", "site")
    try:
        assert map_to(f"{HOST}/site") < 400
        with recorder(cluster, "app1") as heard:
            history = run(cluster, targets(cluster, app1=heard.address)[:1], timeout_s=SLOW_S)
            assert [] == heard.posts
        assert ["mapped"] == [state.refused for state in history.clients]
    finally:
        assert map_to("") < 400
        remove_folder(cluster, "app1", "site")
