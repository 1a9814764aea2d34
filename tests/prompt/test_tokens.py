"""Tokens and supervised spans match the text; the original's text is exact."""

import itertools
import re
from pathlib import Path

import polars as pl
import pytest

from tasks.prompt.config import Prompt
from tasks.templates import Original
from tasks.text_tokenizer import load_tokenizer, tokenize_texts
from tests.prompt.tiny import (
    COMPACT,
    FOLDS,
    ORIGINAL,
    decode,
    read_examples,
)

ROOT = Path(__file__).resolve().parents[2]
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
        Prompt(template=Original(), learn_from="history")


@pytest.mark.parametrize("config", [COMPACT, ORIGINAL])
def test_a_special_token_in_a_title_is_text(store, inputs_with_marks, config):
    """Only the end mark of the template's own is one, at the end of an answer."""
    tokenizer = load_tokenizer(inputs_with_marks[2])
    special = set(tokenizer.all_special_ids)
    closing = [tokenizer.eos_token_id] if config.template.closing else []
    titles = 0
    for row in read_examples(inputs_with_marks, store, config).iter_rows(named=True):
        text = row["context"] + row["question"]
        titles += text.count("</s>") + text.count("<pad>")
        assert special.isdisjoint(row["prefix_tokens"])
        assert decode(inputs_with_marks, row["prefix_tokens"]) == text
        for tokens, answer in zip(row["branch_tokens"], row["answers"], strict=True):
            ended = answer.endswith("</s>")
            assert [token for token in tokens if token in special] == closing * ended
            assert decode(inputs_with_marks, tokens) == answer
    assert titles > 10


def test_every_loaded_tokenizer_spells_special_tokens(inputs):
    """All that is loaded for text is loaded by one function, whatever the tokenizer."""
    tokenizer = load_tokenizer(inputs[2])
    for mark in tokenizer.all_special_tokens:
        assert tokenizer.decode(tokenizer(mark)["input_ids"]) == mark
        assert set(tokenizer.all_special_ids).isdisjoint(tokenizer(mark)["input_ids"])
    loads = [
        file.relative_to(ROOT).as_posix()
        for folder in ("flows", "tasks", "bench")
        for file in (ROOT / folder).rglob("*.py")
        if "AutoTokenizer.from_pretrained" in file.read_text()
    ]
    assert sorted(loads) == ["tasks/base/pretrained.py", "tasks/text_tokenizer.py"]


@pytest.mark.parametrize("split", [True, False])
def test_texts_are_tokenised_as_the_tokenizer_has_them(inputs, split):
    tokenizer = load_tokenizer(inputs[2])
    texts = ["Heat (1995), Action|Crime", "", f"the end{tokenizer.eos_token}, Rating: 4.0\n"]
    wanted = {"add_special_tokens": False, "split_special_tokens": split}
    expected = tokenizer(texts, **wanted)["input_ids"]
    tokenizer.backend_tokenizer.enable_truncation(2)
    tokenizer.backend_tokenizer.enable_padding()
    assert tokenize_texts(tokenizer, texts, split_special_tokens=split) == expected
