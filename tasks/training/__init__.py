"""The training loop of a base model or an adapter."""
