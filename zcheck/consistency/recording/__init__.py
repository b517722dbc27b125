"""Histories as files."""
