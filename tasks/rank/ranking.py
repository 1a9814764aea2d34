"""Ranks candidates by the weighted sum of their features.

A candidate whose expected rating lies below the user's own mean is named only where nothing else is
left.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from tasks.liked import Liked
from tasks.rank.config import OF_LIKELIHOOD, Rank
from tasks.rank.features import (
    FEATURES,
    LIST_KEY,
    OF_LLM,
    Inputs,
    build_features,
    mark_hits,
    mean_likelihoods,
)
from tasks.rank.mix import FEATURE_SETS, fit_mix
from tasks.ranked_lists import LIST, add_empty_lists, to_list_table
from tasks.store.artifacts import RankedLists, ValidatedRatings

MIX, LIKELIHOODS = "mix.json", "mean_likelihoods.parquet"
LAST = 1000.0  # off the score of a film below the own mean: more than any mix adds up to


def write_ranking(
    draft: Path, inputs: Inputs, ratings: ValidatedRatings, config: Rank, rule: Liked
) -> dict[str, Any]:
    """Write lists.parquet: ranked, and ranked without the language models; return both mixes.

    mean_likelihoods.parquet is kept with the mix: it is a mean over many users.
    """
    if not inputs.readings.has_likelihoods:
        raise ValueError("a mix is fitted with the likelihoods of all candidates")
    likelihoods = mean_likelihoods(inputs.readings)
    likelihoods.write_parquet(draft / LIKELIHOODS)
    table = build_features(inputs, likelihoods, config)
    mix = _fit(table, inputs, config, rule, list(FEATURE_SETS))
    lists = [_take_best(table, mix, inputs, ratings, config, config.predictor)]
    own = [name for name, used in FEATURE_SETS.items() if not set(used) & set(OF_LLM)]
    if inputs.priors is None:  # what is expected is the language model's
        table = table.with_columns(mean=pl.lit(None, pl.Float64), below=pl.lit(False))
        own.remove("interactions and expectation")
    without = _fit(table, inputs, config, rule, own)
    lists.append(_take_best(table, without, inputs, ratings, config, config.without_llm))
    pl.concat(lists).write_parquet(draft / "lists.parquet")
    (draft / MIX).write_text(json.dumps(mix, indent=1))
    return mix | {"without_llm": without}


def apply_ranking(
    draft: Path, inputs: Inputs, ratings: ValidatedRatings, config: Rank, mix_of: RankedLists
) -> dict[str, Any]:
    """Write lists.parquet by the mix of other lists; return it. No fold need have true ratings."""
    likelihoods = pl.read_parquet(mix_of.path / LIKELIHOODS, glob=False)
    mix: dict[str, Any] = json.loads((mix_of.path / MIX).read_text())
    weighed = any(mix["weights"].get(name) for name in OF_LIKELIHOOD)
    if weighed and not inputs.readings.has_likelihoods:
        raise ValueError(f"{mix_of.path / MIX} weighs likelihoods, which were not read")
    table = build_features(inputs, likelihoods, config)
    best = _take_best(table, mix, inputs, ratings, config, config.predictor)
    best.write_parquet(draft / "lists.parquet")
    for name in (MIX, LIKELIHOODS):
        (draft / name).write_bytes((mix_of.path / name).read_bytes())
    return mix


def _fit(
    table: pl.DataFrame, inputs: Inputs, config: Rank, rule: Liked, sets: list[str]
) -> dict[str, Any]:
    validation = mark_hits(table, inputs.split, "validation", rule)
    return fit_mix(validation, config.list_length, {name: FEATURE_SETS[name] for name in sets})


def _take_best(
    table: pl.DataFrame,
    mix: dict[str, Any],
    inputs: Inputs,
    ratings: ValidatedRatings,
    config: Rank,
    predictor: str,
) -> pl.DataFrame:
    """The first candidates of each user by the mix, ties in the retriever's order, as lists."""
    # A mix of before had no prior: its `expected_rating` is the language model's, as here without.
    weights = np.array([mix["weights"].get(name, 0.0) for name in FEATURES])
    score = pl.Series(table.select(FEATURES).to_numpy() @ weights) - LAST * pl.col("below")
    best = table.with_columns(score=score)
    best = best.sort(*LIST_KEY, "score", "rank", descending=[False, False, True, False])
    best = best.with_columns(rank=pl.int_range(1, pl.len() + 1).over(LIST_KEY))
    best = best.filter(pl.col("rank") <= config.list_length)
    titles = ratings.scan("films").select("film_id", "title").collect()
    best = best.join(titles, on="film_id", how="left", maintain_order="left")
    best = best.with_columns(rating="mean").select(
        pl.col(name).cast(kind) for name, kind in LIST.items()
    )
    users = inputs.candidates.scan("candidates").select(LIST_KEY).collect()
    return to_list_table(add_empty_lists(best, users), predictor)
