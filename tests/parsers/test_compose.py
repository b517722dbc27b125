"""The part of YAML that compose files are written in; the rest is refused, never guessed at."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zcheck.parsers.compose import ComposeError, Node, parse

READ: dict[str, tuple[str, dict[str, Node]]] = {
    "nothing": ("", {}),
    "comments": ("# a\n\n---\n# b\n", {}),
    "a pair": ("a: b", {"a": "b"}),
    "no value": ("a:\nb: ~\nc: null", {"a": None, "b": None, "c": None}),
    "nested": ("a:\n  b:\n    c: d\n  e: f\ng: h", {"a": {"b": {"c": "d"}, "e": "f"}, "g": "h"}),
    "indented by four": ("a:\n    b: c\n    d: e", {"a": {"b": "c", "d": "e"}}),
    "a list": ("a:\n  - b\n  - c", {"a": ["b", "c"]}),
    "a list at the key's own indentation": ("a:\n- b\n- c\nd: e", {"a": ["b", "c"], "d": "e"}),
    "a list of mappings": (
        "a:\n  - b: 1\n    c: 2\n  - b: 3",
        {"a": [{"b": "1", "c": "2"}, {"b": "3"}]},
    ),
    "a list of lists": ("a:\n  - - b\n    - c\n  -\n    - d", {"a": [["b", "c"], ["d"]]}),
    "an empty item": ("a:\n-\n- b", {"a": [None, "b"]}),
    "double quotes": ('a: "b: # c"', {"a": "b: # c"}),
    "single quotes": ("a: 'it''s'", {"a": "it's"}),
    "an escaped quote": (r'a: "b\"c"', {"a": 'b"c'}),
    "a hash behind an escaped quote": (r'a: "b\" # c"', {"a": 'b" # c'}),
    "a backslash before the closing quote": (r'a: "b\\" # c', {"a": "b\\"}),
    "a quoted key": ("'a b': c\n\"d\": e", {"a b": "c", "d": "e"}),
    "a quoted item that looks like a pair": ("a:\n- 'b: c'", {"a": ["b: c"]}),
    "a comment behind": ("a: b # c\nd: e#f", {"a": "b", "d": "e#f"}),
    "a comment behind a key": ("a: # b\n  c: d", {"a": {"c": "d"}}),
    "colons within": ("a: b:c\nd:\n- 8080:8080", {"a": "b:c", "d": ["8080:8080"]}),
    "a URL": ("a: http://b/#c", {"a": "http://b/#c"}),
    "an apostrophe within": ("a: it's", {"a": "it's"}),
    "a list on one line": ("a: [b, 'c, d', \"e\"]", {"a": ["b", "c, d", "e"]}),
    "a mapping on one line": ("a: {b: c, d: [e, f], g: }", {"a": {"b": "c", "d": ["e", "f"], "g": None}}),
    "colons within brackets": ("a: [8080:8080, b:c]", {"a": ["8080:8080", "b:c"]}),
    "empty brackets": ("a: []\nb: {}", {"a": [], "b": {}}),
    "an anchor and an alias": ("a: &x\n  b: c\nd: *x", {"a": {"b": "c"}, "d": {"b": "c"}}),
    "an anchor of a scalar": ("a: &x b\nc: *x", {"a": "b", "c": "b"}),
    "an alias in a list": ("a: &x b\nc: [*x, d]\ne:\n- *x", {"a": "b", "c": ["b", "d"], "e": ["b"]}),
    "merged": ("a: &x\n  b: 1\n  c: 2\nd:\n  <<: *x\n  c: 3", {"a": {"b": "1", "c": "2"}, "d": {"b": "1", "c": "3"}}),
    "merged below": ("a: &x\n  b: 1\nd:\n  b: 2\n  <<: *x", {"a": {"b": "1"}, "d": {"b": "2"}}),
    "merged of two, the first wins": (
        "a: &x {b: 1}\nc: &y {b: 2, d: 3}\ne:\n  <<: [*x, *y]",
        {"a": {"b": "1"}, "c": {"b": "2", "d": "3"}, "e": {"b": "1", "d": "3"}},
    ),
    "a literal block": ("a: |\n  b: c\n  # d\n\n  e\nf: g", {"a": "b: c\n# d\n\ne", "f": "g"}),
    "a folded block": ("a: >-\n  b\n  c\nf: g", {"a": "b\nc", "f": "g"}),
    "a value over two lines": ("a: b\n  c\nd: e", {"a": "b c", "d": "e"}),
    "lines of Windows": ("a:\r\n  b: c\r\n", {"a": {"b": "c"}}),
    "byte order mark": ("\N{BYTE ORDER MARK}a: b", {"a": "b"}),
}


@pytest.mark.parametrize(("text", "expected"), READ.values(), ids=READ)
def test_what_is_read(text: str, expected: dict[str, Node]) -> None:
    assert expected == parse(text)


REFUSED: dict[str, tuple[str, int, str]] = {
    "a list": ("- a", 1, "not a mapping"),
    "a word": ("a", 1, "not a mapping"),
    "a word below": ("a: b\nc", 2, "neither KEY: VALUE nor an item of a list"),
    "a tab": ("a:\n\tb: c", 2, "a tab in front of the line"),
    "too little": ("  a: b\nc: d", 2, "the indentation fits no line above it"),
    "too much": ("a:\n  b: c\n    d: e", 3, "a key below a value"),
    "an item among pairs": ("a: b\n- c", 2, "the indentation fits no line above it"),
    "an unknown alias": ("a: *b", 1, "there is no anchor &b above"),
    "an unknown alias within brackets": ("a: [*b]", 1, "there is no anchor &b above"),
    "an anchor within brackets": ("a: [&b c]", 1, "'&' within brackets is not understood here"),
    "a tag": ("a: !reset null", 1, "'!' begins what is not understood here"),
    "a bracket that is not closed": ("a: [b,\n  c]", 1, "brackets that are not closed on this line"),
    "a quote that is not closed": ("a: 'b", 1, "a quote that is not closed"),
    "a key of several lines": ("? a\n: b", 1, "not a mapping"),
}


@pytest.mark.parametrize(("text", "line", "message"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused(text: str, line: int, message: str) -> None:
    with pytest.raises(ComposeError) as refused:
        parse(text)
    assert (line, message) == (refused.value.line, str(refused.value))


HOSTILE = {
    "brackets": "a: " + "[" * 300_000,
    "items": "a:\n" + "- " * 300_000 + "b",
    "depth": "".join(" " * depth + "a:\n" for depth in range(1000)),
    "quotes": "a: " + '"' * 300_000,
    "blanks in front of a colon": "a" + " " * 300_000 + "b",
    "colons": "a" + ":b" * 200_000,
    "backslashes": 'a: "' + "\\" * 300_001,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_is_refused_in_bounded_time(text: str) -> None:
    started = time.monotonic()
    with pytest.raises(ComposeError):
        parse(text)
    assert time.monotonic() - started < 5


def test_aliases_of_aliases_take_no_more_room_than_their_text() -> None:
    lines = ["a0: &a0 [b, b]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30))]
    started = time.monotonic()
    assert 30 == len(parse("\n".join(lines)))
    assert time.monotonic() - started < 1


@settings(deadline=None)
@given(st.text(alphabet="ab:-#'\"[]{},&*|>! \n\t\\", max_size=80))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        assert isinstance(parse(text), dict)
    except ComposeError as error:
        assert 1 <= error.line <= text.count("\n") + 1


WORDS = st.from_regex(r"[a-z]([a-z0-9 :#'\"-]{0,10}[a-z0-9])?", fullmatch=True)
TREES = st.dictionaries(
    WORDS,
    st.recursive(
        WORDS,
        lambda inner: st.one_of(
            st.lists(inner, min_size=1, max_size=3), st.dictionaries(WORDS, inner, min_size=1, max_size=3)
        ),
        max_leaves=8,
    ),
    max_size=4,
)


def written(node: Node, indent: int) -> str:
    """The node as YAML with every string in quotes."""
    blank = " " * indent
    if isinstance(node, dict):
        return "".join(f"\n{blank}{quoted(key)}:{written(value, indent + 2)}" for key, value in node.items())
    if isinstance(node, list):
        return "".join(f"\n{blank}-{written(value, indent + 2)}" for value in node)
    return f" {quoted(node or '')}"


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


@settings(deadline=None)
@given(TREES)
def test_what_is_written_is_read_back(tree: dict[str, Node]) -> None:
    assert tree == parse(written(tree, 0))
