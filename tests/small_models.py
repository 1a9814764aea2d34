"""Small random models and handmade examples, to compare the fast path with the stock library."""

import numpy as np
import pytest
import torch
from transformers import BloomConfig, BloomForCausalLM, LlamaConfig, LlamaForCausalLM

from tasks.nn.collate import collate, first_fit_decreasing
from tasks.nn.examples import Example, SupervisedSpans
from tasks.nn.packing import ANSWER, RATING, TEXT, pack_example

VOCABULARY = 64


@pytest.fixture(autouse=True)
def seeded():
    """The same weights and draws in every test."""
    torch.manual_seed(0)


def perturb_weights(model):
    """Biases and norms away from 0 and 1, where a mistake in them would not show."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    return model.eval()


@pytest.fixture
def bloom() -> BloomForCausalLM:
    """Six heads, so that the slopes are not all powers of one base."""
    config = BloomConfig(vocab_size=VOCABULARY, hidden_size=48, n_layer=3, n_head=6)
    return perturb_weights(BloomForCausalLM(config))


@pytest.fixture
def llama() -> LlamaForCausalLM:
    """A model with rotary positions and grouped heads, as SmolLM2 has them."""
    return perturb_weights(
        LlamaForCausalLM(
            LlamaConfig(
                vocab_size=VOCABULARY,
                hidden_size=48,
                intermediate_size=96,
                num_hidden_layers=2,
                num_attention_heads=6,
                num_key_value_heads=3,
                tie_word_embeddings=True,
            )
        )
    )


def make_spans(*rows) -> SupervisedSpans:
    branch, start, end, rating = zip(*rows, strict=True)
    return SupervisedSpans(
        np.array(branch, np.int16),
        np.array(start, np.int32),
        np.array(end, np.int32),
        np.array([np.nan if r is None else r for r in rating], np.float32),
        np.zeros((len(rows), 0), np.float32),
    )


@pytest.fixture
def spans():
    """Makes spans from tuples (branch, start, end, rating or None)."""
    return make_spans


@pytest.fixture
def examples(spans) -> list[Example]:
    """A prefix alone; one with three branches, each with a rating; an answer in words."""
    draw = np.random.default_rng(0)

    def tokens(n: int):
        return draw.integers(10, VOCABULARY, n).astype(np.int32)

    return [
        Example(tokens(23), [], spans((-1, 5, 6, 4.0), (-1, 11, 12, 2.0), (-1, 21, 22, 5.0))),
        Example(
            tokens(9),
            [tokens(7), tokens(5), tokens(8)],
            spans((-1, 6, 7, 1.0), (0, 4, 6, 3.0), (1, 2, 4, 4.0), (2, 0, 2, 2.0)),
        ),
        Example(tokens(12), [tokens(10)], spans((0, 0, 7, None), (0, 8, 9, 5.0))),
    ]


def pack_batch(examples, suffixes=((),), width=48, kinds=(TEXT, ANSWER, RATING)):
    """The examples in rows of `width` tokens."""
    packed = [pack_example(example, suffixes, kinds) for example in examples]
    return collate(packed, first_fit_decreasing([len(example) for example in packed], width))


@torch.no_grad()
def stock_hidden_states(model, tokens):
    """[tokens, hidden size] of one text by the library's own path."""
    ids = torch.from_numpy(np.asarray(tokens, np.int64))[None]
    return model.base_model(input_ids=ids).last_hidden_state[0]
