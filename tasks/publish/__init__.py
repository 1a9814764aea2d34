"""Puts a night into the metric file, once."""
