"""Numbers about a finished set, each beside its holdout ceiling. Rows in, plain values out; no files."""
