"""A site's REST API says which Plone it is: versions-agree reads it of every client."""

from __future__ import annotations

from pathlib import Path

import requests

from zcheck.commands.demo import Cluster
from zcheck.facts import ControlPanel, NotGathered
from zcheck.gather.collect import collect
from zcheck.gather.kinds import with_what_they_need
from zcheck.gather.settings import Settings
from zcheck.parsers import clients_ini

LIMIT_S = 30.0


def add(cluster: Cluster, path: str, **fields: str) -> None:
    url = f"{cluster.clients['app1'].url}{path}"
    done = requests.post(url, fields, auth=(cluster.user, cluster.password), timeout=LIMIT_S, allow_redirects=False)
    assert done.status_code in (200, 302), done.text


def panels(cluster: Cluster, site: str) -> dict[str, str | None]:
    text = Path(cluster.ini).read_text(encoding="utf-8").replace("[cluster]", f"[cluster]\nsite = {site}")
    inventory = clients_ini.parse(text, str(cluster.ini))
    facts = collect(
        inventory, Settings("run", read_only=True), with_what_they_need({ControlPanel}), cluster.password
    ).facts
    found = {name: facts.raw(ControlPanel, name) for name in inventory.client_names}
    assert [] == [one.reason for one in found.values() if isinstance(one, NotGathered)]
    return {name: panel.plone_version for name, panel in found.items()}


def test_every_client_is_asked_for_the_version_of_its_site(cluster: Cluster) -> None:
    """Zope serves a document of the name that Plone's REST API answers by: what is sent and read is the same."""
    add(cluster, "/manage_addProduct/OFSP/manage_addFolder", id="version-site", title="")
    try:
        add(
            cluster,
            "/version-site/manage_addProduct/OFSP/addDTMLDocument",
            id="@system",
            title="",
            file='{"plone_version": "6.1.2"}',
        )
        assert dict.fromkeys(("app1", "app2", "app3"), "6.1.2") == panels(cluster, "/version-site")
        assert dict.fromkeys(("app1", "app2", "app3")) == panels(cluster, "/no-such-site")
    finally:
        add(cluster, "/manage_delObjects", **{"ids:list": "version-site"})
