"""From problems to a report."""
