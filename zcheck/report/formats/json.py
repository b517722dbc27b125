"""The report for programs, and the JSON Schema that describes it."""

from __future__ import annotations

from typing import Any

import msgspec

from zcheck.report.structs import Report


def render(report: Report) -> str:
    """The report as one JSON document (``zcheck-report/1``; within version 1 it only grows)."""
    return msgspec.json.format(encoded(report), indent=1).decode() + "\n"


def encoded(value: Any) -> bytes:
    """Anything that msgspec can encode, as JSON; bytes of a file that were no UTF-8 are shown as ``\\udcNN``."""
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        return msgspec.json.encode(_sound(msgspec.to_builtins(value)))


def _sound(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, dict):
        return {_sound(key): _sound(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_sound(inner) for inner in value]
    return value


def schema() -> str:
    """The JSON Schema of :func:`render`'s output."""
    document = msgspec.json.schema(Report)
    document["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    document["title"] = "zcheck report, version 1"
    return msgspec.json.format(msgspec.json.encode(document), indent=1).decode() + "\n"
