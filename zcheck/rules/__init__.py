"""What several checks ask of facts, or say, in the same way."""
