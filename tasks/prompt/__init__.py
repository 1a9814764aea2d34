"""Puts histories into words and tokens."""
