"""The checks of the inventory stage."""
