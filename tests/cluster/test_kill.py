"""Runs that end in the middle: killed, interrupted, without a reader.  The cluster goes on, and nothing stays."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from cluster.whole_runs import (
    Contents,
    assert_only_ours,
    by_command,
    children_of,
    command,
    commit_takes,
    in_process,
    lock_and_connections,
    preflight,
)

from zcheck.commands.demo import Cluster

MOMENTS = 50 if os.environ.get("ZCHECK_SLOW", "0") not in ("", "0") else 12
LIMIT_S = 10.0


def start(cluster: Cluster, *options: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command("preflight", cluster.ini, *options), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd="/"
    )


def end(running: subprocess.Popen[str], how: signal.Signals, after_s: float) -> tuple[int, str, str]:
    """Let it run for so long once it has begun, then end it so; its exit code and what it said."""
    wait_for(lambda: bool(children_of(running.pid)) or running.poll() is not None)
    time.sleep(after_s)
    running.send_signal(how)
    out, err = running.communicate(timeout=30)
    return running.returncode, out, err


def wait_for(happens: Callable[[], bool], limit_s: float = LIMIT_S) -> None:
    until = time.monotonic() + limit_s
    while not happens():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.02)


def runs(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def folders_added(cluster: Cluster) -> int:
    """How often a client was asked to add a folder."""
    return sum(client.access_log.read_text().count("manage_addFolder") for client in cluster.clients.values())


def without_ordinary_edits(contents: Contents) -> Contents:
    """Without what this test itself commits, to see that others can."""
    others = [oids for _, _, said, oids in contents.transactions if said == b"an ordinary edit"]
    return Contents(
        {oid: record for oid, record in contents.current.items() if (oid,) not in others},
        tuple(one for one in contents.transactions if one[2] != b"an ordinary edit"),
    )


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A state folder of the test's own: what other tests left is not this one's to see."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


def test_what_a_run_uses_is_not_taken_away_from_it(make_cluster: Callable[..., Cluster], tmp_path: Path) -> None:
    cluster = make_cluster(2)
    pause = tmp_path / "pause"
    pause.touch()
    running = start(cluster, "--pause-file", pause)
    wait_for(lambda: any(Path(os.environ["XDG_STATE_HOME"]).glob("zcheck/journal/*")))
    refused = in_process("leftovers", cluster.ini, "--remove")
    assert (3, True) == (refused.code, "is under way: wait until it has ended" in refused.err)
    assert "under way: run " in in_process("leftovers", cluster.ini).out
    pause.unlink()
    running.communicate(timeout=30)
    assert 0 == running.returncode
    assert 0 == in_process("leftovers", cluster.ini, "--remove").code


def test_a_run_that_is_killed_at_any_moment_harms_nobody(make_cluster: Callable[..., Cluster]) -> None:
    three = make_cluster(3)
    data = three.main_zeo.data_fs()
    whole = by_command("preflight", three.ini)
    assert 0 == whole.code
    state = lock_and_connections(three)
    found = []
    for moment in range(MOMENTS + 1):
        before = Contents.of(data)
        added = folders_added(three)
        running = start(three)
        if moment < MOMENTS:
            time.sleep(whole.seconds * (moment + 1) / (MOMENTS + 1))
        else:
            # On a busy machine all the others may miss the short time in which there is something to be left.
            wait_for(lambda added=added: folders_added(three) > added)  # type: ignore[misc]
        children = children_of(running.pid)
        running.kill()
        running.communicate(timeout=10)
        assert commit_takes(three) < 1, f"moment {moment}"
        wait_for(lambda alive=children: not any(runs(pid) for pid in alive))  # type: ignore[misc]
        wait_for(lambda: lock_and_connections(three) == state)
        looked = in_process("leftovers", three.ini)
        assert looked.code in (0, 1), looked.out + looked.err
        found.append(looked.code)
        following = preflight(three)
        assert (0, (6, 6, 6), []) == (following.code, following.counts, following.told), f"moment {moment}"
        assert looked.code == 0 or "ended before it saw that nothing was left" in following.out
        removed = in_process("leftovers", three.ini, "--remove")
        assert 0 == removed.code, removed.out + removed.err
        assert "nothing was left behind\n" == in_process("leftovers", three.ini).out
        assert [] == list(Path(os.environ["XDG_STATE_HOME"], "zcheck", "journal").iterdir())
        after = Contents.of(data)
        assert_only_ours(without_ordinary_edits(before), without_ordinary_edits(after))
        assert [] == [record for record in after.current.values() if record and b"zcheck run=" in record]
    assert 1 in found, "at no moment was there anything to find: this test looked at nothing"


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda how: how.name)
def test_an_interrupted_run_is_unknown_and_cleans_up(make_cluster: Callable[..., Cluster], how: signal.Signals) -> None:
    three = make_cluster(3)
    data = three.main_zeo.data_fs()
    whole = by_command("preflight", three.ini)
    state = lock_and_connections(three)
    interrupted = 0
    for share in (0.0, 0.1, 0.2, 0.3, 0.4, 0.5):
        before = Contents.of(data)
        code, out, err = end(start(three), how, whole.seconds * share)
        assert code in (0, 3), (share, code, out, err)
        if code == 3:
            interrupted += 1
            assert "interrupted" in err
            assert "Traceback" not in out + err
        assert commit_takes(three) < 1
        wait_for(lambda: lock_and_connections(three) == state)
        left = in_process("leftovers", three.ini)
        assert (0, "nothing was left behind\n") == (left.code, left.out), f"{how.name} at {share}"
        after = Contents.of(data)
        assert before.reachable.keys() == after.reachable.keys()
    assert interrupted >= 2


def test_a_reader_that_goes_away_is_unknown_and_everything_is_cleaned_up(cluster: Cluster) -> None:
    read, write = os.pipe()
    running = subprocess.Popen(command("preflight", cluster.ini, "-v"), stdout=write, stderr=subprocess.PIPE, cwd="/")
    os.close(write)
    os.close(read)
    _, err = running.communicate(timeout=30)
    assert 3 == running.returncode
    assert b"Traceback" not in err
    left = in_process("leftovers", cluster.ini)
    assert (0, "nothing was left behind\n") == (left.code, left.out)


def test_a_stopped_run_does_not_keep_the_lock_for_long(make_cluster: Callable[..., Cluster]) -> None:
    """Ctrl-Z in the middle: the process that writes goes on without its parent, and lets go of everything."""
    two = make_cluster(2)
    whole = by_command("preflight", two.ini)
    for share in (0.4, 0.5, 0.6, 0.7):
        running = start(two)
        time.sleep(whole.seconds * share)
        running.send_signal(signal.SIGSTOP)
        try:
            assert commit_takes(two) < 1, share
        finally:
            running.send_signal(signal.SIGCONT)
            running.communicate(timeout=60)
    assert 0 == in_process("leftovers", two.ini, "--remove").code
