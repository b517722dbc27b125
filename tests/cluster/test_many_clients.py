"""More clients than zcheck has connections: a few connections of its own stand for all, on a real ZEO server."""

from __future__ import annotations

from collections.abc import Callable

from cluster.whole_runs import preflight

from zcheck.commands.demo import Cluster, ZeoSpec, specs
from zcheck.facts.targets import MOST_CONNECTIONS

COUNT = MOST_CONNECTIONS + 4


def described(make_cluster: Callable[..., Cluster], **last: object) -> Cluster:
    """So many clients with one way to the server, the last one changed."""
    cluster = make_cluster(specs(COUNT, every={"running": False}, last=last), zeo=(ZeoSpec(), ZeoSpec(name="copy")))
    for client in cluster.clients.values():
        conf = client.zope_conf.read_text()
        port = cluster.zeo[client.spec.zeo].port
        lines = [f"    server 127.0.0.1:{port}" if "    server " in line else line for line in conf.splitlines()]
        client.zope_conf.write_text("\n".join(lines) + "\n")
    return cluster


def test_a_few_connections_prove_what_all_would(make_cluster: Callable[..., Cluster]) -> None:
    told = preflight(described(make_cluster))
    assert (0, COUNT * (COUNT - 1), COUNT * (COUNT - 1)) == told.counts
    (level,) = told.report["consistency"]["levels"]
    assert COUNT - MOST_CONNECTIONS == len(level["same_way"])
    assert MOST_CONNECTIONS * (MOST_CONNECTIONS - 1) == len(level["pairs"])
    for check in ("every-database-is-one", "zeo-passes-writes-on"):
        assert "pass" == told.outcome(check), told.out
    # Nothing of ours is left: each marker was written twice and deleted.
    assert 0 == told.report["consistency"]["receipt"]["left_behind"]


def test_the_one_on_a_copy_is_found_among_many(make_cluster: Callable[..., Cluster]) -> None:
    told = preflight(described(make_cluster, zeo="copy"))
    odd = f"app{COUNT}"
    assert "CRITICAL" == told.finding("every-database-is-one")["severity"]
    assert sorted(told.finding("every-database-is-one")["clients"]) == sorted(f"app{n}" for n in range(1, COUNT + 1))
    assert f"{odd} reaches" in told.finding("every-database-is-one")["message"]
    assert "CRITICAL" == told.finding("zeo-servers-agree")["severity"]
    proven = (COUNT - 1) * (COUNT - 2)
    assert (0, proven, COUNT * (COUNT - 1)) == told.counts
