"""Prompts that ask for candidates have no rating in text or tokens."""

import pytest

from tasks.prompt.task import write_candidate_prompts
from tests.prompt.tiny import (
    COMPACT,
    ORIGINAL,
    build_candidates,
    read_examples,
)


@pytest.mark.parametrize("config", [COMPACT, ORIGINAL], ids=["compact", "original"])
def test_candidates_have_no_ratings_in_their_prompts(inputs, store, config):
    split, ratings, tokenizer = inputs
    candidates = build_candidates(store, split, {0: [11, 7], 3: [5]})
    prompts = write_candidate_prompts.fn(
        split, ratings, tokenizer, candidates, config=config, store=store
    )
    rows = prompts.scan("examples").collect()
    assert rows["film_ids"].to_list() == [[7, 11], [5]]  # by id
    assert rows["ratings"].to_list() == [[None, None], [None]]
    words = config.template.target_separator + config.template.closing
    assert all(text.endswith(words) for text in rows["answers"].explode())
    for row in rows.iter_rows(named=True):
        assert [span["branch"] for span in row["spans"]] == list(range(len(row["film_ids"])))
        for tokens, span in zip(row["branch_tokens"], row["spans"], strict=True):
            assert (span["start"], span["end"], span["rating"]) == (len(tokens), len(tokens), None)


def test_a_line_of_the_original_is_cut_where_its_rating_would_begin(inputs, store):
    known = {
        film: tokens[: span["start"]]
        for row in read_examples(inputs, store, ORIGINAL).filter(kind="rate").iter_rows(named=True)
        for film, tokens, span in zip(
            row["film_ids"], row["branch_tokens"], row["spans"], strict=True
        )
    }
    split, ratings, tokenizer = inputs
    candidates = build_candidates(store, split, {0: sorted(known)[:3]})
    prompts = write_candidate_prompts.fn(
        split, ratings, tokenizer, candidates, config=ORIGINAL, store=store
    )
    (row,) = prompts.scan("examples").collect().iter_rows(named=True)
    assert row["branch_tokens"] == [known[film] for film in row["film_ids"]]
