"""Predicts CoLLM's split of MovieLens-1M by the project's own stages, learnt on its train fold.

Ratings there are liked or not: 5 and 1 stars. Its validation and test folds are both targets of one
test fold, so that nothing is learnt from either; what is chosen is chosen on the former.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bench.collm_process import Covariance, posterior_means
from tasks.base.config import BaseModelConfig, Encoder
from tasks.base.task import build_base, build_tokenizer, encode_films
from tasks.features.histories import RatedFilms
from tasks.ingest.task import Ingest, ingest_ratings
from tasks.predict.config import Predict
from tasks.predict.head import correct_targets, read_states
from tasks.predict.task import predict_ratings
from tasks.prior.config import Prior
from tasks.prior.task import fit_priors
from tasks.prompt.config import Prompt
from tasks.prompt.task import write_prompts
from tasks.read.task import read_prompts
from tasks.readout.config import Inference
from tasks.split.task import GivenFolds, split_ratings
from tasks.store.artifacts import FilmStates, RatingPriors, SplitRatings, ValidatedRatings
from tasks.store.store import Store
from tasks.train.config import Train
from tasks.train.task import train_adapter
from tasks.validate.task import Validate, validate_ratings

Floats = NDArray[np.float64]
STARS = {0: 1.0, 1: 5.0}  # of liked
PRIOR = Prior(rank=8, period=5, draws=150, stretch_draws=100, kept=60, workers=1)  # a minute
TEXT = 0.015  # variance that hidden states explain, chosen on the validation fold
MARGIN = 0.01  # of a probability from 0 and 1


@dataclass(frozen=True)
class Data:
    """The split as the stages read it."""

    ratings: ValidatedRatings
    split: SplitRatings
    rated: RatedFilms
    fold: NDArray[np.str_]
    """[ratings]: train, valid or test."""

    @property
    def liked(self) -> NDArray[np.bool_]:
        """[ratings]."""
        return self.rated.code == len(self.rated.scale) - 1


def load_split(source: Path, folder: Path, store: Store) -> Data:
    """Write the split's files into `folder` in MovieLens' columns, and assign its folds."""
    table, films = (pl.read_parquet(source / f"{name}.parquet") for name in ("ratings", "films"))
    (folder / "data").mkdir(parents=True, exist_ok=True)
    stars = pl.col("liked").replace_strict(STARS, return_dtype=pl.Float32)
    of_movielens = {"userId": "user_id", "movieId": "film_id", "timestamp": "timestamp"}
    table.select(rating=stars, **of_movielens).write_parquet(folder / "data" / "ratings.parquet")
    films.select(movieId="film_id", title="title", genres=pl.lit("")).write_parquet(
        folder / "data" / "movies.parquet"
    )
    fold = pl.when(pl.col("fold") == "train").then(pl.lit("train")).otherwise(pl.lit("test"))
    folds = folder / "folds.parquet"
    table.select("user_id", "film_id", fold=fold).write_parquet(folds)
    raw = ingest_ratings.fn(config=Ingest(data=str(folder / "data")), store=store)
    ratings = validate_ratings.fn(raw, config=Validate(), store=store)
    split = split_ratings.fn(ratings, config=GivenFolds(folds=folds), store=store)
    rated = RatedFilms.load(split, ratings)
    key = ["user_id", "film_id"]
    given = table.cast(dict.fromkeys(key, pl.Int32)).select(*key, of_paper="fold")
    joined = rated.table.join(given, on=key, how="left", maintain_order="left")
    return Data(ratings, split, rated, joined["of_paper"].to_numpy().astype(str))


def encode(data: Data, name: str, store: Store) -> FilmStates:
    """Hidden states of the titles, by a pretrained model that is not trained further."""
    config = BaseModelConfig(name=name)
    tokenizer = build_tokenizer.fn(data.ratings, data.split, config=config, store=store)
    no_prompts: Any = None  # only a base from scratch reads some
    base = build_base.fn(tokenizer, no_prompts, config=config, store=store)
    return encode_films.fn(base, data.ratings, config=Encoder(name=name), store=store)


def predict(
    data: Data, states: FilmStates, seed: int, store: Store, *, in_time: bool
) -> dict[str, Floats]:
    """p(liked) of every rating [ratings] by each predictor, NaN where it is learnt from.

    `in_time`: a question knows what its user had rated by then, as the papers' histories do;
    otherwise the train fold alone.
    """
    rated, config = data.rated, PRIOR.model_copy(update={"seed": seed})
    priors = fit_priors.fn(data.split, data.ratings, config=config, store=store)
    machine = rated.expected(priors)
    stretches = rated.number_stretches(config.stretches, data.split)
    history = rated.history(machine, with_test=in_time)
    if in_time:
        questions = rated.questions_in_time(machine, stretches)
    else:
        questions = rated.questions(machine, stretches, config.horizon)
    described, vectors = history.describe(questions, rated.scale), read_states(states)
    near = history.affinity(questions, vectors)
    columns = {"residual_trees": described, "llm_head": np.column_stack([described, near])}
    corrected = {
        name: correct_targets(rated, machine, stretches, of_model, config.seed)[:, -1]
        for name, of_model in columns.items()
    }
    widths = {"process": {}, "llm_process": {"text": TEXT}}
    residual = history.residual / np.ptp(rated.scale)
    for name, width in widths.items():
        covariance = partial(Covariance(**width).of, history, vectors=vectors)
        mean = machine[:, -1] + posterior_means(residual, questions, covariance)
        corrected[name] = mean.clip(MARGIN, 1 - MARGIN)
    if not in_time:  # its prompts show what was learnt from
        corrected["llm"] = read_by_bloom_mini(data, priors, seed, store)
    return {"bayesian_fm": machine[:, -1]} | corrected


def read_by_bloom_mini(data: Data, priors: RatingPriors, seed: int, store: Store) -> Floats:
    """p(liked) of every target [ratings], NaN elsewhere, as the default run trains and reads it."""
    split, ratings = data.split, data.ratings
    choice = BaseModelConfig.model_validate({"mini": {"fit": {"seed": seed}}})
    tokenizer = build_tokenizer.fn(ratings, split, config=choice, store=store)
    prompts = write_prompts.fn(split, ratings, tokenizer, priors, config=Prompt(), store=store)
    base = build_base.fn(tokenizer, prompts, config=choice, store=store)
    config = Train.model_validate({"fit": {"seed": seed}})
    adapter = train_adapter.fn(base, prompts, config=config, store=store)
    readings = read_prompts.fn(adapter, base, prompts, inference=Inference(), store=store)
    predictions = predict_ratings.fn(readings, data.split, config=Predict(), store=store)
    key = ["user_id", "film_id"]
    own = predictions.scan("ratings").filter(predictor=Predict().predictor)
    liked = own.select(*key, "p_like").collect()
    rows = data.rated.table.join(liked, on=key, how="left", maintain_order="left")
    return rows["p_like"].to_numpy()
