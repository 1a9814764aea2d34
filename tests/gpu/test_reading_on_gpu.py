"""Ratings read by the compiled path, by the dense one, in little memory, and token by token."""

import numpy as np
import pytest
import torch

from tasks.decode.cached_rows import CachedRows, Probe
from tasks.nn import free_memory
from tasks.nn.examples import Example
from tasks.nn.forward import dense_hidden_states, hidden_states, output_layer
from tasks.readout import inference
from tasks.readout.config import Inference
from tasks.readout.inference import Questions, Reader
from tasks.readout.rating_trie import RatingTrie
from tests.small_models import make_spans, pack_batch

HALVES = RatingTrie(
    tuple(n / 2 for n in range(1, 11)), tuple((10 + n // 2, 20, 21 + n % 2) for n in range(1, 11))
)


def stars(reader, examples):
    return np.exp(reader.read(examples)) @ np.array(HALVES.scale)


@pytest.mark.parametrize("pack_length", [1, 1500])
def test_expected_ratings_are_those_of_the_dense_path(bloom, examples, monkeypatch, pack_length):
    reader = Reader(bloom, HALVES, Inference(pack_length=pack_length))
    compiled = stars(reader, examples)
    users = [Questions([one, one], [one]) for one in examples]
    both = reader.read_users(users)
    monkeypatch.setattr(inference, "hidden_states", dense_hidden_states)
    assert np.abs(compiled - stars(reader, examples)).max() < 1e-3
    dense = reader.read_users(users)
    assert np.abs(np.exp(both.log_p) - np.exp(dense.log_p)).max() < 1e-3
    assert np.abs(both.log_likelihood - dense.log_likelihood).max() < 1e-2
    assert len(compiled) == sum(len(example.branches) for example in examples)


def test_the_bits_of_ratings_repeat(bloom, examples):
    reader = Reader(bloom, HALVES, Inference())
    assert np.array_equal(reader.read(examples), reader.read(examples))


def test_little_memory_takes_smaller_parts_and_gives_the_same_ratings(
    bloom, examples, gpu, monkeypatch
):
    many = examples * 8
    whole = stars(Reader(bloom, HALVES, Inference(pack_length=1)), many)
    # The estimate would keep within the limit: here the GPU itself refuses.
    monkeypatch.setattr(inference, "readable_tokens", lambda *_: float("inf"))
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(gpu).total_memory
    allowed = torch.cuda.memory_allocated(gpu) + 120e6
    torch.cuda.set_per_process_memory_fraction(allowed / total, gpu)
    try:
        reader = Reader(bloom, HALVES, Inference(pack_length=1))
        parts = stars(reader, many)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, gpu)
    assert reader.limit.tokens < float("inf")
    assert np.abs(whole - parts).max() < 1e-3


def test_the_estimate_of_what_fits_follows_free_memory(bloom, gpu):
    before = free_memory.readable_tokens(bloom, 1024)
    assert 0 < before < float("inf")
    held = torch.empty(int(4e9), dtype=torch.uint8, device=gpu)
    assert free_memory.readable_tokens(bloom, 1024) < before
    del held
    assert free_memory.decodable_tokens(bloom, 2048) < free_memory.decodable_tokens(bloom, 256)


def test_tokens_fed_to_the_cache_have_the_logits_of_the_whole_text(bloom, examples):
    texts = [np.r_[e.prefix, e.branches[0]] for e in examples]
    rows = CachedRows(bloom, np.arange(64), [text[:-3] for text in texts])
    for step in range(3):
        rows.feed([text[len(text) - 3 + step :][:1] for text in texts])
    for text, logits in zip(texts, rows.logits, strict=True):
        whole = Example(text, [], make_spans((-1, len(text) - 1, len(text), 3.0)))
        with torch.inference_mode():
            batch = pack_batch([whole]).to(next(bloom.parameters()).device)
            hidden = hidden_states(bloom, batch)[len(text) - 1]
            expected = output_layer(bloom)(hidden).cpu().numpy()
        assert np.abs(expected - logits).max() < 1e-2


def test_what_branches_off_the_cache_has_the_states_of_the_whole_text(bloom, examples):
    texts = [np.r_[e.prefix, e.branches[0]] for e in examples]
    rows = CachedRows(bloom, np.arange(64), texts)
    probes = [[Probe(len(t) - 3, t[-3:]), Probe(len(t) - 1, t[-1:])] for t in texts]
    for text, states in zip(texts, rows.read(probes).unflatten(0, (-1, 2)), strict=True):
        whole = Example(text, [], make_spans((-1, len(text) - 1, len(text), 3.0)))
        with torch.inference_mode():
            batch = pack_batch([whole]).to(next(bloom.parameters()).device)
            expected = hidden_states(bloom, batch)[len(text) - 1]
        assert (states - expected).abs().max() < 1e-2
