"""Chooses the users that a prior is fitted on."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tasks.prior.config import Prior
from tasks.seeded_hash import uniform
from tasks.store.artifacts import SplitRatings

PURPOSE = "users of the prior"


def choose_users(split: SplitRatings, config: Prior) -> NDArray[np.int64]:
    """Ids, ascending: all users, or those with targets and a sample of the others.

    The sample is of the smallest hashes: it stays where users are added, but for those it takes in.
    Raises ValueError where more users than `config.users` have targets of validation or test.
    """
    is_target = (pl.col("role") == "target") & (pl.col("fold") != "train")
    used = split.scan("ratings").filter(pl.col("fold") != "unused")
    users = used.group_by("user_id").agg(has_targets=is_target.any()).sort("user_id").collect()
    ids, has_targets = users["user_id"].to_numpy().astype(np.int64), users["has_targets"].to_numpy()
    if config.users is None or config.users >= len(ids):
        return ids
    if has_targets.sum() > config.users:
        raise ValueError(
            f"prior.users is {config.users:,}, and {has_targets.sum():,} users have targets of "
            f"{split.metadata['protocol']}, which need a prior: raise it, or split so that fewer do"
        )
    number = np.where(has_targets, -1.0, uniform(config.seed, PURPOSE, ids))
    return np.sort(ids[np.argsort(number, kind="stable")[: config.users]])
