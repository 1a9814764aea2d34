"""The inputs of prompts, small enough for every test to write its own."""

import polars as pl
import pytest

from tasks.base.tokenizer import train_tokenizer
from tasks.store.artifacts import SplitRatings, Tokenizer, ValidatedRatings
from tasks.templates import film_texts
from tests.prompt.tiny import FILMS, SCALE, assign_folds, make_ratings


@pytest.fixture
def inputs(store):
    """Split and valid ratings, and a tokenizer trained on their films."""
    return build_inputs(store, FILMS)


@pytest.fixture
def inputs_with_marks(store):
    """The same with special tokens of the tokenizer in titles and genres."""
    marked = pl.format("</s> {} <pad> (1995)", "title"), pl.format("{}|<s>", "genres")
    return build_inputs(store, FILMS.with_columns(title=marked[0], genres=marked[1]))


def build_inputs(store, films):
    """The artifacts that prompts of these films are written from."""
    ratings = make_ratings()

    def write_ratings(draft):
        ratings.write_parquet(draft / "ratings.parquet")
        films.write_parquet(draft / "films.parquet")
        columns = ValidatedRatings.tables["quarantine"].columns
        types = {"string": pl.String, "uint32": pl.UInt32}
        schema = {name: types[kind] for name, (kind, _) in columns.items()}
        pl.DataFrame(schema=schema).write_parquet(draft / "quarantine.parquet")
        return {"dataset": "tiny", "scale": SCALE}

    def write_split(draft):
        assign_folds(ratings).write_parquet(draft / "ratings.parquet")
        return {"dataset": "tiny", "scale": SCALE, "protocol": "leave-last-1"}

    def write_tokenizer(draft):
        train_tokenizer(film_texts(films) * 50, scale=SCALE, vocabulary=2048).save_pretrained(draft)

    valid = store.build(
        ValidatedRatings, recipe={"titles": films["title"].to_list()}, write=write_ratings
    )
    split = store.build(SplitRatings, recipe={}, parents=[valid], write=write_split)
    tokenizer = store.build(Tokenizer, recipe={}, parents=[valid], write=write_tokenizer)
    return split, valid, tokenizer
