"""The world of two users, worked by hand."""

from tests.world import contest, predict, rank, ratings, split  # noqa: F401
