"""Sphinx: the README, how zcheck is built, and a page for every check, taken from the check's own file."""

from __future__ import annotations

from pathlib import Path

from sphinx.application import Sphinx

import zcheck
from zcheck.check import STAGES
from zcheck.checks import CATALOGUE

project = "zcheck"
version = release = zcheck.__version__
html_theme = "alabaster"
GENERATED = Path(__file__).parent / "checks"


def write_pages(app: Sphinx) -> None:
    """Write ``checks/NAME.rst`` for every check, and ``checks/index.rst``."""
    GENERATED.mkdir(exist_ok=True)
    index = ["The catalogue", "=============", ""]
    for stage in STAGES:
        checks = [check for check in CATALOGUE if check.stage == stage]
        if checks:
            index += [stage, "-" * len(stage), "", ".. toctree::", "   :maxdepth: 1", ""]
            index += [*(f"   {check.name}" for check in checks), ""]
        for check in checks:
            title = f"{check.name} ({check.severity.name})"
            page = [title, "=" * len(title), "", check.page, ""]
            (GENERATED / f"{check.name}.rst").write_text("\n".join(page), encoding="utf-8")
    (GENERATED / "index.rst").write_text("\n".join(index), encoding="utf-8")


def setup(app: Sphinx) -> None:
    app.connect("builder-inited", write_pages)
