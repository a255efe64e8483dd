"""DECIDE: filters judge one record at a time, keep their evidence, and never raise for a bad record."""
