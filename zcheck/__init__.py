"""zcheck proves that the Zope clients of a ZODB/ZEO cluster can be load balanced."""

__version__ = "0.1.0"
