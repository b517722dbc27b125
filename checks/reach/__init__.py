"""The checks of the reach stage."""
