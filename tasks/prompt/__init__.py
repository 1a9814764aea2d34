"""Writes ratings as prompts: texts, tokens and supervised spans."""
