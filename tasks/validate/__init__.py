"""Holds the data to its rules: what breaks one is set aside, with the reason."""
