"""Draws a run as one page, from the metric file alone."""
