"""What lists of transactions tell: a split only where one lacks what another had before and after it."""

from __future__ import annotations

import pytest

from zcheck.facts import NewestTransaction, ServerList
from zcheck.facts.storage_lists import (
    LIST_LIMIT,
    REPLICA_BEHIND_NS,
    goes_beyond,
    in_doubt,
    lacks,
    sides_of_lists,
    to_ask_again,
)

MINUTE_OF_2026 = (2026 - 1900) * 12 * 31 * 24 * 60


def tid(minute: float) -> str:
    return f"{int((MINUTE_OF_2026 + minute) * 2**32):016x}"


def listed(client: str, text: str, *, asked_ns: int = 0, answered_ns: int | None = None) -> ServerList:
    """A list of transactions by their minutes; ``4.5`` is half a minute later."""
    tids = sorted((tid(float(minute)) for minute in text.split()), reverse=True)
    return ServerList(client, "main", tuple(tids), asked_ns, asked_ns + 1 if answered_ns is None else answered_ns)


def asked(*rounds: tuple[str, ...], every_ns: int = 10) -> list[ServerList]:
    """The lists of app1, app2 and so on in rounds, one after the other; ``-``: it was not asked."""
    return [
        listed(f"app{number}", text, asked_ns=every_ns * turn)
        for turn, texts in enumerate(rounds)
        for number, text in enumerate(texts, 1)
        if text != "-"
    ]


LONG = " ".join(str(100 + minute) for minute in range(LIST_LIMIT))
SIDES: dict[str, tuple[tuple[tuple[str, ...], ...], int]] = {
    "alike": ((("1 2 3", "1 2 3"),), 1),
    "differing, asked once": ((("1 2 3", "1 2 3 4 5 90"),), 1),
    "it came in between": ((("1 2 3", "1 2 3 4"), ("1 2 3 4", "-")), 1),
    "one stands still": ((("1 2 3", "1 2 3 4"), ("1 2 3", "-"), ("-", "1 2 3 4")), 2),
    "a burst on the copy alone": ((("1 2 3", "1 2 3 4 4.01"), ("1 2 3", "-"), ("-", "1 2 3 4 4.01")), 2),
    "packed before it was asked again": ((("1 2 3", "1 2 3 4"), ("5", "-"), ("-", "5 6")), 1),
    "all packed": ((("", "1 2 3"), ("", "-"), ("-", "1 2 3")), 1),
    "longer than a list": (((LONG, "1 2 3"), ("-", "1 2 3"), (LONG, "-")), 2),
    "what the list is too short for": ((("1 2 3", LONG), ("-", LONG), ("1 2 3", "-")), 1),
    "one of three": ((("1 2 9", "1 2", "1 2 9"), ("-", "1 2", "-"), ("1 2 9", "-", "1 2 9")), 2),
    "three": (2 * (("1 2 9", "1 2 5", "1 2 4"),) + (("1 2 9", "1 2 5", "1 2 4"),), 3),
}


@pytest.mark.parametrize(("rounds", "sides"), SIDES.values(), ids=SIDES)
def test_lists_that_cannot_be_of_one_storage_part(rounds: tuple[tuple[str, ...], ...], sides: int) -> None:
    made = asked(*rounds)
    assert sides == len(sides_of_lists(made)) == len(sides_of_lists(made[::-1]))


def test_an_answer_that_took_long_is_not_of_another_storage() -> None:
    """However many transactions came while the slow one was answered: nothing had been there before it was asked."""
    slow = listed("app1", "1 2", asked_ns=0, answered_ns=14_000_000_000)
    quick = [listed("app2", "1 2 9 10", asked_ns=at) for at in (0, 15_000_000_000)]
    assert 1 == len(sides_of_lists([slow, *quick]))


@pytest.mark.parametrize(("every_ns", "sides"), [(10, 1), (2 * REPLICA_BEHIND_NS, 2)], ids=["a moment", "for long"])
def test_a_replica_may_be_a_moment_behind(every_ns: int, sides: int) -> None:
    made = asked(("1 2 3", "1 2 3 4"), ("1 2 3", "-"), ("-", "1 2 3 4"), every_ns=every_ns)
    assert sides == len(sides_of_lists(made, replicas={"app1"}))
    assert 2 == len(sides_of_lists(made))


def test_who_is_asked_again() -> None:
    assert {} == to_ask_again(asked(("1 2", "1 2")))
    assert {"app1": {"app2"}} == to_ask_again(asked(("1 2", "1 2 3")))
    assert {} == to_ask_again(asked(("1 2", "1 2 3"), ("1 2 3 4", "1 2 3 4")))
    assert {"app1": {"app2"}, "app2": {"app1"}} == to_ask_again(asked(("1 2 7", "1 2 3")))


@pytest.mark.parametrize(
    ("text", "newest", "known_ns", "expected"),
    [
        ("1 2 3", 3, 0, False),
        ("1 2 3", 4, 0, True),
        ("1 2 3 5", 4, 0, False),
        ("1 2 3", 4, 2000, False),
        ("", 4, 0, False),
    ],
    ids=["it is there", "it is missing", "there are newer ones", "it was not known yet", "all is packed"],
)
def test_what_was_the_newest_before_is_in_the_list(text: str, newest: int, known_ns: int, expected: bool) -> None:
    assert expected is lacks(listed("app1", text, asked_ns=1000), tid(newest), known_ns)


@pytest.mark.parametrize(
    ("text", "newest", "asked_ns", "expected"),
    [("1 2 3", 3, 2000, False), ("1 2 3", 2, 2000, True), ("1 2 3", 2, 500, False), ("", 2, 2000, False)],
    ids=["alike", "it has more", "it was asked before", "all is packed"],
)
def test_what_the_server_of_the_files_does_not_have(text: str, newest: int, asked_ns: int, expected: bool) -> None:
    told = NewestTransaction("zeo1:8100", "1", tid(newest), asked_ns)
    assert expected is goes_beyond(listed("app1", text, asked_ns=1000), told)


DOUBTS: dict[str, tuple[tuple[tuple[str, ...], ...], tuple[str, ...]]] = {
    "alike": ((("1 2", "1 2"),), ()),
    "asked once": ((("1 2", "1 2 3"),), ("app1",)),
    "asked again, and the other was not": ((("1 2", "1 2 3"), ("1 2", "-")), ("app1",)),
    "it has it by now": ((("1 2", "1 2 3"), ("1 2 3", "-")), ()),
    "proven": ((("1 2", "1 2 3"), ("1 2", "-"), ("-", "1 2 3")), ()),
    "a busy site": ((("1 2", "1 2 3"), ("1 2 3", "-"), ("-", "1 2 3 4")), ()),
}


@pytest.mark.parametrize(("rounds", "clients"), DOUBTS.values(), ids=DOUBTS)
def test_what_could_not_be_asked_often_enough_is_not_known(
    rounds: tuple[tuple[str, ...], ...], clients: tuple[str, ...]
) -> None:
    assert clients == in_doubt(asked(*rounds))
