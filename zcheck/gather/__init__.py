"""Which probes the chosen checks need, run under one deadline: facts come out."""
