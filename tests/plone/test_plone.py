"""Plone clients: what zcheck proves of them, through the management interface and inside the site."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import mechanicalsoup
import pytest
import requests
from cluster.whole_runs import in_process, preflight, unchanged
from patience import patient

from zcheck.commands.demo import HOST, Cluster, ZeoSpec, specs
from zcheck.consistency.http import site
from zcheck.consistency.http.client import HttpTarget
from zcheck.facts import Client, HostPort, IniSection
from zcheck.facts.history import History
from zcheck.facts.pairs import pairs

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
    assert every == outcome.pairs("http", "/Plone (blobs)") == outcome.pairs("zeo", "main (blobs)")
    assert ("pass", "pass") == (outcome.outcome("nothing-is-left-behind"), outcome.outcome("versions-agree"))
    assert [] == ours(plone) == ours(plone, "app2")
    assert outcome.seconds < patient(20)


def test_reading_alone_writes_not_a_byte(plone: Cluster) -> None:
    with unchanged(plone.main_zeo.data_fs()):
        assert 0 == in_process("monitor", plone.ini).code


def test_plan_tells_what_an_edit_in_a_live_site_sets_off(plone: Cluster) -> None:
    text = in_process("plan", plone.ini).out
    assert "add one private page zcheck-RUN and one private file zcheck-RUN-file to /Plone" in text
    assert "content rules" in text


def test_a_client_on_a_copy_is_found(make_plone: Callable[..., Cluster]) -> None:
    zeo = [ZeoSpec(), ZeoSpec(name="copy")]
    cluster = make_plone(specs(2, last={"zeo": "copy", "told_zeo": "main"}), zeo=zeo)
    outcome = preflight(cluster)
    assert 2 == outcome.code
    assert ("CRITICAL", "edits-are-seen-everywhere", ("app1", "app2")) in outcome.told
    assert [] == ours(cluster) == ours(cluster, "app2")


def run_inside(cluster: Cluster, path: str = "/Plone", **changes: Any) -> History:
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
    return site.run(targets, path, **{**options, **changes})


def all_seen(history: History) -> bool:
    return all(pair.seen for pair in pairs(history, ["app1", "app2"], ["app1", "app2"]))


def test_where_there_is_no_rest_api_the_forms_are_filled_in(plone: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    # The site answers as before; that its answers are no objects is what a site without the API looks like.
    monkeypatch.setattr(site, "_object", lambda reply: {})
    history = run_inside(plone)
    assert all_seen(history)
    assert ("", (), 4) == (history.stopped, history.left, history.transactions)
    assert [] == ours(plone)


PASSWORD = "a-long-Secret-1"
NUMBERS = itertools.count(1)


@contextmanager
def user_of_the_site(cluster: Cluster, *roles: str) -> Iterator[dict[str, str]]:
    """A user whom the root does not know, as the options of a run; a name that is used again keeps its roles."""
    name = f"user{next(NUMBERS)}"
    user = {"username": name, "email": f"{name}@example.com", "password": PASSWORD, "roles": list(roles)}
    assert 201 == ask(cluster, "POST", "/Plone/@users", json=user).status_code
    try:
        yield {"user": name, "password": PASSWORD}
    finally:
        ask(cluster, "DELETE", f"/Plone/@users/{name}")


def activate(cluster: Cluster, plugin: str, interfaces: Sequence[str]) -> list[str]:
    """Make a plug-in of the site's user folder do this and nothing else; what it did before."""
    browser = mechanicalsoup.StatefulBrowser()
    browser.session.auth = (cluster.user, cluster.password)
    browser.open(f"{cluster.clients['app1'].url}/Plone/acl_users/{plugin}/manage_activateInterfacesForm")
    browser.select_form('form[action="manage_activateInterfaces"]')
    boxes = browser.page.find_all("input", attrs={"name": "interfaces:list"})
    before = [box["value"] for box in boxes if box.has_attr("checked")]
    for box in boxes:
        box.attrs.pop("checked", None)
        box.attrs |= {"checked": ""} if box["value"] in interfaces else {}
    assert 200 == browser.submit_selected().status_code
    return before


@contextmanager
def by_the_form_alone(cluster: Cluster) -> Iterator[None]:
    """The site takes neither a password with each request nor gives tokens."""
    before = {plugin: activate(cluster, plugin, ()) for plugin in ("credentials_basic_auth", "jwt_auth")}
    try:
        yield
    finally:
        for plugin, interfaces in before.items():
            activate(cluster, plugin, interfaces)


def test_a_user_of_the_site_is_given_a_token(plone: Cluster) -> None:
    with user_of_the_site(plone, "Manager") as user:
        client = plone.clients["app1"]
        target = HttpTarget(Client("app1", HostPort(HOST, client.port), IniSection("client:app1", 1), HOST))
        door = site.SiteDoor(target, "/Plone", timeout_s=LIMIT_S, hosts={}, **user)
        door.open()
        assert door._token
        door.close()
        assert all_seen(run_inside(plone, **user))


@pytest.mark.parametrize("rest", [True, False], ids=["by the REST API", "by the forms"])
def test_where_a_password_is_not_enough_the_log_in_form_is_filled_in(
    rest: bool, plone: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    with user_of_the_site(plone, "Contributor") as user, by_the_form_alone(plone):
        if not rest:
            monkeypatch.setattr(site, "_object", lambda reply: {})
        history = run_inside(plone, **user)
        assert (True, "", ()) == (all_seen(history), history.stopped, history.left)
        refused = run_inside(plone, user=user["user"], password="wrong")
        assert ["wrong-password"] * 2 == [state.refused for state in refused.clients]
        assert "log-in form /Plone/login" in refused.clients[0].detail
    assert [] == ours(plone)


def test_the_least_role_is_contributor(plone: Cluster) -> None:
    with user_of_the_site(plone, "Contributor") as user:
        for files in (False, True):
            history = run_inside(plone, files=files, **user)
            assert (True, "", (), 4) == (all_seen(history), history.stopped, history.left, history.transactions)


def test_the_role_is_enough_in_one_folder(plone: Cluster) -> None:
    place = {"@type": "Folder", "id": "place", "title": "A place for tests"}
    assert 201 == ask(plone, "POST", "/Plone", json=place).status_code
    try:
        with user_of_the_site(plone, "Member") as user:
            entries = [{"id": user["user"], "type": "user", "roles": {"Contributor": True}}]
            assert 204 == ask(plone, "POST", "/Plone/place/@sharing", json={"entries": entries}).status_code
            history = run_inside(plone, "/Plone/place", **user)
            assert (True, "", ()) == (all_seen(history), history.stopped, history.left)
            assert ["no-permission"] * 2 == [state.refused for state in run_inside(plone, **user).clients]
    finally:
        ask(plone, "DELETE", "/Plone/place")


REFUSED: dict[str, tuple[tuple[str, ...], dict[str, Any], str, str]] = {
    "a wrong password": (("Contributor",), {"password": "wrong"}, "wrong-password", "the password is wrong"),
    "a member": (("Member",), {}, "no-permission", "may not add anything to it: give it the role Contributor there"),
    "a reader": (("Reader",), {}, "no-permission", "may not add anything to it: give it the role Contributor there"),
    "an editor": (("Editor",), {}, "no-permission", "may not add anything to it: give it the role Contributor there"),
}


@pytest.mark.parametrize(("roles", "changes", "kind", "words"), REFUSED.values(), ids=REFUSED)
def test_a_refusal_is_told_as_what_it_is(
    roles: tuple[str, ...], changes: dict[str, Any], kind: str, words: str, plone: Cluster
) -> None:
    with user_of_the_site(plone, *roles) as user:
        history = run_inside(plone, **{**user, **changes})
    assert [kind, kind] == [state.refused for state in history.clients]
    assert words in history.clients[0].detail
    assert ((), 0) == (history.left, history.transactions)


def test_a_site_that_keeps_no_blobs_takes_no_file(make_plone: Callable[..., Cluster]) -> None:
    cluster = make_plone(2)
    history = run_inside(cluster, files=True)
    assert ["no-blobs", "no-blobs"] == [state.refused for state in history.clients]
    assert "its storage keeps no blobs" in history.clients[0].detail
    outcome = preflight(cluster)
    assert (0, {}) == (outcome.code, outcome.pairs("http", "/Plone (blobs)"))


def test_ctrl_c_inside_the_site_ends_at_once_and_leaves_nothing(plone: Cluster) -> None:
    def progress(client: str, what: str) -> None:
        if what.startswith("edits"):
            raise KeyboardInterrupt

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run_inside(plone, progress=progress)
    assert time.monotonic() - began < patient(8)
    assert [] == ours(plone) == ours(plone, "app2")


def test_a_site_that_is_not_there_is_unknown_and_no_split(plone: Cluster) -> None:
    ini = plone.folder / "nowhere.ini"
    ini.write_text(plone.ini.read_text().replace("site = /Plone", "site = /Nowhere"))
    ini.chmod(0o600)
    outcome = preflight(ini)
    assert [] == outcome.of("UNKNOWN") or "edits-are-seen-everywhere" not in outcome.of("CRITICAL")
    assert any("no site at /Nowhere" in finding["message"] for finding in outcome.findings)
    assert outcome.code != 0


def test_a_page_that_a_killed_run_left_is_found_and_removed(plone: Cluster) -> None:
    page: dict[str, Any] = {
        "@type": "Document",
        "id": "zcheck-dead",
        "title": f"zcheck {'0' * 32} run dead, which removes it itself; may be deleted",
    }
    file = {**page, "@type": "File", "id": "zcheck-dead-file"}
    file |= {"title": "Test folder of zcheck run dead-file, which removes it itself; may be deleted"}
    file |= {"file": {"data": "a line", "filename": "zcheck.txt"}}
    mine = {"@type": "Document", "id": "zcheck-notes", "title": "What we know of zcheck"}
    assert 201 == ask(plone, "POST", "/Plone", json=page).status_code
    assert 201 == ask(plone, "POST", "/Plone", json=file).status_code
    assert 201 == ask(plone, "POST", "/Plone", json=mine).status_code
    try:
        found = in_process("leftovers", plone.ini)
        assert (1, True) == (found.code, "/Plone/zcheck-dead\n" in found.out)
        assert "/Plone/zcheck-dead-file" in found.out
        assert "zcheck-notes" not in found.out
        assert 0 == in_process("leftovers", plone.ini, "--remove", "--force").code
        assert ["zcheck-notes"] == ours(plone)
    finally:
        ask(plone, "DELETE", "/Plone/zcheck-notes")
