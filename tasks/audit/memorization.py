"""Whether a base model knows rows of the data by heart: it reads some and must go on by itself.

After Di Palma et al., SIGIR 2025, who asked chat models for rows of MovieLens-1M. Rows are spelt
as in GroupLens' movies.csv and ratings.csv.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch

from tasks.audit.config import Memorization
from tasks.hub import load_base, load_tokenizer
from tasks.progress import track
from tasks.store.artifacts import Base, ValidatedRatings


@dataclass(frozen=True)
class Row:
    """What a model reads, and how it goes on if it knows the row."""

    kind: str  # film: its title by its id; rating: stars and time by user and film
    before: str
    rest: str


def write_memorization(
    draft: Path, base: Base, ratings: ValidatedRatings, config: Memorization
) -> None:
    """Ask for a sample of films and of users' ratings; write how many rows are known."""
    draw = np.random.default_rng(config.seed)
    rows = [*film_rows(ratings, config, draw), *rating_rows(ratings, config, draw)]
    knows = reciter(base)
    asked = track(rows, "recall", len(rows), "rows")
    found = pl.DataFrame([{"kind": row.kind, "known": knows(row)} for row in asked])
    table = found.group_by("kind").agg(
        n=pl.len().cast(pl.Int64), recalled=pl.col("known").sum().cast(pl.Int64)
    )
    shares = [wilson(recalled, n) for _, n, recalled in table.iter_rows()]
    table = table.with_columns(
        pl.DataFrame(shares, ["share", "ci95_low", "ci95_high"], orient="row")
    )
    table.sort("kind").write_parquet(draft / "memorization.parquet")


def film_rows(
    ratings: ValidatedRatings, config: Memorization, draw: np.random.Generator
) -> Iterator[Row]:
    """Films drawn by id, each behind the films that stand before it in the file."""
    films = ratings.scan("films").sort("film_id").select("film_id", "title", "genres").collect()
    lines = lines_of(films)
    ends = np.arange(config.shown, len(lines))
    for at in sorted(draw.choice(ends, min(config.rows, len(ends)), replace=False)):
        genres = lines[at].rindex(",")
        start = lines[at].index(",") + 1
        yield _row("film", lines[at - config.shown : at], lines[at][:genres], start)


def rating_rows(
    ratings: ValidatedRatings, config: Memorization, draw: np.random.Generator
) -> Iterator[Row]:
    """One rating of each of the users drawn, behind the ratings that precede it in the file."""
    rated = ratings.scan("ratings")
    counts = rated.group_by("user_id").agg(n=pl.len()).filter(pl.col("n") > config.shown)
    users = counts.select("user_id").collect().to_series().sort().to_numpy()
    asked = draw.choice(users, min(config.rows, len(users)), replace=False)
    own = (
        rated.filter(pl.col("user_id").is_in(asked.tolist()))
        .sort("user_id", "film_id")
        .select("user_id", "film_id", "rating", pl.col("rated_at").dt.epoch("s"))
        .collect()
    )
    for _, history in own.group_by("user_id", maintain_order=True):
        lines = lines_of(history)
        at = int(draw.integers(config.shown, len(lines)))
        start = lines[at].index(",", lines[at].index(",") + 1) + 1
        yield _row("rating", lines[at - config.shown : at], lines[at], start)


def lines_of(table: pl.DataFrame) -> list[str]:
    """The rows as CSV, as GroupLens quotes it: only where a value needs it."""
    return table.write_csv(include_header=False).splitlines()


def _row(kind: str, shown: list[str], line: str, start: int) -> Row:
    return Row(kind, "\n".join([*shown, line[:start]]), line[start:])


def reciter(base: Base) -> Callable[[Row], bool]:
    """Tells whether greedy text would go on with the rest of a row, token by token."""
    model, tokenizer = load_base(base), load_tokenizer(base)
    device = next(model.parameters()).device

    @torch.inference_mode()
    def knows(row: Row) -> bool:
        before = tokenizer(row.before)["input_ids"]
        rest = tokenizer(row.rest, add_special_tokens=False)["input_ids"]
        tokens = torch.tensor([before + rest], device=device)
        logits = model(input_ids=tokens, use_cache=False, logits_to_keep=len(rest) + 1).logits
        return bool((logits[0, :-1].argmax(-1) == tokens[0, len(before) :]).all())

    return knows


def wilson(recalled: int, n: int) -> tuple[float, float, float]:
    """A share, and its 95 % Wilson interval, which holds where nothing is recalled, too."""
    from scipy.stats import binomtest

    interval: Any = binomtest(recalled, n).proportion_ci(method="wilson")
    return recalled / n, interval.low, interval.high
