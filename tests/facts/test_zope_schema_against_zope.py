"""The tables of keys against the schemas of the Zope, ZODB and ZEO that are installed."""

from __future__ import annotations

import io
from typing import Any

import pytest

from zcheck.facts import zope_schema
from zcheck.facts.zope_schema import KEYS, ONLY_ZOPE_2_SECTIONS, SURELY_ZOPE_2_KEYS

pytest.importorskip("Zope2", reason="Zope is not installed here")


@pytest.fixture(scope="module")
def schema() -> Any:
    from Zope2.Startup.options import ZopeWSGIOptions

    options = ZopeWSGIOptions()
    options.load_schema()
    return options.schema


def keys(kind: Any) -> set[str]:
    return {key for key, info in kind if key and not info.issection()}


def test_no_key_of_todays_zope_is_taken_for_one_of_zope_2(schema: Any) -> None:
    assert keys(schema) & SURELY_ZOPE_2_KEYS == set()
    assert keys(schema) <= set(KEYS[""])
    assert keys(schema) <= zope_schema._WSGI_KEYS


def test_no_section_of_todays_zope_is_taken_for_one_of_zope_2(schema: Any) -> None:
    assert set(schema.gettypenames()) & ONLY_ZOPE_2_SECTIONS == set()


def test_no_key_of_a_known_section_is_missing(schema: Any) -> None:
    """A key that the table lacks would be CRITICAL, and no fault."""
    import ZConfig

    text = '<schema><import package="ZODB"/><import package="ZEO"/></schema>'
    for one in (schema, ZConfig.loadSchemaFile(io.StringIO(text), "file:///schema.xml")):
        for name in one.gettypenames():
            kind = one.gettype(name)
            if not kind.isabstract() and name in KEYS:
                assert keys(kind) <= set(KEYS[name]), name


@pytest.mark.parametrize("kind", ["clientstorage", "relstorage", "zlibstorage", "before", "neostorage"])
def test_zope_does_not_know_a_storage_that_has_to_be_imported(kind: str, schema: Any) -> None:
    assert kind not in schema.gettypenames()


@pytest.mark.parametrize("kind", ["zeoclient", "filestorage", "mappingstorage", "demostorage", "blobstorage"])
def test_zope_knows_the_storages_of_zodb_itself(kind: str, schema: Any) -> None:
    assert kind in schema.gettypenames()
