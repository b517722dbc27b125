"""The checks of the identity stage together."""

from __future__ import annotations

import re

from zcheck.checks.identity.client_restarted_since_edit import client_restarted_since_edit
from zcheck.checks.identity.clients_are_distinct_processes import clients_are_distinct_processes
from zcheck.checks.identity.versions_agree import versions_agree
from zcheck.facts import (
    ControlPanel,
    NotGathered,
)
from zcheck.report.structs import Judgement
from zcheck.testing import judge, zope_conf


def severities(judgement: Judgement) -> list[str]:
    return [finding.severity for finding in judgement.findings]


def test_a_missing_control_panel_is_unknown_for_the_identity_checks() -> None:
    missing = (ControlPanel, NotGathered("the user lacks the permission"))
    for check in (versions_agree, clients_are_distinct_processes, client_restarted_since_edit):
        judgement = judge(check, app1=[missing, zope_conf()])
        assert ["UNKNOWN"] == severities(judgement)
        assert re.search("permission", judgement.findings[0].message)
