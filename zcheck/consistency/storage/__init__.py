"""Written on one and read on another, over connections of zcheck's own."""
