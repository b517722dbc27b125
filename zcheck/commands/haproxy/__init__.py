"""HAProxy: its file is written, its servers are opened, drained and restarted."""
