"""Clients that all run on another storage than their files name: one site, of which nothing over ZEO was proven."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from cluster.whole_runs import preflight

from zcheck.commands.demo import Cluster, ZeoSpec, specs

WHERE: dict[str, tuple[dict[str, str], list[str]]] = {
    "all on the old server": ({"zeo": "copy", "told_zeo": "main"}, ["app1", "app2"]),
    "all where their files say": ({}, []),
}


@pytest.mark.parametrize(("every", "named"), WHERE.values(), ids=WHERE)
def test_what_is_saved_is_looked_for_where_the_files_say(
    every: dict[str, str], named: list[str], make_cluster: Callable[..., Cluster]
) -> None:
    cluster = make_cluster(specs(2, every=every), zeo=[ZeoSpec(), ZeoSpec(name="copy")])
    # Nothing would be written where the pin is not met.
    ini = cluster.folder / "not-pinned.ini"
    ini.write_text(re.sub(r"(?m)^(zeo|storage) = .*$", "", cluster.ini.read_text()))
    outcome = preflight(ini)
    told = [one for one in outcome.findings if one["check"] == "database-locations-agree"]
    log = [one for one in told if "not in that one's log" in one["message"]]
    assert ([("WARNING", named)] if named else []) == [(finding["severity"], finding["clients"]) for finding in log]
    assert (1 if named else 0) == outcome.code
