"""Every folder of sample-confs shows the fault that it is named for, and no other."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from zcheck import cli
from zcheck.checks import CATALOGUE
from zcheck.report.verdict import EXIT_CODES

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
    "storage-wrappers-differ": {"storage-wrappers-agree": [("CRITICAL", ALL)]},
    "relstorage-databases-differ": {"relstorage-databases-agree": [("CRITICAL", ALL)]},
    "client-is-read-only": {"clients-are-writable": [("CRITICAL", "app2")]},
    "cache-files-collide": {"cache-files-are-distinct": [("CRITICAL", "app1 app2")]},
    "instance-homes-collide": {"instance-homes-are-distinct": [("WARNING", "app1 app2")]},
    "several-zeo-servers": {"one-zeo-server-per-database": [("WARNING", ALL)]},
    "read-only-fallback": {"no-read-only-fallback": [("WARNING", "app2")]},
    "sessions-in-memory": {"sessions-are-shared": [("WARNING", ALL)]},
    "zeo-login-is-ignored": {"zeo-authentication-is-effective": [("WARNING", "app2")]},
    "settings-differ": {"settings-agree": [("WARNING", ALL)]},
    "server-settings-differ": {"server-settings-agree": [("WARNING", ALL)]},
    "environment-differs": {"environment-agrees": [("WARNING", ALL)]},
    "key-misspelt": {"zope-conf-parses": [("CRITICAL", "app2")]},
    "key-of-zope-2": {"zope-conf-keys-are-known": [("WARNING", ALL)]},
    "two-databases-in-one-storage": {"databases-are-in-distinct-storages": [("CRITICAL", ALL)]},
    "unknown-storages-differ": {"unknown-storages-agree": [("UNKNOWN", ALL)]},
    "zeo-encryption-differs": {"zeo-encryption-agrees": [("CRITICAL", ALL)]},
    "zeo-server-of-nobody": {"every-zeo-server-is-used": [("WARNING", ALL)]},
    "zeo-conf-key-twice": {"zeo-conf-is-valid": [("CRITICAL", ALL)]},
    "debug-mode-on": {"debug-mode-is-off": [("WARNING", "app2")]},
    "blob-dir-missing": {"blob-storage-agrees": [("CRITICAL", ALL)]},
    "blob-modes-differ": {"blob-storage-agrees": [("CRITICAL", "app1 app2")]},
    "listens-on-another-port": {"listen-address-matches": [("CRITICAL", "app3")]},
    "listens-on-loopback": {"listen-address-matches": [("CRITICAL", "app2")]},
    "two-zeo-servers-on-one-file": {"zeo-conf-serves-the-storages": [("CRITICAL", ALL)]},
    "zeo-binds-loopback": {"zeo-conf-serves-the-storages": [("CRITICAL", ALL)]},
    "zeo-blobs-in-one-folder": {"zeo-conf-serves-the-storages": [("CRITICAL", ALL)]},
    "zeo-conf-lacks-a-storage": {"zeo-conf-serves-the-storages": [("CRITICAL", ALL)]},
    "zeo-is-read-only": {"zeo-conf-serves-the-storages": [("CRITICAL", ALL)]},
    "only-one-client": {"at-least-two-clients": [("CRITICAL", "app1")]},
    "only-two-clients": {"three-or-more-clients": [("ADVICE", "app1 app2")]},
    "clients-on-one-machine": {"clients-on-several-machines": [("ADVICE", ALL)]},
    "two-clients-one-address": {"client-addresses-are-distinct": [("CRITICAL", "app1 app2")]},
    "zeo-server-not-pinned": {"zeo-server-is-pinned": [("ADVICE", ALL)]},
    "suppression-expired": {"suppressions-are-current": [("WARNING", "app3")]},
    "password-others-can-read": {"credentials-are-private": [("WARNING", ALL)]},
}


# The folders of the balancer stage are judged beside its checks.
FOLDERS = sorted(
    path.name
    for path in SAMPLES.iterdir()
    if (path / "clients.ini").is_file() and not path.name.startswith("balancer-")
)


def report_of(folder: str, copies: Path) -> dict[str, Any]:
    """The report of an offline preflight on a copy, whose files have the permissions that a checkout should have."""
    copy = copies / folder
    shutil.copytree(SAMPLES / folder, copy)
    for path in copy.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    kept = copies / f"{folder}.json"
    code = cli.main(["preflight", "--offline", "-q", "--no-state", "-o", f"json:{kept}", str(copy / "clients.ini")])
    report: dict[str, Any] = json.loads(kept.read_text())
    assert code == EXIT_CODES[report["verdict"]["status"]]
    return report


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """By folder."""
    copies = tmp_path_factory.mktemp("samples")
    return {folder: report_of(folder, copies) for folder in FOLDERS}


def findings(report: dict[str, Any]) -> dict[str, list[tuple[str, str]]]:
    """Severity and clients of what each check found."""
    found: dict[str, list[tuple[str, str]]] = {}
    for finding in report["findings"]:
        found.setdefault(finding["check"], []).append((finding["severity"], " ".join(sorted(finding["clients"]))))
    return found


def test_a_sample_shows_its_fault_and_no_other(reports: dict[str, dict[str, Any]]) -> None:
    assert EXPECTED == {folder: findings(report) for folder, report in reports.items()}


def test_every_place_is_a_line_of_a_file_that_is_there(reports: dict[str, dict[str, Any]]) -> None:
    found = [finding for report in reports.values() for finding in report["findings"]]
    assert [] == [finding["message"] for finding in found if not finding["places"]]
    places = [place for finding in found for place in finding["places"]]
    assert [] == [f"{place['file']}:{place['line']}" for place in places if not is_there(place)]


def is_there(place: dict[str, Any]) -> bool:
    lines = Path(place["file"]).read_text(encoding="utf-8").splitlines()
    return place["line"] is None or 1 <= place["line"] <= len(lines)


def test_no_secret_of_a_sample_is_in_its_report(reports: dict[str, dict[str, Any]]) -> None:
    holding = [
        folder for folder in FOLDERS for path in (SAMPLES / folder).rglob("*.conf") if "not-shown" in path.read_text()
    ]
    assert holding
    assert [] == [folder for folder in holding if "not-shown" in json.dumps(reports[folder])]


def test_every_folder_is_expected() -> None:
    assert sorted(EXPECTED) == FOLDERS


def test_every_check_of_files_alone_has_a_sample() -> None:
    shown = {name for findings in EXPECTED.values() for name in findings}
    assert {check.name for check in CATALOGUE if check.stage in ("inventory", "config")} - shown == set()
