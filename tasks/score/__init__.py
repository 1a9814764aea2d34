"""Turns predictions into metrics with intervals."""
