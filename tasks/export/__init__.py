"""Writes what other tools read: adapters and prompts for the Hugging Face hub, runs for MLflow."""
