"""Batched decoding equals the plain path list by list, and never leaves the grammar."""

import numpy as np
import pytest
import torch
from transformers import BloomConfig, BloomForCausalLM, LlamaConfig, LlamaForCausalLM

from tasks.decode.decoder import Decoder, ListRequest
from tasks.decode.list_grammar import Grammar, Hypothesis
from tasks.decode.token_trie import TokenTrie
from tasks.nn.forward import output_layer
from tasks.readout.rating_trie import RatingTrie

VOCABULARY = 64
# Films 1 and 4 have the same line; many lines share their beginning; all end in 60.
FILMS = [(5, 6, 60), (5, 7, 8, 60), (9, 60), (5, 7, 10, 11, 60), (5, 7, 8, 60), (12, 13, 60)]
FILMS += [(14 + i // 4, 30 + i, 60) for i in range(24)]
RATINGS = [(50, 51, 52), (50, 51, 53), (54, 51, 52)]  # in three tokens, as BLOOM spells half stars
TRIE = RatingTrie((0.5, 1.0, 1.5), tuple(RATINGS))
GRAMMAR = Grammar(TokenTrie(FILMS), TokenTrie(RATINGS), ((61,), (61,), (61, 62)))


@pytest.fixture(params=["bloom", "llama"])
def model(request):
    torch.manual_seed(0)
    if request.param == "bloom":
        config = BloomConfig(vocab_size=VOCABULARY, hidden_size=48, n_layer=3, n_head=6)
        made = BloomForCausalLM(config)
    else:
        made = LlamaForCausalLM(
            LlamaConfig(
                vocab_size=VOCABULARY,
                hidden_size=48,
                intermediate_size=96,
                num_hidden_layers=2,
                num_attention_heads=6,
                num_key_value_heads=3,
            )
        )
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    return made.eval()


def requests(n=21, noise=False):
    draw = np.random.default_rng(1)
    return [
        ListRequest(
            draw.integers(0, 50, draw.integers(3, 90)),
            draw.random(len(FILMS)) < 0.8,
            np.random.default_rng([7, i]) if noise else None,
        )
        for i in range(n)
    ]


@torch.no_grad()
def plain_list(model, request, length, beams=1):
    """The same search with the stock library: each hypothesis' whole text, alone."""
    hypotheses = [Hypothesis.start(GRAMMAR, request.allowed, length)]
    while not hypotheses[0].is_done:
        competing = hypotheses if hypotheses[0].in_film else hypotheses[:1]
        options = []
        for hypothesis in competing:
            if not hypothesis.in_film and competing is hypotheses:
                options.append((hypothesis.log_p, hypothesis))
                continue
            ids = torch.tensor([[*request.prefix, *hypothesis.tokens]])
            tokens, low, high = hypothesis.choices()
            log_p = torch.log_softmax(model(ids).logits[0, -1][tokens].double(), 0).tolist()
            for i, value in enumerate(log_p):
                reached = hypothesis.log_p + (value if hypothesis.in_film else 0)
                then = hypothesis.choose(int(tokens[i]), int(low[i]), int(high[i]), reached)
                options.append((hypothesis.log_p + value, then))
        options.sort(key=lambda option: -option[0])
        hypotheses = [
            hypothesis for _, hypothesis in options[: beams if competing is hypotheses else 1]
        ]
    return hypotheses[0]


@pytest.mark.parametrize("beams", [1, 3])
def test_lists_equal_the_plain_path(model, beams):
    for request, decoded in zip(
        requests(), Decoder(model, GRAMMAR, TRIE, 4, beams).decode(requests()), strict=True
    ):
        expected = plain_list(model, request, 4, beams)
        assert decoded.tokens == expected.tokens
        assert decoded.log_p == pytest.approx(expected.log_p, abs=1e-4)


@pytest.mark.parametrize("noise", [False, True])
@pytest.mark.parametrize("beams", [1, 3])
def test_other_users_in_the_batch_change_no_bit(model, beams, noise):
    decoder = Decoder(model, GRAMMAR, TRIE, 4, 1 if noise else beams)
    together = decoder.decode(requests(noise=noise))
    alone = [decoder.decode([request])[0] for request in requests(noise=noise)]
    assert [d.tokens for d in together] == [d.tokens for d in alone]
    assert [d.log_p for d in together] == [d.log_p for d in alone]
    for one, other in zip(together, alone, strict=True):
        for entry, same in zip(one.entries, other.entries, strict=True):
            assert np.array_equal(entry.log_p, same.log_p)


def test_a_list_names_only_allowed_films_and_none_twice(model):
    for request, hypothesis in zip(
        requests(), Decoder(model, GRAMMAR, TRIE, 6).decode(requests()), strict=True
    ):
        films = [entry.film for entry in hypothesis.entries]
        allowed = set(GRAMMAR.films.order[np.flatnonzero(request.allowed)].tolist())
        assert len(films) == len(set(films)) == 6
        assert set(films) <= allowed
        tokens = []
        for entry in hypothesis.entries:
            tokens += [*FILMS[entry.film], *RATINGS[entry.value], *GRAMMAR.endings[entry.value]]
            spelt = RATINGS[entry.value]
            assert tuple(hypothesis.tokens[entry.start :][: len(spelt)]) == spelt
        assert hypothesis.tokens == tokens


def test_a_list_ends_when_no_allowed_film_is_left(model):
    allowed = np.zeros((2, len(FILMS)), bool)
    allowed[0, :3] = True
    requests = [ListRequest(np.arange(5), row) for row in allowed]
    some, none = Decoder(model, GRAMMAR, TRIE, 4).decode(requests)
    assert {e.film for e in some.entries} == set(GRAMMAR.films.order[:3].tolist())
    assert all(len(entry.log_p) == len(RATINGS) for entry in some.entries)
    assert none.entries == []


def test_sampling_is_seeded(model):
    first = Decoder(model, GRAMMAR, TRIE, 4).decode(requests(noise=True))
    again = Decoder(model, GRAMMAR, TRIE, 4).decode(requests(noise=True))
    greedy = Decoder(model, GRAMMAR, TRIE, 4).decode(requests())
    assert [d.tokens for d in first] == [d.tokens for d in again]
    assert [d.tokens for d in first] != [d.tokens for d in greedy]


def test_a_line_that_begins_another_is_refused():
    with pytest.raises(ValueError, match="is the beginning of text"):
        TokenTrie([(1, 2), (1, 2, 3)])


@pytest.mark.parametrize("beams", [1, 3])
def test_ratings_are_those_of_the_finished_text(model, beams):
    """Read off the kept keys and values, by the stock library from the whole text."""
    suffixes = TRIE.probe_suffixes
    assert len(suffixes) == 2
    decoded = Decoder(model, GRAMMAR, TRIE, 4, beams).decode(requests())
    for request, hypothesis in zip(requests(), decoded, strict=True):
        for entry in hypothesis.entries:
            text = [*request.prefix, *hypothesis.tokens[: entry.start]]
            with torch.no_grad():
                hidden = [
                    model.base_model(torch.tensor([[*text, *suffix]])).last_hidden_state[0, -1]
                    for suffix in suffixes
                ]
                expected = TRIE.log_probabilities(torch.stack(hidden)[None], output_layer(model))
            assert entry.log_p == pytest.approx(expected[0].numpy(), abs=1e-5)
