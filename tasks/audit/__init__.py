"""Whether the model reads its prompts, and whether its base has memorized the data."""
