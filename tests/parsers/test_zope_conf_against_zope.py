"""What zcheck says that Zope refuses, Zope refuses; what zcheck finds healthy, Zope reads: asked of Zope itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from config_lines import ADDRESS, HARMLESS, LINES, REFUSED, healthy

pytest.importorskip("Zope2", reason="Zope is not installed here")

# These are of no schema of today's Zope, and no faults: an add-on's section, and keys of Zope 2.
UNKNOWN_TODAY = ("<my-add-on>", "zserver-threads")


@pytest.fixture(scope="module")
def schema() -> Any:
    from Zope2.Startup.options import ZopeWSGIOptions

    options = ZopeWSGIOptions()
    options.load_schema()
    return options.schema


def refuses(schema: Any, text: str, folder: Path) -> bool:
    """Whether Zope's own schema refuses this zope.conf; the instance home that it names is made first."""
    import ZConfig

    home = folder / "home"
    (home / "var").mkdir(parents=True, exist_ok=True)
    path = folder / "zope.conf"
    for named in ("/srv/app2", "/opt/zope/second"):
        text = text.replace(named, str(home))
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    try:
        ZConfig.loadConfig(schema, str(path))
    except (ZConfig.ConfigurationError, ValueError):
        return True
    return False


CASES = [*LINES, *((number, line, "") for number, line in HARMLESS)]


def test_zope_refuses_what_zcheck_says_it_refuses(schema: Any, tmp_path: Path) -> None:
    known = [case for case in CASES if case[1] is None or not case[1].startswith(UNKNOWN_TODAY)]
    assert len(known) > 100
    wrong = []
    for number, line, expected in known:
        folder = tmp_path / f"{len(wrong)}"
        folder.mkdir(exist_ok=True)
        try:
            _agrees_with_zope(number, line, expected, schema, folder)
        except AssertionError as error:
            wrong.append(f"{number}: {line!a}: {error}")
    assert [] == wrong


def _agrees_with_zope(number: int, line: str | None, expected: str, schema: Any, folder: Path) -> None:
    files = healthy()
    files["app2"][number - 1 : number] = [] if line is None else line.split("\n")
    refused = refuses(schema, "\n".join(files["app2"]), folder)
    if expected == REFUSED or expected == "zope-conf-keys-are-known":
        assert refused
    elif "?" not in expected and expected != ADDRESS:
        assert not refused
