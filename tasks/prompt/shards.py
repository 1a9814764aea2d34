"""Writes the examples of all users, a shard of users at a time, and the table of films."""

import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow.parquet as pq

from tasks.executor import Executor
from tasks.features.build import build_features
from tasks.features.histories import users_of_fit
from tasks.features.rating_arrays import RatingArrays
from tasks.features.user_shards import UserShards
from tasks.progress import progress
from tasks.prompt.config import Prompt
from tasks.prompt.legacy_csv import NAME, write_legacy_csv
from tasks.prompt.plan import Plan, plan_examples, plan_targets
from tasks.prompt.shard import ShardInput, load_context, make_shard
from tasks.prompt.tables import Tables, used_ratings, with_candidates, with_priors
from tasks.store.artifacts import (
    Candidates,
    RatingPriors,
    SplitRatings,
    Tokenizer,
    ValidatedRatings,
)
from tasks.user_batches import rebatch

Planner = Callable[[RatingArrays], Iterable[Plan]]


class ShardWriter:
    """Writes shards on an executor, and numbers their examples consecutively."""

    def __init__(
        self,
        draft: Path,
        ratings: ValidatedRatings,
        tokenizer: Tokenizer,
        config: Prompt,
        executor: Executor,
    ) -> None:
        self.draft, self.config, self.executor = draft, config, executor
        self.make = partial(make_shard, ratings, tokenizer, config)
        self.context = load_context(ratings, tokenizer, config)
        self.shards = 0
        self.counts: dict[str, int] = {}
        self.tokens = 0

    def write(self, tables: Tables, planner: Planner, users: Sequence[int] | None = None) -> None:
        """Write the examples that `planner` plans for ratings of whole users.

        `users` are those with examples; None: all.
        """
        folder = self.draft / "arrays"
        tables = rebatch(tables, self.config.users_per_shard)
        shards = UserShards.write(folder, tables, self.context.film_ids)
        inputs = self._inputs(shards, planner, users)
        with progress("prompt", None, "ratings") as bar:
            for shard in self.executor.map_ordered(self.make, inputs):
                (self.draft / f"shard-{self.shards:05}.parquet").write_bytes(shard.file)
                self.shards += 1
                self.tokens += shard.tokens
                bar.update(shard.ratings)
        shutil.rmtree(folder)

    def _inputs(
        self, shards: UserShards, planner: Planner, users: Sequence[int] | None
    ) -> Iterator[ShardInput]:
        """The input of each shard that has examples."""
        features_of = None
        if self.config.needs_features and shards.count:
            mean = float(np.mean(self.context.scale))
            features_of = build_features(shards, len(self.context.films), mean, users, self.config)
        for shard, rows in enumerate(shards):
            plans, first = list(planner(rows)), sum(self.counts.values())
            for plan in plans:
                name = f"{plan.fold} {plan.kind}"
                self.counts[name] = self.counts.get(name, 0) + len(plan)
            if any(map(len, plans)):
                yield ShardInput(rows, features_of and features_of(shard), plans, first)

    def write_films(self, split: SplitRatings) -> None:
        """Write each film's answer line, and its first rating outside the test fold's targets."""
        hidden = (pl.col("fold") == "test") & (pl.col("role") == "target")
        shown = split.scan("ratings").filter(pl.col("fold") != "unused", ~hidden)
        first = shown.group_by("film_id").agg(first_rated_at=pl.col("rated_at").min())
        first_rated = first.collect(engine="streaming")
        lines = self.context.wording.unrated_lines()
        films = self.context.films.select("film_id").join(
            first_rated, on="film_id", how="left", maintain_order="left"
        )
        columns = films.to_arrow()
        columns = columns.append_column("line", lines.texts.strings())
        columns = columns.append_column("tokens", lines.tokens.lists())
        pq.write_table(columns, self.draft / "films.parquet")

    def metadata(self) -> dict[str, Any]:
        """For the manifest: template, the text before a rating, and counts."""
        return {
            "template": self.config.template.wording,
            "rating_prefix": self.config.template.target_separator,
            "examples": dict(sorted(self.counts.items())),
            "tokens": self.tokens,
        }


def write_shards(
    draft: Path,
    split: SplitRatings,
    ratings: ValidatedRatings,
    tokenizer: Tokenizer,
    priors: RatingPriors | None,
    config: Prompt,
    executor: Executor,
) -> dict[str, Any]:
    """Write every example of every fold; return the metadata."""
    writer = ShardWriter(draft, ratings, tokenizer, config, executor)
    if priors is None:
        writer.write(used_ratings(split), lambda rows: plan_examples(rows, config))
    else:  # of nobody else is learnt
        users = users_of_fit(priors)
        tables = used_ratings(split, None if config.needs_features else users)
        tables = with_priors(tables, [priors.scan("priors")], writer.context.scale)
        writer.write(
            tables, lambda rows: (plan.of_users(users) for plan in plan_examples(rows, config))
        )
    writer.write_films(split)
    if config.template.wording == "original":
        shards = pl.scan_parquet(sorted(draft.glob("shard-*.parquet")), glob=False)
        write_legacy_csv(shards.filter(pl.col("kind") == "recommend").collect(), draft / NAME)
    return split.metadata | writer.metadata()


def write_candidate_shards(
    draft: Path,
    split: SplitRatings,
    ratings: ValidatedRatings,
    tokenizer: Tokenizer,
    candidates: Candidates,
    priors: Sequence[RatingPriors],
    config: Prompt,
    executor: Executor,
) -> dict[str, Any]:
    """Write one `rate` example a user and fold, whose targets are the user's candidates there."""
    writer = ShardWriter(draft, ratings, tokenizer, config, executor)
    lists = candidates.scan("candidates").filter(pl.col("film_id").is_not_null()).collect()
    for fold in sorted(lists["fold"].unique()):
        of_fold = lists.filter(fold=fold)
        users = of_fold["user_id"].unique()
        used = used_ratings(split, None if config.needs_features else users)
        tables = with_candidates(used, of_fold, fold)
        if priors:
            of_histories, of_candidates = (p.scan("priors") for p in priors)
            own = [of_histories, of_candidates.filter(fold=fold)]
            tables = with_priors(tables, own, writer.context.scale)
        planner = partial(_plan_candidates, fold=fold, config=config)
        writer.write(tables, planner, users.to_list())
    writer.write_films(split)
    return split.metadata | writer.metadata()


def _plan_candidates(rows: RatingArrays, fold: str, config: Prompt) -> list[Plan]:
    return [plan_targets(rows, fold, "rate", config)]
