"""Put what the commands print today into README.rst, below each command that stands there with a prompt.

Run it with the interpreter that zcheck is installed for.  ``make test`` is left as it is: it takes minutes, and its one
line of interest is copied by hand.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import textwrap
from pathlib import Path

README = Path(__file__).resolve().parents[1] / "README.rst"
# What a command really runs, once its set-up is done.
SAME_AS = {"make demo": "zcheck demo"}
LEFT_ALONE = ("make test",)
BLOCK = re.compile(r"^    \$ (?P<command>.+)\n(?P<output>(?:(?:    .*)?\n)*?)(?=\n*^\S)", re.M)


def output_of(command: str) -> str:
    arguments = shlex.split(SAME_AS.get(command, command))
    done = subprocess.run([sys.executable, "-m", *arguments], cwd=README.parent, capture_output=True, text=True)
    return textwrap.indent(done.stdout.strip("\n"), "    ")


def refreshed(block: re.Match[str]) -> str:
    command = block["command"]
    if command in LEFT_ALONE:
        return block[0]
    return f"    $ {command}\n{output_of(command)}\n"


def main() -> None:
    README.write_text(BLOCK.sub(refreshed, README.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
