"""From a source to prompts: ingest, validate, split, tokenize, prompt."""

from dataclasses import dataclass

import polars as pl

from flows.settings import Settings, SettingsError
from flows.stages import Stages
from tasks.base.task import build_tokenizer
from tasks.baseline.duration import too_large
from tasks.ingest.task import ingest_ratings
from tasks.prior.duration import too_long
from tasks.prior.task import fit_priors
from tasks.prompt.task import write_prompts
from tasks.split.task import split_ratings
from tasks.store.artifacts import (
    Prompts,
    RatingPriors,
    RawRatings,
    SplitRatings,
    Tokenizer,
    ValidatedRatings,
)
from tasks.store.store import Store
from tasks.validate.task import validate_ratings


@dataclass(frozen=True)
class PreparedData:
    """What training and prediction start from."""

    raw: RawRatings
    ratings: ValidatedRatings
    split: SplitRatings
    tokenizer: Tokenizer
    prompts: Prompts
    priors: RatingPriors | None


def prepare_data(settings: Settings, store: Store, stages: Stages) -> PreparedData:
    """Run the stages of the data, up to its prompts."""
    raw = stages("ingest ratings", ingest_ratings)(config=settings.ingest, store=store)
    ratings = stages("validate ratings", validate_ratings)(
        raw, config=settings.validation, store=store
    )
    check_size(settings, ratings)
    split = stages("split ratings", split_ratings)(ratings, config=settings.split, store=store)
    priors = None
    if settings.prior.model != "none":
        priors = stages("fit priors", fit_priors)(
            split, ratings, config=settings.prior, store=store
        )
    tokenizer = stages("build tokenizer", build_tokenizer)(
        ratings, split, config=settings.base, store=store
    )
    prompts = stages("write prompts", write_prompts)(
        split, ratings, tokenizer, priors, config=settings.prompt, store=store
    )
    return PreparedData(raw, ratings, split, tokenizer, prompts, priors)


def check_size(settings: Settings, ratings: ValidatedRatings) -> None:
    """Raises SettingsError where a predictor would take too long, or too much memory."""
    rows, hours = ratings.manifest["rows"], settings.max_hours
    users = ratings.scan("ratings").select(pl.col("user_id").n_unique()).collect().item()
    of_prior = too_long(settings.prior, rows["ratings"], users, hours)
    of_baselines = too_large(settings.baseline, rows["ratings"], rows["films"], hours)
    if sentences := [*of_prior, *of_baselines]:
        raise SettingsError("; ".join(sentences))
