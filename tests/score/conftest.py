"""The world of two users, worked by hand."""

from tests.world import predict, rank, ratings, split  # noqa: F401
