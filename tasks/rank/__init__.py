"""Candidates from all users' ratings, ranked by a mix with the language model's scores."""
