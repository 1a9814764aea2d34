"""Whether the model reads its prompts, and whether its base recites the data."""
