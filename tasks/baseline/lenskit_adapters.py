"""Neighbours and factors by LensKit: for ratings, and for lists.

Defaults are LensKit's (Ekstrand, 2020, CIKM), version 2025.8.1; EASE is Steck (2019, WWW).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import torch
from lenskit import parallel
from lenskit.batch import predict, recommend
from lenskit.data import Dataset, ItemListCollection, from_interactions_df
from lenskit.pipeline import predict_pipeline, topn_pipeline
from lenskit.training import TrainingOptions

from tasks.baseline.interactions import Floats, Ints, Known

Scorer = Callable[[], Any]


@dataclass(frozen=True)
class LearntRatings:
    """A LensKit scorer as a predictor of ratings; what it cannot score, its bias model does."""

    scorer: Scorer
    seed: int

    def __call__(self, known: Known, user: Ints, film: Ints) -> Floats:
        """One guess a pair."""
        pipeline = predict_pipeline(self.scorer())
        pipeline.train(_dataset(known), TrainingOptions(rng=self.seed))
        asked = pd.DataFrame({"user_id": user, "item_id": film})
        lists = ItemListCollection.from_df(asked, ["user_id"])
        found = predict(pipeline, lists, n_jobs=1).to_df()
        return asked.merge(found, on=["user_id", "item_id"], how="left")["score"].to_numpy()


@dataclass(frozen=True)
class LearntLists:
    """A LensKit scorer as a maker of lists of what a user has not rated."""

    scorer: Scorer
    seed: int

    def __call__(self, known: Known, users: Ints, k: int) -> tuple[Ints, Ints, Ints, Floats]:
        """User, rank, film and score of each entry, by user and rank."""
        pipeline = topn_pipeline(self.scorer(), n=k)
        pipeline.train(_dataset(known), TrainingOptions(rng=self.seed))
        found = recommend(pipeline, users.tolist(), k, n_jobs=1).to_df()
        found = found.sort_values(["user_id", "rank"])
        names = ("user_id", "rank", "item_id", "score")
        user, rank, film, score = (found[name].to_numpy() for name in names)
        return user, rank, film, score.astype(np.float64)


def _dataset(known: Known) -> Dataset:
    _keep_threads()
    columns = {"user_id": known.user, "item_id": known.film, "rating": known.rating}
    return from_interactions_df(pd.DataFrame(columns))


@cache
def _keep_threads() -> None:
    """Keep torch's threads: LensKit's first use would leave half of them to all that follows.

    Sums are shared out by the number of threads: a night that goes on after a kill would differ
    from an undisturbed one in its last digits.
    """
    threads = torch.get_num_threads()
    parallel.initialize(threads=threads, backend_threads=threads)
