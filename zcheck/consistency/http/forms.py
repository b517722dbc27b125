"""A form of one page, filled in and submitted as a browser does it.

Hidden fields come along, which is what carries Plone's token.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

from zcheck.facts.history import Refusal

DELETE = "manage_delObjects:method"
"""The name of the button that deletes what is ticked."""


class NotAccepted(Exception):
    """A write was refused, or accepted and not saved; ``kind`` and words.

    ``sent``: it may have been done nevertheless, nobody knows.  ``ours``: it was our own deadline that came first.
    ``again``: nothing was done, and another attempt may succeed, as after a conflict.
    """

    def __init__(
        self, kind: Refusal, words: str, *, sent: bool = False, ours: bool = False, again: bool = False
    ) -> None:
        super().__init__(words)
        self.ours = ours
        self.kind: Refusal = kind
        self.words = words
        self.sent = sent
        self.again = again


class Form:
    """A form of one page, by mechanicalsoup."""

    def __init__(self, form: Any, page_url: str, path: str) -> None:
        self._form = form
        self._page_url = page_url
        self._path = path

    @classmethod
    def find(cls, text: str, page_url: str, path: str, fields: Sequence[str]) -> Form:
        """The first form of the page that has all these fields; :exc:`NotAccepted` where none has."""
        import bs4
        import mechanicalsoup

        soup = bs4.BeautifulSoup(text, "lxml")
        for form in soup.find_all("form"):
            if all(form.find(attrs={"name": named(field)}) for field in fields):
                return cls(mechanicalsoup.Form(form), page_url, path)  # type: ignore[no-untyped-call]
        raise NotAccepted("no-form", f"its page {path} has no form with the fields {', '.join(fields)}")

    def fill(self, values: Mapping[str, str], upload: str = "") -> None:
        """Put the values in, and ``upload`` into the form's file field where it has one; press the first button."""
        for name, value in values.items():
            field = self._form.form.find(attrs={"name": named(name)})
            if field.name == "textarea":
                field.string = value
            else:
                field["value"] = value
        file = self._form.form.find("input", attrs={"type": "file"})
        if file is not None and upload:
            content = io.BytesIO(upload.encode("utf-8"))
            content.name = "zcheck.txt"
            file["value"] = content
        self._press("")

    def hidden(self) -> list[tuple[str, str]]:
        found = self._form.form.find_all("input", attrs={"type": "hidden"})
        return [(tag.get("name", ""), tag.get("value", "")) for tag in found]

    def _press(self, name: str) -> None:
        """Press the button with this name, else the first: a browser sends the one that was pressed and no other."""
        buttons = self._form.form.find_all("input", attrs={"type": "submit"})
        named = [button for button in buttons if button.get("name") == name]
        if named or buttons:
            self._form.choose_submit((named or buttons)[0])
        if name and not named:
            raise NotAccepted("no-form", f"the form of {self._path} has no button {name}")

    def request(self) -> dict[str, Any]:
        from zcheck.probes.http_session import submitted

        return dict(submitted(self._form, self._page_url))


def named(field: str) -> re.Pattern[str]:
    """A field's name with or without Zope's converters, as in ``data:text`` and ``ids:list``."""
    return re.compile(rf"^{re.escape(field)}(:\w+)*$")
