"""Candidates retrieved from all users' ratings, ranked with the language model's scores."""
