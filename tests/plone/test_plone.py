"""Plone clients: what zcheck proves of them, through the management interface and inside the site."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests
from cluster.whole_runs import in_process, preflight, unchanged

from zcheck.consistency import site
from zcheck.consistency.history import History
from zcheck.consistency.judge import pairs
from zcheck.consistency.zmi import HttpTarget
from zcheck.demo import HOST, Cluster, ZeoSpec, specs
from zcheck.facts import Client, HostPort, IniSection

JSON = {"Accept": "application/json"}
LIMIT_S = 30.0


def ask(cluster: Cluster, method: str, path: str, client: str = "app1", **options: Any) -> requests.Response:
    auth = options.pop("auth", (cluster.user, cluster.password))
    url = cluster.clients[client].url + path
    return requests.request(method, url, auth=auth, headers=JSON, timeout=LIMIT_S, **options)


def ours(cluster: Cluster, client: str = "app1") -> list[str]:
    """What is in the site with a name of ours."""
    names = [item["@id"].rpartition("/")[2] for item in ask(cluster, "GET", "/Plone", client).json()["items"]]
    return [name for name in names if name.startswith("zcheck-")]


def test_a_healthy_site_is_proven_and_left_as_it_was(plone: Cluster) -> None:
    outcome = preflight(plone)
    assert (0, []) == (outcome.code, outcome.told)
    every = {("app1", "app2"): True, ("app2", "app1"): True}
    assert every == outcome.pairs("http") == outcome.pairs("http", "/Plone") == outcome.pairs("zeo")
    assert ("pass", "pass") == (outcome.outcome("nothing-is-left-behind"), outcome.outcome("versions-agree"))
    assert [] == ours(plone) == ours(plone, "app2")
    assert outcome.seconds < 20


def test_reading_alone_writes_not_a_byte(plone: Cluster) -> None:
    with unchanged(plone.main_zeo.data_fs()):
        assert 0 == in_process("monitor", plone.ini).code


def test_plan_tells_what_an_edit_in_a_live_site_sets_off(plone: Cluster) -> None:
    text = in_process("plan", plone.ini).out
    assert "add one private page zcheck-RUN to /Plone" in text
    assert "content rules" in text


def test_a_client_on_a_copy_is_found(make_plone: Callable[..., Cluster]) -> None:
    zeo = [ZeoSpec(), ZeoSpec(name="copy")]
    cluster = make_plone(specs(2, last={"zeo": "copy", "told_zeo": "main"}), zeo=zeo)
    outcome = preflight(cluster)
    assert 2 == outcome.code
    assert ("CRITICAL", "edits-are-seen-everywhere", ("app1", "app2")) in outcome.told
    assert [] == ours(cluster) == ours(cluster, "app2")


def run_inside(cluster: Cluster, **changes: Any) -> History:
    targets = [
        HttpTarget(Client(name, HostPort(HOST, client.port), IniSection(f"client:{name}", 1), HOST))
        for name, client in cluster.clients.items()
    ]
    options: dict[str, Any] = {
        "user": cluster.user,
        "password": cluster.password,
        "run_id": "4f2a",
        "before_write": lambda client: None,
        "timeout_s": 10.0,
        "deadline": lambda: LIMIT_S,
    }
    return site.run(targets, "/Plone", **{**options, **changes})


def all_seen(history: History) -> bool:
    return all(pair.seen for pair in pairs(history, ["app1", "app2"], ["app1", "app2"]))


def test_where_there_is_no_rest_api_the_forms_are_filled_in(plone: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    # The site answers as before; that its answers are no objects is what a site without the API looks like.
    monkeypatch.setattr(site, "_object", lambda reply: {})
    history = run_inside(plone)
    assert all_seen(history)
    assert ("", (), 4) == (history.stopped, history.left, history.transactions)
    assert [] == ours(plone)


def test_a_user_of_the_site_is_given_a_token(plone: Cluster) -> None:
    user = {"username": "editor", "email": "editor@example.com", "password": "a-long-Secret-1", "roles": ["Manager"]}
    assert 201 == ask(plone, "POST", "/Plone/@users", json=user).status_code
    try:
        client = plone.clients["app1"]
        target = HttpTarget(Client("app1", HostPort(HOST, client.port), IniSection("client:app1", 1), HOST))
        door = site.SiteDoor(target, "/Plone", user="editor", password="a-long-Secret-1", timeout_s=LIMIT_S, hosts={})
        door.open()
        assert door._token
        door.close()
        assert all_seen(run_inside(plone, user="editor", password="a-long-Secret-1"))
    finally:
        ask(plone, "DELETE", "/Plone/@users/editor")


REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "a wrong password": ({"password": "wrong"}, "wrong-password", "does not know the user or the password is wrong"),
    "a user without the right": ({"user": "reader", "password": "a-long-Secret-1"}, "no-permission", "role Editor"),
}


@pytest.mark.parametrize(("changes", "kind", "words"), REFUSED.values(), ids=REFUSED)
def test_a_refusal_is_told_as_what_it_is(changes: dict[str, Any], kind: str, words: str, plone: Cluster) -> None:
    user = {"username": "reader", "email": "reader@example.com", "password": "a-long-Secret-1", "roles": ["Member"]}
    ask(plone, "POST", "/Plone/@users", json=user)
    try:
        history = run_inside(plone, **changes)
    finally:
        ask(plone, "DELETE", "/Plone/@users/reader")
    assert [kind, kind] == [state.refused for state in history.clients]
    assert words in history.clients[0].detail
    assert ((), 0) == (history.left, history.transactions)


def test_a_site_that_is_not_there_is_unknown_and_no_split(plone: Cluster) -> None:
    ini = plone.folder / "nowhere.ini"
    ini.write_text(plone.ini.read_text().replace("site = /Plone", "site = /Nowhere"))
    ini.chmod(0o600)
    outcome = preflight(ini)
    assert [] == outcome.of("UNKNOWN") or "edits-are-seen-everywhere" not in outcome.of("CRITICAL")
    assert any("no site at /Nowhere" in finding["message"] for finding in outcome.findings)
    assert outcome.code != 0


def test_a_page_that_a_killed_run_left_is_found_and_removed(plone: Cluster) -> None:
    page = {
        "@type": "Document",
        "id": "zcheck-dead",
        "title": f"zcheck {'0' * 32} run dead, which removes it itself; may be deleted",
    }
    mine = {"@type": "Document", "id": "zcheck-notes", "title": "What we know of zcheck"}
    assert 201 == ask(plone, "POST", "/Plone", json=page).status_code
    assert 201 == ask(plone, "POST", "/Plone", json=mine).status_code
    try:
        found = in_process("leftovers", plone.ini)
        assert (1, True) == (found.code, "/Plone/zcheck-dead" in found.out)
        assert "zcheck-notes" not in found.out
        assert 0 == in_process("leftovers", plone.ini, "--remove").code
        assert ["zcheck-notes"] == ours(plone)
    finally:
        ask(plone, "DELETE", "/Plone/zcheck-notes")
