"""Threads, signals, files and state: what every layer may use."""
