"""Who saw whose write: planted histories that must fail, each beside a near miss that must pass."""

from __future__ import annotations

import msgspec
import pytest

from zcheck.facts.history import ClientState, History, Operation
from zcheck.facts.pairs import SeenPair, pairs

MS = 1_000_000


def write(session: str, nonce: str, at_ms: float, *, number: int = 1, outcome: str = "ok") -> Operation:
    invoke = int(at_ms * MS)
    return Operation(session, "write", number, invoke, invoke + MS, outcome, writes={session: nonce})  # type: ignore[arg-type]


def read(
    session: str, nonce: str | None, at_ms: float, *, number: int = 1, fenced: bool = False, took_ms: float = 1
) -> Operation:
    invoke = int(at_ms * MS)
    return Operation(session, "read", number, invoke, invoke + int(took_ms * MS), "ok", fenced, {"a": nonce})


def seen(*operations: Operation, states: tuple[ClientState, ...] = ()) -> SeenPair:
    history = History("zeo", "main", "run", operations, states)
    return next(pair for pair in pairs(history, ["a", "b"], ["a", "b"]) if (pair.writer, pair.reader) == ("a", "b"))


@pytest.mark.parametrize(
    ("expected", "operations"),
    [
        pytest.param(True, [write("a", "n1", 0), read("b", "n1", 2)], id="seen at once"),
        pytest.param(True, [write("a", "n1", 0), read("b", None, 2), read("b", "n1", 9)], id="seen late"),
        pytest.param(False, [write("a", "n1", 0), read("b", None, 2)], id="never seen"),
        pytest.param(False, [write("a", "n1", 0), read("b", "other", 2)], id="another value"),
        pytest.param(False, [write("a", "n1", 0), read("b", "n1", 2), read("b", None, 9)], id="seen and lost again"),
        pytest.param(
            False, [write("a", "n1", 0), read("b", "n1", 2), read("b", "old", 2.5)], id="one of two threads is stale"
        ),
        pytest.param(
            True,
            [write("a", "n1", 0), read("b", "n1", 2), read("b", "old", 2.5), read("b", "n1", 4)],
            id="all threads show it later",
        ),
        pytest.param(None, [read("b", "n1", 2)], id="nothing was written"),
        pytest.param(None, [write("a", "n1", 0, outcome="fail"), read("b", None, 2)], id="the write was refused"),
        pytest.param(None, [write("a", "n1", 0, outcome="info"), read("b", None, 2)], id="the write is not known"),
        pytest.param(None, [write("a", "n1", 0)], id="nothing was read"),
        pytest.param(None, [write("a", "n1", 5), read("b", None, 2)], id="a read before the write proves nothing"),
        pytest.param(
            None, [write("a", "n1", 5), read("b", None, 5.5)], id="nor one that began before it was acknowledged"
        ),
        pytest.param(
            False,
            [write("a", "n1", 0), read("b", "n1", 2), write("a", "n2", 10, number=2), read("b", "n1", 12, number=2)],
            id="the second round is stale",
        ),
        pytest.param(
            True,
            [write("a", "n1", 0), read("b", "n1", 2), write("a", "n2", 10, number=2), read("b", "n2", 12, number=2)],
            id="both rounds",
        ),
        pytest.param(
            True,
            [write("a", "n1", 0), read("b", None, 2), read("b", "n1", 4, fenced=True)],
            id="an unfenced read that is stale is no fault",
        ),
        pytest.param(
            False,
            [write("a", "n1", 0), read("b", "n1", 2), read("b", None, 4, fenced=True)],
            id="a fenced read that is stale is one",
        ),
    ],
)
def test_seen(expected: bool | None, operations: list[Operation]) -> None:
    assert seen(*operations).seen is expected


def test_a_reader_that_never_showed_the_folder_has_not_seen_the_write() -> None:
    assert seen(write("a", "n1", 0), states=(ClientState("b", joined=False),)).seen is False


def test_a_reader_that_hung_was_not_tried() -> None:
    assert seen(write("a", "n1", 0), states=(ClientState("b", joined=False, hung=True),)).seen is None


def test_lag_is_from_the_acknowledgement_to_the_first_answer_that_shows_it() -> None:
    assert seen(write("a", "n1", 0), read("b", None, 2), read("b", "n1", 9), read("b", "n1", 50)).lag_ms == 9


def test_lag_is_the_worst_rounds() -> None:
    operations = [
        write("a", "n1", 0),
        read("b", "n1", 3),
        write("a", "n2", 10, number=2),
        read("b", "n2", 30, number=2),
    ]
    assert seen(*operations).lag_ms == 20


def test_every_ordered_pair_and_no_client_with_itself() -> None:
    found = pairs(History("zeo", "main", "run"), ["a", "b", "c"], ["a", "b", "c", "d"])
    assert len(found) == 9
    assert all(pair.writer != pair.reader and pair.seen is None for pair in found)


# --- answers that say which process gave them -------------------------------------------------------


def by(process: str, nonce: str | None, at_ms: float, connection: str = "") -> Operation:
    look = read("b", nonce, at_ms)
    return msgspec.structs.replace(look, answered_by=process, connection=connection)


@pytest.mark.parametrize(
    ("expected", "operations"),
    [
        pytest.param(True, [by("7@1", "n1", 2, "c1"), by("7@1", "n1", 4, "c2")], id="all connections of one process"),
        pytest.param(False, [by("7@1", "n1", 2, "c1"), by("7@1", None, 4, "c2")], id="a stale connection"),
        pytest.param(True, [by("7@1", None, 2, "c2"), by("7@1", "n1", 4, "c1")], id="late, not met again"),
        pytest.param(False, [by("7@1", "n1", 2, "c1"), by("", None, 4)], id="not there cannot say who served it"),
        pytest.param(True, [by("", None, 2), by("7@1", "n1", 4, "c1")], id="not there yet"),
        pytest.param(True, [by("7@1", None, 2), by("8@1", "n1", 3), by("7@1", "n1", 4)], id="each of two processes"),
        pytest.param(False, [by("7@1", None, 2), by("8@1", "n1", 3)], id="one of two processes never"),
        pytest.param(True, [by("8@1", "n1", 2), by("", None, 3), by("7@1", "n1", 4)], id="one of two was late"),
        pytest.param(
            False, [by("8@1", "n1", 2), by("7@1", "n1", 3), by("", None, 5)], id="a third one does not have it"
        ),
    ],
)
def test_each_process_that_answers_is_judged(expected: bool, operations: list[Operation]) -> None:
    assert expected is seen(write("a", "n1", 0), *operations).seen


def test_the_lag_is_that_of_the_last_process() -> None:
    assert 5 == seen(write("a", "n1", 0), by("8@1", "n1", 2), by("7@1", "n1", 5)).lag_ms
