"""Histories are judged: pure."""
