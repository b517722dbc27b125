"""Text to facts: one language a file, pure."""
