"""Fits a LoRA adapter to the prompts; the base stays as it is."""
