"""Checks that a split leaves ratings to train on and to evaluate, before anything is trained."""

from dataclasses import dataclass, field

import polars as pl


class DegenerateSplitError(ValueError):
    """Nothing can be trained on these folds, or nothing evaluated."""


@dataclass
class FoldContents:
    """What the folds hold, collected batch by batch; no user is in two batches."""

    users: int = 0
    train_ratings: int = 0
    test_targets: int = 0
    films: set[int] = field(default_factory=set)
    values: set[float] = field(default_factory=set)

    def add(self, assigned: pl.DataFrame) -> None:
        """Count a batch of whole users."""
        self.users += assigned["user_id"].n_unique()
        self.train_ratings += len(assigned.filter(fold="train"))
        self.test_targets += len(assigned.filter(fold="test", role="target"))
        self.films.update(assigned["film_id"].unique())
        self.values.update(assigned["rating"].unique())

    def check(self, protocol: str, remedy: str) -> None:
        """Raise DegenerateSplitError where a model could not be trained or compared."""
        for count, name in ((self.users, "users"), (len(self.films), "films")):
            if count < 2:
                raise DegenerateSplitError(
                    f"the ratings are of {count} {name}: at least 2 are needed, add ratings"
                )
        if not self.train_ratings:
            raise DegenerateSplitError(
                f"{protocol} leaves no rating to train on, of {self.users} users: {remedy}"
            )
        if not self.test_targets:
            raise DegenerateSplitError(f"{protocol} leaves no rating to predict: {remedy}")
        if len(self.values) < 2:
            raise DegenerateSplitError(
                f"all ratings are {min(self.values)}: there is nothing to predict, check the "
                "column of ratings"
            )
