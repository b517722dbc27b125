"""Write the page of every case into a folder: python tests/pages.py FOLDER."""

from __future__ import annotations

import sys
from pathlib import Path

from cases import hostile, large, split, stale, thirty

from zcheck import cli

for case in (split, hostile, thirty, stale, large):
    path = Path(sys.argv[1]) / f"{case.__name__}.html"
    path.write_text(cli.rendered(case(), "html"), encoding="utf-8")
