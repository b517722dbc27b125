"""The thresholds of clients.ini."""

from __future__ import annotations

import pytest

from zcheck.facts import (
    Thresholds,
)
from zcheck.parsers.clients_ini import InventoryError, thresholds
from zcheck.testing import inventory


def test_thresholds_have_defaults_and_follow_the_options() -> None:
    assert Thresholds() == thresholds({})
    assert Thresholds() == thresholds({"timeout": "3", "connections-fit-threads": "7"})
    stated = {"client-answers-quickly": "500m", "clocks-agree": "1.5", "client-restarted-since-edit": "10 s"}
    assert Thresholds(30000.0, 10.0, 1.5, 1.0) == thresholds(stated)


@pytest.mark.parametrize("value", ["", "soon", "-1", "0", "5 d", "1e3", "nan", "inf"])
def test_a_threshold_that_is_no_duration_is_refused_with_its_line(value: str) -> None:
    text = f"[client:app1]\naddress = a:1\n[zcheck]\nclocks-agree = {value}\n"
    with pytest.raises(InventoryError, match=r"^clients\.ini:4: clocks-agree .*(duration|no value)"):
        inventory(text)
