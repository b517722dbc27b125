"""What a client's own machine sees: the script, the call, the answers."""
