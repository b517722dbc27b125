"""Written on one and read on another, through the running clients."""
