"""What a clinical text says, by rules and without a model: its facts, and whether they are those it was given."""
