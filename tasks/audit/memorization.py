"""Measures whether a base model has memorized rows of the data: it must complete them greedily.

After Di Palma et al., SIGIR 2025, who prompted chat models with rows of MovieLens-1M. Rows are
spelt as in GroupLens' movies.csv and ratings.csv.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import torch

from tasks.audit.config import Memorization
from tasks.hub import load_base
from tasks.progress import track
from tasks.seeded_hash import permute, uniform
from tasks.store.artifacts import Base, ValidatedRatings
from tasks.text_tokenizer import load_tokenizer


@dataclass(frozen=True)
class Row:
    """What a model reads, and the completion that shows that it knows the row."""

    kind: str  # film: the title by its id; rating: stars and time by user and film
    prompt: str
    completion: str


def write_memorization(
    draft: Path, base: Base, ratings: ValidatedRatings, config: Memorization
) -> None:
    """Write memorization.parquet: how many of the sampled films and ratings the base completes."""
    rows = [*sample_film_rows(ratings, config), *sample_rating_rows(ratings, config)]
    completes = load_completer(base)
    tracked = track(rows, "memorization", len(rows), "rows")
    results = pl.DataFrame([{"kind": row.kind, "completed": completes(row)} for row in tracked])
    table = results.group_by("kind").agg(
        n=pl.len().cast(pl.Int64), memorized=pl.col("completed").sum().cast(pl.Int64)
    )
    shares = [wilson(memorized, n) for _, n, memorized in table.iter_rows()]
    table = table.with_columns(
        pl.DataFrame(shares, ["share", "ci95_low", "ci95_high"], orient="row")
    )
    table.sort("kind").write_parquet(draft / "memorization.parquet")


def sample_film_rows(ratings: ValidatedRatings, config: Memorization) -> Iterator[Row]:
    """Films drawn by id, each behind the films that precede it in the file."""
    films = ratings.scan("films").sort("film_id").select("film_id", "title", "genres").collect()
    lines = to_csv(films)
    order = permute(max(0, len(lines) - config.shown), config.seed, "films to complete")
    for at in sorted(order[: config.rows] + config.shown):
        genres = lines[at].rindex(",")
        start = lines[at].index(",") + 1
        yield _row("film", lines[at - config.shown : at], lines[at][:genres], start)


def sample_rating_rows(ratings: ValidatedRatings, config: Memorization) -> Iterator[Row]:
    """One rating of each drawn user, behind the ratings that precede it in the file."""
    rated = ratings.scan("ratings")
    counts = rated.group_by("user_id").agg(n=pl.len()).filter(pl.col("n") > config.shown)
    users = counts.select("user_id").collect().to_series().sort().to_numpy()
    drawn = users[permute(len(users), config.seed, "users to complete")[: config.rows]]
    own = (
        rated.filter(pl.col("user_id").is_in(drawn.tolist()))
        .sort("user_id", "film_id")
        .select("user_id", "film_id", "rating", pl.col("rated_at").dt.epoch("s"))
        .collect()
    )
    for (user,), history in own.group_by("user_id", maintain_order=True):
        lines = to_csv(history)
        place = uniform(config.seed, "rating to complete", [user])[0]
        at = config.shown + int(place * (len(lines) - config.shown))
        start = lines[at].index(",", lines[at].index(",") + 1) + 1
        yield _row("rating", lines[at - config.shown : at], lines[at], start)


def to_csv(table: pl.DataFrame) -> list[str]:
    """The rows as CSV, quoted as GroupLens does: only where a value needs it."""
    return table.write_csv(include_header=False).split("\n")[:-1]


def _row(kind: str, shown: list[str], line: str, start: int) -> Row:
    return Row(kind, "\n".join([*shown, line[:start]]), line[start:])


def load_completer(base: Base) -> Callable[[Row], bool]:
    """Load the model; return whether it completes a row exactly, by greedy decoding."""
    model, tokenizer = load_base(base), load_tokenizer(base)
    device = next(model.parameters()).device

    @torch.inference_mode()
    def completes(row: Row) -> bool:
        prompt = tokenizer(row.prompt)["input_ids"]
        completion = tokenizer(row.completion, add_special_tokens=False)["input_ids"]
        tokens = torch.tensor([prompt + completion], device=device)
        kept = len(completion) + 1
        logits = model(input_ids=tokens, use_cache=False, logits_to_keep=kept).logits
        return bool((logits[0, :-1].argmax(-1) == tokens[0, len(prompt) :]).all())

    return completes


def wilson(successes: int, n: int) -> tuple[float, float, float]:
    """A share and its 95 % Wilson interval, which is not empty at a share of 0."""
    from scipy.stats import binomtest

    interval: Any = binomtest(successes, n).proportion_ci(method="wilson")
    return successes / n, interval.low, interval.high
