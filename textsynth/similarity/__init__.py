"""The math that filters and metrics share: arrays in, arrays out, no files."""
