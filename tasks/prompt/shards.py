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
from tasks.features.build import teller
from tasks.features.rating_arrays import FOLDS, RatingArrays
from tasks.features.user_shards import Groups
from tasks.progress import progress
from tasks.prompt.config import Prompt
from tasks.prompt.legacy_csv import NAME, write_database
from tasks.prompt.plan import Plan, plan_examples, plan_targets
from tasks.prompt.shard import Material, bound, make_shard
from tasks.store.artifacts import Candidates, SplitRatings, Tokenizer, ValidatedRatings
from tasks.user_batches import iter_user_batches, rebatch

Planner = Callable[[RatingArrays], Iterable[Plan]]
Tables = Iterable[pl.DataFrame]


class Writer:
    """Writes shards of the ratings on an executor, and numbers their examples through."""

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
        self.bound = bound(ratings, tokenizer, config)
        self.shards = 0
        self.counts: dict[str, int] = {}
        self.tokens = 0

    def write(self, tables: Tables, planner: Planner, users: Sequence[int] | None = None) -> None:
        """Write the examples that `planner` finds in these histories, of whole users each.

        `users` are those of whom it finds any; None: of all.
        """
        waiting = self.draft / "waiting"
        tables = rebatch(tables, self.config.users_per_shard)
        groups = Groups.write(waiting, tables, self.bound.film_ids)
        material = self._material(groups, planner, users)
        with progress("prompt", None, "ratings") as bar:
            for shard in self.executor.map_ordered(self.make, material):
                (self.draft / f"shard-{self.shards:05}.parquet").write_bytes(shard.file)
                self.shards += 1
                self.tokens += shard.tokens
                bar.update(shard.ratings)
        shutil.rmtree(waiting)

    def _material(
        self, groups: Groups, planner: Planner, users: Sequence[int] | None
    ) -> Iterator[Material]:
        """What each shard is made from; groups without examples make none."""
        tell = None
        if self.config.template.features and groups.number:
            middle = float(np.mean(self.bound.scale))
            tell = teller(groups, len(self.bound.films), middle, users, self.config)
        for group, rows in enumerate(groups):
            plans, first = list(planner(rows)), sum(self.counts.values())
            for plan in plans:
                name = f"{plan.fold} {plan.kind}"
                self.counts[name] = self.counts.get(name, 0) + len(plan)
            if any(map(len, plans)):
                yield Material(rows, tell and tell(group), plans, first)

    def write_films(self, tables: Tables) -> None:
        """Each film's answer line, and when it was first rated outside the test fold's targets."""
        hidden = (pl.col("fold") == "test") & (pl.col("role") == "target")
        first = pl.col("rated_at").min().alias("first_rated_at")
        found = [t.filter(~hidden).group_by("film_id").agg(first) for t in tables]
        known = pl.concat(found).group_by("film_id").agg(pl.col("first_rated_at").min())
        lines = self.bound.wording.open_lines()
        films = self.bound.films.select("film_id").join(
            known, on="film_id", how="left", maintain_order="left"
        )
        columns = films.to_arrow()
        columns = columns.append_column("line", lines.texts.strings())
        columns = columns.append_column("tokens", lines.tokens.lists())
        pq.write_table(columns, self.draft / "films.parquet")

    def metadata(self) -> dict[str, Any]:
        """For the manifest: what was written, and the words around a rating."""
        return {
            "template": self.config.template.wording,
            "rating_prefix": self.config.template.target_separator,
            "examples": dict(sorted(self.counts.items())),
            "tokens": self.tokens,
        }


def write_shards(
    draft: Path,
    histories: SplitRatings,
    ratings: ValidatedRatings,
    tokenizer: Tokenizer,
    config: Prompt,
    executor: Executor,
) -> dict[str, Any]:
    """Write every example of every fold; return the notes for the manifest."""
    writer = Writer(draft, ratings, tokenizer, config, executor)
    writer.write(_used(histories), lambda rows: plan_examples(rows, config))
    writer.write_films(_used(histories))
    if config.template.wording == "original":
        shards = pl.scan_parquet(sorted(draft.glob("shard-*.parquet")), glob=False)
        write_database(shards.filter(pl.col("kind") == "recommend").collect(), draft / NAME)
    return histories.metadata | writer.metadata()


def write_candidate_shards(
    draft: Path,
    histories: SplitRatings,
    ratings: ValidatedRatings,
    tokenizer: Tokenizer,
    candidates: Candidates,
    config: Prompt,
    executor: Executor,
) -> dict[str, Any]:
    """Write one `rate` example a user and fold, asking for each film of the user's list there."""
    writer = Writer(draft, ratings, tokenizer, config, executor)
    lists = candidates.scan("candidates").filter(pl.col("film_id").is_not_null()).collect()
    for fold in sorted(lists["fold"].unique()):
        of_fold = lists.filter(fold=fold)
        tables = (_with_candidates(table, of_fold, fold) for table in _used(histories))
        planner = partial(_candidates_of, fold=fold, config=config)
        writer.write(tables, planner, of_fold["user_id"].unique().to_list())
    writer.write_films(_used(histories))
    return histories.metadata | writer.metadata()


def _used(histories: SplitRatings) -> Iterator[pl.DataFrame]:
    """Whole users at a time, without the ratings that take no part."""
    for table in iter_user_batches(histories.files("ratings")):
        yield table.filter(pl.col("fold") != "unused")


def _candidates_of(rows: RatingArrays, fold: str, config: Prompt) -> list[Plan]:
    return [plan_targets(rows, fold, "rate", config)]


def _with_candidates(table: pl.DataFrame, lists: pl.DataFrame, fold: str) -> pl.DataFrame:
    """The histories with the fold's targets replaced by the films of the lists, not yet rated."""
    earlier = FOLDS[: FOLDS.index(fold)]
    is_target = (pl.col("fold") == fold) & (pl.col("role") == "target")
    shown = table.filter(pl.col("fold").is_in([*earlier, fold]) & ~is_target)
    moment = table.filter(is_target).group_by("user_id").agg(pl.col("rated_at").min())
    asked = lists.join(moment, on="user_id").select(
        "user_id",
        "film_id",
        pl.lit(None, pl.Float32).alias("rating"),
        "rated_at",
        (1_000_000 + pl.col("rank")).cast(pl.Int32).alias("position"),
        pl.lit(fold).alias("fold"),
        pl.lit("target").alias("role"),
        pl.lit(False).alias("cold"),
    )
    return pl.concat([shown, asked]).sort("user_id", "position")
