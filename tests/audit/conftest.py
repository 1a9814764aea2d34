"""The hand-made world of two users."""

from tests.world import predict, ratings, split  # noqa: F401
