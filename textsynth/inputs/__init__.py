"""WHAT TO ASK: seeds, record schemas, the plan and the prompts."""
