"""blob-directories-are-one: where it fires, and beside it where it must not."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from zcheck.checks.identity.blob_directories_are_one import blob_directories_are_one
from zcheck.facts import (
    BlobMarker,
    SeenThere,
    SharedBlobs,
)
from zcheck.report.structs import Judgement
from zcheck.testing import inventory, judge
from zcheck.testing.examples import blob_folder, seen_there


def told(judgement: Judgement) -> list[str]:
    """Findings and remarks, a line each; what came out where there are none."""
    lines = [f"{f.severity} {', '.join(f.clients)}: {f.message}" for f in judgement.findings]
    lines += [f"note {', '.join(r.clients)}: {r.message}" for r in judgement.remarks]
    (result,) = judgement.results
    return lines or [result.outcome if result.because is None else f"{result.outcome}: {result.because}"]


OUTSIDE = {"process": None, "distributions": None}
ONE_MACHINE = inventory(
    "[client:app1]\naddress = 10.0.0.1:81\nvia = python\n[client:app2]\naddress = 10.0.0.1:82\nvia = python"
)


def marker(seen: dict[str, bool], **unknown: str) -> SharedBlobs:
    return SharedBlobs((BlobMarker("main", "app1", "/srv/blobs", seen, unknown),))


def not_seen(why: str) -> SeenThere:
    return blob_folder(None, why=why)


NOT_ONE = (
    "CRITICAL app1, {0}: database main: /srv/blobs of app1 is not the folder /srv/blobs of {0}: a file that was put"
    " into the first was not in the second"
)
BLOBS: dict[str, tuple[list[Any], dict[str, Any], list[str]]] = {
    "one folder of one machine": (
        [ONE_MACHINE, SharedBlobs()],
        {"app1": blob_folder(7), "app2": blob_folder(7)},
        ["pass"],
    ),
    "one share, mounted twice on one machine": (
        [ONE_MACHINE, marker({"app2": True})],
        {"app1": blob_folder(7), "app2": blob_folder(8)},
        ["pass"],
    ),
    "two folders of one machine": (
        [ONE_MACHINE, marker({"app2": False})],
        {"app1": blob_folder(7), "app2": blob_folder(8)},
        [NOT_ONE.format("app2")],
    ),
    "equal numbers on two machines prove nothing": (
        [marker({"app2": False})],
        {"app1": blob_folder(7), "app2": blob_folder(7)},
        [NOT_ONE.format("app2")],
    ),
    "one of three apart": (
        [marker({"app2": True, "app3": False})],
        {"app1": blob_folder(), "app2": blob_folder(), "app3": blob_folder()},
        [
            "CRITICAL app1, app2, app3: database main: /srv/blobs of app1, app2 is not the folder /srv/blobs of app3: a"
            " file that was put into the first was not in the second"
        ],
    ),
    "read-only": (
        [SharedBlobs((), {"main": "no marker is written with --read-only"})],
        {"app1": blob_folder(), "app2": blob_folder()},
        ["skipped: no marker is written with --read-only"],
    ),
    "nobody may write": (
        [SharedBlobs((), {"main": "/srv/blobs of app1: Permission denied"})],
        {"app1": blob_folder(), "app2": blob_folder()},
        [
            "UNKNOWN app1, app2: database main: whether their blobs are in one folder is not known: /srv/blobs of app1:"
            " Permission denied"
        ],
    ),
    "a share that is not mounted": (
        [SharedBlobs()],
        {"app1": blob_folder(), "app2": not_seen("No such file or directory")},
        ["CRITICAL app2: database main: /srv/blobs of app2: No such file or directory"],
    ),
    "a folder that may not be looked at": (
        [SharedBlobs()],
        {"app1": blob_folder(), "app2": not_seen("Permission denied")},
        ["UNKNOWN app2: database main: /srv/blobs of app2: Permission denied"],
    ),
    "a path that is missing around the container": (
        [SharedBlobs()],
        {"app1": blob_folder(), "app2": msgspec.structs.replace(not_seen("No such file or directory"), **OUTSIDE)},
        ["UNKNOWN app2: database main: /srv/blobs of app2: No such file or directory"],
    ),
    "a cache in place of the blobs": (
        [marker({"app2": True})],
        {"app1": blob_folder(), "app2": blob_folder(layout="zeocache")},
        ["CRITICAL app2: database main: /srv/blobs, shared by app2, is the cache of a client"],
    ),
    "nobody shares": (
        [SharedBlobs()],
        {"app1": seen_there("a=1"), "app2": seen_there("a=1")},
        ["skipped: nothing to examine: it shares no folder of blobs with others"],
    ),
    "one alone shares": (
        [SharedBlobs()],
        {"app1": blob_folder(), "app2": seen_there("a=1")},
        ["skipped: nothing to examine: it shares no folder of blobs with others"],
    ),
}


@pytest.mark.parametrize(("cluster", "clients", "expected"), BLOBS.values(), ids=BLOBS)
def test_blob_directories_are_one(cluster: list[Any], clients: dict[str, Any], expected: list[str]) -> None:
    assert expected == told(judge(blob_directories_are_one, *cluster, **clients))
