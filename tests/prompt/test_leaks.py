"""No prompt of any fold has seen its own or a later fold's targets."""

import polars as pl
import pytest

from tasks.store.artifacts import SplitRatings
from tasks.templates import Compact
from tests.prompt.tiny import COMPACT, FILMS, FOLDS, read_examples


def test_no_context_names_a_target_or_a_film_of_its_own_or_a_later_fold(inputs, store):
    ratings = inputs[0].scan("ratings").collect().join(FILMS, on="film_id")
    for row in read_examples(inputs, store).iter_rows(named=True):
        number = FOLDS.index(row["fold"])
        later = pl.col("fold").is_in(FOLDS[max(number, 1) :])
        hidden = ratings.filter(later | pl.col("film_id").is_in(row["film_ids"]))
        titles = hidden.filter(user_id=row["user_id"])["title"]
        assert len(titles) >= 2 - number // 2
        assert not [title for title in titles if f"{title}, " in row["context"]]


@pytest.mark.parametrize("prior", ["bias", "neighbours"])
@pytest.mark.parametrize("as_of", ["rating", "fold"])
@pytest.mark.parametrize("fold", FOLDS)
def test_no_prompt_changes_with_the_targets_of_its_own_or_a_later_fold(
    inputs, store, fold, as_of, prior
):
    _, ratings, tokenizer = inputs
    template = Compact(features=("film", "user", "prior"))
    update = {"template": template, "features_as_of": as_of, "prior": prior}
    config = COMPACT.model_copy(update=update)
    number = FOLDS.index(fold)
    hidden = (pl.col("role") == "target") & pl.col("fold").is_in(FOLDS[number:])

    def prompts(rating: pl.Expr) -> pl.DataFrame:
        def write(draft):
            table = inputs[0].scan("ratings").with_columns(rating.cast(pl.Float32).alias("rating"))
            table.collect().write_parquet(draft / "ratings.parquet")
            return inputs[0].metadata

        recipe = {"rating": str(rating)}
        split = store.build(SplitRatings, recipe=recipe, parents=[ratings], write=write)
        return read_examples((split, ratings, tokenizer), store, config).filter(kind="rate")

    rating = pl.col("rating")
    before, after = prompts(rating), prompts(pl.when(hidden).then(6 - rating).otherwise(rating))
    earlier, later = (pl.col("fold").is_in(of) for of in (FOLDS[:number], FOLDS[number + 1 :]))
    assert before.filter(earlier).equals(after.filter(earlier))
    own = [
        table.filter(fold=fold).select(
            "context",
            "question",
            "prefix_tokens",
            pl.col("answers").list.eval(pl.element().str.replace(r"\d\.\d\n$", "")),
        )
        for table in (before, after)
    ]
    assert len(own[0]) >= 5
    assert own[0].equals(own[1])
    assert before.filter(later).equals(after.filter(later)) == (fold == "test")
