"""Compares the baselines of lists with what a paper reports on ml-latest-small, leave-one-out.

    python -m bench.sasrec path/to/ml-latest-small --json sasrec.json

Films and users of five ratings and more; each user's last rating is the test target, the one before
it the validation target; all films that the user has not rated are ranked. Settings and epochs are
chosen on the validation fold, by the stage that makes these lists in every run. Intervals are over
resampled users, of the mean over seeds.
"""

import argparse
import json
import logging
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import numpy as np
import polars as pl
from numpy.typing import NDArray

from tasks.baseline.config import Baseline, ListModelName, SASRec
from tasks.baseline.task import rank_baselines
from tasks.bootstrap import Resamples, percentile_interval
from tasks.ingest.task import Ingest, ingest_ratings
from tasks.score.statements import read_statements, without_semicolon
from tasks.split.task import LeaveLast, split_ratings
from tasks.store.artifacts import RankedLists, SplitRatings, ValidatedRatings
from tasks.store.store import Store
from tasks.validate.task import Validate, validate_ratings

Floats = NDArray[np.float64]
# Recall@10 and NDCG@10 of the test fold. Yue et al., 2023, LlamaRec (arXiv 2311.02089), table 1,
# there "ML-100k": datasets/ml_100k.py of Yueeeeeeee/LlamaRec reads ml-latest-small.
PUBLISHED = {
    "BERT4Rec (LlamaRec)": (0.0785, 0.0366),
    "NARM (LlamaRec)": (0.0801, 0.0441),
    "SASRec (LlamaRec)": (0.0993, 0.0522),
    "LRURec (LlamaRec)": (0.1426, 0.0705),
    "LlamaRec, Llama-2-7B": (0.1524, 0.0759),
}
LEAST = 5  # ratings of a film and of a user
SHORTER = SASRec(epochs=10, patience=2)  # 610 users are 20 steps an epoch
MODELS: tuple[ListModelName, ...] = ("ease", "implicit_als", "popularity", "sasrec")
METRICS = ("recall", "ndcg")
RESAMPLES = 2000


def keep_core(ratings: pl.DataFrame, least: int = LEAST) -> pl.DataFrame:
    """The ratings that are left when films and users with fewer than `least` are gone."""
    while True:
        often = [pl.len().over(column) >= least for column in ("movieId", "userId")]
        kept = ratings.filter(often[0]).filter(often[1])
        if len(kept) == len(ratings):
            return kept
        ratings = kept


def load_split(source: Path, folder: Path, store: Store) -> tuple[ValidatedRatings, SplitRatings]:
    """Write the core of MovieLens' files into `folder`, and split it; ties are by film id."""
    ratings = keep_core(pl.read_csv(source / "ratings.csv"))
    films = pl.read_csv(source / "movies.csv").join(ratings, on="movieId", how="semi")
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in {"ratings": ratings, "movies": films}.items():
        table.write_csv(folder / f"{name}.csv")
    raw = ingest_ratings.fn(config=Ingest(data=str(folder)), store=store)
    valid = validate_ratings.fn(raw, config=Validate(), store=store)
    config = LeaveLast(n=1, validation_users=1.0, ties="film")
    return valid, split_ratings.fn(valid, config=config, store=store)


def judge(lists: RankedLists, split: SplitRatings) -> dict[tuple[str, str], Floats]:
    """Values [users] by metric and predictor, by the statements of sql/metrics/relevance."""
    targets = split.scan("ratings").filter(fold="test", role="target")
    relevant = targets.select("user_id", "film_id", relevant=pl.len().over("user_id")).collect()
    judged = (
        lists.scan("lists")
        .collect()
        .join(relevant.select("user_id", "film_id", is_hit=1), ["user_id", "film_id"], how="left")
        .join(relevant.select("user_id", "relevant").unique(), "user_id")
        .with_columns(pl.col("is_hit").fill_null(0), k=pl.lit(10), relevance=pl.lit("rated"))
    )
    found = {}
    with duckdb.connect() as db:
        db.register("judged", judged.to_arrow())
        for file, text in read_statements("metrics/relevance"):
            if file.stem in METRICS:
                values = db.sql(f"from ({without_semicolon(text)}) order by user_id").pl()
                for (predictor,), rows in values.group_by("predictor"):
                    found[file.stem, str(predictor)] = rows["value"].to_numpy()
    return found


def compare(
    source: Path, folder: Path, store: Store, seeds: int, shorter: SASRec = SHORTER
) -> dict[str, dict[str, list[float]]]:
    """Of each predictor and metric the mean over seeds, its interval, and each seed's figure."""
    valid, split = load_split(source, folder, store)
    values: dict[tuple[str, str], list[Floats]] = {}
    for seed in range(seeds):
        own = {"": SASRec(seed=seed), ", shorter": shorter.model_copy(update={"seed": seed})}
        for name, sasrec in own.items():
            models = MODELS if not (seed or name) else ("sasrec",)
            settings = Baseline(list_models=models, sasrec=sasrec)
            lists = rank_baselines.fn(split, valid, config=settings, store=store)
            logging.info("seed %d%s: %s", seed, name, _selected(lists))
            for (metric, predictor), of in judge(lists, split).items():
                values.setdefault((predictor + name, metric), []).append(of)
    found: dict[str, dict[str, list[float]]] = {}
    for (predictor, metric), of_seeds in sorted(values.items()):
        found.setdefault(predictor, {})[metric] = summarise(np.stack(of_seeds))
    return found


def _selected(lists: RankedLists) -> dict[str, dict[str, float]]:
    """By model, what the validation fold chose, and the loss there."""
    return {
        name: of["selected"] | {"validation": -min(trial["loss"] for trial in of["trials"])}
        for name, of in lists.metadata["tuned"].items()
    }


def summarise(values: Floats) -> list[float]:
    """The mean of [seeds, users], the ends of its 95 % interval over users, and each seed's."""
    users = values.shape[1]
    resampled = Resamples(users, RESAMPLES, seed=0).sums(values.mean(0)[:, None]) / users
    low, high = percentile_interval(resampled[1:])
    return [float(number) for number in (resampled[0, 0], low[0], high[0], *values.mean(1))]


def main() -> None:
    """Measure, print, and write JSON where --json is given."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--root", type=Path, help="a store to work in, and to keep")
    parser.add_argument("--json", type=Path, help="write all figures there")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    with TemporaryDirectory() as temporary:
        root = arguments.root or Path(temporary)
        found = compare(arguments.source, Path(temporary) / "core", Store(root), arguments.seeds)
    for name, published in PUBLISHED.items():
        print(f"{name:<24}" + "".join(f"{figure:8.4f}{'':18}" for figure in published))
    for name, of in found.items():
        cells = ("{:8.4f} [{:.4f}, {:.4f}]".format(*of[metric][:3]) for metric in METRICS)
        print(f"{name:<24}" + "".join(cells))
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
