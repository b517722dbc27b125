"""Signals end a run once; while it cleans up they are noted.  In a process of its own, for signals are a process's."""

from __future__ import annotations

import subprocess
import sys

import pytest

_FIRST = """
import os, signal, sys
from zcheck.system import signals

def send(*names):
    for name in names:
        os.kill(os.getpid(), getattr(signal, name))

told = []
"""


def said(script: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", _FIRST + script], capture_output=True, text=True, timeout=60)
    assert not done.returncode, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_one_ends_the_work(name: str) -> None:
    script = f"""
with signals.interruptible():
    try:
        send({name!r})
    except KeyboardInterrupt:
        print("ended")
"""
    assert ["ended"] == said(script)


def test_those_that_follow_the_first_do_nothing_and_it_is_said_why() -> None:
    script = """
with signals.interruptible(told.append):
    try:
        send("SIGTERM")
    except KeyboardInterrupt:
        send("SIGTERM", "SIGINT", "SIGHUP")
        print("cleaned", len(told))
"""
    assert ["cleaned", "3"] == said(script)


def test_one_while_cleaning_up_ends_the_run_afterwards() -> None:
    script = """
with signals.interruptible(told.append):
    try:
        with signals.cleaning_up(8):
            send("SIGINT", "SIGINT")
            print("cleaned")
        print("never")
    except KeyboardInterrupt:
        print("ended", "within 8 s" in told[0])
"""
    assert ["cleaned", "ended", "True"] == said(script)


def test_who_cleaned_up_after_a_signal_is_not_ended_again() -> None:
    script = """
with signals.interruptible():
    try:
        send("SIGINT")
    except KeyboardInterrupt:
        with signals.cleaning_up(8):
            send("SIGINT")
        print("ended")
"""
    assert ["ended"] == said(script)


def test_a_run_that_does_not_end_can_be_interrupted_again() -> None:
    script = """
signals.PATIENCE_S = 0.0
with signals.interruptible():
    for _ in range(2):
        try:
            send("SIGINT")
        except KeyboardInterrupt:
            print("ended")
"""
    assert ["ended", "ended"] == said(script)


def test_afterwards_all_is_as_before() -> None:
    script = """
before = signal.getsignal(signal.SIGTERM)
with signals.interruptible(), signals.cleaning_up(1):
    pass
print(before is signal.getsignal(signal.SIGTERM))
"""
    assert ["True"] == said(script)
