"""Immutable, content-addressed artifacts: their columns, where they are, which may go."""
