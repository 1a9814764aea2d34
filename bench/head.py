"""Measures what a frozen language model's states add to the prior, where, and whether it reads.

    python -m bench.head path/to/ml-latest-small --json head.json    both splits: half an hour

RMSE on all test ratings of `leave-last` and of `global-time`, over everyone and by how often a film
had been rated. `retitled` is the head whose films have other films' states: had the titles no part
in it, it would lose nothing. Differences are paired, with 95 % intervals over resampled users. The
whole run of a split, with bloom-mini, lists and report, is `make nightly profile=pretrained`.
"""

import argparse
import json
import logging
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from flows.settings import Settings, load
from tasks.base.task import build_base, build_tokenizer, encode_films
from tasks.bootstrap import Resamples, percentile_interval
from tasks.ingest.task import ingest_ratings
from tasks.predict.task import predict_by_head, predict_by_priors
from tasks.prior.task import fit_priors
from tasks.seeded_hash import permute
from tasks.split.task import split_ratings
from tasks.store.artifacts import FilmStates, RatingPriors, SplitRatings, ValidatedRatings
from tasks.store.store import Store
from tasks.validate.task import validate_ratings

Floats = NDArray[np.float64]
RATED = ((0, 0), (1, 4), (5, 19), (20, 99), (100, 10**6))  # least and most times
PAIRS = (
    ("residual_trees", "bayesian_fm"),
    ("llm_head", "bayesian_fm"),
    ("llm_head", "residual_trees"),
    ("retitled", "llm_head"),
)


def retitle(states: FilmStates, store: Store, seed: int = 0) -> FilmStates:
    """Every film has the state of another one, drawn without replacement."""

    def write(draft: Path) -> dict[str, Any]:
        table = states.scan("states").collect()
        others = permute(len(table), seed, "states of other films")
        mixed = table.with_columns(table["state"].gather(others))
        mixed.write_parquet(draft / "states.parquet")
        return states.metadata

    return store.build(FilmStates, recipe={"seed": seed}, parents=[states], write=write)


def predict(
    settings: Settings,
    split: SplitRatings,
    ratings: ValidatedRatings,
    priors: RatingPriors,
    states: FilmStates,
    store: Store,
) -> dict[str, pl.DataFrame]:
    """Predictions of the test fold by predictor, sorted by user and film."""
    heads = {"llm_head": states, "retitled": retitle(states, store)}
    made = {
        name: predict_by_head.fn(
            of, priors, split, ratings, config=settings.predict, store=store
        ).scan("ratings")
        for name, of in heads.items()
    }
    of_priors = predict_by_priors.fn(priors, split, store=store).scan("ratings")
    made |= {name: of_priors.filter(predictor=name) for name in ("bayesian_fm", "residual_trees")}
    return {
        name: table.filter(fold="test").sort("user_id", "film_id").collect()
        for name, table in made.items()
    }


def measure(tables: dict[str, pl.DataFrame], split: SplitRatings) -> dict[str, Any]:
    """RMSE by predictor and by times rated, and the pairs' differences with intervals."""
    first = tables["llm_head"]
    target = (pl.col("fold") == "test") & (pl.col("role") == "target")
    known = split.scan("ratings").filter(~target, pl.col("fold") != "unused")
    times = first.join(
        known.group_by("film_id").len().collect(), on="film_id", how="left", maintain_order="left"
    )["len"].fill_null(0)
    user = np.unique(first["user_id"].to_numpy(), return_inverse=True)[1]
    counts = Resamples(int(user.max()) + 1, 2000, seed=0).counts.astype(np.float64)
    chosen = {
        f"rated {least} times" if most == least else f"rated {least} to {most} times": (
            (times >= least) & (times <= most)
        ).to_numpy()
        for least, most in RATED
    }
    found: dict[str, dict[str, Any]] = {}
    for name, rows in ({"everyone": np.ones(len(first), bool)} | chosen).items():
        if not rows.any():
            continue
        rmse = {predictor: _rmse(t, rows, user, counts) for predictor, t in tables.items()}
        found[name] = {"n": int(rows.sum())} | {p: float(r[0]) for p, r in rmse.items()}
        for a, b in PAIRS:
            low, high = percentile_interval((rmse[a] - rmse[b])[1:, None])
            difference = float(rmse[a][0] - rmse[b][0])
            found[name][f"{a} - {b}"] = [difference, float(low[0]), float(high[0])]
    return found


def _rmse(table: pl.DataFrame, rows: NDArray[np.bool_], user: NDArray, counts: Floats) -> Floats:
    """[1 + resamples], the first over everyone."""
    squared = np.square(table["mean"].to_numpy() - table["rating"].to_numpy().astype(np.float64))
    sums, n = (np.bincount(user[rows], v, counts.shape[1]) for v in (squared[rows], None))
    total = counts @ n
    return np.sqrt((counts @ sums) / np.where(total > 0, total, np.nan))


def compare(data: str, protocol: str, store: Store) -> dict[str, Any]:
    """Run the stages on a split, with the settings of the profile `pretrained`."""
    settings = load("pretrained", {"ingest": {"data": data}, "split": {"protocol": protocol}})
    raw = ingest_ratings.fn(config=settings.ingest, store=store)
    ratings = validate_ratings.fn(raw, config=settings.validation, store=store)
    split = split_ratings.fn(ratings, config=settings.split, store=store)
    priors = fit_priors.fn(split, ratings, config=settings.prior, store=store)
    config = settings.base.model_copy(update={"name": settings.encoder.name})
    tokenizer = build_tokenizer.fn(ratings, split, config=config, store=store)
    no_prompts: Any = None  # only a base from scratch reads some
    base = build_base.fn(tokenizer, no_prompts, config=config, store=store)
    states = encode_films.fn(base, ratings, config=settings.encoder, store=store)
    return measure(predict(settings, split, ratings, priors, states, store), split)


def main() -> None:
    """Measure, print, and write JSON where --json is given."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", help="a data set by name, or a path")
    parser.add_argument("--splits", nargs="+", default=["leave-last", "global-time"])
    parser.add_argument("--root", type=Path, help="a store to work in, and to keep")
    parser.add_argument("--json", type=Path, help="write all figures there")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    with TemporaryDirectory() as temporary:
        store = Store(arguments.root or Path(temporary))
        found = {split: compare(arguments.data, split, store) for split in arguments.splits}
    print(json.dumps(found, indent=1))
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
