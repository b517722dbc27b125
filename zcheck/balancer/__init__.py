"""HAProxy: its configuration, its runtime socket and the gate."""
