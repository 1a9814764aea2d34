"""Writes the examples of all users, a shard of users at a time, and the table of films."""

import shutil
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from transformers import AutoTokenizer

from tasks.artifacts import Histories, Predictions, Tokenizer, TrustedRatings
from tasks.by_user import regrouped, whole_users
from tasks.progress import progress
from tasks.prompt.config import Prompt
from tasks.prompt.database import NAME, write_database
from tasks.prompt.examples import lay_out
from tasks.prompt.facts import Facts
from tasks.prompt.groups import Groups
from tasks.prompt.lines import Wording
from tasks.prompt.plan import FOLDS, Plan, Rows, plan_examples, plan_targets, within_tokens
from tasks.prompt.telling import Teller, teller

Ints = NDArray[np.int64]
Planner = Callable[[Rows], Iterable[Plan]]
Tables = Iterable[pl.DataFrame]


class Shard(NamedTuple):
    """The examples of some users, not yet numbered, and how many ratings these have."""

    examples: pa.Table | None
    counts: dict[str, int]  # by fold and kind
    ratings: int


class Writer:
    """Everything that is bound once: films, wording and settings; shards are numbered on."""

    def __init__(
        self, draft: Path, ratings: TrustedRatings, tokenizer: Tokenizer, config: Prompt
    ) -> None:
        self.draft = draft
        self.config = config
        self.films = ratings.scan("films").collect()
        self.film_ids = self.films["film_id"].to_numpy()
        self.scale = ratings.notes["scale"]
        loaded: Any = AutoTokenizer.from_pretrained(tokenizer.path)
        self.wording = Wording(config.template, loaded, self.films, self.scale)
        self.shards = 0
        self.counts: dict[str, int] = {}
        self.tokens = 0

    def write(self, tables: Tables, planner: Planner, users: Sequence[int] | None = None) -> None:
        """Write the examples that `planner` finds in these histories, of whole users each.

        `users` are those of whom it finds any; None: of all.
        """
        waiting = self.draft / "waiting"
        tables = regrouped(tables, self.config.users_per_shard)
        groups = Groups.write(waiting, tables, self.film_ids)
        tell = None
        if self.config.template.facts and groups.number:
            middle = float(np.mean(self.scale))
            tell = teller(groups, len(self.films), middle, users, self.config)
        make = partial(self._shard, groups, tell, planner)
        with progress("prompt", None, "ratings") as bar:
            for shard in _in_order(make, groups.number, self.config.workers):
                self._write(shard)
                bar.update(shard.ratings)
        shutil.rmtree(waiting)

    def write_films(self, tables: Tables) -> None:
        """Each film's answer line, and when it was first rated outside the test fold's targets."""
        hidden = (pl.col("fold") == "test") & (pl.col("part") == "target")
        first = pl.col("rated_at").min().alias("known_from")
        found = [t.filter(~hidden).group_by("film_id").agg(first) for t in tables]
        known = pl.concat(found).group_by("film_id").agg(pl.col("known_from").min())
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

    def _shard(self, groups: Groups, tell: Teller | None, planner: Planner, group: int) -> Shard:
        rows, facts = groups.rows(group), None if tell is None else tell(group)
        plans = [self._bounded(plan, rows, facts) for plan in planner(rows)]
        laid = [lay_out(p, rows, facts, self.film_ids, self.wording) for p in plans if len(p)]
        counts = {f"{plan.fold} {plan.kind}": len(plan) for plan in plans}
        return Shard(pa.concat_tables(laid) if laid else None, counts, len(rows.user))

    def _write(self, shard: Shard) -> None:
        if (table := shard.examples) is not None:
            first = sum(self.counts.values())
            number = pa.array(np.arange(first, first + len(table)), pa.int64())
            table = table.add_column(0, "example", number)
            path = self.draft / f"shard-{self.shards:05}.parquet"
            pq.write_table(table, path, compression="zstd")
            self.shards += 1
            self.tokens += sum(_tokens(table[name]) for name in ("prefix_tokens", "branch_tokens"))
        for name, examples in shard.counts.items():
            self.counts[name] = self.counts.get(name, 0) + examples

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
    writer.write(_used(histories), lambda rows: plan_examples(rows, config))
    writer.write_films(_used(histories))
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
    lists = candidates.scan("lists").filter(pl.col("film_id").is_not_null()).collect()
    for fold in sorted(lists["fold"].unique()):
        of_fold = lists.filter(fold=fold)
        tables = (_with_candidates(table, of_fold, fold) for table in _used(histories))
        planner = partial(_candidates_of, fold=fold, config=config)
        writer.write(tables, planner, of_fold["user_id"].unique().to_list())
    writer.write_films(_used(histories))
    return histories.notes | writer.notes()


def _used(histories: Histories) -> Iterator[pl.DataFrame]:
    """Whole users at a time, without the ratings that take no part."""
    for table in whole_users(histories.files("histories")):
        yield table.filter(pl.col("fold") != "unused")


def _in_order(make: Callable[[int], Shard], number: int, workers: int) -> Iterator[Shard]:
    """All shards by number, made by so many threads, which are never far ahead."""
    if workers == 1:
        yield from map(make, range(number))
        return
    with ThreadPoolExecutor(workers) as pool:
        ahead: deque[Future[Shard]] = deque()
        for group in range(number):
            ahead.append(pool.submit(make, group))
            if len(ahead) > workers:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()


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
