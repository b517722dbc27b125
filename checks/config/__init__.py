"""The checks of the config stage."""
