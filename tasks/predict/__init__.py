"""Reads ratings and lists out of the model."""
