"""ASK: engines turn requests into completions, in any order, as fast as their runtime allows."""
