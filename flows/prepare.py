"""From a source to prompts: ingest, validate, split, prompt."""

from dataclasses import dataclass
from typing import Any

from prefect import flow

from flows.settings import Profile, Settings, load, the_store
from tasks.base.task import build_tokenizer
from tasks.ingest.task import ingest_ratings
from tasks.prompt.task import write_prompts
from tasks.split.task import split_ratings
from tasks.store.artifacts import Prompts, RawRatings, SplitRatings, Tokenizer, ValidatedRatings
from tasks.store.store import Store
from tasks.validate.task import validate_ratings


@dataclass(frozen=True)
class Prepared:
    """Everything that training and prediction stand on."""

    raw: RawRatings
    ratings: ValidatedRatings
    split: SplitRatings
    tokenizer: Tokenizer
    prompts: Prompts


def prepared(settings: Settings, store: Store) -> Prepared:
    """Walk through the rooms of the data."""
    raw = ingest_ratings(config=settings.ingest, store=store)
    ratings = validate_ratings(raw, config=settings.validation, store=store)
    split = split_ratings(ratings, config=settings.split, store=store)
    tokenizer = build_tokenizer(ratings, split, config=settings.base, store=store)
    prompts = write_prompts(split, ratings, tokenizer, config=settings.prompt, store=store)
    return Prepared(raw, ratings, split, tokenizer, prompts)


@flow(name="prepare")
def prepare(profile: Profile = "laptop", changes: dict[str, Any] | None = None) -> Prepared:
    """Make the prompts of a profile's data."""
    return prepared(load(profile, changes), the_store())
