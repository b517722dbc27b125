"""Write the page of every case into a folder: python tests/pages.py FOLDER."""

from __future__ import annotations

import sys
from pathlib import Path

from cases import hostile, split, thirty

from zcheck import cli

for case in (split, hostile, thirty):
    path = Path(sys.argv[1]) / f"{case.__name__}.html"
    path.write_text(cli.rendered(case(), "html"), encoding="utf-8")
