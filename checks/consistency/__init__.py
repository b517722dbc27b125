"""The checks of the consistency stage."""
