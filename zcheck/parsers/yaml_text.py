"""YAML text to nested tables, lists and strings, each entry of a table with its line.  Pure.

PyYAML splits the text into events; what is made of them is ours, since its own loaders turn ``on`` into True and
``8080:80`` into a number of base sixty, lose lines, and follow aliases without a limit.  Values stay the strings that
they are written as; an empty one, ``~`` and ``null`` are None.  Anchors, aliases and ``<<`` count.  A tag of another
program (``!reset``, ``!vault``) says what is not known here, and is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import yaml

MAX_CHARACTERS = 1024 * 1024
MAX_DEPTH = 50
MAX_DOCUMENTS = 200
MAX_NODES = 50_000
"""Of a text whose aliases are all written out: a few lines of aliases can stand for more than any memory holds."""

_NOTHING = frozenset({"", "~", "null", "Null", "NULL"})
_OWN_TAGS = "tag:yaml.org,2002:"


class Table(dict[str, "Node"]):
    """A mapping whose keys are strings; ``line`` is where it begins, ``lines`` where each key stands."""

    def __init__(self, line: int) -> None:
        super().__init__()
        self.line = line
        self.lines: dict[str, int] = {}

    def line_of(self, key: str) -> int:
        """The line of a key; that of the table for a key that came from elsewhere."""
        return self.lines.get(key, self.line)


Node = Table | list["Node"] | str | None


class YamlError(ValueError):
    """The text is no YAML, or more than is read here; ``line`` is where."""

    def __init__(self, line: int, message: str) -> None:
        self.line = line
        super().__init__(message)


def parse(text: str) -> Node:
    """The one document of the text; an empty text is None.  Raises :exc:`YamlError`."""
    documents = parse_all(text)
    if len(documents) > 1:
        raise YamlError(1, f"{len(documents)} documents in one file")
    return documents[0] if documents else None


def parse_all(text: str) -> list[Node]:
    """Every document of the text.  Raises :exc:`YamlError`."""
    import yaml

    if len(text) > MAX_CHARACTERS:
        raise YamlError(1, f"more than {MAX_CHARACTERS // 1024 // 1024} MiB")
    builder = _Builder()
    try:
        for event in yaml.parse(text.removeprefix("\N{BYTE ORDER MARK}"), Loader=yaml.BaseLoader):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise YamlError(mark.line + 1 if mark is not None else 1, _problem(error)) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1 if isinstance(error.position, int) else 1
        raise YamlError(line, "a character that YAML does not allow") from None
    return builder.documents


def _problem(error: yaml.MarkedYAMLError) -> str:
    """PyYAML's words: they name tokens and single characters, and quote no value."""
    said = " ".join((error.problem or error.context or "").split())
    return f"no YAML that can be read: {''.join(one for one in said if one.isprintable())[:120]}"


class _Open:
    """A table or list that is being read."""

    def __init__(self, node: Table | list[Node], anchor: str | None) -> None:
        self.node = node
        self.anchor = anchor
        self.key: str | None = None
        self.key_line = 0
        self.merged: list[tuple[int, Node]] = []
        self.size = 1


class _Builder:
    """Makes documents of PyYAML's events, one after the other and without recursion."""

    def __init__(self) -> None:
        self.documents: list[Node] = []
        self.open: list[_Open] = []
        self.anchors: dict[str, tuple[Node, int]] = {}

    def take(self, event: yaml.Event) -> None:
        import yaml

        line = event.start_mark.line + 1 if event.start_mark is not None else 1
        if isinstance(event, yaml.DocumentStartEvent):
            self.anchors = {}
        elif isinstance(event, yaml.ScalarEvent):
            self._refuse_tag(event.tag, line)
            is_nothing = event.style is None and event.value in _NOTHING
            self._put(None if is_nothing else event.value, 1, line, event.anchor, is_plain=event.style is None)
        elif isinstance(event, yaml.AliasEvent):
            self._alias(event.anchor, line)
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            self._refuse_tag(event.tag, line)
            if len(self.open) >= MAX_DEPTH:
                raise YamlError(line, f"nested more than {MAX_DEPTH} deep")
            node: Table | list[Node] = Table(line) if isinstance(event, yaml.MappingStartEvent) else []
            self.open.append(_Open(node, event.anchor))
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            done = self.open.pop()
            if isinstance(done.node, Table):
                _merge(done.node, done.merged)
            self._put(done.node, done.size, line, done.anchor)

    def _refuse_tag(self, tag: str | None, line: int) -> None:
        if tag is not None and tag != "!" and not tag.startswith(_OWN_TAGS):
            raise YamlError(line, f"the tag {tag[:40]} is of another program, and what it does is not known here")

    def _alias(self, name: str | None, line: int) -> None:
        if name is None or name not in self.anchors:
            raise YamlError(line, f"there is no anchor &{(name or '')[:40]} above")
        node, size = self.anchors[name]
        self._put(node, size, line, None)

    def _put(self, node: Node, size: int, line: int, anchor: str | None, *, is_plain: bool = False) -> None:
        """A whole node, to where it belongs."""
        if anchor is not None:
            self.anchors[anchor] = (node, size)
        if not self.open:
            if len(self.documents) >= MAX_DOCUMENTS:
                raise YamlError(line, f"more than {MAX_DOCUMENTS} documents")
            self.documents.append(node)
            return
        inside = self.open[-1]
        inside.size += size
        if inside.size > MAX_NODES:
            raise YamlError(line, f"more than {MAX_NODES} values, its aliases written out")
        if isinstance(inside.node, list):
            inside.node.append(node)
        elif inside.key is None:
            inside.key = self._key(inside, node, line, is_plain)
            inside.key_line = line
        else:
            key, inside.key = inside.key, None
            if key == _MERGED:
                inside.merged.append((inside.key_line, node))
            else:
                inside.node[key] = node
                inside.node.lines[key] = inside.key_line

    def _key(self, inside: _Open, node: Node, line: int, is_plain: bool) -> str:
        if isinstance(node, Table | list):
            raise YamlError(line, "a key that is no plain text")
        if is_plain and node == "<<":
            return _MERGED
        key = node or ""
        assert isinstance(inside.node, Table)
        if key in inside.node:
            raise YamlError(line, f"a second {key[:40]!r}; the first is in line {inside.node.lines[key]}")
        return key


_MERGED = "\0<<"
"""Stands for the key ``<<``: no YAML text holds this character."""


def _merge(table: Table, merged: list[tuple[int, Node]]) -> None:
    """What ``<<`` brings in: a key that the table has itself counts, then the earlier of several tables."""
    for line, given in merged:
        for other in given if isinstance(given, list) else [given]:
            if not isinstance(other, Table):
                raise YamlError(line, "'<<' with what is no mapping")
            for key, value in other.items():
                if key not in table:
                    table[key] = value
                    table.lines[key] = other.line_of(key)


def tables(node: Node) -> Iterator[Table]:
    """The tables among the entries of a list; the table itself where it is one."""
    if isinstance(node, Table):
        yield node
    elif isinstance(node, list):
        yield from (one for one in node if isinstance(one, Table))
