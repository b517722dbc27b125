"""Which transactions of a storage's log put the run's folder into its container, and took it out."""

from __future__ import annotations

import pytest

from zcheck.consistency.storage.versions import _puts_or_takes

FOLDER = b"zcheck-4f2a"
ROOT, OWN, OTHERS = 1, 7, 8
ADDED = b"/manage_addFolder", [(ROOT, b"root site " + FOLDER), (OWN, b"Folder " + FOLDER)]
REMOVED = b"/manage_delObjects", [(ROOT, b"root site")]


def test_the_adding_and_the_removal_are_the_runs() -> None:
    containers: set[str] = set()
    assert [True, True] == [_puts_or_takes(records, text, FOLDER, containers) for text, records in (ADDED, REMOVED)]


@pytest.mark.parametrize(
    ("text", "records"),
    [
        pytest.param(b"/manage_addFolder", [(ROOT, b"root new " + FOLDER), (OTHERS, b"new")], id="another is added"),
        pytest.param(b"/manage_delObjects", [(ROOT, b"root " + FOLDER)], id="another is removed"),
        pytest.param(b"/site/manage_delObjects", [(OTHERS, b"site")], id="another is removed elsewhere"),
    ],
)
def test_what_others_do_beside_it_is_not(text: bytes, records: list[tuple[int, bytes]]) -> None:
    containers: set[str] = set()
    assert _puts_or_takes(ADDED[1], ADDED[0], FOLDER, containers)
    assert not _puts_or_takes(records, text, FOLDER, containers)


def test_before_the_folder_is_there_nothing_is() -> None:
    containers: set[str] = set()
    assert not _puts_or_takes([(ROOT, b"root site")], b"/manage_addFolder", FOLDER, containers)
    assert not _puts_or_takes(REMOVED[1], REMOVED[0], FOLDER, containers)
    assert set() == containers
