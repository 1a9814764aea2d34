"""The world of two users, worked by hand."""

from tests.world import challenge, predict, rank, ratings, split  # noqa: F401
