"""A compose file's text to nested dictionaries, lists and strings: the part of YAML that such files are written in.

Understood are block mappings and lists, ``[a, b]`` and ``{a: b}`` on one line, quotes, comments, ``|`` and ``>``,
anchors, aliases and ``<<``.  Scalars stay strings.  What is beyond that is refused with its line, and never guessed at;
``docker compose config`` writes any compose file in a form that is understood.  Pure.
"""

from __future__ import annotations

import re
from typing import NamedTuple

MAX_DEPTH = 50

Node = dict[str, "Node"] | list["Node"] | str | None

_BLOCK_SCALAR = re.compile(r"[|>][+-]?[1-9]?[+-]?$")
_ANCHOR = re.compile(r"&([^\s\[\]{},]+)(?:\s+(.*))?$")
_ALIAS = re.compile(r"\*([^\s\[\]{},]+)$")
_QUOTED = re.compile(r"""(?:"(?:[^"\\]|\\.)*"|'(?:[^']|'')*')""")


class ComposeError(ValueError):
    """The text is no compose file, or written in YAML that is not understood here."""

    def __init__(self, line: int, message: str) -> None:
        self.line = line
        super().__init__(message)


class _Line(NamedTuple):
    number: int
    indent: int
    text: str


def parse(text: str) -> dict[str, Node]:
    """The mapping that the text describes.  Raises :exc:`ComposeError`."""
    reader = _Reader(text)
    found = reader.block(0, 0) if reader.lines else {}
    if reader.at < len(reader.lines):
        raise ComposeError(reader.lines[reader.at].number, "the indentation fits no line above it")
    if not isinstance(found, dict):
        raise ComposeError(1, "not a mapping")
    return found


class _Reader:
    """Goes through the lines once; ``at`` is the next one to be read."""

    def __init__(self, text: str) -> None:
        self.raw = text.removeprefix("\N{BYTE ORDER MARK}").split("\n")
        self.lines = [line for number, one in enumerate(self.raw, 1) if (line := _line(number, one.rstrip("\r")))]
        self.at = 0
        self.anchors: dict[str, Node] = {}

    def block(self, indent: int, depth: int) -> Node:
        """The mapping or list that begins at the next line, all of whose entries stand at its indentation."""
        line = self.lines[self.at]
        if depth > MAX_DEPTH:
            raise ComposeError(line.number, f"nested more than {MAX_DEPTH} deep")
        if line.indent < indent:
            raise ComposeError(line.number, "the line is indented too little")
        if _is_item(line.text):
            return self._list(line.indent, depth)
        if _split_key(line.text):
            return self._mapping(line.indent, depth)
        self.at += 1
        return self._value(line, line.text, line.indent - 1, depth)

    def _mapping(self, indent: int, depth: int) -> dict[str, Node]:
        found: dict[str, Node] = {}
        merged: list[Node] = []
        while (line := self._next(indent)) is not None and not _is_item(line.text):
            pair = _split_key(line.text)
            if pair is None:
                raise ComposeError(line.number, "neither KEY: VALUE nor an item of a list")
            self.at += 1
            key, text = pair
            value = self._value(line, text, indent, depth)
            if key == "<<":
                merged += value if isinstance(value, list) else [value]
            else:
                found[_scalar(key) or ""] = value
        for other in merged:
            found = {**other, **found} if isinstance(other, dict) else found
        return found

    def _list(self, indent: int, depth: int) -> list[Node]:
        found: list[Node] = []
        while (line := self._next(indent)) is not None and _is_item(line.text):
            rest = line.text[1:].lstrip()
            inner = line.indent + len(line.text) - len(rest)
            if rest and (_is_item(rest) or _split_key(rest)):
                # "- key: value" begins a mapping whose further keys stand below "key".
                self.lines[self.at] = _Line(line.number, inner, rest)
                found.append(self.block(inner, depth + 1))
            else:
                self.at += 1
                found.append(self._value(line, rest, indent, depth))
        return found

    def _next(self, indent: int) -> _Line | None:
        """The next line, where it belongs to the block of this indentation."""
        if self.at >= len(self.lines) or self.lines[self.at].indent < indent:
            return None
        line = self.lines[self.at]
        if line.indent > indent:
            raise ComposeError(line.number, "the line is indented more than those beside it")
        return line

    def _value(self, line: _Line, text: str, indent: int, depth: int) -> Node:
        anchor = _ANCHOR.match(text)
        if anchor is not None:
            value = self._value(line, anchor[2] or "", indent, depth)
            self.anchors[anchor[1]] = value
            return value
        if _ALIAS.match(text):
            return _aliased(line, text, self.anchors)
        if not text:
            return self._below(indent, depth)
        if _BLOCK_SCALAR.match(text):
            return self._block_scalar(line, indent)
        if text[0] in "[{":
            return _Flow(line, text, self.anchors).whole()
        if text[0] in "!%@`":
            raise ComposeError(line.number, f"'{text[0]}' begins what is not understood here")
        return self._plain(line, text, indent)

    def _below(self, indent: int, depth: int) -> Node:
        """What stands on the lines below a key; a list may stand at the key's own indentation."""
        if self.at >= len(self.lines):
            return None
        line = self.lines[self.at]
        if line.indent > indent or (line.indent == indent and _is_item(line.text) and self._is_below_key()):
            return self.block(indent, depth + 1)
        return None

    def _is_below_key(self) -> bool:
        return not _is_item(self.lines[self.at - 1].text)

    def _block_scalar(self, line: _Line, indent: int) -> str:
        number = line.number
        while number < len(self.raw) and (not self.raw[number].strip() or _indent(self.raw[number]) > indent):
            number += 1
        while self.at < len(self.lines) and self.lines[self.at].number <= number:
            self.at += 1
        return "\n".join(one.strip() for one in self.raw[line.number : number])

    def _plain(self, line: _Line, text: str, indent: int) -> str | None:
        """A scalar, which may go on over lines that are indented more."""
        parts = [text]
        while self.at < len(self.lines) and self.lines[self.at].indent > indent and not _QUOTED.fullmatch(text):
            following = self.lines[self.at]
            if _split_key(following.text) and text[0] not in "\"'":
                raise ComposeError(following.number, "a key below a value")
            parts.append(following.text)
            self.at += 1
        text = " ".join(parts)
        if text[0] in "\"'" and not _QUOTED.fullmatch(text):
            raise ComposeError(line.number, "a quote that is not closed")
        return _scalar(text)


class _Flow:
    """``[a, b]`` or ``{a: b}`` on one line."""

    def __init__(self, line: _Line, text: str, anchors: dict[str, Node]) -> None:
        self.line = line
        self.text = text
        self.anchors = anchors
        self.at = 0

    def whole(self) -> Node:
        value = self.value(0)
        if self.text[self.at :].strip():
            raise self.error()
        return value

    def error(self) -> ComposeError:
        return ComposeError(self.line.number, "brackets that are not closed on this line")

    def value(self, depth: int) -> Node:
        self.blank()
        start = self.text[self.at : self.at + 1]
        if depth > MAX_DEPTH:
            raise ComposeError(self.line.number, f"nested more than {MAX_DEPTH} deep")
        if start not in ("[", "{"):
            word = self.word(",]}")
            if word[:1] in ("&", "!"):
                raise ComposeError(self.line.number, f"'{word[:1]}' within brackets is not understood here")
            return _aliased(self.line, word, self.anchors) if _ALIAS.match(word) else _scalar(word)
        self.at += 1
        items: list[Node] = []
        pairs: dict[str, Node] = {}
        closing = "]" if start == "[" else "}"
        while not self.took(closing):
            if start == "[":
                items.append(self.value(depth + 1))
            else:
                key = _scalar(self.word(":,}")) or ""
                pairs[key] = self.value(depth + 1) if self.took(":") else None
            if not self.took(",") and self.text[self.at : self.at + 1] != closing:
                raise self.error()
        return items if start == "[" else pairs

    def blank(self) -> None:
        while self.at < len(self.text) and self.text[self.at] == " ":
            self.at += 1

    def took(self, character: str) -> bool:
        self.blank()
        if self.text[self.at : self.at + 1] != character:
            return False
        self.at += 1
        return True

    def word(self, ends: str) -> str:
        self.blank()
        quoted = _QUOTED.match(self.text, self.at)
        if quoted is not None:
            self.at = quoted.end()
            return quoted[0]
        start = self.at
        while self.at < len(self.text) and not self.is_end(ends):
            self.at += 1
        return self.text[start : self.at].strip()

    def is_end(self, ends: str) -> bool:
        """Whether the word is over: a ``:`` ends one only before white space (``8080:8080`` is one word)."""
        character = self.text[self.at]
        return character in ends and (character != ":" or self.text[self.at + 1 : self.at + 2] in ("", " "))


def _line(number: int, text: str) -> _Line | None:
    """The line without its comment; None where nothing is left."""
    if text.startswith(("---", "...", "%")):
        return None
    indent = _indent(text)
    if "\t" in text[: indent + 1] and text.strip():
        raise ComposeError(number, "a tab in front of the line")
    text = _without_comment(text).strip()
    return _Line(number, indent, text) if text else None


def _indent(text: str) -> int:
    return len(text) - len(text.lstrip(" "))


def _without_comment(text: str) -> str:
    """The text before a ``#`` that begins the line or follows white space, outside of quotes."""
    at = 0
    while at < len(text):
        quoted = _QUOTED.match(text, at) if at == 0 or text[at - 1] in " [{,:" else None
        if quoted is not None:
            at = quoted.end()
        elif text[at] == "#" and (at == 0 or text[at - 1].isspace()):
            return text[:at]
        else:
            at += 1
    return text


def _split_key(text: str) -> tuple[str, str] | None:
    """Key and value of ``KEY: VALUE``; None for what is none."""
    quoted = _QUOTED.match(text)
    if quoted is not None:
        rest = text[quoted.end() :].lstrip()
        return (quoted[0], rest[1:].strip()) if rest == ":" or rest.startswith(": ") else None
    if text[0] in "[]{},\"'&*!|>%@`#?":
        return None
    at = text.find(":")
    while at > 0:
        if text[at + 1 : at + 2] in ("", " ", "\t"):
            return text[:at].rstrip(), text[at + 1 :].strip()
        at = text.find(":", at + 1)
    return None


def _aliased(line: _Line, text: str, anchors: dict[str, Node]) -> Node:
    name = text[1:].strip()
    if name not in anchors:
        raise ComposeError(line.number, f"there is no anchor &{name[:40]} above")
    return anchors[name]


def _is_item(text: str) -> bool:
    return text == "-" or text.startswith("- ")


def _scalar(text: str) -> str | None:
    if text[:1] == "'":
        return text[1:-1].replace("''", "'")
    if text[:1] == '"':
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    return None if text in ("", "~", "null", "Null", "NULL") else text
