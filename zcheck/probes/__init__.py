"""All input and output towards the cluster: one file a source, fetching and parsing apart."""
