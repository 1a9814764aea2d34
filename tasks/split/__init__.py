"""Splits each history into context and targets, by fold."""
