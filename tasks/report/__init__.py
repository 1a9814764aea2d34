"""Renders the page of a run."""
