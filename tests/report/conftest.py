"""The world of two users, worked by hand."""

from tests.world import contest, histories, ratings, say, world  # noqa: F401
