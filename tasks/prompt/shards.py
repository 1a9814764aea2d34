"""Writes the examples of all users, a shard of users at a time, and the table of films."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from transformers import AutoTokenizer

from tasks.artifacts import Histories, Predictions, Tokenizer, TrustedRatings
from tasks.collaborative import bias_guess, neighbour_guess
from tasks.progress import progress
from tasks.prompt.config import Prompt
from tasks.prompt.database import NAME, write_database
from tasks.prompt.examples import lay_out, part
from tasks.prompt.facts import Facts, facts_before
from tasks.prompt.lines import Wording
from tasks.prompt.plan import FOLDS, Plan, Rows, plan_examples, plan_targets, within_tokens

Ints = NDArray[np.int64]
Planner = Callable[[Rows], Iterable[Plan]]


class Writer:
    """Everything that is bound once: films, wording and settings; shards are numbered on."""

    def __init__(
        self, draft: Path, ratings: TrustedRatings, tokenizer: Tokenizer, config: Prompt
    ) -> None:
        self.draft = draft
        self.config = config
        self.films = ratings.scan("films").collect()
        self.scale = ratings.notes["scale"]
        loaded: Any = AutoTokenizer.from_pretrained(tokenizer.path)
        self.wording = Wording(config.template, loaded, self.films, self.scale)
        self.shards = 0
        self.counts: dict[str, int] = {}
        self.tokens = 0

    def write(self, table: pl.DataFrame, planner: Planner) -> None:
        """Write the examples that `planner` finds in these histories."""
        rows, facts = self._arrays(table)
        size = self.config.users_per_shard
        starts = np.flatnonzero(np.r_[True, rows.user[1:] != rows.user[:-1]])[::size]
        with progress("prompt", len(rows.user), "ratings") as bar:
            for start, end in zip(starts, [*starts[1:], len(rows.user)], strict=True):
                chosen = np.arange(start, end)
                told = None if facts is None else part(facts, chosen)
                self._shard(part(rows, chosen), told, planner)
                bar.update(int(end - start))

    def write_films(self, table: pl.DataFrame) -> None:
        """Each film's answer line, and when it was first rated outside the test fold's targets."""
        hidden = (pl.col("fold") == "test") & (pl.col("part") == "target")
        known = table.filter(~hidden).group_by("film_id").agg(known_from=pl.col("rated_at").min())
        lines = self.wording.open_lines()
        films = self.films.select("film_id").join(
            known, on="film_id", how="left", maintain_order="left"
        )
        columns = films.to_arrow()
        columns = columns.append_column("line", lines.texts.strings())
        columns = columns.append_column("tokens", lines.tokens.lists())
        pq.write_table(columns, self.draft / "films.parquet")

    def notes(self) -> dict[str, Any]:
        """For the manifest: what was written, and the words around a rating."""
        return {
            "template": self.config.template.wording,
            "rating_prefix": self.config.template.asked,
            "examples": dict(sorted(self.counts.items())),
            "tokens": self.tokens,
        }

    def _arrays(self, table: pl.DataFrame) -> tuple[Rows, Facts | None]:
        film_ids = self.films["film_id"].to_numpy()
        rows = Rows(
            user=table["user_id"].to_numpy().astype(np.int64),
            film=np.searchsorted(film_ids, table["film_id"].to_numpy()).astype(np.int64),
            rating=table["rating"].to_numpy().astype(np.float64),
            fold=table["fold"].cast(pl.Enum(FOLDS)).to_physical().to_numpy().astype(np.int64),
            target=(table["part"] == "target").to_numpy(),
        )
        time = table["rated_at"].to_physical().to_numpy().astype(np.int64)
        if self.config.facts_as_of == "fold":
            time = np.where(rows.target, np.iinfo(np.int64).max, time)
        return rows, self._facts(rows, time) if self.config.template.facts else None

    def _facts(self, rows: Rows, time: Ints) -> Facts:
        """Each rating's facts as its own fold may know them: earlier folds, and what it shows."""
        by_fold = {fold: self._facts_of_fold(rows, time, fold) for fold in np.unique(rows.fold)}
        names = vars(next(iter(by_fold.values())))
        return Facts(
            **{
                name: np.select(
                    [rows.fold == fold for fold in by_fold],
                    [vars(facts)[name] for facts in by_fold.values()],
                )
                for name in names
            }
        )

    def _facts_of_fold(self, rows: Rows, time: Ints, fold: int) -> Facts:
        known = (rows.fold < fold) | ((rows.fold == fold) & ~rows.target)
        facts = facts_before(
            rows.user,
            rows.film,
            rows.rating,
            time,
            known,
            item_damping=self.config.item_damping,
            user_damping=self.config.user_damping,
            middle=float(np.mean(self.scale)),
        )
        if self.config.facts_as_of == "rating" or not known.any():
            return facts
        user = np.unique(rows.user, return_inverse=True)[1]
        told = (user, rows.film, rows.rating, known)
        fitted = bias_guess(
            *told, item_damping=self.config.item_damping, user_damping=self.config.user_damping
        )
        if self.config.guess == "bias":
            return replace(facts, guess=np.where(rows.target, fitted, facts.guess))
        mends = self.config.neighbours.model_dump()
        return replace(facts, guess=neighbour_guess(*told, facts.guess, fitted, **mends))

    def _shard(self, rows: Rows, facts: Facts | None, planner: Planner) -> None:
        plans = [self._bounded(plan, rows, facts) for plan in planner(rows)]
        film_ids = self.films["film_id"].to_numpy()
        tables = [lay_out(plan, rows, facts, film_ids, self.wording) for plan in plans if len(plan)]
        if not tables:
            return
        table = pa.concat_tables(tables)
        first = sum(self.counts.values())
        number = pa.array(np.arange(first, first + len(table)), pa.int64())
        table = table.add_column(0, "example", number)
        pq.write_table(table, self.draft / f"shard-{self.shards:05}.parquet", compression="zstd")
        self.shards += 1
        for plan in plans:
            name = f"{plan.fold} {plan.kind}"
            self.counts[name] = self.counts.get(name, 0) + len(plan)
        self.tokens += sum(_tokens(table[name]) for name in ("prefix_tokens", "branch_tokens"))

    def _bounded(self, plan: Plan, rows: Rows, facts: Facts | None) -> Plan:
        if self.config.context_tokens is None:
            return plan
        lines = self.wording.shown(rows, facts)
        return within_tokens(plan, lines.pieces.tokens.lengths, self.config.context_tokens)


def write_shards(
    draft: Path,
    histories: Histories,
    ratings: TrustedRatings,
    tokenizer: Tokenizer,
    config: Prompt,
) -> dict[str, Any]:
    """Write every example of every fold; return the notes for the manifest."""
    writer = Writer(draft, ratings, tokenizer, config)
    table = histories.scan("histories").filter(pl.col("fold") != "unused").collect()
    writer.write(table, lambda rows: plan_examples(rows, config))
    writer.write_films(table)
    if config.template.wording == "original":
        lists = pl.scan_parquet(draft / "shard-*.parquet").filter(pl.col("kind") == "recommend")
        write_database(lists.collect(), draft / NAME)
    return histories.notes | writer.notes()


def write_candidate_shards(
    draft: Path,
    histories: Histories,
    ratings: TrustedRatings,
    tokenizer: Tokenizer,
    candidates: Predictions,
    config: Prompt,
) -> dict[str, Any]:
    """Write one `rate` example a user and fold, asking for each film of the user's list there."""
    writer = Writer(draft, ratings, tokenizer, config)
    table = histories.scan("histories").filter(pl.col("fold") != "unused").collect()
    lists = candidates.scan("lists").filter(pl.col("film_id").is_not_null()).collect()
    for fold in sorted(lists["fold"].unique()):
        asked = _with_candidates(table, lists.filter(fold=fold), fold)
        writer.write(asked, partial(_candidates_of, fold=fold, config=config))
    writer.write_films(table)
    return histories.notes | writer.notes()


def _candidates_of(rows: Rows, fold: str, config: Prompt) -> list[Plan]:
    return [plan_targets(rows, fold, "rate", config)]


def _with_candidates(table: pl.DataFrame, lists: pl.DataFrame, fold: str) -> pl.DataFrame:
    """The histories with the fold's targets replaced by the films of the lists, not yet rated."""
    earlier = FOLDS[: FOLDS.index(fold)]
    is_target = (pl.col("fold") == fold) & (pl.col("part") == "target")
    shown = table.filter(pl.col("fold").is_in([*earlier, fold]) & ~is_target)
    moment = table.filter(is_target).group_by("user_id").agg(pl.col("rated_at").min())
    asked = lists.join(moment, on="user_id").select(
        "user_id",
        "film_id",
        pl.lit(None, pl.Float32).alias("rating"),
        "rated_at",
        (1_000_000 + pl.col("rank")).cast(pl.Int32).alias("position"),
        pl.lit(fold).alias("fold"),
        pl.lit("target").alias("part"),
        pl.lit(False).alias("cold"),
    )
    return pl.concat([shown, asked]).sort("user_id", "position")


def _tokens(column: pa.ChunkedArray) -> int:
    """How many token ids a column of lists, or of lists of lists, holds."""
    flat = pc.list_flatten(column)
    return len(pc.list_flatten(flat) if pa.types.is_large_list(flat.type) else flat)
