"""Adapts LensKit's scorers to this project's arrays, for ratings and for lists.

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
from lenskit.data import Dataset, DatasetBuilder, ItemListCollection
from lenskit.pipeline import predict_pipeline, topn_pipeline
from lenskit.training import TrainingOptions

from tasks.baseline.interactions import Entries, Floats, Interactions, Ints

MakeScorer = Callable[[], Any]


@dataclass(frozen=True)
class LensKitRatings:
    """Predicts ratings by a LensKit scorer; what it cannot score, LensKit's bias model does."""

    make_scorer: MakeScorer
    seed: int

    def __call__(self, training: Interactions, user: Ints, film: Ints) -> Floats:
        """One rating a pair."""
        pipeline = predict_pipeline(self.make_scorer())
        pipeline.train(_to_dataset(training), TrainingOptions(rng=self.seed))
        pairs = pd.DataFrame({"user_id": user, "item_id": film})
        lists = ItemListCollection.from_df(pairs, ["user_id"])
        scores = predict(pipeline, lists, n_jobs=1).to_df()
        return pairs.merge(scores, on=["user_id", "item_id"], how="left")["score"].to_numpy()


@dataclass(frozen=True)
class LensKitLists:
    """Lists, by a LensKit scorer, films that a user has not rated; none without any ratings."""

    make_scorer: MakeScorer
    seed: int

    def __call__(self, training: Interactions, users: Ints, k: int) -> Entries:
        """User, rank, film and score of each entry, by user and rank."""
        pipeline = topn_pipeline(self.make_scorer(), n=k)
        pipeline.train(_to_dataset(training), TrainingOptions(rng=self.seed))
        users = np.intersect1d(users, training.user)
        entries = recommend(pipeline, users.tolist(), k, n_jobs=1).to_df()
        entries = entries.sort_values(["user_id", "rank"])
        names = ("user_id", "rank", "item_id", "score")
        user, rank, film, score = (entries[name].to_numpy() for name in names)
        return user, rank, film, score.astype(np.float64)


def _to_dataset(training: Interactions) -> Dataset:
    _keep_torch_threads()
    columns = {"user_id": training.user, "item_id": training.film, "rating": training.rating}
    builder = DatasetBuilder()
    builder.add_interactions(  # of arrays as they are: a data frame would copy them
        "rating", columns, entities=["user", "item"], missing="insert", allow_repeats=False,
        default=True,
    )  # fmt: skip
    return builder.build()


@cache
def _keep_torch_threads() -> None:
    """Keep torch's thread count, which LensKit's first use would halve.

    The last digits of sums depend on it: a run that is resumed after a kill would differ from an
    undisturbed one.
    """
    threads = torch.get_num_threads()
    parallel.initialize(threads=threads, backend_threads=threads)
