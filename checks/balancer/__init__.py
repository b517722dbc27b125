"""The checks of the balancer stage."""
