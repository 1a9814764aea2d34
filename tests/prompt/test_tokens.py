"""Tokens and supervised spans match the text; the original's text is exact."""

import itertools
import re

import polars as pl
import pytest

from tasks.prompt.config import Prompt
from tasks.templates import Original
from tests.prompt.tiny import (
    COMPACT,
    FOLDS,
    ORIGINAL,
    decode,
    read_examples,
)

HEADING = (
    "### CONTEXT\nGiven a user's past movie ratings in the format: Title, Genres, Rating.\n"
    "Ratings range from 1.0 to 5.0\n\n"
)
QUESTION = "\n\n### QUESTION\nWhat will be some more movies this user might like?\n\n### ANSWER\n"


@pytest.mark.parametrize("config", [COMPACT, ORIGINAL])
def test_tokens_spell_the_text(inputs, store, config):
    for row in read_examples(inputs, store, config).iter_rows(named=True):
        assert decode(inputs, row["prefix_tokens"]) == row["context"] + row["question"]
        assert [decode(inputs, t) for t in row["branch_tokens"]] == row["answers"]


@pytest.mark.parametrize("config", [COMPACT, ORIGINAL])
def test_each_rating_span_spells_its_rating(inputs, store, config):
    seen = 0
    for row in read_examples(inputs, store, config).iter_rows(named=True):
        for span in row["spans"]:
            of = (row["branch_tokens"] + [row["prefix_tokens"]])[span["branch"]]
            text = decode(inputs, of[span["start"] : span["end"]])
            if span["rating"] is not None:
                seen += 1
                assert text.strip() == f"{span['rating']:.1f}"
    assert seen > 20


def test_every_train_rating_has_a_loss_exactly_once(inputs, store):
    supervised = (
        read_examples(inputs, store)
        .filter(fold="train", kind="rate")
        .explode("spans")
        .select("user_id", pl.col("spans").struct.field("rating"))
    )
    train = inputs[0].scan("ratings").filter(pl.col("fold") == "train").collect()
    by_user = ["user_id", "rating"]
    assert supervised.sort(by_user).rows() == train.select(by_user).sort(by_user).rows()


def test_every_token_of_a_list_has_a_loss(inputs, store):
    rows = read_examples(inputs, store).filter(kind="recommend")
    assert set(rows["fold"]) == set(FOLDS)
    for row in rows.iter_rows(named=True):
        spans = row["spans"]
        assert spans[0]["start"] == 0
        assert all(a["end"] == b["start"] for a, b in itertools.pairwise(spans))
        assert spans[-1]["end"] == len(row["branch_tokens"][0])


def test_the_original_is_worded_to_the_character(inputs, store):
    film = r"[^\n]+, [A-Z(][^,\n]*"
    rows = read_examples(inputs, store, ORIGINAL).filter(kind="recommend")
    assert set(rows["fold"]) == set(FOLDS)
    for row in rows.iter_rows(named=True):
        heading, lines = row["context"][: len(HEADING)], row["context"][len(HEADING) :]
        assert heading == HEADING
        assert re.fullmatch(rf"({film}, Rating [1-5]\.0\n){{1,3}}", lines)
        assert row["question"] == QUESTION
        assert re.fullmatch(rf"{film}, Rating: [1-5]\.0\n</s>", row["answers"][0])


def test_a_loss_on_histories_needs_a_template_that_is_tokenised_per_line():
    with pytest.raises(ValueError, match='set learn_from="targets"'):
        Prompt(template=Original())
