"""The versions that a running client tells, as a person reads them."""

from __future__ import annotations

import re

from zcheck.facts import ControlPanel, HttpAnswer


def versions(panel: ControlPanel | None, answer: HttpAnswer | None) -> dict[str, str]:
    """Zope, Python and Plone by name; what is not told is left out.

    Zope 2 tells them in its ``Server`` header as well: ``Zope/(2.13.30, python 2.7.18, linux2) ZServer/1.1 Plone/5.1``.
    """
    header = answer.headers.get("server", "") if answer is not None else ""
    said = {
        "Zope": panel.zope_version if panel is not None else None,
        "Python": panel.python_version if panel is not None else None,
        "Plone": panel.plone_version if panel is not None else None,
    }
    patterns = {"Zope": r"Zope/\(?(?:Zope )?([\w.]+)", "Python": r"python ([\w.]+)", "Plone": r"Plone/([\w.]+)"}
    found = {}
    for name, pattern in patterns.items():
        in_header = re.search(pattern, header)
        text = said[name] or (in_header[1] if in_header else "")
        number = re.search(r"\d+(?:\.\d+)+\w*", text)
        if number is not None:
            found[name] = number[0]
    return found
