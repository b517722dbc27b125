"""Every folder of sample-confs shows the fault that it is named for, and no other."""

from __future__ import annotations

from pathlib import Path

import pytest
from judging import CONFIG_CHECKS, facts_of, found, judged

SAMPLES = Path(__file__).resolve().parents[1] / "sample-confs"
ALL = "app1 app2 app3"

EXPECTED: dict[str, dict[str, list[tuple[str, str]]]] = {
    "healthy": {},
    "zope-conf-is-not-closed": {"zope-conf-parses": [("CRITICAL", "app2")]},
    "zope-conf-of-a-zeo-server": {"zope-conf-parses": [("CRITICAL", "app2")]},
    "zope-conf-is-a-template": {"zope-conf-parses": [("CRITICAL", "app2")]},
    "two-environment-sections": {"zope-conf-parses": [("CRITICAL", "app2")]},
    "included-file-missing": {
        "zope-conf-parses": [("UNKNOWN", "app2")],
        "mount-points-agree": [("UNKNOWN", "app2")],
    },
    "variable-without-value": {
        "zeo-addresses-are-valid": [("UNKNOWN", "app2")],
        "zeo-servers-agree": [("UNKNOWN", "app2")],
        "zeo-server-is-the-pinned-one": [("UNKNOWN", "app2")],
    },
    "root-mount-missing": {"root-mount-exists": [("CRITICAL", "app2")]},
    "mount-points-differ": {"mount-points-agree": [("CRITICAL", ALL)]},
    "mount-paths-inside-differ": {"mount-points-agree": [("CRITICAL", ALL)]},
    "database-names-differ": {"database-names-agree": [("CRITICAL", ALL)]},
    "storage-is-private": {"no-private-storage": [("CRITICAL", "app2")]},
    "storage-is-a-demo": {"no-private-storage": [("CRITICAL", "app2")]},
    "zeo-address-without-port": {"zeo-addresses-are-valid": [("CRITICAL", "app2")]},
    "zeo-servers-differ": {"zeo-servers-agree": [("CRITICAL", ALL)]},
    "zeo-servers-are-localhost": {"zeo-servers-agree": [("CRITICAL", ALL)]},
    "zeo-servers-cannot-be-told": {"zeo-servers-agree": [("UNKNOWN", ALL)]},
    "zeo-server-is-not-the-pinned-one": {"zeo-server-is-the-pinned-one": [("CRITICAL", ALL)]},
    "storage-names-differ": {"storage-names-agree": [("CRITICAL", ALL)]},
}


@pytest.mark.parametrize("folder", EXPECTED)
def test_a_sample_shows_its_fault_and_no_other(folder: str) -> None:
    judgement = judged(facts_of(SAMPLES / folder / "clients.ini"))
    assert EXPECTED[folder] == found(judgement), [finding.message for finding in judgement.findings]


@pytest.mark.parametrize("folder", EXPECTED)
def test_every_place_is_a_line_of_a_file_that_is_there(folder: str) -> None:
    for finding in judged(facts_of(SAMPLES / folder / "clients.ini")).findings:
        assert finding.places
        for place in finding.places:
            lines = Path(place.file).read_text(encoding="utf-8").splitlines()
            assert place.line is not None
            assert 1 <= place.line <= len(lines)


def test_every_check_of_the_stage_has_a_sample() -> None:
    shown = {name for findings in EXPECTED.values() for name in findings}
    assert {check.name for check in CONFIG_CHECKS} - shown - OF_OTHER_TESTS == set()


# Their samples need more than zope.conf files, and are judged beside their parsers.
OF_OTHER_TESTS = {"blob-storage-agrees", "listen-address-matches", "zeo-conf-serves-the-storages"}
