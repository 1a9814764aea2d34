"""Decoded lists are complete, name eligible films only, and are the same bytes in any batch."""

import pytest
import torch

from tasks.decode import cached_rows
from tasks.decode.config import Decode
from tasks.decode.task import decode_lists
from tasks.readout.config import Inference
from tasks.store.store import Store

BATCHES = Inference(users_per_batch=7)


@pytest.fixture(scope="module")
def decode(adapter, base, prompts, split):
    """`decode(store)`: lists of four films, with other settings if given."""

    def run(store, inference=BATCHES, decoding="greedy"):
        config = Decode(list_length=4, decoding=decoding)
        return decode_lists.fn(
            adapter, base, prompts, split, config=config, inference=inference, store=store
        )

    return run


def test_lists_are_complete_and_name_only_unrated_films(decode, store, split, ratings):
    lists = decode(store).scan("lists").collect()
    rows = split.scan("ratings").collect()
    targets = rows.filter(fold="test", role="target")
    seen = rows.join(targets, on=["user_id", "film_id"], how="anti")
    assert lists.join(seen, on=["user_id", "film_id"], how="inner").is_empty()
    places = [(user, rank) for user in range(1, 25) for rank in range(1, 5)]
    assert lists.select("user_id", "rank").rows() == places
    assert lists.select("user_id", "film_id").is_unique().all()
    films = ratings.scan("films").select("film_id", true="title").collect()
    named = lists.join(films, on="film_id")
    assert len(named) == len(lists)
    assert (named["title"] == named["true"]).all()
    assert lists["rating"].is_between(1, 5).all()
    assert lists["error"].null_count() == len(lists)
    assert (lists["score"].diff().filter(lists["rank"] > 1) <= 0).all()


@pytest.mark.parametrize("decoding", ["greedy", "beam", "sample"])
def test_the_batch_size_changes_no_byte(decoding, decode, tmp_path):
    tables = []
    for rows in (1, 3, 16):
        inference = BATCHES.model_copy(update={"micro_batch_rows": rows})
        made = decode(Store(tmp_path / str(rows)), inference, decoding)
        tables.append((made.path / "lists.parquet").read_bytes())
    assert tables[0] == tables[1] == tables[2]


@pytest.mark.parametrize("error", [torch.OutOfMemoryError, MemoryError])
def test_out_of_memory_halves_the_batch_and_samples_the_same_bytes(
    error, decode, tmp_path, monkeypatch
):
    whole = decode(Store(tmp_path / "whole"), decoding="sample")
    refused, extend = [], cached_rows.extend

    def limited(model, tokens, counts, cache):
        if int((counts > 0).sum()) > 5:
            refused.append(len(tokens))
            raise error("out of memory")
        return extend(model, tokens, counts, cache)

    monkeypatch.setattr(cached_rows, "extend", limited)
    halved = decode(Store(tmp_path / "halved"), decoding="sample")
    assert refused
    table = "lists.parquet"
    assert (halved.path / table).read_bytes() == (whole.path / table).read_bytes()


def test_a_user_without_an_eligible_film_has_an_empty_list(decode, tmp_path, split, monkeypatch):
    from tasks.decode import lists

    found = lists.eligible_films
    monkeypatch.setattr(
        lists,
        "eligible_films",
        lambda users, *rest: found(users, *rest) & (users[:, None] != 3),
    )
    table = decode(Store(tmp_path)).scan("lists").filter(user_id=3).collect()
    assert table.select("rank", "film_id", "error").rows() == [(1, None, "no film known")]
