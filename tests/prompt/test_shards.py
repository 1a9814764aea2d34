"""Contexts keep their limits; shards have the same examples and bytes however made."""

import pytest

from tasks.prompt.task import write_prompts
from tasks.store.store import Store
from tasks.templates import film_texts
from tests.prompt.tiny import BIAS, COMPACT, FILMS, ORIGINAL, read_examples


@pytest.mark.parametrize("selection", ["recent", "top", "mixed"])
def test_a_context_keeps_its_length_in_films_and_in_tokens(inputs, store, selection):
    lines = read_examples(
        inputs, store, COMPACT.model_copy(update={"context_selection": selection})
    )
    assert lines["context"].str.count_matches("\n").max() <= 3
    bounded = COMPACT.model_copy(update={"context_selection": selection, "context_tokens": 30})
    short = read_examples(inputs, store, bounded).filter(kind="rate")
    assert 0 < short["prefix_tokens"].list.len().max() <= 30
    assert short["context"].str.ends_with("\n").any()
    starts = tuple(film_texts(FILMS))
    assert all(text.startswith(starts) for text in short["context"] if text)


@pytest.mark.parametrize("prior", ["bias", "neighbours"])
def test_shards_hold_the_same_examples_however_they_are_cut(inputs, store, prior):
    config = COMPACT.model_copy(update={"prior": prior})
    whole = read_examples(inputs, store, config)
    for users in (1, 2, 3):
        cut = read_examples(inputs, store, config.model_copy(update={"users_per_shard": users}))
        keys = ["user_id", "fold", "kind", "context"]
        assert whole.drop("example").sort(keys).equals(cut.drop("example").sort(keys))


def test_the_same_inputs_give_the_same_bytes(inputs, store, tmp_path):
    first = write_prompts.fn(*inputs, config=COMPACT, store=store)
    written = {file: file.read_bytes() for file in first.path.glob("*.parquet")}
    (first.path / "films.parquet").write_bytes(b"")
    second = write_prompts.fn(*inputs, config=COMPACT, store=store)
    assert not second.cache_hit
    assert {file: file.read_bytes() for file in second.path.glob("*.parquet")} == written


@pytest.mark.parametrize("config", [COMPACT, BIAS, ORIGINAL], ids=["compact", "bias", "original"])
def test_the_bytes_are_the_same_whoever_makes_the_shards(inputs, tmp_path, cluster, config):
    written = []
    for executor in ({"workers": 1}, {"workers": 5}, {"dask_address": cluster}):
        store = Store(tmp_path / str(len(written)))
        few = config.model_copy(update={"users_per_shard": 2, **executor})
        made = write_prompts.fn(*inputs, config=few, store=store)
        written.append({file.name: file.read_bytes() for file in made.path.glob("*.parquet")})
    assert len(written[0]) == 4
    assert written[0] == written[1] == written[2]
