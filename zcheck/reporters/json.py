"""The report for programs, and the JSON Schema that describes it."""

from __future__ import annotations

import msgspec

from zcheck.report import Report


def render(report: Report) -> str:
    """The report as one JSON document (``zcheck-report/1``; within version 1 it only grows)."""
    return msgspec.json.format(msgspec.json.encode(report), indent=1).decode() + "\n"


def schema() -> str:
    """The JSON Schema of :func:`render`'s output."""
    document = msgspec.json.schema(Report)
    document["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    document["title"] = "zcheck report, version 1"
    return msgspec.json.format(msgspec.json.encode(document), indent=1).decode() + "\n"
