"""A Plone cluster for the suite that is asked for by ``ZCHECK_PLONE=1``: ``make test-plone`` installs what it needs.

The site is made once, through one client; every cluster of the suite starts from a copy of that database.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import requests

from zcheck.commands.demo import Cluster, Seed, ZeoSpec, specs

SITE_ZCML = """\
<configure xmlns="http://namespaces.zope.org/zope"
           xmlns:meta="http://namespaces.zope.org/meta"
           xmlns:five="http://namespaces.zope.org/five">
  <include package="Products.Five" />
  <meta:redefinePermission from="zope2.Public" to="zope.Public" />
  <five:loadProducts file="meta.zcml" />
  <five:loadProducts />
  <five:loadProductsOverrides />
  <securityPolicy component="AccessControl.security.SecurityPolicy" />
</configure>
"""
JSON = {"Accept": "application/json"}
LIMIT_S = 60.0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.environ.get("ZCHECK_PLONE") != "1":
        for item in items:
            if Path(__file__).parent in item.path.parents:
                item.add_marker(pytest.mark.skip(reason="asked for by make test-plone (ZCHECK_PLONE=1)"))


def prepared(cluster: Cluster) -> Cluster:
    """The same, not started, with clients that load Plone."""
    for client in cluster.clients.values():
        etc = client.home / "etc"
        etc.mkdir(parents=True, exist_ok=True)
        (etc / "site.zcml").write_text(SITE_ZCML)
    return cluster


@pytest.fixture(scope="session")
def plone_seed(tmp_path_factory: pytest.TempPathFactory) -> Seed:
    """A database with a Plone site at /Plone."""
    pytest.importorskip("Products.CMFPlone")
    folder = tmp_path_factory.mktemp("plone-seed")
    seed = Seed.make(folder, limit_s=LIMIT_S)
    with prepared(Cluster(1, seed=seed)) as cluster:
        site = {
            "site_id": "Plone",
            "title": "Site",
            "default_language": "en",
            "portal_timezone": "UTC",
            "setup_content": False,
        }
        url = cluster.clients["app1"].url
        auth = (seed.user, seed.password)
        made = requests.post(f"{url}/@sites/classic", json=site, auth=auth, headers=JSON, timeout=LIMIT_S)
        assert made.status_code in (200, 201), made.text
        # So that a user of the site, too, is given a token.
        added = requests.post(f"{url}/Plone/@addons/plone.restapi/install", auth=auth, headers=JSON, timeout=LIMIT_S)
        assert added.status_code < 300, added.text
        cluster.stop_client("app1")
        cluster.stop_zeo()
        shutil.copyfile(cluster.main_zeo.data_fs(), seed.database)
    return seed


@pytest.fixture
def make_plone(plone_seed: Seed) -> Iterator[Callable[..., Cluster]]:
    """A running Plone cluster; ended with the test."""
    with ExitStack() as ended:

        def make(*arguments: Any, ini: str = "", **options: Any) -> Cluster:
            made = prepared(Cluster(*arguments, seed=plone_seed, **options))
            ended.callback(made.stop)
            made.start()
            text = made.ini.read_text().replace("[cluster]\n", "[cluster]\nsite = /Plone\n", 1)
            made.ini.write_text(text)
            return made

        yield make


@pytest.fixture(scope="session")
def plone(plone_seed: Seed) -> Iterator[Cluster]:
    """Two healthy Plone clients on one ZEO server that keeps blobs; a test leaves them as it found them."""
    clients = specs(2, every={"zeoclient": "blob-dir $INSTANCE/var/blobs"})
    with prepared(Cluster(clients, zeo=[ZeoSpec(blobs=True)], seed=plone_seed)) as cluster:
        text = cluster.ini.read_text().replace("[cluster]\n", "[cluster]\nsite = /Plone\n", 1)
        cluster.ini.write_text(text)
        yield cluster
