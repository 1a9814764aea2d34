"""Recommendations for one person, with reasons."""
