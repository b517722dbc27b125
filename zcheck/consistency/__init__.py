"""The write-here-read-there test: workloads write the history, the judge reads it, and they never meet."""
