"""YAML text to tables, lists and strings: values as they are written, lines kept, nothing without a limit."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zcheck.parsers import yaml_text
from zcheck.parsers.yaml_text import MAX_CHARACTERS, MAX_DEPTH, MAX_NODES, Table, YamlError, parse, parse_all

READ: dict[str, tuple[str, Any]] = {
    "nothing": ("", None),
    "comments": ("# a\n\n---\n# b\n", None),
    "a mapping": ("a: b", {"a": "b"}),
    "no value": ("a:\nb: ~\nc: null", {"a": None, "b": None, "c": None}),
    "an empty text": ("a: ''", {"a": ""}),
    "what other readers turn into something else": (
        "a: on\nb: 010\nc: 8080:80\nd: 2026-12-01\ne: 1e3\nf: yes",
        {"a": "on", "b": "010", "c": "8080:80", "d": "2026-12-01", "e": "1e3", "f": "yes"},
    ),
    "a list at the key's own indentation": ("a:\n- b\n- c\nd: e", {"a": ["b", "c"], "d": "e"}),
    "a list of mappings": ("a:\n  - b: 1\n    c: 2\n  - b: 3", {"a": [{"b": "1", "c": "2"}, {"b": "3"}]}),
    "a list over two lines": ("a: [b,\n    c]", {"a": ["b", "c"]}),
    "a mapping on one line": ("a: {b: c, d: [e]}", {"a": {"b": "c", "d": ["e"]}}),
    "quotes": ("a: \"b: # c\"\nd: 'it''s'", {"a": "b: # c", "d": "it's"}),
    "escapes": (r'a: "b\tc\"d"', {"a": 'b\tc"d'}),
    "a block": ("a: |\n  b\n  c\nd: e", {"a": "b\nc\n", "d": "e"}),
    "anchors": ("a: &x {b: c}\nd: *x", {"a": {"b": "c"}, "d": {"b": "c"}}),
    "merged": ("a: &x {b: 1, c: 2}\nd:\n  <<: *x\n  b: 3", {"a": {"b": "1", "c": "2"}, "d": {"b": "3", "c": "2"}}),
    "merged, the earlier of two": ("a: &x {b: 1}\nc: &y {b: 2, d: 3}\ne: {<<: [*x, *y]}", None),
    "a byte order mark": ("\N{BYTE ORDER MARK}a: b", {"a": "b"}),
    "a tag of YAML's own": ("a: !!str 1", {"a": "1"}),
    "JSON": ('{"a": [1, {"b": null}]}', {"a": ["1", {"b": None}]}),
}


@pytest.mark.parametrize(("text", "expected"), READ.values(), ids=READ)
def test_what_is_read(text: str, expected: Any) -> None:
    if text.startswith("a: &x {b: 1}\nc"):
        expected = {"a": {"b": "1"}, "c": {"b": "2", "d": "3"}, "e": {"b": "1", "d": "3"}}
    assert expected == parse(text)


REFUSED = {
    "a tag of another program": ("a: b\nc: !reset null", 2, "the tag !reset"),
    "a tab": ("a:\n\t- b", 2, "character '\\t'"),
    "an open quote": ("a: b\nc: 'd", 2, ""),
    "an open bracket": ("a: [b", 1, ""),
    "an alias of nothing": ("a: *b", 1, "no anchor &b"),
    "an alias within its own anchor": ("a: &b [*b]", 1, "no anchor &b"),
    "a key given twice": ("a: b\nc: d\na: e", 3, "a second 'a'; the first is in line 1"),
    "a key that is a list": ("? [a]\n: b", 1, "no plain text"),
    "what is merged and no mapping": ("a:\n  <<: b", 2, "'<<'"),
    "a control character": ("a: b\nc: \x01", 2, "does not allow"),
    "two documents": ("a: b\n---\nc: d", 1, "2 documents"),
    "nested too deep": ("[" * (MAX_DEPTH + 1), 1, "deep"),
    "too long": ("a" * (MAX_CHARACTERS + 1), 1, "more than 1 MiB"),
}


@pytest.mark.parametrize(("text", "line", "message"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused(text: str, line: int, message: str) -> None:
    with pytest.raises(YamlError) as raised:
        parse(text)
    assert message in str(raised.value)
    assert line == raised.value.line


def test_aliases_that_stand_for_more_than_memory_holds() -> None:
    """Nine lines of nine aliases each are 387 million values."""
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    for one, other in zip("abcdefgh", "bcdefghi", strict=True):
        lines.append(f"{other}: &{other} [{', '.join([f'*{one}'] * 9)}]")
    with pytest.raises(YamlError, match=f"more than {MAX_NODES} values"):
        parse("\n".join(lines))


def test_lines_are_kept_for_what_is_merged_too() -> None:
    top = parse("x: &x\n  a: 1\ny:\n  <<: *x\n  b: 2\n")
    assert isinstance(top, Table)
    inner = top["y"]
    assert isinstance(inner, Table)
    assert {"a": 2, "b": 5} == {key: inner.line_of(key) for key in inner}
    assert {"x": 1, "y": 3} == top.lines


def test_several_documents() -> None:
    assert [{"a": "b"}, None, ["c"]] == parse_all("a: b\n---\n---\n- c\n")


def test_no_message_shows_what_is_behind_a_key() -> None:
    for text in ("password: 'hunter2", "password: hunter2: x", "password: @hunter2", "password: [hunter2"):
        with pytest.raises(YamlError) as raised:
            parse(text)
        assert "hunter2" not in str(raised.value)


@settings(deadline=None)
@given(st.text(alphabet="ab:- \n[]{}&*!|>'\"#,?\t~<%@\\", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        parse_all(text)
    except YamlError as error:
        assert 1 <= error.line <= text.count("\n") + 2


def test_yaml_is_loaded_only_where_it_is_needed() -> None:
    assert not hasattr(yaml_text, "yaml")
