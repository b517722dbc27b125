"""The rights that zcheck's user needs in a client's root: each one that is missing is told by name.

Measured on a real Zope: its Control Panel is for the role Manager by its name, whatever permissions another role has.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import requests
from cluster.test_http_level import client_of, every_pair, run, seen, wait_until_known, who_shows
from cluster.whole_runs import preflight
from patience import patient

from zcheck.commands.demo import Cluster
from zcheck.facts import ControlPanel, NotGathered
from zcheck.probes.http import probe_control_panel

USER = {"user": "verifier", "password": "a-long-Secret-1"}
LIMIT_S = 10.0
NEEDED = (
    "View management screens",
    "Undo changes",
    "Add Folders",
    "Add Documents, Images, and Files",
    "Change DTML Documents",
    "Delete objects",
)


def post(cluster: Cluster, path: str, data: object) -> None:
    url, auth = cluster.clients["app1"].url + path, (cluster.user, cluster.password)
    answer = requests.post(url, data=data, auth=auth, allow_redirects=False, timeout=LIMIT_S)
    assert answer.status_code in (200, 204, 302), answer.text


@contextmanager
def user(cluster: Cluster, role: str) -> Iterator[None]:
    """A user of the root with this role alone."""
    made = {"submit": "Add", "name": USER["user"], "password": USER["password"], "confirm": USER["password"]}
    post(cluster, "/acl_users/manage_users", {**made, "roles:list": role})
    try:
        wait_until_known(cluster, USER["user"], USER["password"])
        yield
    finally:
        post(cluster, "/acl_users/manage_users", {"submit": "Delete", "names:list": USER["user"]})


@contextmanager
def taken_from_managers(cluster: Cluster, permission: str) -> Iterator[None]:
    """As an administrator does it who thinks that nobody should have it."""
    post(cluster, "/manage_permission", {"permission_to_manage": permission})
    try:
        yield
    finally:
        post(
            cluster, "/manage_permission", {"permission_to_manage": permission, "roles:list": "Manager", "acquire": "1"}
        )


@pytest.fixture
def managed(cluster: Cluster) -> Iterator[Cluster]:
    with user(cluster, "Manager"):
        yield cluster


def test_a_manager_of_the_root_is_enough(managed: Cluster) -> None:
    history = run(managed, **USER)
    assert (every_pair(managed), ()) == (seen(history, managed), history.left)


@pytest.mark.parametrize("permission", NEEDED)
def test_each_missing_right_is_told_by_its_name_and_nothing_is_left(permission: str, managed: Cluster) -> None:
    with taken_from_managers(managed, permission):
        history = run(managed, **USER)
        panel = probe_control_panel(client_of(managed, "app1"), USER["user"], USER["password"], LIMIT_S)
    refused = [state for state in history.clients if state.refused]
    # The run itself asks for no such screen; the Control Panel, which tells clients apart, is one.
    wanted = set() if permission == "View management screens" else {"no-permission"}
    assert wanted == {state.refused for state in refused}
    assert all(f"lacks the permission '{permission}'" in state.detail for state in refused)
    assert (permission == "View management screens") == isinstance(panel, NotGathered)
    assert ((), []) == (history.left, who_shows(managed))


def test_what_could_not_be_removed_again_is_not_made(managed: Cluster) -> None:
    with taken_from_managers(managed, "Delete objects"):
        history = run(managed, **USER)
    assert (0, ()) == (history.transactions, history.left)


def test_a_role_with_every_permission_that_is_no_manager_is_not_shown_the_control_panel(cluster: Cluster) -> None:
    post(cluster, "/manage_defined_roles", {"submit": "Add Role", "role": "Verifier"})
    try:
        permissions = [("permissions:list", permission) for permission in NEEDED]
        post(cluster, "/manage_role", [("role_to_manage", "Verifier"), *permissions])
        with user(cluster, "Verifier"):
            panel = probe_control_panel(client_of(cluster, "app1"), USER["user"], USER["password"], LIMIT_S)
            assert isinstance(panel, NotGathered)
            assert "which Zope shows to the role Manager alone" in panel.reason
            history = run(cluster, **USER)
            assert ({"no-permission"}, 0) == ({state.refused for state in history.clients}, history.transactions)
    finally:
        post(cluster, "/manage_role", [("role_to_manage", "Verifier")])
        post(cluster, "/manage_defined_roles", {"submit": "Delete Role", "roles:list": "Verifier"})


def test_a_whole_run_calls_a_missing_right_no_split(make_cluster: Callable[..., Cluster]) -> None:
    cluster = make_cluster(2)
    with taken_from_managers(cluster, "Add Folders"):
        began = time.monotonic()
        outcome = preflight(cluster)
    assert ([], True) == (outcome.of("CRITICAL"), time.monotonic() - began < patient(20))
    assert 3 == outcome.code
    assert any("lacks the permission 'Add Folders'" in finding["message"] for finding in outcome.findings)
    assert isinstance(probe_control_panel(client_of(cluster, "app1"), cluster.user, cluster.password, 5), ControlPanel)
