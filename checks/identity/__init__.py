"""The checks of the identity stage."""
