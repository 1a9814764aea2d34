"""Ranks candidates by the weighted sum of their features."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from tasks.rank.config import Rank
from tasks.rank.features import FEATURES, LIST_KEY, build_features, mean_likelihoods
from tasks.rank.mix import fit_mix
from tasks.ranked_lists import LIST, add_empty_lists, to_list_table
from tasks.store.artifacts import (
    Candidates,
    CandidateScores,
    RankedLists,
    RatingPredictions,
    SplitRatings,
    ValidatedRatings,
)

MIX, LIKELIHOODS = "mix.json", "mean_likelihoods.parquet"


def write_ranking(
    draft: Path,
    split: SplitRatings,
    ratings: ValidatedRatings,
    candidates: Candidates,
    predictions: RatingPredictions,
    scores: CandidateScores,
    config: Rank,
    mix_of: RankedLists | None = None,
) -> dict[str, Any]:
    """Write lists.parquet; return the mix: fitted on the validation fold, or that of `mix_of`.

    mean_likelihoods.parquet is kept with the mix: it is a mean over many users.
    """
    if mix_of is None:
        likelihoods = mean_likelihoods(scores)
    else:
        likelihoods = pl.read_parquet(mix_of.path / LIKELIHOODS, glob=False)
    table = build_features(split, candidates, predictions, scores, likelihoods, config)
    if mix_of is None:
        mix = fit_mix(table.filter(fold="validation"), config.list_length)
    else:
        mix = json.loads((mix_of.path / MIX).read_text())
    weights = np.array([mix["weights"][name] for name in FEATURES])
    mixed = table.with_columns(score=pl.Series(table.select(FEATURES).to_numpy() @ weights))
    titles = ratings.scan("films").select("film_id", "title").collect()
    users = candidates.scan("candidates").select(LIST_KEY).collect()
    lists = add_empty_lists(_take_best(mixed, titles, config.list_length), users)
    to_list_table(lists, config.predictor).write_parquet(draft / "lists.parquet")
    (draft / MIX).write_text(json.dumps(mix, indent=1))
    likelihoods.write_parquet(draft / LIKELIHOODS)
    return mix


def _take_best(table: pl.DataFrame, titles: pl.DataFrame, k: int) -> pl.DataFrame:
    """Each user's k candidates of highest score, ties in the retriever's order."""
    best = table.sort(*LIST_KEY, "score", "rank", descending=[False, False, True, False])
    best = best.with_columns(rank=pl.int_range(1, pl.len() + 1).over(LIST_KEY))
    best = best.filter(pl.col("rank") <= k)
    best = best.join(titles, on="film_id", how="left", maintain_order="left")
    return best.with_columns(rating="mean").select(
        pl.col(name).cast(kind) for name, kind in LIST.items()
    )
